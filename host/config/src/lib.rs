//! The configuration, `taster.yaml`: parsed to plain data, and checked as a whole before anything is touched.
//!
//! Start reading at [`load`]; [`Config`] is the file.

mod changes;
mod check;
mod closest;
mod cluster;
mod component;
mod documents;
mod error;
mod freshness;
mod limits;
mod names;
mod notify;
mod probe;
mod read;
mod renamed;
mod require;
mod root;
mod store;
mod units;

#[cfg(test)]
mod tests;

pub use closest::closest_match;
pub use cluster::{ClusterSection, LockSection, OnLocked, WorkloadScale};
pub use component::ComponentSource;
pub use documents::{Redact, RedactedField, Report, Scan, Secret};
pub use error::{ConfigError, SourceLocation};
pub use freshness::{FreshnessRule, FreshnessSource, Newest};
pub use limits::{DEFAULT_CENSUS, DEFAULT_CENSUS_BYTES, Limits};
pub use notify::{Application, GitHub, NotificationTarget};
pub use probe::{Collections, OneOrMany, Probe, default_probes};
pub use read::{CheckedFile, check_file, load, parse};
pub use renamed::RENAMED_KEYS;
pub use require::Require;
pub use root::{Config, DEFAULT_STORE, Mongodb, app_name_from};
pub use store::{ConditionalWritesRule, RetentionSection, S3Section, ServerSideEncryption};
pub use units::{Delay, Period, Size};
