//! The census: a record of every document of a collection, with its `_id`, a keyed digest of eight bytes and its shape, in
//! about eleven bytes a document. Two censuses are compared without the database of either.
//!
//! Start reading at [`CensusBuilder`], which takes BSON documents and writes a census; [`Census`] reads one; [`diff`]
//! compares two, lists missing, extra and changed documents, and proves declared changes. Streaming; the only I/O of this
//! crate is scratch files.

mod attempt;
mod bucket;
mod bucket_documents;
mod builder;
mod census_file;
mod conversion;
mod decimal;
mod declared_value;
mod diff;
mod disk_budget;
mod document;
mod document_pair;
mod error;
mod extended_json;
mod field_digests;
mod format;
mod hash;
mod ids;
mod key;
mod listed;
mod options;
mod paths;
mod proof;
mod prove;
mod quick_diff;
mod raw;
mod read;
mod record;
mod rewrite;
mod sample;
mod scratch;
mod shape;
mod values;
mod write;

pub use builder::{CensusBuilder, CensusSpec};
pub use census_file::CensusFile;
pub use conversion::Conversion;
pub use declared_value::DeclaredValue;
pub use diff::{DiffOptions, diff};
pub use disk_budget::DiskBudget;
pub use error::CensusError;
pub use extended_json::extended_json;
pub use key::CensusKey;
pub use options::{CensusIdentity, CensusOptions, DetailLevel, DocumentMarks, Redaction, ScratchSpace, TtlIndex};
pub use read::{Census, ReadAt};
