//! Where people look: Events on workloads and the Job, annotations on the own Job.

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
use ulid::Ulid;

use crate::{Cluster, ClusterError, OwnJob, WorkloadRef, cluster::MANAGER, error::refused};

/// Who we are in Events.
const CONTROLLER: &str = "taster.dev/taster";

/// The API server takes no longer note.
const NOTE: usize = 1024;

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
    pub async fn event_on(&self, workload: &WorkloadRef, said: Said) -> Result<(), ClusterError> {
        let resource = self.resource(workload).await?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        // `kubectl describe` finds Events by the UID
        let found = api.get_metadata(&workload.name).await;
        let what = format!("{} {}", resource.plural, workload.name);
        let found = found.map_err(|error| refused(error, "get", &what, &self.namespace))?;
        let regarding = ObjectReference {
            api_version: Some(workload.api_version.clone()),
            kind: Some(workload.kind.clone()),
            name: Some(workload.name.clone()),
            namespace: Some(self.namespace.clone()),
            uid: found.metadata.uid,
            ..ObjectReference::default()
        };
        self.event(regarding, said).await
    }

    /// An Event about the own Job.
    pub async fn event_on_job(&self, job: &OwnJob, said: Said) -> Result<(), ClusterError> {
        let regarding = ObjectReference {
            api_version: Some("batch/v1".to_owned()),
            kind: Some("Job".to_owned()),
            name: Some(job.name.clone()),
            namespace: Some(self.own_namespace().to_owned()),
            uid: Some(job.uid.clone()),
            ..ObjectReference::default()
        };
        self.event(regarding, said).await
    }

    /// Annotates the own Job: Argo CD's health check and its links read it there.
    pub async fn annotate_job(&self, job: &OwnJob, annotations: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let api: Api<Job> = Api::namespaced(self.client.clone(), self.own_namespace());
        // the UID keeps what is said of this Job off the one of a retry, which has the same name
        let patch = Patch::Merge(json!({"metadata": {"uid": job.uid, "annotations": annotations}}));
        let patched = api.patch_metadata(&job.name, &PatchParams::apply(MANAGER), &patch).await;
        let what = format!("jobs {}", job.name);
        patched.map(drop).map_err(|error| refused(error, "patch", &what, self.own_namespace()))
    }

    async fn event(&self, regarding: ObjectReference, said: Said) -> Result<(), ClusterError> {
        let namespace = regarding.namespace.clone().unwrap_or_default();
        let event = event(regarding, &said, self.me.pod.as_deref(), Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let created =
            api.create(&PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }, &event).await;
        created.map(drop).map_err(|error| refused(error, "create", "events", &namespace))
    }
}

/// The object. Its time is this process's: it is shown, and nothing is decided by it.
fn event(regarding: ObjectReference, said: &Said, instance: Option<&str>, now: Timestamp) -> Event {
    let kind = match said.tone {
        Tone::Normal => "Normal",
        Tone::Warning => "Warning",
    };
    Event {
        metadata: ObjectMeta {
            name: Some(format!("taster.{}", Ulid::generate().to_string().to_lowercase())),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(instance.unwrap_or("taster"), 128).to_owned()),
        action: Some(said.action.to_owned()),
        reason: Some(said.reason.to_owned()),
        regarding: Some(regarding),
        note: Some(cut(&said.note, NOTE).to_owned()),
        type_: Some(kind.to_owned()),
        ..Event::default()
    }
}

/// At most so many bytes, and no half character.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(cut("kürzer", 100), "kürzer");
        assert_eq!(cut("kürzer", 2), "k");
        assert_eq!(cut("kürzer", 3), "kü");
        let said = Said { tone: Tone::Warning, reason: "Different", action: "Tasting", note: "ü".repeat(1000) };
        let event = event(ObjectReference::default(), &said, None, Timestamp::UNIX_EPOCH);
        assert_eq!(event.note.map(|note| note.len()), Some(1024));
        assert_eq!(event.type_.as_deref(), Some("Warning"));
    }
}
