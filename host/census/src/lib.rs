//! Every document of a collection accounted for, when the "before" database is gone: its `_id`, a keyed digest of eight
//! bytes and its shape, in about eleven bytes a document.
//!
//! A [`Builder`] is fed BSON and writes a census; [`Census`] reads one; [`diff`] says which documents are missing, extra
//! or changed, and proves the changes that were declared. Streaming, and no I/O of its own but scratch files.

mod block;
mod builder;
mod diff;
mod document;
mod error;
mod format;
mod hash;
mod ids;
mod key;
mod named;
mod options;
mod pair;
mod paths;
mod quick;
mod raw;
mod read;
mod record;
mod rewrite;
mod sample;
mod scratch;
mod seal;
mod shape;
mod side;

pub use builder::{Builder, Recorded, Recording};
pub use diff::{Comparing, diff};
pub use error::CensusError;
pub use key::Key;
pub use options::{Detail, Expiry, Options, Place, Redaction, Scratch};
pub use read::{Census, ReadAt};
