//! Kubernetes: scale workloads up and back, wait until they are ready, hold the lock, ask how old the data are, and say
//! what came of it where people look.
//!
//! Everything that is changed is recorded before it is changed, on the workload itself: whoever comes next, after whatever
//! happened, can put it back. Nothing here knows what a probe or a verdict is.

mod cluster;
mod error;
mod facts;
mod fresh;
mod inspect;
mod job;
mod lock;
mod ready;
mod revision;
mod say;
mod scale;
mod step;
mod words;
mod workload;

pub use cluster::{Cluster, ClusterOptions, Me};
pub use error::ClusterError;
pub use facts::{Image, images, volumes};
pub use fresh::{Copied, CopySource, FreshError, young_enough};
pub use inspect::{Found, Inspection};
pub use job::OwnJob;
pub use lock::{Busy, LEASE, Lock, LockRequest};
pub use ready::ReadyError;
pub use say::{Said, Tone};
pub use scale::{Record, Restored};
pub use step::on_step;
pub use workload::{Workload, WorkloadRef};
