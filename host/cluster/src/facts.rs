//! What a capture notes of the cluster: the images of the workloads, and the volumes that the data lie on.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    Api,
    api::{DynamicObject, ListParams},
    core::Selector,
};
use serde_json::Value;

use crate::{Cluster, ClusterError, WorkloadRef, error::refused};

/// The image of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name of the container.
    pub container: String,
    /// `quay.io/px-tme/pxbbq:v4.3`.
    pub image: String,
}

/// Images of a pod template (`spec.template` of a workload), init containers left out.
#[must_use]
pub fn images(template: &Value) -> Vec<Image> {
    let containers = template["spec"]["containers"].as_array();
    let named = containers.into_iter().flatten().filter_map(|container| {
        let text = |key: &str| container[key].as_str().map(str::to_owned);
        Some(Image { container: text("name")?, image: text("image")? })
    });
    named.collect()
}

/// The volumes that the pods of a workload claim, as `claim=volume` (`spec.volumeName` of each claim), sorted.
///
/// A StatefulSet without pods is asked for the claims of the ordinals that its count names, or of the first one: a claim
/// outlives its pod. A claim that is not bound, or not there, has no volume and is left out.
pub async fn volumes(cluster: &Cluster, workload: &WorkloadRef) -> Result<Vec<String>, ClusterError> {
    let resource = cluster.resource(workload).await?;
    let namespace = &cluster.namespace;
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), namespace, &resource);
    let what = format!("{} {}", resource.plural, workload.name);
    let object = api.get(&workload.name).await.map_err(|error| refused(error, "get", &what, namespace))?;

    let mut claims: BTreeSet<String> = claims(&object.data["spec"]["template"]["spec"]);
    claims.extend(template_claims(&object.data["spec"], &workload.name));
    if let Some(selector) = selector(&object.data) {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        let list = ListParams::default().labels_from(&selector);
        let found = pods.list(&list).await.map_err(|error| refused(error, "list", "pods", namespace))?;
        for pod in found.items {
            claims.extend(self::claims(&serde_json::to_value(pod.spec).unwrap_or_default()));
        }
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(cluster.client.clone(), namespace);
    let mut volumes = Vec::new();
    for claim in claims {
        let what = format!("persistentvolumeclaims {claim}");
        let found = api.get_opt(&claim).await.map_err(|error| refused(error, "get", &what, namespace))?;
        let volume = found.and_then(|found| found.spec?.volume_name).filter(|volume| !volume.is_empty());
        volumes.extend(volume.map(|volume| format!("{claim}={volume}")));
    }
    Ok(volumes)
}

/// The claims that a pod's specification names.
fn claims(spec: &Value) -> BTreeSet<String> {
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

fn selector(object: &Value) -> Option<Selector> {
    let selector = serde_json::from_value(object["spec"]["selector"].clone()).ok()?;
    let selector =
        <k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as TryInto<Selector>>::try_into(selector)
            .ok()?;
    // nothing selected is everything selected
    (!selector.selects_all()).then_some(selector)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_are_those_of_the_containers() {
        let template = json!({"spec": {
            "initContainers": [{"name": "chown", "image": "busybox"}],
            "containers": [{"name": "web", "image": "pxbbq:v4.3"}, {"name": "log", "image": "fluent:3"}]}});
        let image = |container: &str, image: &str| Image { container: container.into(), image: image.into() };
        assert_eq!(images(&template), [image("web", "pxbbq:v4.3"), image("log", "fluent:3")]);
        assert_eq!(images(&json!(null)), []);
    }

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
    fn claims_are_those_of_the_volumes() {
        let spec = json!({"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "mongo-data"}}, {"name": "b", "emptyDir": {}}]});
        assert_eq!(claims(&spec).into_iter().collect::<Vec<_>>(), ["mongo-data"]);
    }
}
