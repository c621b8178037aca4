//! Which replicas are restored: those of the record on the workload, of the store's record, or the current ones.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use taster_cluster::{ClusterError, InspectedWorkload, RestoreOutcome, ScaleRecord, StoredRecord, Workload};

use crate::{
    scale::{lock, replicas, restored, run, scale_up, set},
    shop::{Shop, until},
};

async fn inspect(shop: &Shop, workload: &Workload) -> InspectedWorkload {
    shop.cluster.inspect(std::slice::from_ref(workload)).await.expect("an inspection").found.remove(0)
}

async fn annotate(shop: &Shop, text: Option<&str>) {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": text}}}));
    shop.api::<Deployment>().patch("web", &PatchParams::default(), &patch).await.expect("annotated");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn unchanged_replicas_are_not_restored() {
    let shop = Shop::open("unchanged").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.reference, 3).await;
    let record = scale_up(&shop, &web, &lock).await;
    assert_eq!((record.original, record.target), (3, 3));
    // the sync sets other replicas, and `post` uses those
    set(&shop, &web.reference, 5).await;
    assert_eq!(inspect(&shop, &web).await.original_replicas(), 5);
    let record = scale_up(&shop, &web, &lock).await;
    assert_eq!((record.original, record.target), (5, 5));
    set(&shop, &web.reference, 0).await;
    let record = scale_up(&shop, &web, &lock).await;
    assert_eq!((record.original, record.target), (0, 1));
    assert_eq!(
        shop.cluster.restore_workload(&web.reference, None).await.expect("restored"),
        restored(&web.reference, 1, 0)
    );

    set(&shop, &web.reference, 3).await;
    scale_up(&shop, &web, &lock).await;
    set(&shop, &web.reference, 2).await;
    assert_eq!(
        shop.cluster.restore_workload(&web.reference, None).await.expect("an answer"),
        RestoreOutcome::Unchanged(web.reference.clone())
    );
    assert_eq!(
        (replicas(&shop, &web.reference).await, shop.cluster.scale_record(&web.reference).await.expect("an answer")),
        (2, None)
    );
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_record_that_a_sync_removed_is_adopted_from_the_store_within_the_run() {
    let shop = Shop::open("recall").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.reference, 0).await;
    let record = scale_up(&shop, &web, &lock).await;
    annotate(&shop, None).await;

    let mut found = inspect(&shop, &web).await;
    let uid = found.uid.clone();
    let stored = |uid, record| StoredRecord { uid, record };
    let other_target = ScaleRecord { target: 2, ..record.clone() };
    found.adopt_stored_record(stored("another object", &record), &run());
    found.adopt_stored_record(stored(&uid, &record), &"another".parse().expect("a run"));
    found.adopt_stored_record(stored(&uid, &other_target), &run());
    assert_eq!((found.record.clone(), found.original_replicas()), (None, 1), "none of these applies");
    found.adopt_stored_record(stored(&uid, &record), &run());
    assert_eq!(found.original_replicas(), 0);
    let again = shop.cluster.scale_up(&found, &run(), &lock).await.expect("raised");
    assert_eq!((again.original, again.target), (0, 1));
    assert_eq!(
        shop.cluster.restore_workload(&web.reference, None).await.expect("restored"),
        restored(&web.reference, 1, 0)
    );

    // another client scales it between the inspection and the change
    scale_up(&shop, &web, &lock).await;
    annotate(&shop, None).await;
    let mut found = inspect(&shop, &web).await;
    found.adopt_stored_record(stored(&uid, &record), &run());
    set(&shop, &web.reference, 2).await;
    let decided = shop.cluster.scale_up(&found, &run(), &lock).await.expect("raised");
    assert_eq!((decided.original, decided.target), (2, 2));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_record_of_another_app_is_left_to_that_app() {
    let shop = Shop::open("others").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.reference, 0).await;
    let record = scale_up(&shop, &web, &lock).await;
    let uid = inspect(&shop, &web).await.uid;
    let theirs = serde_json::to_string(&ScaleRecord { app: "other".to_owned(), ..record.clone() }).expect("text");
    annotate(&shop, Some(&theirs)).await;
    let outcome = shop
        .cluster
        .restore_workload(&web.reference, Some(StoredRecord { uid: &uid, record: &record }))
        .await
        .expect("an answer");
    assert_eq!((outcome, replicas(&shop, &web.reference).await), (RestoreOutcome::Unchanged(web.reference.clone()), 1));
    assert_eq!(shop.cluster.scale_record(&web.reference).await.expect("an answer").expect("theirs").app, "other");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_record_that_the_next_holder_writes_meanwhile_is_not_restored() {
    let shop = Shop::open("next").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.reference, 0).await;
    let record = scale_up(&shop, &web, &lock).await;
    let next = tokio::spawn({
        let api = shop.api::<Deployment>();
        async move {
            for number in 0_i64.. {
                let since = record.since + Duration::from_secs(number.unsigned_abs());
                let text = serde_json::to_string(&ScaleRecord { since, ..record.clone() }).expect("text");
                let patch = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": text}},
                    "spec": {"replicas": 1}}));
                api.patch("web", &PatchParams::default(), &patch).await.expect("recorded");
                // pauses of many lengths, so that some writes fall between two requests of the restore
                tokio::time::sleep(Duration::from_millis(number.unsigned_abs() * 7 % 40)).await;
            }
        }
    });
    let begun = Instant::now();
    loop {
        match shop.cluster.restore_workload(&web.reference, None).await {
            Err(ClusterError::Conflict { .. }) => break,
            other => drop(other.expect("an answer")),
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "the conflict was never reported");
    }
    next.abort();
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_stateful_set_that_is_created_anew_has_its_own_replicas() {
    let shop = Shop::open("deleted").await;
    let lock = lock(&shop).await;
    let mongo = shop.mongo().await;
    set(&shop, &mongo.reference, 0).await;
    let before = inspect(&shop, &mongo).await;
    let record = scale_up(&shop, &mongo, &lock).await;
    let sets = shop.api::<StatefulSet>();
    let mut recreated = sets.get("mongo").await.expect("the StatefulSet");
    sets.delete("mongo", &DeleteParams::default()).await.expect("deleted");
    until("its end", || async { sets.get_opt("mongo").await.expect("an answer").is_none().then_some(()) }).await;
    let error = shop.cluster.scale_up(&before, &run(), &lock).await.expect_err("it is gone");
    assert_eq!(error.to_string(), format!("StatefulSet mongo not found in namespace {}", shop.namespace));
    let stored = Some(StoredRecord { uid: &before.uid, record: &record });
    assert_eq!(
        shop.cluster.restore_workload(&mongo.reference, stored).await.expect("an answer"),
        RestoreOutcome::Gone(mongo.reference.clone())
    );

    recreated.metadata = serde_json::from_value(json!({"name": "mongo"})).expect("metadata");
    recreated.spec.as_mut().expect("a specification").replicas = Some(1);
    sets.create(&PostParams::default(), &recreated).await.expect("created again");
    assert_eq!(
        shop.cluster.restore_workload(&mongo.reference, stored).await.expect("an answer"),
        RestoreOutcome::Gone(mongo.reference.clone())
    );
    assert_eq!(replicas(&shop, &mongo.reference).await, 1);
    let record = shop.cluster.scale_up(&before, &run(), &lock).await.expect("raised");
    assert_eq!((record.original, record.target), (1, 1), "the old one's count is not the new one's");
}
