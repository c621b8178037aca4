//! What is scaled: a Deployment, a StatefulSet, or anything else with a `/scale` subresource.

use std::{fmt, time::Duration};

use kube::{
    Api,
    api::{ApiResource, DynamicObject},
};

use crate::{Cluster, ClusterError, cluster};

/// Names a workload of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkloadRef {
    /// `apps/v1`; for `Deployment` and `StatefulSet` nobody has to say it.
    pub api_version: String,
    /// `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// A workload and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Which one.
    pub of: WorkloadRef,
    /// How many replicas tasting needs. One that has more already is left as it is.
    pub replicas: i32,
    /// How long it may take to get ready.
    pub ready: Duration,
    /// Scale it although an autoscaler looks after it.
    pub allow_hpa: bool,
    /// The setting that names it, for errors: `cluster.data[mongo]`.
    pub setting: String,
}

/// A workload, found among the API's resources.
pub(crate) struct Resolved {
    pub(crate) resource: ApiResource,
    pub(crate) api: Api<DynamicObject>,
    /// `statefulsets/scale`.
    pub(crate) scale: String,
}

impl Cluster {
    /// Finds the resource of a workload. Kinds of `apps/v1` are known; others are looked up.
    ///
    /// # Errors
    /// A kind that the server does not have, or that has no scale subresource.
    pub(crate) async fn resolve(&self, of: &WorkloadRef, setting: &str) -> Result<Resolved, ClusterError> {
        let (group, version) = of.api_version.rsplit_once('/').unwrap_or(("", &of.api_version));
        let plural = match (of.api_version.as_str(), of.kind.as_str()) {
            ("apps/v1", "Deployment") => "deployments".to_owned(),
            ("apps/v1", "StatefulSet") => "statefulsets".to_owned(),
            ("apps/v1", "ReplicaSet") => "replicasets".to_owned(),
            _ => self.plural(of, group, setting).await?,
        };
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: of.api_version.clone(),
            kind: of.kind.clone(),
            plural,
        };
        let api = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let scale = format!("{}/scale", resource.plural);
        Ok(Resolved { resource, api, scale })
    }

    /// The resource of a workload that is known to be one.
    pub(crate) async fn resource(&self, of: &WorkloadRef) -> Result<ApiResource, ClusterError> {
        Ok(self.resolve(of, &of.to_string()).await?.resource)
    }

    async fn plural(&self, of: &WorkloadRef, group: &str, setting: &str) -> Result<String, ClusterError> {
        let wrong = |message: &str| ClusterError::NotScalable {
            setting: setting.to_owned(),
            kind: of.kind.clone(),
            api_version: of.api_version.clone(),
            message: message.to_owned(),
        };
        let asked = self.asked("get", "the API's resources", "");
        let listed = if group.is_empty() {
            cluster::ask_for(asked, self.client.list_core_api_resources(&of.api_version)).await?
        } else {
            cluster::ask_for(asked, self.client.list_api_group_resources(&of.api_version)).await?
        };
        let resources =
            listed.ok_or_else(|| wrong("is not known: the server has no such group and version"))?.resources;
        let of_kind = |name: &str| !name.contains('/');
        let found = resources.iter().find(|resource| resource.kind == of.kind && of_kind(&resource.name));
        let Some(found) = found else { return Err(wrong("is not known: the group has no such kind")) };
        if !found.namespaced {
            return Err(wrong("belongs to no namespace"));
        }
        let scale = format!("{}/scale", found.name);
        if !resources.iter().any(|resource| resource.name == scale) {
            return Err(wrong("has no scale subresource"));
        }
        Ok(found.name.clone())
    }
}
