//! Scaling up and restoring, while other clients write.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taster_cluster::{
    LEASE_DURATION, Lock, LockRequest, RestoreOutcome, ScaleRecord, StoredRecord, WhenLocked, Workload, WorkloadRef,
};
use taster_model::RunId;

use crate::{
    control_plane::Kubelet,
    shop::{Shop, until},
};

pub(crate) async fn lock(shop: &Shop) -> Lock {
    let request =
        LockRequest { run: None, command: "test", when_locked: WhenLocked::Fail, lease_duration: LEASE_DURATION };
    shop.cluster.acquire_lock(request, &|_| {}).await.expect("the lock")
}

pub(crate) fn run() -> RunId {
    "1764000000".parse().expect("a run")
}

pub(crate) async fn replicas(shop: &Shop, of: &WorkloadRef) -> i32 {
    match of.kind.as_str() {
        "StatefulSet" => shop.api::<StatefulSet>().get_scale(&of.name).await,
        _ => shop.api::<Deployment>().get_scale(&of.name).await,
    }
    .expect("its scale")
    .spec
    .and_then(|spec| spec.replicas)
    .unwrap_or(0)
}

pub(crate) async fn set(shop: &Shop, of: &WorkloadRef, replicas: i32) {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let params = PatchParams::apply("kubectl");
    match of.kind.as_str() {
        "StatefulSet" => shop.api::<StatefulSet>().patch_scale(&of.name, &params, &patch).await.map(drop),
        _ => shop.api::<Deployment>().patch_scale(&of.name, &params, &patch).await.map(drop),
    }
    .expect("scaled");
}

pub(crate) async fn scale_up(shop: &Shop, workload: &Workload, lock: &Lock) -> ScaleRecord {
    let inspection = shop.cluster.inspect(std::slice::from_ref(workload)).await.expect("an inspection");
    shop.cluster.scale_up(&inspection.found[0], &run(), lock).await.expect("raised")
}

pub(crate) fn restored(of: &WorkloadRef, from: i32, to: i32) -> RestoreOutcome {
    RestoreOutcome::Restored { workload: of.clone(), from, to }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn scaling_up_and_restoring_is_idempotent() {
    let shop = Shop::open("scale").await;
    let lock = lock(&shop).await;
    let _kubelet = Kubelet::start(&shop.namespace).await;
    for workload in [shop.mongo().await, shop.web().await] {
        let of = &workload.reference;
        set(&shop, of, 0).await;
        let record = scale_up(&shop, &workload, &lock).await;
        assert_eq!((record.original, record.target), (0, 1), "{of}");
        let until = std::time::Instant::now() + Duration::from_mins(1);
        shop.cluster.wait_until_ready(&workload, until, &|_| {}).await.expect("ready");
        assert_eq!(shop.cluster.scale_record(of).await.expect("a record"), Some(record), "{of}");
        assert_eq!(shop.cluster.restore_workload(of, None).await.expect("restored"), restored(of, 1, 0));
        assert_eq!(replicas(&shop, of).await, 0, "{of}");
        assert_eq!(shop.cluster.scale_record(of).await.expect("no record"), None, "{of}");
        assert_eq!(
            shop.cluster.restore_workload(of, None).await.expect("restored"),
            RestoreOutcome::Unchanged(of.clone())
        );
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn an_earlier_record_overrides_the_current_replicas() {
    let shop = Shop::open("standing").await;
    let lock = lock(&shop).await;
    let workload = shop.web().await;
    let of = &workload.reference;
    set(&shop, of, 0).await;
    scale_up(&shop, &workload, &lock).await;
    // the sync sets other replicas before `post`
    set(&shop, of, 3).await;
    let again = scale_up(&shop, &workload, &lock).await;
    assert_eq!((again.original, again.target), (0, 3), "the count of before, and never down");
    assert_eq!(replicas(&shop, of).await, 3);
    assert_eq!(shop.cluster.restore_workload(of, None).await.expect("restored"), restored(of, 3, 0));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_with_enough_replicas_is_not_scaled() {
    let shop = Shop::open("enough").await;
    let lock = lock(&shop).await;
    let workload = shop.mongo().await;
    set(&shop, &workload.reference, 3).await;
    let record = scale_up(&shop, &workload, &lock).await;
    assert_eq!((record.original, record.target), (3, 3));
    assert_eq!(
        shop.cluster.restore_workload(&workload.reference, None).await.expect("restored"),
        RestoreOutcome::Unchanged(workload.reference.clone())
    );
    assert_eq!(replicas(&shop, &workload.reference).await, 3);
}

/// Writes of another client during one operation. An attempt fails only if one of them falls into it, and twenty attempts are
/// made: so the operation succeeds, whenever they come.
const WRITES_MEANWHILE: u32 = 12;

/// Writes to a Deployment, as fast as the server answers.
async fn write_meanwhile(shop: &Shop, of: &WorkloadRef) {
    let deployments: Api<Deployment> = shop.api();
    for number in 0..WRITES_MEANWHILE {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"noise": number.to_string()}}}));
        deployments.patch(&of.name, &PatchParams::default(), &patch).await.expect("a write");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn conflicts_with_a_client_that_writes_meanwhile_are_retried() {
    let shop = Shop::open("conflict").await;
    let lock = lock(&shop).await;
    let workload = shop.web().await;
    let of = &workload.reference;
    set(&shop, of, 0).await;
    for _ in 0..10 {
        let inspection = shop.cluster.inspect(std::slice::from_ref(&workload)).await.expect("an inspection");
        let run = run();
        let scaling = shop.cluster.scale_up(&inspection.found[0], &run, &lock);
        let (record, ()) = tokio::join!(scaling, write_meanwhile(&shop, of));
        assert_eq!(record.expect("raised").original, 0);
        let restoring = shop.cluster.restore_workload(of, None);
        let (outcome, ()) = tokio::join!(restoring, write_meanwhile(&shop, of));
        assert_eq!(outcome.expect("restored"), restored(of, 1, 0));
        assert_eq!(replicas(&shop, of).await, 0);
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_stores_record_replaces_a_removed_annotation_for_the_same_object_and_replicas() {
    let shop = Shop::open("known").await;
    let lock = lock(&shop).await;
    let workload = shop.web().await;
    let of = &workload.reference;
    set(&shop, of, 0).await;
    let record = scale_up(&shop, &workload, &lock).await;
    let uid = shop.cluster.inspect(std::slice::from_ref(&workload)).await.expect("an inspection").found[0].uid.clone();
    let remove = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": null}}}));
    shop.api::<Deployment>().patch(&of.name, &PatchParams::default(), &remove).await.expect("taken off");

    let other = shop
        .cluster
        .restore_workload(of, Some(StoredRecord { uid: "another object", record: &record }))
        .await
        .expect("an answer");
    assert_eq!(other, RestoreOutcome::Gone(of.clone()), "it was created anew since");
    assert_eq!(replicas(&shop, of).await, 1);
    assert_eq!(
        shop.cluster.restore_workload(of, Some(StoredRecord { uid: &uid, record: &record })).await.expect("restored"),
        restored(of, 1, 0)
    );
    // other replicas were set on purpose, so the store's record no longer applies
    set(&shop, of, 2).await;
    let decided =
        shop.cluster.restore_workload(of, Some(StoredRecord { uid: &uid, record: &record })).await.expect("an answer");
    assert_eq!((decided, replicas(&shop, of).await), (RestoreOutcome::Unchanged(of.clone()), 2));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn restoring_a_deleted_workload_is_no_error() {
    let shop = Shop::open("gone").await;
    let workload = shop.web().await;
    shop.api::<Deployment>()
        .delete(&workload.reference.name, &kube::api::DeleteParams::default())
        .await
        .expect("deleted");
    until("its end", || async {
        shop.api::<Deployment>().get_opt("web").await.expect("an answer").is_none().then_some(())
    })
    .await;
    assert_eq!(
        shop.cluster.restore_workload(&workload.reference, None).await.expect("an answer"),
        RestoreOutcome::Gone(workload.reference.clone())
    );
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn only_kinds_with_a_scale_subresource_can_be_scaled() {
    let shop = Shop::open("custom").await;
    let lock = lock(&shop).await;
    let replica_sets = ApiResource {
        group: "tests.taster.dev".to_owned(),
        version: "v1".to_owned(),
        api_version: "tests.taster.dev/v1".to_owned(),
        kind: "Database".to_owned(),
        plural: "databases".to_owned(),
    };
    define(
        &shop,
        "tests.taster.dev",
        "v1",
        ("Database", "databases"),
        json!({"status": {}, "scale": {"specReplicasPath": ".spec.members",
        "statusReplicasPath": ".status.members"}}),
    )
    .await;
    define(&shop, "tests.taster.dev", "v1", ("Plain", "plains"), json!({"status": {}})).await;
    let api: Api<DynamicObject> = Api::namespaced_with(shop.client.clone(), &shop.namespace, &replica_sets);
    let object = json!({"apiVersion": "tests.taster.dev/v1", "kind": "Database", "metadata": {"name": "shop"},
        "spec": {"members": 0}});
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    until("the new kind", || async { api.create(&PostParams::default(), &object).await.ok() }).await;

    let wanted = |kind: &str| Workload {
        reference: WorkloadRef { api_version: "tests.taster.dev/v1".into(), kind: kind.into(), name: "shop".into() },
        replicas: 3,
        ready_timeout: Duration::from_mins(1),
        allow_hpa: false,
        setting: "cluster.data[shop]".into(),
    };
    let record = scale_up(&shop, &wanted("Database"), &lock).await;
    assert_eq!((record.original, record.target), (0, 3));
    assert_eq!(api.get("shop").await.expect("it").data["spec"]["members"], 3);
    let of = wanted("Database").reference;
    assert_eq!(shop.cluster.restore_workload(&of, None).await.expect("restored"), restored(&of, 3, 0));
    assert_eq!(api.get("shop").await.expect("it").data["spec"]["members"], 0);

    for (kind, message) in [
        ("Plain", "cluster.data[shop]: Plain of tests.taster.dev/v1 has no scale subresource"),
        ("Other", "cluster.data[shop]: Other of tests.taster.dev/v1 is unknown: the group has no such kind"),
    ] {
        let error = shop.cluster.inspect(&[wanted(kind)]).await.expect_err("not to be scaled");
        assert_eq!(error.to_string(), message);
    }
}

/// Defines a kind whose objects may hold anything.
pub(crate) async fn define(shop: &Shop, group: &str, version: &str, (kind, plural): (&str, &str), subresources: Value) {
    let definitions = ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    };
    let api: Api<DynamicObject> = Api::all_with(shop.client.clone(), &definitions);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": version, "served": true, "storage": true, "subresources": subresources,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                        "properties": {"members": {"type": "integer"}}}}}}}],
        },
    });
    let definition: DynamicObject = serde_json::from_value(definition).expect("a definition");
    api.create(&PostParams::default(), &definition).await.expect("defined");
    until("its establishment", || async {
        let found = api.get(&format!("{plural}.{group}")).await.expect("it");
        let conditions = found.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True").then_some(())
    })
    .await;
}
