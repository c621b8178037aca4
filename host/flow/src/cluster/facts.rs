//! What a capture notes of the cluster: which images ran, on which volumes the data lay, and who copied them.

use taster_cluster::volumes;
use taster_model::{ContainerImage, ServerFacts, WorkloadFacts};

use super::Scaler;

/// What is around the database. Empty without a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// What ran.
    pub(crate) workloads: Vec<WorkloadFacts>,
    /// `claim=volume`.
    pub(crate) volumes: Vec<String>,
    /// Which copy the data are, as whoever copied them says.
    pub(crate) copied: Vec<String>,
}

impl Surroundings {
    /// The server with what is known around it.
    pub(crate) fn joined(&self, server: &ServerFacts) -> ServerFacts {
        ServerFacts { volumes: self.volumes.clone(), copied: self.copied.clone(), ..server.clone() }
    }
}

impl Scaler<'_> {
    /// What is around the database now. `copied` was asked before.
    pub(crate) async fn surroundings(&self, copied: Vec<String>) -> Surroundings {
        let workloads = self.seen().found.iter().map(facts).collect();
        Surroundings { workloads, volumes: self.volumes().await, copied }
    }

    /// The volumes of all data workloads; nothing where one of them cannot be asked, for a part would be another set.
    async fn volumes(&self) -> Vec<String> {
        let mut all = Vec::new();
        for workload in self.section.data() {
            match volumes(&self.cluster, &workload.of).await {
                Ok(volumes) => all.extend(volumes),
                Err(error) => {
                    tracing::warn!("the volumes of {} stay unknown: {error}", workload.of);
                    return Vec::new();
                }
            }
        }
        all.sort();
        all.dedup();
        all
    }
}

pub(super) fn facts(found: &taster_cluster::Found) -> WorkloadFacts {
    let image = |image: &taster_cluster::Image| ContainerImage {
        container: image.container.clone(),
        image: image.image.clone(),
    };
    let of = &found.workload.of;
    WorkloadFacts { kind: of.kind.clone(), name: of.name.clone(), images: found.images.iter().map(image).collect() }
}
