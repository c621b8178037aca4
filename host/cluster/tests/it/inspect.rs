//! What an inspection rejects before anything is changed, and its warnings.

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

async fn rejection(shop: &Shop, workload: &Workload) -> String {
    let error = shop.cluster.inspect(std::slice::from_ref(workload)).await.expect_err("rejected");
    format!("{}: {error}\n{}", error.code(), error.help().unwrap_or_default())
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_with_an_autoscaler_is_rejected_unless_that_is_allowed() {
    let shop = Shop::open("hpa").await;
    let web = shop.web().await;
    assert!(shop.cluster.inspect(std::slice::from_ref(&web)).await.is_ok());
    let scaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "busy"},
        "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }))
    .expect("an autoscaler");
    shop.api().create(&PostParams::default(), &scaler).await.expect("created");
    insta::assert_snapshot!(rejection(&shop, &web).await, @r"
    T0708: Deployment web is managed by HorizontalPodAutoscaler busy, which would scale it again
    remove the workload from the configuration and leave it to the autoscaler, or set cluster.data[web].allowHPA: true
    ");
    let allowed = Workload { allow_hpa: true, ..web };
    assert_eq!(shop.cluster.inspect(&[allowed]).await.expect("an inspection").found.len(), 1);
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_that_another_object_controls_is_rejected() {
    let shop = Shop::open("owned").await;
    let web = shop.web().await;
    let owner: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("an owner");
    let owner = shop.api::<ConfigMap>().create(&PostParams::default(), &owner).await.expect("created");
    let claim = Patch::Merge(json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap",
        "name": "shop", "uid": owner.metadata.uid, "controller": true}]}}));
    shop.api::<Deployment>().patch("web", &PatchParams::default(), &claim).await.expect("owned");
    insta::assert_snapshot!(rejection(&shop, &web).await, @r"
    T0709: Deployment web is controlled by ConfigMap shop, which would reset its replicas
    name ConfigMap shop in cluster.data[web] instead, if it has a scale subresource
    ");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn records_of_other_apps_and_invalid_records_are_rejected() {
    let shop = Shop::open("record").await;
    let web = shop.web().await;
    for (text, expected) in [
        (
            json!({"app": "other", "run": "r1", "found": 0, "to": 1, "since": "2026-01-01T00:00:00Z"}).to_string(),
            "T0710: Deployment web was scaled up by app `other`, run `r1`, and has not been restored\n\
             run `taster restore` with the configuration of that app",
        ),
        (
            "five".to_owned(),
            "T0711: Deployment web: the annotation taster.dev/scaled is invalid: expected ident at line 1 column 2\n\
             scale the workload to its original replicas by hand, then remove the annotation: kubectl annotate \
             deployment web taster.dev/scaled-",
        ),
    ] {
        let noted = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": text}}}));
        shop.api::<Deployment>().patch("web", &PatchParams::default(), &noted).await.expect("noted");
        assert_eq!(rejection(&shop, &web).await, expected);
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_field_manager_that_sets_the_replicas_is_named_with_the_setting() {
    let shop = Shop::open("manager").await;
    let web = shop.web().await;
    assert_eq!(
        shop.cluster.inspect(std::slice::from_ref(&web)).await.expect("an inspection").warnings.len(),
        1,
        "the creator"
    );
    for (manager, warned) in [("argocd-controller", 1), ("kubectl", 0)] {
        let patch = Patch::Merge(json!({"spec": {"replicas": if warned == 1 { 4 } else { 5 }}}));
        shop.api::<Deployment>().patch("web", &PatchParams::apply(manager), &patch).await.expect("set");
        let warnings = shop.cluster.inspect(std::slice::from_ref(&web)).await.expect("an inspection").warnings;
        assert_eq!(warnings.len(), warned, "{warnings:?}");
        if warned == 1 {
            insta::assert_snapshot!(warnings[0], @"Deployment web: argocd-controller also sets spec.replicas, and may scale it back before Taster has finished. In an Argo CD Application, set ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}] and syncOptions: [RespectIgnoreDifferences=true]");
        }
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn workloads_that_do_not_exist_are_listed_separately() {
    let shop = Shop::open("absent").await;
    let web = shop.web().await;
    let mut other = web.clone();
    other.reference.name = "shelf".to_owned();
    let inspection = shop.cluster.inspect(&[other.clone(), web.clone()]).await.expect("an inspection");
    assert_eq!((inspection.not_found, inspection.found[0].workload.clone()), (vec![other.reference], web));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_of_keda_is_rejected_with_the_name_of_its_scaled_object() {
    let shop = Shop::open("keda").await;
    let (web, mongo) = (shop.web().await, shop.mongo().await);
    // the autoscaler that KEDA creates, where ScaledObject is not installed
    let scaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "keda-hpa-mongo", "ownerReferences": [{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "name": "mongo", "uid": "0c5a1a5e-0000-4000-8000-000000000000", "controller": true}]},
        "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "mongo"}},
    }))
    .expect("an autoscaler");
    shop.api().create(&PostParams::default(), &scaler).await.expect("created");
    let rejected = rejection(&shop, &mongo).await;
    insta::assert_snapshot!(rejected.lines().next().expect("a line"), @"T0708: StatefulSet mongo is managed by HorizontalPodAutoscaler keda-hpa-mongo (of ScaledObject mongo), which would scale it again");

    define(&shop, "keda.sh", "v1alpha1", ("ScaledObject", "scaledobjects"), json!({"status": {}})).await;
    let keda = ApiResource {
        group: "keda.sh".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "keda.sh/v1alpha1".to_owned(),
        kind: "ScaledObject".to_owned(),
        plural: "scaledobjects".to_owned(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(shop.client.clone(), &shop.namespace, &keda);
    // without kind and version, KEDA means a Deployment
    let object: DynamicObject =
        serde_json::from_value(json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "queue"}, "spec": {"scaleTargetRef": {"name": "web"}}}))
        .expect("an object");
    until("the new kind", || async { api.create(&PostParams::default(), &object).await.ok() }).await;
    let rejected = rejection(&shop, &web).await;
    insta::assert_snapshot!(rejected.lines().next().expect("a line"), @"T0708: Deployment web is managed by ScaledObject queue, which would scale it again");
    let allowed = Workload { allow_hpa: true, ..web };
    assert_eq!(shop.cluster.inspect(&[allowed]).await.expect("an inspection").found.len(), 1);
}
