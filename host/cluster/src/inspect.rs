//! Inspection of the workloads before anything is changed: which exist, and what else manages their replicas.

mod autoscalers;
mod field_managers;

use kube::api::DynamicObject;
use taster_model::RunId;

use crate::{
    connection::Cluster,
    error::ClusterError,
    images::{ContainerImage, container_images},
    record::{ScaleRecord, StoredRecord},
    scale_state::ScaleState,
    workload::{Workload, WorkloadRef},
};

/// A workload that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedWorkload {
    /// What the configuration wants of it.
    pub workload: Workload,
    /// Its UID.
    pub uid: String,
    /// `spec.replicas` of its scale subresource.
    pub current_replicas: i32,
    /// The record of an earlier process that has not restored it. Its original replicas override the current ones.
    pub record: Option<ScaleRecord>,
    /// Images of its containers.
    pub images: Vec<ContainerImage>,
}

impl InspectedWorkload {
    /// The replicas to restore: the recorded ones, else the current ones.
    #[must_use]
    pub fn original_replicas(&self) -> i32 {
        self.record.as_ref().filter(|record| record.is_change()).map_or(self.current_replicas, |record| record.original)
    }

    /// Adopts the record that the store holds where the annotation was removed, as a sync that replaces objects does. Only
    /// within one run, for the same object, and while it has the replicas that it was scaled to: otherwise its replicas
    /// were set on purpose since.
    pub fn adopt_stored_record(&mut self, stored: StoredRecord<'_>, run: &RunId) {
        let StoredRecord { record, .. } = stored;
        let applies = stored.if_current(&self.uid, self.current_replicas).is_some();
        if self.record.is_none() && applies && record.run == *run && record.is_change() {
            self.record = Some(record.clone());
        }
    }

    /// Whether it is still the same object with the same replicas.
    pub(crate) fn is_unchanged(&self, state: &ScaleState) -> bool {
        self.uid == state.uid && self.current_replicas == state.replicas
    }
}

/// The result of an inspection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The workloads that exist, in the given order.
    pub found: Vec<InspectedWorkload>,
    /// The workloads that do not exist.
    pub not_found: Vec<WorkloadRef>,
    /// Other field managers that set the replicas, with the setting that stops them.
    pub warnings: Vec<String>,
}

impl Cluster {
    /// Inspects the workloads. Changes nothing.
    ///
    /// # Errors
    /// A workload that is managed by an autoscaler (unless that is allowed) or controlled by another object; one that
    /// another app has scaled; one without a scale subresource; a missing right.
    pub async fn inspect(&self, workloads: &[Workload]) -> Result<Inspection, ClusterError> {
        let mut inspection = Inspection::default();
        for workload in workloads {
            let endpoints = self.workload_api(&workload.reference, &workload.setting).await?;
            let Some(state) = self.read_scale_state(&workload.reference, &endpoints).await? else {
                inspection.not_found.push(workload.reference.clone());
                continue;
            };
            reject_controlled(workload, &state.object)?;
            inspection.warnings.extend(field_managers::warning(workload, &state.object));
            let record = ScaleRecord::of_object(&state.object, &workload.reference)?;
            if let Some(record) = record.as_ref().filter(|record| record.app != self.app.as_str()) {
                let (app, run) = (record.app.clone(), record.run.clone());
                return Err(ClusterError::ScaledByOtherApp { workload: workload.reference.clone(), app, run });
            }
            inspection.found.push(InspectedWorkload {
                workload: workload.clone(),
                uid: state.uid,
                current_replicas: state.replicas,
                record,
                images: container_images(&state.object.data["spec"]["template"]),
            });
        }
        let found: Vec<&Workload> = inspection.found.iter().map(|inspected| &inspected.workload).collect();
        self.reject_autoscaled(&found).await?;
        Ok(inspection)
    }
}

fn reject_controlled(workload: &Workload, object: &DynamicObject) -> Result<(), ClusterError> {
    let owners = object.metadata.owner_references.iter().flatten();
    let Some(owner) = owners.into_iter().find(|owner| owner.controller == Some(true)) else { return Ok(()) };
    Err(ClusterError::Owned {
        workload: workload.reference.clone(),
        owner: format!("{} {}", owner.kind, owner.name),
        setting: workload.setting.clone(),
    })
}
