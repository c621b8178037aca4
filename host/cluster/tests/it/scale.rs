//! Up, and back to what was there before, whoever else writes meanwhile.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taster_cluster::{Busy, LEASE, Lock, LockRequest, Record, Restored, Workload, WorkloadRef};
use taster_model::RunId;

use crate::{
    control_plane::Kubelet,
    shop::{Shop, until},
};

pub(crate) async fn lock(shop: &Shop) -> Lock {
    let request = LockRequest { run: None, what: "test", busy: Busy::Fail, lease: LEASE };
    shop.cluster.lock(request, &|_| {}).await.expect("the lock")
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

pub(crate) async fn raise(shop: &Shop, workload: &Workload, lock: &Lock) -> Record {
    let inspection = shop.cluster.inspect(std::slice::from_ref(workload)).await.expect("a look");
    shop.cluster.raise(&inspection.found[0], &run(), lock).await.expect("raised")
}

pub(crate) fn back(of: &WorkloadRef, from: i32, to: i32) -> Restored {
    Restored::Back { workload: of.clone(), from, to }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn up_and_back_again_and_the_second_time_nothing_happens() {
    let shop = Shop::open("scale").await;
    let lock = lock(&shop).await;
    let _kubelet = Kubelet::start(&shop.namespace).await;
    for workload in [shop.mongo().await, shop.web().await] {
        let of = &workload.of;
        set(&shop, of, 0).await;
        let record = raise(&shop, &workload, &lock).await;
        assert_eq!((record.found, record.to), (0, 1), "{of}");
        let until = std::time::Instant::now() + Duration::from_mins(1);
        shop.cluster.wait_ready(&workload, until, &|_| {}).await.expect("ready");
        assert_eq!(shop.cluster.recorded(of).await.expect("a record"), Some(record), "{of}");
        assert_eq!(shop.cluster.restore(of, None).await.expect("restored"), back(of, 1, 0));
        assert_eq!(replicas(&shop, of).await, 0, "{of}");
        assert_eq!(shop.cluster.recorded(of).await.expect("no record"), None, "{of}");
        assert_eq!(shop.cluster.restore(of, None).await.expect("restored"), Restored::Untouched(of.clone()));
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn what_an_earlier_process_recorded_beats_what_is_live() {
    let shop = Shop::open("standing").await;
    let lock = lock(&shop).await;
    let workload = shop.web().await;
    let of = &workload.of;
    set(&shop, of, 0).await;
    raise(&shop, &workload, &lock).await;
    // the sync sets another count, and `post` comes
    set(&shop, of, 3).await;
    let again = raise(&shop, &workload, &lock).await;
    assert_eq!((again.found, again.to), (0, 3), "the count of before, and never down");
    assert_eq!(replicas(&shop, of).await, 3);
    assert_eq!(shop.cluster.restore(of, None).await.expect("restored"), back(of, 3, 0));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_with_replicas_enough_is_left_as_it_is() {
    let shop = Shop::open("enough").await;
    let lock = lock(&shop).await;
    let workload = shop.mongo().await;
    set(&shop, &workload.of, 3).await;
    let record = raise(&shop, &workload, &lock).await;
    assert_eq!((record.found, record.to), (3, 3));
    assert_eq!(
        shop.cluster.restore(&workload.of, None).await.expect("restored"),
        Restored::Untouched(workload.of.clone())
    );
    assert_eq!(replicas(&shop, &workload.of).await, 3);
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn somebody_who_writes_all_the_time_is_no_obstacle() {
    let shop = Shop::open("conflict").await;
    let lock = lock(&shop).await;
    let workload = shop.web().await;
    let of = &workload.of;
    set(&shop, of, 0).await;
    let deployments: Api<Deployment> = shop.api();
    let noise = tokio::spawn({
        let name = of.name.clone();
        async move {
            for number in 0_u64.. {
                let patch = Patch::Merge(json!({"metadata": {"annotations": {"noise": number.to_string()}}}));
                deployments.patch(&name, &PatchParams::default(), &patch).await.expect("noise");
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    });
    for _ in 0..10 {
        assert_eq!(raise(&shop, &workload, &lock).await.found, 0);
        assert_eq!(shop.cluster.restore(of, None).await.expect("restored"), back(of, 1, 0));
        assert_eq!(replicas(&shop, of).await, 0);
    }
    assert!(!noise.is_finished(), "it wrote until now");
    noise.abort();
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn where_the_annotation_was_taken_off_the_stores_record_counts_for_the_same_object_and_count() {
    let shop = Shop::open("known").await;
    let lock = lock(&shop).await;
    let workload = shop.web().await;
    let of = &workload.of;
    set(&shop, of, 0).await;
    let record = raise(&shop, &workload, &lock).await;
    let uid = shop.cluster.inspect(std::slice::from_ref(&workload)).await.expect("a look").found[0].uid.clone();
    let take_off = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": null}}}));
    shop.api::<Deployment>().patch(&of.name, &PatchParams::default(), &take_off).await.expect("taken off");

    let other = shop.cluster.restore(of, Some(("another object", &record))).await.expect("an answer");
    assert_eq!(other, Restored::Gone(of.clone()), "it was made anew since");
    assert_eq!(replicas(&shop, of).await, 1);
    assert_eq!(shop.cluster.restore(of, Some((&uid, &record))).await.expect("restored"), back(of, 1, 0));
    // a person decides otherwise; the store's old record has no say
    set(&shop, of, 2).await;
    let decided = shop.cluster.restore(of, Some((&uid, &record))).await.expect("an answer");
    assert_eq!((decided, replicas(&shop, of).await), (Restored::Untouched(of.clone()), 2));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_that_is_gone_is_no_error() {
    let shop = Shop::open("gone").await;
    let workload = shop.web().await;
    shop.api::<Deployment>().delete(&workload.of.name, &kube::api::DeleteParams::default()).await.expect("deleted");
    until("its end", || async {
        shop.api::<Deployment>().get_opt("web").await.expect("an answer").is_none().then_some(())
    })
    .await;
    assert_eq!(shop.cluster.restore(&workload.of, None).await.expect("an answer"), Restored::Gone(workload.of.clone()));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn any_kind_with_a_scale_subresource_can_be_scaled_and_no_other() {
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
        of: WorkloadRef { api_version: "tests.taster.dev/v1".into(), kind: kind.into(), name: "shop".into() },
        replicas: 3,
        ready: Duration::from_mins(1),
        allow_hpa: false,
        setting: "cluster.data[shop]".into(),
    };
    let record = raise(&shop, &wanted("Database"), &lock).await;
    assert_eq!((record.found, record.to), (0, 3));
    assert_eq!(api.get("shop").await.expect("it").data["spec"]["members"], 3);
    let of = wanted("Database").of;
    assert_eq!(shop.cluster.restore(&of, None).await.expect("restored"), back(&of, 3, 0));
    assert_eq!(api.get("shop").await.expect("it").data["spec"]["members"], 0);

    for (kind, message) in [
        ("Plain", "cluster.data[shop]: Plain of tests.taster.dev/v1 has no scale subresource"),
        ("Other", "cluster.data[shop]: Other of tests.taster.dev/v1 is not known: the group has no such kind"),
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
