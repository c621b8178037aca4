//! Events about workloads and the own Job, and annotations of the own Job.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{batch::v1::Job, core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::json;
use taster_text::truncate_bytes;
use ulid::Ulid;

use crate::{
    connection::{Cluster, FIELD_MANAGER},
    error::ClusterError,
    job::OwnJob,
    request::ApiRequest,
    workload::WorkloadRef,
};

/// `reportingController` of all Events.
const CONTROLLER: &str = "taster.dev/taster";
/// The longest `note` that the API server accepts, in bytes.
const MAX_NOTE_BYTES: usize = 1024;
/// The longest `reportingInstance` that the API server accepts, in bytes.
const MAX_INSTANCE_BYTES: usize = 128;

/// The `type` of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// `Normal`.
    Normal,
    /// `Warning`.
    Warning,
}

/// The content of one Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSpec {
    /// Its type.
    pub event_type: EventType,
    /// `CamelCase`, for machines: `ScaledUp`, `NotReady`, `Different`.
    pub reason: &'static str,
    /// The action that it is about: `Tasting`, `Scaling`, `Restoring`.
    pub action: &'static str,
    /// For people; cut to 1024 bytes.
    pub note: String,
}

impl Cluster {
    /// Publishes an Event about a workload.
    pub async fn publish_workload_event(&self, workload: &WorkloadRef, event: EventSpec) -> Result<(), ClusterError> {
        let resource = self.api_resource(workload).await?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        // `kubectl describe` finds Events by the UID
        let request = self.request("get", &resource.plural, &workload.name);
        let metadata = api.get_metadata(&workload.name).await.map_err(|error| request.error(error))?;
        let regarding = ObjectReference {
            api_version: Some(workload.api_version.clone()),
            kind: Some(workload.kind.clone()),
            name: Some(workload.name.clone()),
            namespace: Some(self.namespace.clone()),
            uid: metadata.metadata.uid,
            ..ObjectReference::default()
        };
        self.publish_event(regarding, &event).await
    }

    /// Publishes an Event about the own Job.
    pub async fn publish_job_event(&self, job: &OwnJob, event: EventSpec) -> Result<(), ClusterError> {
        let regarding = ObjectReference {
            api_version: Some("batch/v1".to_owned()),
            kind: Some("Job".to_owned()),
            name: Some(job.name.clone()),
            namespace: Some(self.own_namespace().to_owned()),
            uid: Some(job.uid.clone()),
            ..ObjectReference::default()
        };
        self.publish_event(regarding, &event).await
    }

    /// Annotates the own Job. Argo CD's health check and its links read the annotations.
    pub async fn annotate_job(&self, job: &OwnJob, annotations: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let namespace = self.own_namespace();
        let api: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        // the UID makes the patch fail on the Job of a retry, which has the same name
        let patch = Patch::Merge(json!({"metadata": {"uid": job.uid, "annotations": annotations}}));
        let request = ApiRequest { verb: "patch", resource: "jobs", name: &job.name, namespace };
        let patched = api.patch_metadata(&job.name, &PatchParams::apply(FIELD_MANAGER), &patch).await;
        patched.map(drop).map_err(|error| request.error(error))
    }

    async fn publish_event(&self, regarding: ObjectReference, event: &EventSpec) -> Result<(), ClusterError> {
        let namespace = regarding.namespace.clone().unwrap_or_default();
        let event = event_object(regarding, event, self.identity.pod.as_deref(), Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let request = ApiRequest { verb: "create", resource: "events", name: "", namespace: &namespace };
        api.create(&params, &event).await.map(drop).map_err(|error| request.error(error))
    }
}

/// The API object. Its time is that of this machine: it is shown, and nothing depends on it.
fn event_object(regarding: ObjectReference, event: &EventSpec, instance: Option<&str>, now: Timestamp) -> Event {
    let event_type = match event.event_type {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    Event {
        metadata: ObjectMeta {
            name: Some(format!("taster.{}", Ulid::generate().to_string().to_lowercase())),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(truncate_bytes(instance.unwrap_or("taster"), MAX_INSTANCE_BYTES)),
        action: Some(event.action.to_owned()),
        reason: Some(event.reason.to_owned()),
        regarding: Some(regarding),
        note: Some(truncate_bytes(&event.note, MAX_NOTE_BYTES)),
        type_: Some(event_type.to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_has_the_size_that_the_api_server_accepts() {
        let event = EventSpec {
            event_type: EventType::Warning,
            reason: "Different",
            action: "Tasting",
            note: "ü".repeat(1000),
        };
        let event = event_object(ObjectReference::default(), &event, None, Timestamp::UNIX_EPOCH);
        // the sign that it is truncated has three bytes, and no character is split
        assert_eq!(event.note.map(|note| note.len()), Some(1023));
        assert_eq!(event.type_.as_deref(), Some("Warning"));
    }
}
