//! One look at a workload: its object, its pods, and where those say too little, their events.

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
    ReadyError,
    pods::{Pods, Revision, current_set},
    status::{Object, count},
};
use crate::{Cluster, ClusterError, WorkloadRef, error::refused};

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The object itself.
    pub(super) object: Object,
    /// How many are asked for.
    pub(super) asked: i32,
    /// How many there are, how many are ready and how many of the current revision, by its controller.
    /// `None` where the kind does not say.
    pub(super) replicas: i32,
    pub(super) ready: Option<i32>,
    pub(super) updated: Option<i32>,
    /// Its pods. `None` where its scale names no selector.
    pub(super) pods: Option<Pods>,
}

impl Cluster {
    pub(super) async fn see(&self, of: &WorkloadRef, resource: &ApiResource) -> Result<Seen, ClusterError> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, resource);
        let found = api.get(&of.name).await.map_err(|error| self.gone(error, of, resource))?;
        // an object that its own API server sent; a field of another type reads as absent
        let object: Object = serde_json::to_value(&found).and_then(serde_json::from_value).unwrap_or_default();
        let own = resource.group == "apps" && matches!(of.kind.as_str(), "Deployment" | "StatefulSet");
        if !own {
            return self.see_scale(of, resource, &api, object).await;
        }
        let selector = object.selector().and_then(|selector| Selector::try_from(selector).ok()).unwrap_or_default();
        let list = ListParams::default().labels_from(&selector);
        let owner = object.metadata.uid.clone();
        let revision = if of.kind == "Deployment" {
            let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &self.namespace);
            let sets = sets.list(&list).await.map_err(|error| self.no(error, "list", "replicasets"))?;
            current_set(&sets.items, &owner, object.metadata.annotations.get("deployment.kubernetes.io/revision"))
        } else {
            Revision::Hash { owner, hash: object.update_revision().map(str::to_owned) }
        };
        let pods = self.pods(&list).await?;
        // a StatefulSet that keeps old pods on purpose never has as many updated ones
        let updated = !matches!(revision, Revision::Hash { hash: None, .. });
        Ok(Seen {
            asked: object.spec.replicas.as_i64().map_or(1, |_| count(&object.spec.replicas)),
            replicas: count(&object.status.replicas),
            ready: Some(count(&object.status.ready_replicas)),
            updated: updated.then(|| count(&object.status.updated_replicas)),
            pods: Some(Pods::sort(pods, &revision)),
            object,
        })
    }

    async fn see_scale(
        &self,
        of: &WorkloadRef,
        resource: &ApiResource,
        api: &Api<DynamicObject>,
        object: Object,
    ) -> Result<Seen, ClusterError> {
        let scale = api.get_scale(&of.name).await.map_err(|error| self.gone(error, of, resource))?;
        let status = scale.status.unwrap_or_default();
        let pods = match status.selector.as_deref().filter(|selector| !selector.is_empty()) {
            Some(selector) => Some(self.pods(&ListParams::default().labels(selector)).await?),
            None => None,
        };
        Ok(Seen {
            asked: scale.spec.and_then(|spec| spec.replicas).unwrap_or_default(),
            replicas: status.replicas,
            pods: pods.map(|pods| Pods::sort(pods, &Revision::Any)),
            object,
            ..Seen::default()
        })
    }

    async fn pods(&self, list: &ListParams) -> Result<Vec<Pod>, ClusterError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(api.list(list).await.map_err(|error| self.no(error, "list", "pods"))?.items)
    }

    /// Events about the object with this UID.
    pub(super) async fn events(&self, uid: &str) -> Result<Vec<Event>, ClusterError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = ListParams::default().fields(&format!("regarding.uid={uid}"));
        Ok(api.list(&list).await.map_err(|error| self.no(error, "list", "events"))?.items)
    }

    /// Whether the claim is really not there.
    pub(super) async fn is_claim_missing(&self, claim: &str) -> Result<bool, ClusterError> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get_opt(claim).await;
        found
            .map(|claim| claim.is_none())
            .map_err(|error| self.no(error, "get", &format!("persistentvolumeclaims {claim}")))
    }

    fn gone(&self, error: kube::Error, of: &WorkloadRef, resource: &ApiResource) -> ClusterError {
        match error {
            kube::Error::Api(status) if status.is_not_found() => ReadyError::Gone { workload: of.to_string() }.into(),
            error => self.no(error, "get", &format!("{} {}", resource.plural, of.name)),
        }
    }

    fn no(&self, error: kube::Error, verb: &str, resource: &str) -> ClusterError {
        refused(error, verb, resource, &self.namespace)
    }
}
