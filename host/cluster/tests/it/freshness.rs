//! The last copy of every source kind, from a real API server with the CRDs of `manifests/local/crds`.

use std::{path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use taster_cluster::{AgeLimit, ClusterError, CopySource, CopySourceKind, FreshnessError};
use taster_model::Diagnostic;

use crate::{
    control_plane,
    shop::{Shop, until},
};

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn schedule() -> ApiResource {
    resource("stork.libopenstorage.org", "v1alpha1", "MigrationSchedule")
}

/// Installs the CRDs of a file, and waits until they are served.
async fn install(shop: &Shop, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/local/crds").join(file);
    let text = std::fs::read_to_string(&path).expect("a file of CRDs");
    let kinds: Api<DynamicObject> =
        Api::all_with(shop.client.clone(), &resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition"));
    for object in serde_saphyr::from_multiple::<Value>(&text).expect("YAML") {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let apply = PatchParams::apply("tests").force();
        kinds.patch(&name, &apply, &Patch::Apply(object)).await.expect("applied");
        until(&name, || async {
            let conditions = kinds.get(&name).await.expect("the CRD").data["status"]["conditions"].clone();
            conditions.as_array()?.iter().find(|c| c["type"] == "Established" && c["status"] == "True").map(drop)
        })
        .await;
    }
}

/// Makes an object, or gives it another status.
async fn put(shop: &Shop, resource: &ApiResource, name: &str, content: &Value) {
    let api: Api<DynamicObject> = Api::namespaced_with(shop.client.clone(), &shop.namespace, resource);
    let mut object = json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}});
    for (key, value) in content.as_object().expect("an object") {
        object[key] = value.clone();
    }
    if api.get_opt(name).await.expect("an answer").is_none() {
        let object = serde_json::from_value(object).expect("an object");
        // a kind is listed a moment before it is served
        until(name, || async { api.create(&PostParams::default(), &object).await.ok().map(drop) }).await;
    } else {
        api.patch(name, &PatchParams::default(), &Patch::Merge(content)).await.expect("patched");
    }
    if let Some(status) = content.get("status").filter(|_| resource.group != "stork.libopenstorage.org") {
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(name, &PatchParams::default(), &patch).await.expect("its status");
    }
}

fn source(shop: &Shop, kind: CopySourceKind, name: &str) -> CopySource {
    CopySource { kind, namespace: shop.namespace.clone(), name: name.to_owned() }
}

fn migration(shop: &Shop, name: &str) -> CopySource {
    source(shop, CopySourceKind::MigrationSchedule, name)
}

fn limit(minutes: u64) -> AgeLimit<'static> {
    AgeLimit { max_age: Duration::from_mins(minutes), setting: "freshness[0].maxAge" }
}

/// The time this many minutes ago.
fn ago(minutes: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() - 60 * minutes).expect("a time")
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_migration_schedule_is_as_fresh_as_its_last_success() {
    let shop = Shop::open("stork").await;
    install(&shop, "stork.yaml").await;
    let source = migration(&shop, "pxbbq");
    let missing = until("the kind", || async {
        let error = shop.cluster.last_copy(&source, None).await.expect_err("nothing there");
        matches!(error, ClusterError::Freshness(FreshnessError::SourceNotFound { .. })).then_some(error)
    })
    .await;
    assert_eq!(missing.to_string(), format!("MigrationSchedule {}/pxbbq not found", shop.namespace));

    put(&shop, &schedule(), "pxbbq", &json!({"spec": {"schedulePolicyName": "every-15m", "suspend": true}})).await;
    let copy = shop.cluster.last_copy(&source, None).await.expect_err("a copy");
    assert_eq!(copy.code(), "T0734", "{copy}");

    let items = json!({"Interval": [
        {"name": "pxbbq-interval-1", "creationTimestamp": ago(20), "finishTimestamp": ago(18), "status": "Successful"},
        {"name": "pxbbq-interval-2", "creationTimestamp": ago(5), "finishTimestamp": null, "status": "InProgress"}]});
    put(&shop, &schedule(), "pxbbq", &json!({"spec": {"suspend": null}, "status": {"items": items}})).await;
    let copied = shop.cluster.last_copy(&source, None).await.expect("it succeeded once");
    assert_eq!(copied.identity, format!("{source} Interval pxbbq-interval-1"));
    assert_eq!(copied.notes.len(), 1, "{:?}", copied.notes);
    let age = copied.age(&limit(30)).expect("fresh");
    assert!(age >= Duration::from_mins(20) - Duration::from_secs(2) && age < Duration::from_mins(22), "{age:?}");
    let old = copied.age(&limit(10)).expect_err("too old").to_string();
    assert!(old.contains("freshness[0].maxAge is 10m (MigrationSchedule"), "{old}");

    let failed = json!({"Interval": [{"name": "pxbbq-interval-3", "creationTimestamp": ago(1), "status": "Failed"}]});
    put(&shop, &schedule(), "pxbbq", &json!({"status": {"items": failed}})).await;
    let failed = shop.cluster.last_copy(&source, None).await.expect_err("the last one failed");
    assert_eq!(failed.code(), "T0733", "{failed}");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn volsync_and_snapshots_are_read_and_a_kind_that_is_not_installed_is_named() {
    let shop = Shop::open("volsync").await;
    let namespace = shop.namespace.clone();
    let snapshot = source(&shop, CopySourceKind::VolumeSnapshot, "mongo");
    let unknown = shop.cluster.last_copy(&snapshot, None).await.expect_err("no such kind");
    assert_eq!(
        unknown.to_string(),
        format!(
            "VolumeSnapshot {namespace}/mongo not found: the cluster has no VolumeSnapshot (snapshot.storage.k8s.io/v1)"
        )
    );
    install(&shop, "snapshot.yaml").await;
    let at = ago(10);
    let started = at - SignedDuration::from_mins(2);
    let status = json!({"creationTime": at, "readyToUse": true});
    put(
        &shop,
        &resource("snapshot.storage.k8s.io", "v1", "VolumeSnapshot"),
        "mongo",
        &json!({"spec": {}, "status": status}),
    )
    .await;
    assert_eq!(shop.cluster.last_copy(&snapshot, None).await.expect("ready").data_time, at);

    install(&shop, "volsync.yaml").await;
    let status = json!({"lastSyncTime": at, "lastSyncDuration": "2m0s", "latestMoverStatus": {"result": "Successful"}});
    for kind in [CopySourceKind::ReplicationDestination, CopySourceKind::ReplicationSource] {
        let source = source(&shop, kind, "mongo");
        let kind = kind.as_str();
        put(&shop, &resource("volsync.backube", "v1alpha1", kind), "mongo", &json!({"spec": {}, "status": status}))
            .await;
        let copied = shop.cluster.last_copy(&source, None).await.expect("it succeeded");
        assert_eq!(
            (copied.data_time, copied.identity.starts_with(&format!("{kind} {namespace}/mongo "))),
            (started, true)
        );
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn another_cluster_is_read_with_its_kubeconfig_and_named_in_errors() {
    let shop = Shop::open("elsewhere").await;
    install(&shop, "stork.yaml").await;
    let items = json!({"Interval": [{"name": "i-1", "creationTimestamp": ago(1), "status": "Successful"}]});
    put(&shop, &schedule(), "pxbbq", &json!({"spec": {}, "status": {"items": items}})).await;
    let file = control_plane::kubeconfig();
    let copied = shop.cluster.last_copy(&migration(&shop, "pxbbq"), Some(&file)).await.expect("it is the same cluster");
    assert!(copied.identity.ends_with("/pxbbq Interval i-1"), "{copied:?}");

    let error = shop.cluster.last_copy(&migration(&shop, "other"), Some(&file)).await.expect_err("nothing there");
    assert!(
        error.to_string().ends_with(&format!("/other not found (in the cluster of {})", file.display())),
        "{error}"
    );
    assert_eq!(error.code(), "T0730");

    let nowhere = "/nowhere/kubeconfig".into();
    let error = shop.cluster.last_copy(&migration(&shop, "pxbbq"), Some(&nowhere)).await.expect_err("no file");
    assert_eq!(error.code(), "T0738", "{error}");
    assert!(error.to_string().contains("/nowhere/kubeconfig"), "{error}");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_right_that_is_missing_in_another_cluster_is_named_with_the_kubeconfig() {
    let shop = Shop::open("elsewhere-rights").await;
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let file = control_plane::kubeconfig_with(&shop.namespace, &rules).await;
    let error = shop.cluster.last_copy(&migration(&shop, "pxbbq"), Some(&file)).await.expect_err("it may not");
    assert_eq!(error.code(), "T0702");
    let text = format!(
        "the ServiceAccount may not get migrationschedules pxbbq in namespace {} (in the cluster of {})",
        shop.namespace,
        file.display()
    );
    assert_eq!(error.to_string(), text);
    let help = error.help().expect("a way out");
    assert!(help.contains("stork.libopenstorage.org"), "{help}");
}
