//! A look at the workloads before anything is changed: what is there, and who else looks after it.

mod autoscalers;
mod managers;

use kube::api::DynamicObject;
use taster_model::RunId;

use crate::{
    Cluster, ClusterError, Image, Record, Workload, WorkloadRef, cluster, facts, scale::record_of, workload::Resolved,
};

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
        self.standing.as_ref().filter(|record| record.is_change()).map_or(self.live, |record| record.found)
    }

    /// Takes the word of the store, which was noted of the object `uid`, for what is recorded, where the annotation was
    /// taken off (a sync that replaces objects does that). Only within one run, of the same object, and while its count is
    /// the one that it was scaled to: everything else was decided since.
    pub fn recall(&mut self, uid: &str, record: Record, run: &RunId) {
        let holds = uid == self.uid && record.to == self.live && record.run == *run && record.is_change();
        if self.standing.is_none() && holds {
            self.standing = Some(record);
        }
    }

    /// Whether it is still the same object with the same count.
    pub(crate) fn is(&self, seen: &Seen) -> bool {
        self.uid == seen.uid && self.live == seen.live
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

/// One workload and its scale, both of one moment.
pub(crate) struct Seen {
    pub(crate) object: DynamicObject,
    pub(crate) uid: String,
    pub(crate) version: String,
    pub(crate) live: i32,
}

/// How often an object is read again because it changed between two requests.
pub(crate) const TRIES: u32 = 20;

impl Cluster {
    /// Looks at the workloads. Changes nothing.
    ///
    /// # Errors
    /// A workload that an autoscaler (unless it is allowed), or a controlling owner looks after; one that another app has
    /// scaled; one without a scale subresource; a missing right.
    pub async fn inspect(&self, workloads: &[Workload]) -> Result<Inspection, ClusterError> {
        let mut inspection = Inspection::default();
        for workload in workloads {
            let resolved = self.resolve(&workload.of, &workload.setting).await?;
            let Some(seen) = self.look_at(&workload.of, &resolved).await? else {
                inspection.absent.push(workload.of.clone());
                continue;
            };
            refuse_owned(workload, &seen.object)?;
            inspection.warnings.extend(managers::warning(workload, &seen.object));
            let standing = record_of(&workload.of, &seen.object)?;
            if let Some(record) = standing.as_ref().filter(|record| record.app != self.app.as_str()) {
                let (app, run) = (record.app.clone(), record.run.clone());
                return Err(ClusterError::OtherApp { workload: workload.of.clone(), app, run });
            }
            inspection.found.push(Found {
                workload: workload.clone(),
                uid: seen.uid,
                live: seen.live,
                standing,
                images: facts::images(&seen.object.data["spec"]["template"]),
            });
        }
        let watched: Vec<&Workload> = inspection.found.iter().map(|found| &found.workload).collect();
        self.refuse_autoscaled(&watched).await?;
        Ok(inspection)
    }

    /// Reads a workload and its scale. `None` where it is not there.
    pub(crate) async fn look_at(&self, of: &WorkloadRef, resolved: &Resolved) -> Result<Option<Seen>, ClusterError> {
        let Resolved { resource, api, scale } = resolved;
        for _ in 0..TRIES {
            let asked = self.asked("get", &resource.plural, &of.name);
            let Some(object) = cluster::ask_for(asked, api.get(&of.name)).await? else { return Ok(None) };
            let asked = self.asked("get", scale, &of.name);
            let Some(scale) = cluster::ask_for(asked, api.get_scale(&of.name)).await? else { return Ok(None) };
            let version = object.metadata.resource_version.clone().unwrap_or_default();
            if scale.metadata.resource_version.as_ref() != Some(&version) {
                continue;
            }
            let live = scale.spec.and_then(|spec| spec.replicas).unwrap_or(0);
            let uid = object.metadata.uid.clone().unwrap_or_default();
            return Ok(Some(Seen { object, uid, version, live }));
        }
        Err(ClusterError::Contended { what: of.to_string(), tries: TRIES })
    }
}

fn refuse_owned(workload: &Workload, object: &DynamicObject) -> Result<(), ClusterError> {
    let owners = object.metadata.owner_references.iter().flatten();
    let Some(owner) = owners.into_iter().find(|owner| owner.controller == Some(true)) else { return Ok(()) };
    Err(ClusterError::Owned {
        workload: workload.of.clone(),
        owner: format!("{} {}", owner.kind, owner.name),
        setting: workload.setting.clone(),
    })
}
