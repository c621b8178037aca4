//! [`ClusterFacts`]: what a capture records of the cluster, such as images, volumes and the copy that the data are.

use taster_model::{ContainerImage, ServerFacts, WorkloadFacts};

use super::scaler::Scaler;

/// What a capture records of the cluster. Empty without a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    /// The workloads and their images.
    pub(crate) workloads: Vec<WorkloadFacts>,
    /// The volumes of the data, as `claim=volume`.
    pub(crate) volumes: Vec<String>,
    /// Which copy the data are, according to the sources under `freshness`.
    pub(crate) copied: Vec<String>,
}

impl ClusterFacts {
    /// Adds the facts about the data to those of the server.
    pub(crate) fn add_to(&self, server: &ServerFacts) -> ServerFacts {
        ServerFacts { volumes: self.volumes.clone(), copied: self.copied.clone(), ..server.clone() }
    }
}

impl Scaler<'_> {
    /// The facts about the cluster as it is now. `copied` was read before.
    pub(crate) async fn cluster_facts(&self, copied: Vec<String>) -> ClusterFacts {
        let workloads = self.state().found.iter().map(workload_facts).collect();
        ClusterFacts { workloads, volumes: self.volumes().await, copied }
    }

    /// The volumes of all data workloads. Empty if one of them cannot be read: a part of them would look like another copy.
    async fn volumes(&self) -> Vec<String> {
        let mut all = Vec::new();
        for workload in self.section.data() {
            match self.cluster.claimed_volumes(&workload.reference).await {
                Ok(volumes) => all.extend(volumes),
                Err(error) => {
                    tracing::warn!(workload = %workload.reference, %error, "cannot read the volumes of a workload");
                    return Vec::new();
                }
            }
        }
        all.sort();
        all.dedup();
        all
    }
}

pub(super) fn workload_facts(found: &taster_cluster::InspectedWorkload) -> WorkloadFacts {
    let image = |image: &taster_cluster::ContainerImage| ContainerImage {
        container: image.container.clone(),
        image: image.image.clone(),
    };
    let of = &found.workload.reference;
    WorkloadFacts { kind: of.kind.clone(), name: of.name.clone(), images: found.images.iter().map(image).collect() }
}
