//! What every back end offers: objects by key, created once or swapped.

use std::fs::File;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use taster_census::ReadAt;
use taster_text::grouped;

use crate::{error::StoreError, retention::GcMode};

/// The beginning of the keys of objects that verify a store. They belong to no app.
pub(crate) const VERIFICATION_PREFIX: &str = "v1/.proof-";

/// A version of an object, for a later swap. Only its back end interprets the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

impl Version {
    /// The version in a back end that has none of its own: the digest of the bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectInfo {
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was last written, by the back end's clock.
    pub(crate) modified: Timestamp,
}

/// An object as it was read.
pub(crate) struct StoredObject {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
}

/// How a create ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreateOutcome {
    Created,
    /// There is an object with that key already. It is unchanged.
    AlreadyExists,
}

/// How a swap ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SwapOutcome {
    Swapped,
    /// The object is not the expected version. It is unchanged.
    Conflict,
}

/// An object that is written from a file, because it may be too large for memory.
#[derive(Clone, Copy)]
pub(crate) struct StreamedObject<'a> {
    /// Its bytes, from the beginning of the file.
    pub(crate) file: &'a File,
    pub(crate) digest: Digest<'a>,
}

/// Length and SHA-256 of an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest<'a> {
    pub(crate) length: u64,
    /// In hexadecimal.
    pub(crate) sha256: &'a str,
}

/// How opening an object for reading in parts ended.
pub(crate) enum OpenOutcome {
    NotFound,
    /// Its length or digest is not the expected one; the text names both.
    Mismatch(String),
    /// It is the expected object. Reading blocks and must not happen on the runtime's own threads: a back end may send a
    /// request for each part.
    Confirmed(Box<dyn ReadAt>),
}

impl OpenOutcome {
    /// The object has `found` bytes, which is not the expected length.
    pub(crate) fn wrong_length(found: u64, expected: Digest<'_>) -> Self {
        let [found, expected] = [found, expected.length].map(grouped);
        Self::Mismatch(format!("it has {found} bytes, and {expected} were written"))
    }
}

/// A back end. Keys are paths: names of safe characters, joined by `/`.
///
/// A write that returned is durable. A write that was interrupted left either the old state or the new one.
pub(crate) trait ObjectBackend: Send + Sync {
    /// Creates an object, if there is none with that key.
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<CreateOutcome, StoreError>>;

    /// Creates an object from a file, if there is none with that key. Memory does not grow with its size. A file that does
    /// not match its digest creates nothing.
    fn create_from<'a>(
        &'a self,
        key: &'a str,
        object: StreamedObject<'a>,
    ) -> BoxFuture<'a, Result<CreateOutcome, StoreError>>;

    /// Opens an object for reading in parts, if it has the expected length and the expected digest. A back end that cannot
    /// read the whole object cheaply compares the digest that was stored with it; then the caller checks each part by the
    /// checksums of its format.
    fn open<'a>(&'a self, key: &'a str, digest: Digest<'a>) -> BoxFuture<'a, Result<OpenOutcome, StoreError>>;

    /// Reads a whole object.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>, StoreError>>;

    /// Replaces an object whose version is `expected`. `None` expects that there is no object, and creates it.
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<SwapOutcome, StoreError>>;

    /// Lists the objects whose keys begin with `prefix`, which ends in `/`, sorted by key and without unfinished writes.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<ObjectInfo>, StoreError>>;

    /// Lists the names between `prefix`, which ends in `/`, and the next `/` of longer keys.
    fn list_folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Removes writes below `prefix` that began before a moment and never finished, and returns their number. A `prefix` that
    /// does not end in `/` names the beginning of their keys; nothing in folders below is removed then.
    fn sweep<'a>(&'a self, prefix: &'a str, before: Timestamp, mode: GcMode) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Removes the empty folders of a prefix without objects, in back ends that have folders.
    fn remove_empty_folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes an object, if it exists.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The URL of an object, for people.
    fn url(&self, key: &str) -> String;
}
