//! The persistent volumes that a workload's data lie on.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api,
    api::{DynamicObject, ListParams},
    core::Selector,
};
use serde_json::Value;

use crate::{connection::Cluster, error::ClusterError, workload::WorkloadRef};

impl Cluster {
    /// The volumes that the pods of a workload claim, as `claim=volume` (`spec.volumeName` of each claim), sorted.
    ///
    /// For a StatefulSet without pods, the claims of the ordinals that its count names, or of the first one, are looked up:
    /// a claim outlives its pod. A claim that is unbound or does not exist has no volume and is left out.
    pub async fn claimed_volumes(&self, workload: &WorkloadRef) -> Result<Vec<String>, ClusterError> {
        let resource = self.api_resource(workload).await?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let request = self.request("get", &resource.plural, &workload.name);
        let object = api.get(&workload.name).await.map_err(|error| request.error(error))?;

        let mut claims: BTreeSet<String> = pod_claims(&object.data["spec"]["template"]["spec"]);
        claims.extend(template_claims(&object.data["spec"], &workload.name));
        if let Some(selector) = pod_selector(&object.data) {
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
            let list = ListParams::default().labels_from(&selector);
            let pods = pods.list(&list).await.map_err(|error| self.request("list", "pods", "").error(error))?;
            for pod in pods.items {
                claims.extend(pod_claims(&serde_json::to_value(pod.spec).unwrap_or_default()));
            }
        }
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut volumes = Vec::new();
        for name in claims {
            let request = self.request("get", "persistentvolumeclaims", &name);
            let claim = api.get_opt(&name).await.map_err(|error| request.error(error))?;
            let volume = claim.and_then(|claim| claim.spec?.volume_name).filter(|volume| !volume.is_empty());
            volumes.extend(volume.map(|volume| format!("{name}={volume}")));
        }
        Ok(volumes)
    }
}

/// The claims that a pod's specification names.
fn pod_claims(spec: &Value) -> BTreeSet<String> {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str().map(str::to_owned)).collect()
}

/// The claims that a StatefulSet makes: `<template>-<name>-<ordinal>`.
fn template_claims(spec: &Value, name: &str) -> Vec<String> {
    let first = spec["ordinals"]["start"].as_i64().unwrap_or_default();
    let count = spec["replicas"].as_i64().unwrap_or(1).max(1);
    let templates = spec["volumeClaimTemplates"].as_array().into_iter().flatten();
    let templates = templates.filter_map(|template| template["metadata"]["name"].as_str());
    templates.flat_map(|template| (first..first + count).map(move |n| format!("{template}-{name}-{n}"))).collect()
}

fn pod_selector(object: &Value) -> Option<Selector> {
    let selector = serde_json::from_value(object["spec"]["selector"].clone()).ok()?;
    let selector = <LabelSelector as TryInto<Selector>>::try_into(selector).ok()?;
    // an empty selector selects every pod of the namespace
    (!selector.selects_all()).then_some(selector)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stateful_set_without_pods_still_names_its_claims() {
        let spec = |replicas: i64| json!({"replicas": replicas, "volumeClaimTemplates": [{"metadata": {"name": "data"}}, {"metadata": {"name": "log"}}]});
        assert_eq!(template_claims(&spec(0), "mongo"), ["data-mongo-0", "log-mongo-0"]);
        assert_eq!(template_claims(&spec(2), "mongo").len(), 4);
        assert_eq!(
            template_claims(
                &json!({"replicas": 1, "ordinals": {"start": 5}, "volumeClaimTemplates": [{"metadata": {"name": "d"}}]}),
                "m"
            ),
            ["d-m-5"]
        );
        assert_eq!(template_claims(&json!({"replicas": 3}), "web"), Vec::<String>::new());
    }

    #[test]
    fn a_pod_names_the_claims_of_its_volumes() {
        let spec = json!({"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "mongo-data"}}, {"name": "b", "emptyDir": {}}]});
        assert_eq!(pod_claims(&spec).into_iter().collect::<Vec<_>>(), ["mongo-data"]);
    }
}
