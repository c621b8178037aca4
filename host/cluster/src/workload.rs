//! The names of workloads, and what the configuration wants of them.

use std::{fmt, time::Duration};

/// Names a workload of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkloadRef {
    /// `apps/v1`. The configuration may omit it for `Deployment` and `StatefulSet`.
    pub api_version: String,
    /// `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// A workload and what the configuration wants of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its kind and name.
    pub reference: WorkloadRef,
    /// How many replicas a capture needs. A workload that has more is left as it is.
    pub replicas: i32,
    /// How long it may take to become ready.
    pub ready_timeout: Duration,
    /// Scale it even though an autoscaler manages it.
    pub allow_hpa: bool,
    /// Its setting, for errors: `cluster.data[mongo]`.
    pub setting: String,
}
