//! The Job and the pod that this process runs in.

use std::time::Duration;

/// The Job that this pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnJob {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// How long until `activeDeadlineSeconds`, less the pod's grace period. `None` where the Job has no deadline.
    pub left: Option<Duration>,
    /// The pod's grace period.
    pub grace: Duration,
}
