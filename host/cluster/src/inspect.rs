//! A look at the workloads before anything is changed: what is there, and who else looks after it.

use crate::{Cluster, ClusterError, Image, Record, Workload, WorkloadRef};

/// A workload as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is wanted of it.
    pub workload: Workload,
    /// Its UID.
    pub uid: String,
    /// `spec.replicas` as the scale subresource tells it.
    pub live: i32,
    /// What an earlier process recorded on it and has not put back. It beats the live count.
    pub standing: Option<Record>,
    /// Images of its containers, by container.
    pub images: Vec<Image>,
}

impl Found {
    /// The count to go back to: the recorded one, else the live one.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.standing.as_ref().map_or(self.live, |record| record.found)
    }
}

/// What a look came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Those that are there, in the order that was given.
    pub found: Vec<Found>,
    /// Those that are not.
    pub absent: Vec<WorkloadRef>,
    /// What a person should know: who else sets the count, and what to set.
    pub warnings: Vec<String>,
}

impl Cluster {
    /// Looks at the workloads. Changes nothing.
    ///
    /// # Errors
    /// A workload that an autoscaler (unless it is allowed), or a controlling owner looks after; one without a scale
    /// subresource; a missing right.
    pub async fn inspect(&self, _workloads: &[Workload]) -> Result<Inspection, ClusterError> {
        todo!()
    }
}
