//! Waiting for readiness with an unreachable API server, a missing right, or a custom kind.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use taster_cluster::{ClusterError, ProcessIdentity, ReadinessError, WorkloadRef};
use taster_model::Diagnostic;

use crate::{
    background_wait::BackgroundWait,
    cluster_client, control_plane,
    proxy::ApiProxy,
    shop::{Shop, ready, until, waits},
};

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn an_unreachable_api_server_is_retried_until_the_deadline() {
    let shop = Shop::open("away").await;
    let web = shop.web().await;
    let pod = shop.pod("web", "pxbbq-web:v4.2").await;
    let proxy = ApiProxy::start().await;
    let through = Shop {
        cluster: cluster_client::cluster_of(proxy.client().await, &shop.namespace, ProcessIdentity::default()),
        ..shop
    };

    let waiting = BackgroundWait::start(&through.cluster, &web, LONG);
    waiting.reported("0 of 1 ready").await;
    proxy.block();
    waiting.reported("Deployment web: the Kubernetes API server does not answer").await;
    through.kubelet(&pod, &ready()).await;
    // the first one may have been under way before the pod was ready
    proxy.rejects(2).await;
    assert!(!waiting.is_finished(), "it cannot know");
    proxy.unblock();
    waiting.result().await.expect("ready");

    proxy.block();
    let limit = Duration::from_secs(3);
    let waited = through.wait(&web, limit).await.expect("no panic");
    assert!(waited.took >= limit && waited.took < limit * 4, "{:?}", waited.took);
    let error = waited.error();
    assert!(
        error.contains(
            "is not ready after 3s (`readyTimeout` of cluster.data[web]): the Kubernetes API server does not answer"
        ),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_missing_right_is_an_error_at_once() {
    let shop = Shop::open("rights").await;
    let web = shop.web().await;
    let pod = shop.pod("web", "pxbbq-web:v4.2").await;
    shop.kubelet(&pod, &waits("ContainerCreating", "")).await;
    let rights = [
        ("apps", "deployments", "get"),
        ("apps", "replicasets", "list"),
        ("", "pods", "list"),
        ("events.k8s.io", "events", "list"),
    ];
    let rule = |(group, resource, verb): &(&str, &str, &str)| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
    let wait_error = async |rules: Vec<Value>, expected: &dyn Fn(&ClusterError) -> bool| {
        let client = control_plane::client_with(&shop.namespace, &json!(rules)).await;
        let cluster = cluster_client::cluster_of(client, &shop.namespace, ProcessIdentity::default());
        let limited = Shop { cluster, client: shop.client.clone(), namespace: shop.namespace.clone() };
        // the API server learns of a new Role a moment later
        until("the expected error", || async {
            let waited = limited.wait(&web, Duration::from_millis(1200)).await.expect("no panic");
            let error = waited.result.expect_err("it does not become ready");
            expected(&error).then(|| error.to_string())
        })
        .await
    };
    let timeout = |error: &ClusterError| matches!(error, ClusterError::Readiness(ReadinessError::Timeout { .. }));
    wait_error(rights.iter().map(rule).collect(), &timeout).await;
    for missing in &rights {
        let (_, resource, verb) = missing;
        let text = format!("the ServiceAccount may not {verb} {resource}");
        let rules = rights.iter().filter(|right| right != &missing).map(rule).collect();
        let error = wait_error(rules, &|error| error.code() == "T0702" && error.to_string().starts_with(&text)).await;
        assert!(error.ends_with(&format!("in namespace {}", shop.namespace)), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_readiness_of_a_custom_kind_depends_on_its_scale_and_its_pods() {
    let shop = Shop::open("custom").await;
    let kind = herds(&shop).await;
    let herds: Api<DynamicObject> = Api::namespaced_with(shop.client.clone(), &shop.namespace, &kind);
    let object = json!({"apiVersion": "tests.taster.dev/v1", "kind": "Herd", "metadata": {"name": "mongo"}, "spec": {"members": 1}});
    let object: DynamicObject = serde_json::from_value(object).expect("a herd");
    until("the kind", || async { herds.create(&PostParams::default(), &object).await.ok().map(drop) }).await;
    let status = async |status: Value| {
        let patch = Patch::Merge(json!({"status": status}));
        herds.patch_status("mongo", &PatchParams::default(), &patch).await.expect("its status");
    };
    let of = WorkloadRef { api_version: "tests.taster.dev/v1".into(), kind: "Herd".into(), name: "mongo".into() };
    let herd = taster_cluster::Workload {
        reference: of,
        replicas: 1,
        ready_timeout: LONG,
        allow_hpa: false,
        setting: "cluster.data[mongo]".into(),
    };

    // nothing but a count
    let waited = shop.wait(&herd, Duration::from_secs(1)).await.expect("no panic");
    assert!(
        waited.error().contains("0 of 1 ready; its pods are unknown, because its scale has no selector"),
        "{}",
        waited.error()
    );
    status(json!({"members": 1})).await;
    shop.wait(&herd, LONG).await.expect("no panic").result.expect("the count is there");

    // with a selector its pods count
    let pods: Api<Pod> = shop.api();
    let pod = json!({"metadata": {"name": "herd-0", "labels": {"herd": "mongo"}},
        "spec": {"containers": [{"name": "main", "image": "mongo:7"}]}});
    let pod = pods.create(&PostParams::default(), &serde_json::from_value(pod).expect("a pod")).await.expect("created");
    status(json!({"members": 1, "selector": "herd=mongo"})).await;
    shop.kubelet(&pod, &waits("CrashLoopBackOff", "back-off 10s")).await;
    let error = shop.wait(&herd, LONG).await.expect("no panic").error();
    assert_eq!(error, "Herd mongo cannot become ready: pod herd-0: container main: CrashLoopBackOff: back-off 10s");
    shop.kubelet(&pod, &ready()).await;
    shop.wait(&herd, LONG).await.expect("no panic").result.expect("its pod is ready");
    // its controller has not observed its specification
    status(json!({"observedGeneration": 0})).await;
    let waited = shop.wait(&herd, Duration::from_secs(1)).await.expect("no panic");
    assert!(waited.error().contains("its controller has not observed its specification yet"), "{}", waited.error());
}

/// A kind with a scale subresource, as operators have them.
async fn herds(shop: &Shop) -> ApiResource {
    let definition = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> = Api::all_with(shop.client.clone(), &ApiResource::from_gvk(&definition));
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let object = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "herds.tests.taster.dev"}, "spec": {"group": "tests.taster.dev", "scope": "Namespaced",
        "names": {"kind": "Herd", "listKind": "HerdList", "plural": "herds", "singular": "herd"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
            "properties": {"spec": anything, "status": anything}}},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.members",
                "statusReplicasPath": ".status.members", "labelSelectorPath": ".status.selector"}}}]}});
    definitions
        .patch("herds.tests.taster.dev", &PatchParams::apply("tests").force(), &Patch::Apply(object))
        .await
        .expect("applied");
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("tests.taster.dev", "v1", "Herd"), "herds")
}
