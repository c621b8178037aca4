//! Which commit an Application of Argo CD is syncing.

use std::path::Path;

use kube::{
    Api,
    api::ApiResource,
    core::{DynamicObject, GroupVersionKind},
};
use serde_json::Value;

use crate::{Cluster, ClusterError, error::refused, fresh};

impl Cluster {
    /// The revision that the Application's current or last operation is of; of several sources the one of that place.
    /// Nothing where no operation says one. `kubeconfig` names the cluster that Argo CD is in, where that is another one.
    ///
    /// # Errors
    /// There is no such Application, or it may not be read.
    pub async fn synced_revision(
        &self,
        namespace: &str,
        name: &str,
        source: usize,
        kubeconfig: Option<&Path>,
    ) -> Result<Option<String>, ClusterError> {
        let client = match kubeconfig {
            Some(file) => fresh::connect(file).await?,
            None => self.client.clone(),
        };
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
        let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
        let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &resource);
        let application =
            api.get(name).await.map_err(|error| refused(error, "get", &format!("applications {name}"), namespace))?;
        Ok(revision(&application.data["status"]["operationState"], source))
    }
}

/// What was resolved, else what was asked for: of the latter a branch may be all that is known.
fn revision(state: &Value, source: usize) -> Option<String> {
    let of = |sync: &Value| {
        let one = || sync["revision"].as_str().filter(|_| source == 0);
        let revision = sync["revisions"][source].as_str().or_else(one)?;
        (!revision.is_empty()).then(|| revision.to_owned())
    };
    of(&state["syncResult"]).or_else(|| of(&state["operation"]["sync"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::revision;

    #[test]
    fn the_resolved_revision_comes_before_the_one_that_was_asked_for() {
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
