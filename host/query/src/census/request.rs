//! What a probe asks for when it takes a census, and what it gets.

use taster_census::DetailLevel;

/// What a census covers, as the probe sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CensusRequest {
    /// Which documents, as unchecked BSON. `None`: all.
    pub filter: Option<Vec<u8>>,
    /// Top-level fields that are left out, at most 1000 of at most 1024 bytes each; never `_id`.
    pub ignored: Vec<String>,
    /// Whether whole documents or single fields can be compared.
    pub detail: DetailLevel,
    /// How many whole documents are kept, at most 250.
    pub sample: u32,
    /// Whether small values are kept beside the digests of fields. Only with [`DetailLevel::Fields`].
    pub values: bool,
    /// Whether the order of fields, at any depth, is no part of a document.
    pub any_order: bool,
}

/// A census that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusSummary {
    /// Its name in this run: `c1` is the first one that was requested.
    pub id: String,
    /// Number of documents.
    pub documents: u64,
    /// Size of the documents, in BSON.
    pub bytes: u64,
}
