//! Reads and writes of a workload's scale and of its scale record. Every write names the resource version that it replaces.

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::json;

use crate::{
    connection::{Cluster, FIELD_MANAGER},
    error::ClusterError,
    record,
    workload::WorkloadRef,
    workload_api::WorkloadApi,
};

/// How often a read or a write is repeated because another client has changed the object meanwhile.
pub(crate) const MAX_ATTEMPTS: u32 = 20;

/// A workload and its scale, both of one resource version.
pub(crate) struct ScaleState {
    pub(crate) object: DynamicObject,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) replicas: i32,
}

/// The object that a write is meant for.
#[derive(Clone, Copy)]
pub(crate) struct WriteTarget<'a> {
    pub(crate) workload: &'a WorkloadRef,
    pub(crate) endpoints: &'a WorkloadApi,
    pub(crate) resource_version: &'a str,
}

impl Cluster {
    /// Reads a workload and its scale. `None` where it does not exist.
    pub(crate) async fn read_scale_state(
        &self,
        workload: &WorkloadRef,
        endpoints: &WorkloadApi,
    ) -> Result<Option<ScaleState>, ClusterError> {
        let WorkloadApi { resource, api, scale_resource } = endpoints;
        let name = &workload.name;
        for _ in 0..MAX_ATTEMPTS {
            let request = self.request("get", &resource.plural, name);
            let Some(object) = request.send_optional(api.get(name)).await? else { return Ok(None) };
            let request = self.request("get", scale_resource, name);
            let Some(scale) = request.send_optional(api.get_scale(name)).await? else { return Ok(None) };
            let resource_version = object.metadata.resource_version.clone().unwrap_or_default();
            if scale.metadata.resource_version.as_ref() != Some(&resource_version) {
                continue;
            }
            let replicas = scale.spec.and_then(|spec| spec.replicas).unwrap_or(0);
            let uid = object.metadata.uid.clone().unwrap_or_default();
            return Ok(Some(ScaleState { object, uid, resource_version, replicas }));
        }
        Err(ClusterError::Conflict { object: workload.to_string(), tries: MAX_ATTEMPTS })
    }

    /// Writes the scale record, or removes it. The new resource version, or `None` where another client has changed or
    /// deleted the object.
    pub(crate) async fn write_record(
        &self,
        target: WriteTarget<'_>,
        text: Option<&str>,
    ) -> Result<Option<String>, ClusterError> {
        let WriteTarget { workload, endpoints, resource_version } = target;
        let annotations = json!({record::ANNOTATION: text});
        let patch = json!({"metadata": {"resourceVersion": resource_version, "annotations": annotations}});
        let request = self.request("patch", &endpoints.resource.plural, &workload.name);
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER), Patch::Merge(&patch));
        match request.send(endpoints.api.patch(&workload.name, &params, &patch)).await {
            Ok(object) => Ok(object.metadata.resource_version),
            Err(ClusterError::Conflict { .. } | ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the replicas. `None` where another client has changed or deleted the object.
    pub(crate) async fn write_replicas(
        &self,
        target: WriteTarget<'_>,
        replicas: i32,
    ) -> Result<Option<()>, ClusterError> {
        let WriteTarget { workload, endpoints, resource_version } = target;
        let patch = json!({"metadata": {"resourceVersion": resource_version}, "spec": {"replicas": replicas}});
        let request = self.request("patch", &endpoints.scale_resource, &workload.name);
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER), Patch::Merge(&patch));
        match request.send(endpoints.api.patch_scale(&workload.name, &params, &patch)).await {
            Ok(_) => Ok(Some(())),
            Err(ClusterError::Conflict { .. } | ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
