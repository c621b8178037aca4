//! From documents to a census.

use std::fs::File;

use taster_model::{DeclaredChange, Side};

use crate::{CensusError, Key, Options, Place, Scratch};

/// Takes documents in any order and writes their census. Builders of parts of one collection become one by
/// [`Builder::absorb`]; the bytes do not depend on the parts.
pub struct Builder {}

/// How documents are recorded.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What digests are keyed with.
    pub key: Key,
    /// What the census covers; see [`Options::of_changes`].
    pub options: Options,
    /// Which side of the sync it is.
    pub side: Side,
    /// What the migration is meant to do to this collection, as far as fields and documents go. On `post`, what is needed
    /// to take these changes off again is recorded too.
    pub changes: Vec<DeclaredChange>,
    /// Key of redacted ids; the census key where there is none.
    pub secret: Option<Vec<u8>>,
    /// Room to work in.
    pub scratch: Scratch,
}

/// A census that was written, in an unlinked temporary file.
#[derive(Debug)]
pub struct Recorded {
    /// Where it belongs.
    pub place: Place,
    /// Its options.
    pub options: Options,
    /// The bytes, from the beginning of the file.
    pub file: File,
    /// How many.
    pub length: u64,
    /// SHA-256 of them in hexadecimal.
    pub sha256: String,
    /// Documents.
    pub documents: u64,
    /// Bytes of the documents.
    pub bytes: u64,
    /// Sum over all documents, in hexadecimal.
    pub sum: String,
}

impl Builder {
    /// An empty one.
    #[must_use]
    pub fn new(recording: &Recording) -> Self {
        let _ = recording;
        Self {}
    }

    /// Takes documents back to back; returns how many. `mark` is the number, from 1, of the filter that all of them
    /// match: before the sync of [`Options::leaving`], after it of [`Options::arriving`]; 0 where they match none.
    pub fn push(&mut self, documents: &[u8], mark: u8) -> Result<u64, CensusError> {
        let _ = (documents, mark);
        Ok(0)
    }

    /// Takes over what another one, of the same recording, was fed.
    pub fn absorb(&mut self, other: Self) {
        let _ = other;
    }

    /// Writes the census. `now` is the server's time in milliseconds since 1970: what was due to expire before it is
    /// not missed.
    pub fn finish(self, place: &Place, now: i64) -> Result<Recorded, CensusError> {
        let _ = (place, now);
        Err(CensusError::BadKey)
    }
}
