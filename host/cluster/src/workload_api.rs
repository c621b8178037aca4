//! The API endpoints of a workload: a Deployment, a StatefulSet, or any other kind with a `/scale` subresource.

use kube::{
    Api,
    api::{ApiResource, DynamicObject},
};

use crate::{connection::Cluster, error::ClusterError, workload::WorkloadRef};

/// The API endpoints of a workload.
pub(crate) struct WorkloadApi {
    pub(crate) resource: ApiResource,
    pub(crate) api: Api<DynamicObject>,
    /// `statefulsets/scale`.
    pub(crate) scale_resource: String,
}

impl Cluster {
    /// Resolves the endpoints of a workload. Kinds of `apps/v1` are known; others are discovered. `setting` is for errors.
    ///
    /// # Errors
    /// A kind that the server does not have, or that has no scale subresource.
    pub(crate) async fn workload_api(
        &self,
        workload: &WorkloadRef,
        setting: &str,
    ) -> Result<WorkloadApi, ClusterError> {
        let (group, version) = workload.api_version.rsplit_once('/').unwrap_or(("", &workload.api_version));
        let plural = match (workload.api_version.as_str(), workload.kind.as_str()) {
            ("apps/v1", "Deployment") => "deployments".to_owned(),
            ("apps/v1", "StatefulSet") => "statefulsets".to_owned(),
            ("apps/v1", "ReplicaSet") => "replicasets".to_owned(),
            _ => self.discover_plural(workload, group, setting).await?,
        };
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: workload.api_version.clone(),
            kind: workload.kind.clone(),
            plural,
        };
        let api = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let scale_resource = format!("{}/scale", resource.plural);
        Ok(WorkloadApi { resource, api, scale_resource })
    }

    /// The API resource of a workload.
    pub(crate) async fn api_resource(&self, workload: &WorkloadRef) -> Result<ApiResource, ClusterError> {
        Ok(self.workload_api(workload, &workload.to_string()).await?.resource)
    }

    async fn discover_plural(
        &self,
        workload: &WorkloadRef,
        group: &str,
        setting: &str,
    ) -> Result<String, ClusterError> {
        let not_scalable = |message: &str| ClusterError::NotScalable {
            setting: setting.to_owned(),
            kind: workload.kind.clone(),
            api_version: workload.api_version.clone(),
            message: message.to_owned(),
        };
        let request = self.request("get", "the API's resources", "");
        let listed = if group.is_empty() {
            request.send_optional(self.client.list_core_api_resources(&workload.api_version)).await?
        } else {
            request.send_optional(self.client.list_api_group_resources(&workload.api_version)).await?
        };
        let resources =
            listed.ok_or_else(|| not_scalable("is unknown: the server has no such group and version"))?.resources;
        let is_subresource = |name: &str| name.contains('/');
        let of_kind =
            resources.iter().find(|resource| resource.kind == workload.kind && !is_subresource(&resource.name));
        let Some(of_kind) = of_kind else { return Err(not_scalable("is unknown: the group has no such kind")) };
        if !of_kind.namespaced {
            return Err(not_scalable("is not namespaced"));
        }
        let scale_resource = format!("{}/scale", of_kind.name);
        if !resources.iter().any(|resource| resource.name == scale_resource) {
            return Err(not_scalable("has no scale subresource"));
        }
        Ok(of_kind.name.clone())
    }
}
