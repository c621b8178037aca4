//! The seam of the back ends: objects by key, created once or swapped.

use std::fs::File;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use taster_census::ReadAt;

use crate::StoreError;

/// An object's bytes at one moment, for a later swap. Each back end has its own kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

impl Version {
    /// The version of a back end that has none of its own: the digest of the bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was written last, by the back end's clock.
    pub(crate) modified: Timestamp,
}

/// An object as it was read.
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
}

/// What came of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    New,
    /// There was one already; it is untouched.
    Exists,
}

/// What came of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swapped {
    Done,
    /// Somebody else was faster; nothing was changed.
    Conflict,
}

/// An object that is too large to be held in memory, on its way into the store.
#[derive(Clone, Copy)]
pub(crate) struct Large<'a> {
    /// Its bytes, from the beginning of the file.
    pub(crate) file: &'a File,
    pub(crate) print: Print<'a>,
}

/// What an object's bytes are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print<'a> {
    pub(crate) length: u64,
    /// In hexadecimal.
    pub(crate) sha256: &'a str,
}

/// What came of opening an object for reading in parts.
pub(crate) enum Opened {
    /// There is none.
    Absent,
    /// It is another one, and how that shows.
    Other(String),
    /// It is the one that was asked for. ReadMode blocks, and must not happen on the runtime's own threads: a back end may
    /// have to wait for the network, a request for each part.
    Confirmed(Box<dyn ReadAt>),
}

/// A back end. Keys are paths of safe names joined by `/`.
///
/// A write that returned is durable; one that did not, for whatever reason, left either the old state or the new one.
pub(crate) trait Objects: Send + Sync {
    /// Creates an object, if there is none of that key.
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<Created, StoreError>>;

    /// Creates an object out of a file, if there is none of that key. Memory does not grow with it. A file that is not
    /// what it is known by creates nothing.
    fn create_from<'a>(&'a self, key: &'a str, large: Large<'a>) -> BoxFuture<'a, Result<Created, StoreError>>;

    /// Opens an object to be read in parts, if it is what it is known by: of its length at least, and of its digest
    /// wherever the whole of it can be read at little cost. What cannot be is checked part by part as it is read, by
    /// whoever knows the format.
    fn open<'a>(&'a self, key: &'a str, print: Print<'a>) -> BoxFuture<'a, Result<Opened, StoreError>>;

    /// Reads an object whole.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// Replaces an object that still is `expected`, or creates one where there is none and none is expected.
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Swapped, StoreError>>;

    /// Objects whose keys begin with `prefix`, which ends in `/`; sorted by key, unfinished writes left out.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// What stands between `prefix`, which ends in `/`, and the next `/` in keys that have one.
    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Removes writes below `prefix` that were begun before a moment and never finished; counts them. Where it does not end
    /// in `/`, those that begin with it, and none below them.
    fn sweep<'a>(&'a self, prefix: &'a str, before: Timestamp, dry: bool) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Takes away what is left of a prefix that has no objects any more: folders, where the back end has them.
    fn forget<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes an object, if it is there.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Where a person finds an object.
    fn url(&self, key: &str) -> String;
}
