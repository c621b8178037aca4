//! What a capture notes of the cluster: the images of the workloads, and the volumes that the data lie on.

use crate::{Cluster, ClusterError, WorkloadRef};

/// The image of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name of the container.
    pub container: String,
    /// `quay.io/px-tme/pxbbq:v4.3`.
    pub image: String,
}

/// Images of a pod template (`spec.template` of a workload), init containers left out.
#[must_use]
pub fn images(_template: &serde_json::Value) -> Vec<Image> {
    todo!()
}

/// The volumes that the pods of a workload claim, as `claim=volume` (`spec.volumeName` of each claim), sorted.
pub async fn volumes(_cluster: &Cluster, _workload: &WorkloadRef) -> Result<Vec<String>, ClusterError> {
    todo!()
}
