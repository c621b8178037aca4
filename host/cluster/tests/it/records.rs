//! Whose word counts: the record on the workload, the store's, or what is live.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use taster_cluster::{ClusterError, Found, Record, Restored, Workload};

use crate::{
    scale::{back, lock, raise, replicas, run, set},
    shop::{Shop, until},
};

async fn look(shop: &Shop, workload: &Workload) -> Found {
    shop.cluster.inspect(std::slice::from_ref(workload)).await.expect("a look").found.remove(0)
}

async fn annotate(shop: &Shop, text: Option<&str>) {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": text}}}));
    shop.api::<Deployment>().patch("web", &PatchParams::default(), &patch).await.expect("annotated");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_count_that_was_not_changed_is_not_put_back() {
    let shop = Shop::open("unchanged").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.of, 3).await;
    let record = raise(&shop, &web, &lock).await;
    assert_eq!((record.found, record.to), (3, 3));
    // the sync brings another count: that is Git's word, and `post` goes by it
    set(&shop, &web.of, 5).await;
    assert_eq!(look(&shop, &web).await.count(), 5);
    let record = raise(&shop, &web, &lock).await;
    assert_eq!((record.found, record.to), (5, 5));
    set(&shop, &web.of, 0).await;
    let record = raise(&shop, &web, &lock).await;
    assert_eq!((record.found, record.to), (0, 1));
    assert_eq!(shop.cluster.restore(&web.of, None).await.expect("restored"), back(&web.of, 1, 0));

    set(&shop, &web.of, 3).await;
    raise(&shop, &web, &lock).await;
    set(&shop, &web.of, 2).await;
    assert_eq!(shop.cluster.restore(&web.of, None).await.expect("an answer"), Restored::Untouched(web.of.clone()));
    assert_eq!((replicas(&shop, &web.of).await, shop.cluster.recorded(&web.of).await.expect("an answer")), (2, None));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn where_a_sync_took_the_record_off_the_same_run_recalls_it() {
    let shop = Shop::open("recall").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.of, 0).await;
    let record = raise(&shop, &web, &lock).await;
    annotate(&shop, None).await;

    let mut found = look(&shop, &web).await;
    let uid = found.uid.clone();
    found.recall("another object", record.clone(), &run());
    found.recall(&uid, record.clone(), &"another".parse().expect("a run"));
    found.recall(&uid, Record { to: 2, ..record.clone() }, &run());
    assert_eq!((found.standing.clone(), found.count()), (None, 1), "each of these was decided about since");
    found.recall(&uid, record.clone(), &run());
    assert_eq!(found.count(), 0);
    let again = shop.cluster.raise(&found, &run(), &lock).await.expect("raised");
    assert_eq!((again.found, again.to), (0, 1));
    assert_eq!(shop.cluster.restore(&web.of, None).await.expect("restored"), back(&web.of, 1, 0));

    // somebody scales it between the look and the change
    raise(&shop, &web, &lock).await;
    annotate(&shop, None).await;
    let mut found = look(&shop, &web).await;
    found.recall(&uid, record, &run());
    set(&shop, &web.of, 2).await;
    let decided = shop.cluster.raise(&found, &run(), &lock).await.expect("raised");
    assert_eq!((decided.found, decided.to), (2, 2));
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn another_apps_record_is_left_to_that_app() {
    let shop = Shop::open("others").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.of, 0).await;
    let record = raise(&shop, &web, &lock).await;
    let uid = look(&shop, &web).await.uid;
    let theirs = serde_json::to_string(&Record { app: "other".to_owned(), ..record.clone() }).expect("text");
    annotate(&shop, Some(&theirs)).await;
    let restored = shop.cluster.restore(&web.of, Some((&uid, &record))).await.expect("an answer");
    assert_eq!((restored, replicas(&shop, &web.of).await), (Restored::Untouched(web.of.clone()), 1));
    assert_eq!(shop.cluster.recorded(&web.of).await.expect("an answer").expect("theirs").app, "other");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn what_the_next_holder_records_meanwhile_is_not_put_back() {
    let shop = Shop::open("next").await;
    let lock = lock(&shop).await;
    let web = shop.web().await;
    set(&shop, &web.of, 0).await;
    let record = raise(&shop, &web, &lock).await;
    let next = tokio::spawn({
        let api = shop.api::<Deployment>();
        async move {
            for number in 0_i64.. {
                let since = record.since + Duration::from_secs(number.unsigned_abs());
                let text = serde_json::to_string(&Record { since, ..record.clone() }).expect("text");
                let patch = Patch::Merge(json!({"metadata": {"annotations": {"taster.dev/scaled": text}},
                    "spec": {"replicas": 1}}));
                api.patch("web", &PatchParams::default(), &patch).await.expect("recorded");
                tokio::time::sleep(Duration::from_millis(number.unsigned_abs() * 7 % 40)).await;
            }
        }
    });
    let begun = Instant::now();
    loop {
        match shop.cluster.restore(&web.of, None).await {
            Err(ClusterError::Contended { .. }) => break,
            other => drop(other.expect("an answer")),
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "it was never told that somebody else is at work");
    }
    next.abort();
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_set_that_is_deleted_and_made_again_has_a_count_of_its_own() {
    let shop = Shop::open("deleted").await;
    let lock = lock(&shop).await;
    let mongo = shop.mongo().await;
    set(&shop, &mongo.of, 0).await;
    let before = look(&shop, &mongo).await;
    let record = raise(&shop, &mongo, &lock).await;
    let sets = shop.api::<StatefulSet>();
    let mut made = sets.get("mongo").await.expect("it");
    sets.delete("mongo", &DeleteParams::default()).await.expect("deleted");
    until("its end", || async { sets.get_opt("mongo").await.expect("an answer").is_none().then_some(()) }).await;
    let error = shop.cluster.raise(&before, &run(), &lock).await.expect_err("it is gone");
    assert_eq!(error.to_string(), format!("there is no StatefulSet mongo in namespace {}", shop.namespace));
    let known = Some((&*before.uid, &record));
    assert_eq!(shop.cluster.restore(&mongo.of, known).await.expect("an answer"), Restored::Gone(mongo.of.clone()));

    made.metadata = serde_json::from_value(json!({"name": "mongo"})).expect("metadata");
    made.spec.as_mut().expect("a specification").replicas = Some(1);
    sets.create(&PostParams::default(), &made).await.expect("made again");
    assert_eq!(shop.cluster.restore(&mongo.of, known).await.expect("an answer"), Restored::Gone(mongo.of.clone()));
    assert_eq!(replicas(&shop, &mongo.of).await, 1);
    let record = shop.cluster.raise(&before, &run(), &lock).await.expect("raised");
    assert_eq!((record.found, record.to), (1, 1), "the old one's count is not the new one's");
}
