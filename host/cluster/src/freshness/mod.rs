//! Freshness: when the system that copies the data last succeeded, and how old the data may be.

mod age;
mod fetch;
mod source;
mod status;
mod stork;
mod volsync;
mod volume_snapshot;

pub use age::{AgeLimit, check_age};
pub use fetch::LastCopy;
pub use source::{CopySource, CopySourceKind};
