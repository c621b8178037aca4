//! Where people look: Events on workloads and the Job, annotations on the own Job.

use std::collections::BTreeMap;

use crate::{Cluster, ClusterError, OwnJob, WorkloadRef};

/// How an Event is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// `Normal`.
    Normal,
    /// `Warning`.
    Warning,
}

/// One Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it is shown.
    pub tone: Tone,
    /// `CamelCase`, for machines: `ScaledUp`, `NotReady`, `Different`.
    pub reason: &'static str,
    /// What was being done: `Tasting`, `Scaling`, `Restoring`.
    pub action: &'static str,
    /// For people; cut to 1024 bytes.
    pub note: String,
}

impl Cluster {
    /// An Event about a workload.
    pub async fn event_on(&self, _workload: &WorkloadRef, _said: Said) -> Result<(), ClusterError> {
        todo!()
    }

    /// An Event about the own Job.
    pub async fn event_on_job(&self, _job: &OwnJob, _said: Said) -> Result<(), ClusterError> {
        todo!()
    }

    /// Annotates the own Job: Argo CD's health check and its links read it there.
    pub async fn annotate_job(
        &self,
        _job: &OwnJob,
        _annotations: &BTreeMap<String, String>,
    ) -> Result<(), ClusterError> {
        todo!()
    }
}
