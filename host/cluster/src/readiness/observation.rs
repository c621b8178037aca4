//! One observation of a workload: its object, its counts and its pods. Also its events, and whether a claim exists.

use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{PersistentVolumeClaim, Pod},
    events::v1::Event,
};
use kube::{
    Api,
    api::{ApiResource, ListParams},
    core::{DynamicObject, Selector},
};

use super::{
    object::{WorkloadObject, count},
    pods::{CurrentRevision, WorkloadPods, deployment_revision},
};
use crate::{
    connection::Cluster,
    error::{ClusterError, ReadinessError},
    request::ApiRequest,
    workload::WorkloadRef,
};

/// One observation of a workload.
#[derive(Debug, Default)]
pub(super) struct WorkloadObservation {
    /// The object itself.
    pub(super) object: WorkloadObject,
    /// `spec.replicas`.
    pub(super) wanted_replicas: i32,
    /// How many replicas exist, as its controller reports.
    pub(super) replicas: i32,
    /// How many are ready. `None` where the kind does not report it.
    pub(super) ready_replicas: Option<i32>,
    /// How many are of the current revision. `None` where the kind does not report it.
    pub(super) updated_replicas: Option<i32>,
    /// Its pods. `None` where its scale has no selector.
    pub(super) pods: Option<WorkloadPods>,
}

impl Cluster {
    /// Observes a workload once.
    pub(super) async fn observe_workload(
        &self,
        workload: &WorkloadRef,
        resource: &ApiResource,
    ) -> Result<WorkloadObservation, ClusterError> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let request = self.request("get", &resource.plural, &workload.name);
        let object = api.get(&workload.name).await.map_err(|error| deleted_or(error, workload, request))?;
        // a field of an unexpected type is read as absent
        let object: WorkloadObject = serde_json::to_value(&object).and_then(serde_json::from_value).unwrap_or_default();
        if resource.group != "apps" || !matches!(workload.kind.as_str(), "Deployment" | "StatefulSet") {
            return self.observe_by_scale(workload, resource, &api, object).await;
        }
        let selector = object.selector().and_then(|selector| Selector::try_from(selector).ok()).unwrap_or_default();
        let list = ListParams::default().labels_from(&selector);
        let uid = object.metadata.uid.clone();
        let revision = if workload.kind == "Deployment" {
            let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &self.namespace);
            let request = self.request("list", "replicasets", "");
            let sets = sets.list(&list).await.map_err(|error| request.error(error))?;
            let revision = object.metadata.annotations.get("deployment.kubernetes.io/revision");
            deployment_revision(&sets.items, &uid, revision)
        } else {
            CurrentRevision::StatefulSet { owner: uid, hash: object.update_revision().map(str::to_owned) }
        };
        let pods = self.list_pods(&list).await?;
        // a StatefulSet that keeps pods of old revisions never has all pods updated
        let keeps_old_pods = matches!(revision, CurrentRevision::StatefulSet { hash: None, .. });
        Ok(WorkloadObservation {
            wanted_replicas: object.spec.replicas.as_i64().map_or(1, |_| count(&object.spec.replicas)),
            replicas: count(&object.status.replicas),
            ready_replicas: Some(count(&object.status.ready_replicas)),
            updated_replicas: (!keeps_old_pods).then(|| count(&object.status.updated_replicas)),
            pods: Some(WorkloadPods::sort(pods, &revision)),
            object,
        })
    }

    /// Observes a workload of any other kind by its scale.
    async fn observe_by_scale(
        &self,
        workload: &WorkloadRef,
        resource: &ApiResource,
        api: &Api<DynamicObject>,
        object: WorkloadObject,
    ) -> Result<WorkloadObservation, ClusterError> {
        let request = self.request("get", &resource.plural, &workload.name);
        let scale = api.get_scale(&workload.name).await.map_err(|error| deleted_or(error, workload, request))?;
        let status = scale.status.unwrap_or_default();
        let pods = match status.selector.as_deref().filter(|selector| !selector.is_empty()) {
            Some(selector) => Some(self.list_pods(&ListParams::default().labels(selector)).await?),
            None => None,
        };
        Ok(WorkloadObservation {
            wanted_replicas: scale.spec.and_then(|spec| spec.replicas).unwrap_or_default(),
            replicas: status.replicas,
            pods: pods.map(|pods| WorkloadPods::sort(pods, &CurrentRevision::Any)),
            object,
            ..WorkloadObservation::default()
        })
    }

    async fn list_pods(&self, list: &ListParams) -> Result<Vec<Pod>, ClusterError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let pods = api.list(list).await.map_err(|error| self.request("list", "pods", "").error(error))?;
        Ok(pods.items)
    }

    /// Events about the object with this UID.
    pub(super) async fn events_about(&self, uid: &str) -> Result<Vec<Event>, ClusterError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = ListParams::default().fields(&format!("regarding.uid={uid}"));
        let events = api.list(&list).await.map_err(|error| self.request("list", "events", "").error(error))?;
        Ok(events.items)
    }

    /// Whether the claim does not exist.
    pub(super) async fn is_claim_missing(&self, claim: &str) -> Result<bool, ClusterError> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let request = self.request("get", "persistentvolumeclaims", claim);
        let found = api.get_opt(claim).await.map_err(|error| request.error(error))?;
        Ok(found.is_none())
    }
}

fn deleted_or(error: kube::Error, workload: &WorkloadRef, request: ApiRequest<'_>) -> ClusterError {
    match error {
        kube::Error::Api(status) if status.is_not_found() => {
            ReadinessError::Deleted { workload: workload.to_string() }.into()
        }
        error => request.error(error),
    }
}
