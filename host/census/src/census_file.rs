//! A census that was written to a temporary file.

use std::fs::File;

use crate::{CensusIdentity, CensusOptions};

/// A census in an unlinked temporary file.
#[derive(Debug)]
pub struct CensusFile {
    /// The capture, probe and collection that it belongs to.
    pub identity: CensusIdentity,
    /// Its options.
    pub options: CensusOptions,
    /// Its bytes, from the beginning of the file.
    pub file: File,
    /// Number of bytes.
    pub length: u64,
    /// SHA-256 of the bytes in hexadecimal.
    pub sha256: String,
    /// Number of documents.
    pub documents: u64,
    /// Size of the documents in BSON.
    pub bytes: u64,
    /// Sum over all documents, in hexadecimal.
    pub sum: String,
}
