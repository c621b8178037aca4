//! The object store: keeps captures, verdicts and reports after the pod is gone.
//!
//! Everything relies on two guarantees: an object is created once and never overwritten, and the few objects that change do
//! so by compare-and-swap. [`Store::open_verified`] refuses a back end without them. Every document holds its schema, its
//! location and a checksum, so that one that was truncated, altered or copied to another key is an error.

mod app;
mod backend;
mod census;
mod document;
mod entry;
mod error;
pub mod fault;
mod file;
mod gc;
mod location;
mod regular_file;
mod retention;
mod run;
mod s3;
mod settings;
mod store;
mod url;

pub use app::AppStore;
pub use census::{CaptureCensuses, CensusBytes, Censuses};
pub use document::{Committed, read_capture};
pub use entry::{RunEntry, RunSummary};
pub use error::StoreError;
pub use gc::{CollectedRun, GcOutcome, GcReport};
pub use regular_file::open_regular_file;
pub use retention::{GcMode, Retention};
pub use run::{CommitPre, RunStore};
pub use settings::{AccessKey, ConditionalWrites, Encryption, S3Settings, Settings};
pub use store::Store;
