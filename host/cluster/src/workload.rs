//! What is scaled: a Deployment, a StatefulSet, or anything else with a `/scale` subresource.

use std::{fmt, time::Duration};

/// Names a workload of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkloadRef {
    /// `apps/v1`; for `Deployment` and `StatefulSet` nobody has to say it.
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

/// A workload and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Which one.
    pub of: WorkloadRef,
    /// How many replicas tasting needs. One that has more already is left as it is.
    pub replicas: i32,
    /// How long it may take to get ready.
    pub ready: Duration,
    /// Scale it although an autoscaler looks after it.
    pub allow_hpa: bool,
    /// The setting that names it, for errors: `cluster.data[mongo]`.
    pub setting: String,
}
