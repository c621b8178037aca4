//! The commit that an Argo CD Application is syncing.

use std::path::Path;

use kube::{
    Api,
    api::ApiResource,
    core::{DynamicObject, GroupVersionKind},
};
use serde_json::Value;

use crate::{connection::Cluster, error::ClusterError, kubeconfig::client_from_kubeconfig, request::ApiRequest};

impl Cluster {
    /// The revision of the Application's current or last operation; with several sources, that of the source at this index.
    /// `None` where no operation names one. `kubeconfig` names the cluster of Argo CD, where that is another one.
    ///
    /// # Errors
    /// The Application does not exist or may not be read.
    pub async fn synced_revision(
        &self,
        namespace: &str,
        name: &str,
        source: usize,
        kubeconfig: Option<&Path>,
    ) -> Result<Option<String>, ClusterError> {
        let client = match kubeconfig {
            Some(file) => client_from_kubeconfig(file).await?,
            None => self.client.clone(),
        };
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
        let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
        let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &resource);
        let request = ApiRequest { verb: "get", resource: "applications", name, namespace };
        let application = api.get(name).await.map_err(|error| request.error(error))?;
        Ok(revision(&application.data["status"]["operationState"], source))
    }
}

/// The resolved revision, else the requested one, which may be no more than a branch.
fn revision(state: &Value, source: usize) -> Option<String> {
    let revision_in = |sync: &Value| {
        let single = || sync["revision"].as_str().filter(|_| source == 0);
        let revision = sync["revisions"][source].as_str().or_else(single)?;
        (!revision.is_empty()).then(|| revision.to_owned())
    };
    revision_in(&state["syncResult"]).or_else(|| revision_in(&state["operation"]["sync"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::revision;

    #[test]
    fn the_resolved_revision_is_preferred_to_the_requested_one() {
        let one = json!({"operation": {"sync": {"revision": "asked"}}, "syncResult": {"revision": "resolved"}});
        assert_eq!(revision(&one, 0).as_deref(), Some("resolved"));
        assert_eq!(revision(&one, 1), None);
        let several = json!({"syncResult": {"revision": "", "revisions": ["first", "second"]}});
        assert_eq!(revision(&several, 1).as_deref(), Some("second"));
        assert_eq!(revision(&several, 0).as_deref(), Some("first"));
        let begun = json!({"operation": {"sync": {"revision": "asked"}}, "phase": "Running"});
        assert_eq!(revision(&begun, 0).as_deref(), Some("asked"));
        assert_eq!(revision(&json!({}), 0), None);
        assert_eq!(revision(&json!(null), 0), None);
    }
}
