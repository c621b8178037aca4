//! The seam of the back ends: objects by key, created once or swapped.

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::StoreError;

/// An object's bytes at one moment, for a later swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(String);

impl Version {
    /// The version of a back end that has none of its own: the digest of the bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
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

/// A back end. Keys are paths of safe names joined by `/`.
///
/// A write that returned is durable; one that did not, for whatever reason, left either the old state or the new one.
pub(crate) trait Objects: Send + Sync {
    /// Creates an object, if there is none of that key.
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<Created, StoreError>>;

    /// Reads an object.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// Replaces an object that still is `expected`, or creates one where there is none and none is expected.
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Swapped, StoreError>>;

    /// Keys that begin with `prefix`, which ends in `/`; sorted, unfinished writes left out.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Removes an object, if it is there.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Where a person finds an object.
    fn url(&self, key: &str) -> String;
}
