//! Workloads that are scaled up for a flow and restored after it.
//!
//! Start reading at [`with_scaled_workloads`]. The original replica counts are always restored: after success, failure,
//! a panic, a signal and before the Job's deadline. The exception is a lost lock: then another process is at work.

mod api;
mod events;
mod facts;
mod lifecycle;
mod report;
mod restore;
mod scale_up;
mod scaler;

pub(crate) use api::{connect, retry_while_unreachable};
pub(crate) use events::publish_restored;
pub(crate) use facts::ClusterFacts;
pub use lifecycle::FlowOutcome;
pub(crate) use lifecycle::{FlowRequest, OnSuccess, with_scaled_workloads};
pub use report::{NotRestored, ReplicaChange, RestoreReport};
pub(crate) use restore::{RestoreAttempt, RestoreLimits, WorkloadRestorer, stored_workloads};
pub(crate) use scale_up::{AllowedImages, WorkloadPresence};
pub(crate) use scaler::{Scaler, release_lock};
