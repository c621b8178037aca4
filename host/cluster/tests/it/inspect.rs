//! What is refused before anything is changed, and what is warned of.

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, core::v1::ConfigMap};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::json;
use taster_cluster::Workload;
use taster_model::Diagnostic;

use crate::{
    scale::define,
    shop::{Shop, until},
};

async fn refusal(shop: &Shop, workload: &Workload) -> String {
    let error = shop.cluster.inspect(std::slice::from_ref(workload)).await.expect_err("refused");
    format!("{}: {error}\n{}", error.code(), error.help().unwrap_or_default())
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn what_an_autoscaler_looks_after_is_refused_unless_it_is_allowed() {
    let shop = Shop::open("hpa").await;
    let web = shop.web().await;
    assert!(shop.cluster.inspect(std::slice::from_ref(&web)).await.is_ok());
    let scaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "busy"},
        "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }))
    .expect("an autoscaler");
    shop.api().create(&PostParams::default(), &scaler).await.expect("created");
    insta::assert_snapshot!(refusal(&shop, &web).await, @r"
    T0708: Deployment web belongs to HorizontalPodAutoscaler busy, which would scale it again
    leave the workload to the autoscaler and take it out of the configuration, or set cluster.data[web].allowHPA: true
    ");
    let allowed = Workload { allow_hpa: true, ..web };
    assert_eq!(shop.cluster.inspect(&[allowed]).await.expect("a look").found.len(), 1);
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn what_another_object_controls_is_refused() {
    let shop = Shop::open("owned").await;
    let web = shop.web().await;
    let owner: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("an owner");
    let owner = shop.api::<ConfigMap>().create(&PostParams::default(), &owner).await.expect("created");
    let claim = Patch::Merge(json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap",
        "name": "shop", "uid": owner.metadata.uid, "controller": true}]}}));
    shop.api::<Deployment>().patch("web", &PatchParams::default(), &claim).await.expect("owned");
    insta::assert_snapshot!(refusal(&shop, &web).await, @r"
    T0709: Deployment web is controlled by ConfigMap shop, which would put its replicas back
    name ConfigMap shop in cluster.data[web], if it can be scaled, instead
    ");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn records_of_others_and_records_that_nobody_can_read_are_refused() {
    let shop = Shop::open("record").await;
    let web = shop.web().await;
    for (text, expected) in [
        (
            json!({"app": "other", "run": "r1", "found": 0, "to": 1, "since": "2026-01-01T00:00:00Z"}).to_string(),
            "T0710: Deployment web was scaled up by app `other`, run `r1`, which has not put it back\n\
             `taster restore` with that app's configuration puts it back",
        ),
        (
            "five".to_owned(),
            "T0711: Deployment web: the annotation taster.dev/scaled cannot be read: expected ident at line 1 column 2\n\
             scale it by hand to what it should have, then take the annotation off: kubectl annotate deployment web \
             taster.dev/scaled-",
        ),
    ] {
        let noted = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": text}}}));
        shop.api::<Deployment>().patch("web", &PatchParams::default(), &noted).await.expect("noted");
        assert_eq!(refusal(&shop, &web).await, expected);
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn whoever_sets_the_count_besides_is_named_with_what_to_set() {
    let shop = Shop::open("manager").await;
    let web = shop.web().await;
    assert_eq!(
        shop.cluster.inspect(std::slice::from_ref(&web)).await.expect("a look").warnings.len(),
        1,
        "the creator"
    );
    for (manager, warned) in [("argocd-controller", 1), ("kubectl", 0)] {
        let patch = Patch::Merge(json!({"spec": {"replicas": if warned == 1 { 4 } else { 5 }}}));
        shop.api::<Deployment>().patch("web", &PatchParams::apply(manager), &patch).await.expect("set");
        let warnings = shop.cluster.inspect(std::slice::from_ref(&web)).await.expect("a look").warnings;
        assert_eq!(warnings.len(), warned, "{warnings:?}");
        if warned == 1 {
            insta::assert_snapshot!(warnings[0], @"Deployment web: argocd-controller sets spec.replicas; if it heals itself, it scales back what is scaled here. In an Argo CD Application: ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}] and syncOptions: [RespectIgnoreDifferences=true]");
        }
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn what_is_not_there_is_told_apart_from_what_is() {
    let shop = Shop::open("absent").await;
    let web = shop.web().await;
    let mut other = web.clone();
    other.of.name = "shelf".to_owned();
    let inspection = shop.cluster.inspect(&[other.clone(), web.clone()]).await.expect("a look");
    assert_eq!((inspection.absent, inspection.found[0].workload.clone()), (vec![other.of], web));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn keda_is_refused_by_the_name_that_people_know() {
    let shop = Shop::open("keda").await;
    let (web, mongo) = (shop.web().await, shop.mongo().await);
    // its autoscaler without its own kind: as to whom the kind is not granted sees it
    let scaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "keda-hpa-mongo", "ownerReferences": [{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "name": "mongo", "uid": "0c5a1a5e-0000-4000-8000-000000000000", "controller": true}]},
        "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "mongo"}},
    }))
    .expect("an autoscaler");
    shop.api().create(&PostParams::default(), &scaler).await.expect("created");
    let seen = refusal(&shop, &mongo).await;
    insta::assert_snapshot!(seen.lines().next().expect("a line"), @"T0708: StatefulSet mongo belongs to HorizontalPodAutoscaler keda-hpa-mongo (of ScaledObject mongo), which would scale it again");

    define(&shop, "keda.sh", "v1alpha1", ("ScaledObject", "scaledobjects"), json!({"status": {}})).await;
    let keda = ApiResource {
        group: "keda.sh".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "keda.sh/v1alpha1".to_owned(),
        kind: "ScaledObject".to_owned(),
        plural: "scaledobjects".to_owned(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(shop.client.clone(), &shop.namespace, &keda);
    // neither kind nor version: KEDA means a Deployment then
    let object: DynamicObject =
        serde_json::from_value(json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "queue"}, "spec": {"scaleTargetRef": {"name": "web"}}}))
        .expect("an object");
    until("the new kind", || async { api.create(&PostParams::default(), &object).await.ok() }).await;
    let seen = refusal(&shop, &web).await;
    insta::assert_snapshot!(seen.lines().next().expect("a line"), @"T0708: Deployment web belongs to ScaledObject queue, which would scale it again");
    let allowed = Workload { allow_hpa: true, ..web };
    assert_eq!(shop.cluster.inspect(&[allowed]).await.expect("a look").found.len(), 1);
}
