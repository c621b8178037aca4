//! Kubernetes: scale workloads up and restore them, wait until they are ready, hold the lock, read how old the copied data
//! are, and publish Events and annotations.
//!
//! Every change is recorded on the workload before it is made, so that a later process can undo it after any failure.
//! Nothing here knows what a probe or a verdict is.

mod connection;
mod error;
mod events;
mod freshness;
mod images;
mod inspect;
mod job;
mod kubeconfig;
mod lock;
mod readiness;
mod record;
mod request;
mod restore;
mod revision;
mod scale_state;
mod scale_up;
mod step;
mod text;
mod volumes;
mod workload;
mod workload_api;

pub use connection::{Cluster, ClusterOptions, ProcessIdentity};
pub use error::{ClusterError, FreshnessError, ReadinessError};
pub use events::{EventSpec, EventType};
pub use freshness::{AgeLimit, CopySource, CopySourceKind, LastCopy, check_age};
pub use images::{ContainerImage, container_images};
pub use inspect::{InspectedWorkload, Inspection};
pub use job::OwnJob;
pub use lock::{LEASE_DURATION, Lock, LockRequest, WhenLocked};
pub use record::{ScaleRecord, StoredRecord};
pub use restore::RestoreOutcome;
pub use step::on_step;
pub use workload::{Workload, WorkloadRef};
