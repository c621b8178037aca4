//! The commit that Argo CD is syncing, read from a real API server with the rights of the Role in `manifests/argocd`.

use std::path::Path;

use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use taster_model::Diagnostic;

use crate::{
    control_plane,
    shop::{Shop, until},
};

fn kind(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// The kind, as far as it is read: Argo CD's own has thousands of lines.
async fn applications(shop: &Shop) -> Api<DynamicObject> {
    let definitions: Api<DynamicObject> =
        Api::all_with(shop.client.clone(), &kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "applications.argoproj.io"},
        "spec": {
            "group": "argoproj.io", "scope": "Namespaced",
            "names": {"kind": "Application", "plural": "applications", "singular": "application"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    let apply = PatchParams::apply("tests").force();
    definitions.patch("applications.argoproj.io", &apply, &Patch::Apply(definition)).await.expect("applied");
    Api::namespaced_with(shop.client.clone(), &shop.namespace, &kind("argoproj.io", "v1alpha1", "Application"))
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_shipped_role_allows_reading_one_application_and_no_other() {
    let shop = Shop::open("revision").await;
    let applications = applications(&shop).await;
    for (name, state) in [
        (
            "stage-pxbbq",
            json!({"phase": "Running", "syncResult": {"revision": "0123456789abcdef0123456789abcdef01234567"}}),
        ),
        ("other", json!({})),
    ] {
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
            "status": {"operationState": state}});
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        until(name, || async { applications.create(&PostParams::default(), &object).await.ok().map(drop) }).await;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/argocd/revision.yaml");
    let text = std::fs::read_to_string(path).expect("the Role");
    let role = serde_saphyr::from_multiple::<Value>(&text).expect("YAML").swap_remove(0);
    let file = control_plane::kubeconfig_with(&shop.namespace, &role["rules"]).await;
    let read = async |name: &str| shop.cluster.synced_revision(&shop.namespace, name, 0, Some(&file)).await;
    let revision = read("stage-pxbbq").await.expect("it may be read");
    assert_eq!(revision.as_deref(), Some("0123456789abcdef0123456789abcdef01234567"));
    let error = read("other").await.expect_err("it may not be read");
    assert_eq!(error.code(), "T0702", "{error}");
    assert!(error.to_string().contains("may not get applications other"), "{error}");
    let gone = shop.cluster.synced_revision(&shop.namespace, "nothing", 0, None).await.expect_err("it is not there");
    assert!(gone.to_string().contains("applications nothing"), "{gone}");
    let none = shop.cluster.synced_revision(&shop.namespace, "other", 0, None).await.expect("it is there");
    assert_eq!(none, None);
}
