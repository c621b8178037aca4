//! One process at a time, and never two.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use taster_cluster::{Busy, Cluster, ClusterError, Lock, LockRequest, Me};
use taster_model::Coded;

use crate::{cluster_client, proxy::Door, shop::Shop};

const SECOND: Duration = Duration::from_secs(1);

async fn take(cluster: &Cluster, run: Option<&str>, busy: Busy) -> Result<Lock, ClusterError> {
    let run = run.map(|run| run.parse().expect("a run"));
    cluster.lock(LockRequest { run, what: "pre", busy, lease: 2 * SECOND }, &|_| {}).await
}

/// A process in a pod of its own.
async fn in_pod(shop: &Shop, name: &str) -> Cluster {
    let pod: Pod = serde_json::from_value(json!({"metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "taster"}], "terminationGracePeriodSeconds": 0}}))
    .expect("a pod");
    let pod = shop.api::<Pod>().create(&PostParams::default(), &pod).await.expect("created");
    let me =
        Me { pod: Some(name.to_owned()), uid: pod.metadata.uid, namespace: Some(shop.namespace.clone()), job: None };
    cluster_client::cluster(&shop.namespace, me).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn of_eight_who_want_it_one_has_it() {
    let shop = Shop::open("eight").await;
    let inside = Arc::new(AtomicU32::new(0));
    let mut everybody = Vec::new();
    for _ in 0..8 {
        let (cluster, inside) = (cluster_client::cluster(&shop.namespace, Me::default()).await, Arc::clone(&inside));
        everybody.push(tokio::spawn(async move {
            for _ in 0..3 {
                let lock = take(&cluster, None, Busy::Wait(120 * SECOND)).await.expect("its turn");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is inside");
                lock.check().await.expect("held");
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "somebody else is inside");
                lock.release().await.expect("given back");
            }
        }));
    }
    for one in everybody {
        one.await.expect("none failed");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn who_comes_second_fails_or_waits_as_it_was_told() {
    let shop = Shop::open("second").await;
    let first = in_pod(&shop, "pre-1").await;
    let second = in_pod(&shop, "pre-2").await;
    let held = take(&first, Some("r1"), Busy::Fail).await.expect("the first one has it");
    let Err(error) = take(&second, Some("r2"), Busy::Fail).await else { panic!("both have it") };
    insta::assert_snapshot!(format!("{}: {error}", error.code()), @"T0712: pod pre-1 (pre of run r1) holds the lock (Lease taster-shop)");
    let begun = Instant::now();
    let Err(error) = take(&second, Some("r2"), Busy::Wait(5 * SECOND)).await else { panic!("both have it") };
    assert!(begun.elapsed() >= 5 * SECOND, "a holder that renews is never silent: {:?}", begun.elapsed());
    assert!(error.to_string().contains("for 5 s already"), "{error}");

    let waiting = tokio::spawn(async move { take(&second, Some("r2"), Busy::Wait(30 * SECOND)).await });
    tokio::time::sleep(SECOND).await;
    let released = Instant::now();
    held.release().await.expect("given back");
    let second = waiting.await.expect("no panic").expect("its turn");
    assert!(released.elapsed() < 2 * SECOND, "{:?}", released.elapsed());
    second.release().await.expect("given back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_holder_whose_pod_is_gone_is_dead_at_once_and_any_other_one_after_a_silence() {
    let shop = Shop::open("dead").await;
    let mut first = in_pod(&shop, "pre-1").await;
    let outside = cluster_client::cluster(&shop.namespace, Me::default()).await;
    for end in ["deleted", "failed"] {
        let request = LockRequest { run: None, what: "pre", busy: Busy::Fail, lease: 600 * SECOND };
        let lock = first.lock(request, &|_| {}).await.expect("held");
        drop(lock); // as kill -9 drops it
        assert!(take(&outside, None, Busy::Fail).await.is_err(), "its pod is there");
        if end == "deleted" {
            shop.api::<Pod>().delete("pre-1", &DeleteParams::default()).await.expect("deleted");
        } else {
            let failed = Patch::Merge(json!({"status": {"phase": "Failed"}}));
            shop.api::<Pod>().patch_status("pre-1", &PatchParams::default(), &failed).await.expect("failed");
        }
        take(&outside, None, Busy::Fail).await.expect("at once").release().await.expect("given back");
        if end == "deleted" {
            // a pod of the same name is another one: its UID is not the holder's
            let again = in_pod(&shop, "pre-1").await;
            let request = LockRequest { run: None, what: "pre", busy: Busy::Fail, lease: 600 * SECOND };
            drop(first.lock(request, &|_| {}).await.expect("held by the pod that is no more"));
            take(&again, None, Busy::Fail).await.expect("at once").release().await.expect("given back");
            shop.api::<Pod>().delete("pre-1", &DeleteParams::default()).await.expect("deleted");
            first = in_pod(&shop, "pre-1").await;
        }
    }
    // nobody can ask whether a process outside a pod lives
    drop(take(&outside, None, Busy::Fail).await.expect("held"));
    let begun = Instant::now();
    let other = cluster_client::cluster(&shop.namespace, Me::default()).await;
    let lock = take(&other, None, Busy::Wait(30 * SECOND)).await.expect("after its two seconds");
    assert!((2 * SECOND..8 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    lock.release().await.expect("given back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_failed_syncs_hook_takes_it_from_its_own_run_and_the_other_one_notices() {
    let shop = Shop::open("takeover").await;
    let first = in_pod(&shop, "post-1").await;
    let rescue = in_pod(&shop, "syncfail-1").await;
    let held = take(&first, Some("r1"), Busy::Fail).await.expect("held");
    held.check().await.expect("held");
    let other = take(&rescue, Some("r2"), Busy::TakeOver(SECOND)).await;
    assert!(matches!(other, Err(ClusterError::Locked { .. })), "another run's lock is not taken");
    let taken = take(&rescue, Some("r1"), Busy::TakeOver(SECOND)).await.expect("taken");
    let error = tokio::time::timeout(5 * SECOND, held.lost()).await.expect("it notices");
    assert_eq!(error.to_string(), "the lock (Lease taster-shop) was taken by pod syncfail-1 (pre of run r1)");
    assert!(matches!(held.check().await, Err(ClusterError::LockLost { .. })));
    held.release().await.expect("nothing to give back");
    taken.check().await.expect("the other one's release has not freed it");
    taken.release().await.expect("given back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_person_who_edits_or_deletes_the_lease_takes_it_from_nobody() {
    let shop = Shop::open("person").await;
    let held = take(&shop.cluster, None, Busy::Fail).await.expect("held");
    let noted = Patch::Merge(json!({"metadata": {"labels": {"seen": "yes"}}}));
    shop.api::<Lease>().patch("taster-shop", &PatchParams::default(), &noted).await.expect("edited");
    held.check().await.expect("still held");
    shop.api::<Lease>().delete("taster-shop", &DeleteParams::default()).await.expect("deleted");
    held.check().await.expect("held again: nobody else has it");
    shop.api::<Lease>().delete("taster-shop", &DeleteParams::default()).await.expect("deleted");
    let other = cluster_client::cluster(&shop.namespace, Me::default()).await;
    let faster = take(&other, None, Busy::Fail).await.expect("somebody was faster");
    assert!(matches!(held.check().await, Err(ClusterError::LockLost { .. })));
    faster.check().await.expect("held");
    held.release().await.expect("nothing to give back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn an_api_server_that_is_away_takes_no_lock_and_somebody_else_does() {
    let shop = Shop::open("away").await;
    let door = Door::open().await;
    let far = cluster_client::cluster_of(door.client().await, &shop.namespace, Me::default());
    let held = take(&far, None, Busy::Fail).await.expect("held");
    door.shut();
    let error = held.check().await.expect_err("nobody answers");
    assert!(error.is_passing(), "{error}");
    // longer than the lease: only who sees the silence may take it, and nobody looks
    tokio::time::sleep(3 * SECOND).await;
    door.reopen();
    held.check().await.expect("still held");

    door.shut();
    let taken = take(&shop.cluster, None, Busy::Wait(30 * SECOND)).await.expect("after its two seconds");
    door.reopen();
    let error = tokio::time::timeout(20 * SECOND, held.lost()).await.expect("it notices by itself");
    assert!(matches!(error, ClusterError::LockLost { .. }), "{error}");
    assert!(matches!(held.check().await, Err(ClusterError::LockLost { .. })));
    taken.check().await.expect("one has it, and not the other");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn in_a_namespace_that_is_not_there_nobody_waits() {
    let nowhere = cluster_client::cluster("taster-nowhere", Me::default()).await;
    let answer = tokio::time::timeout(10 * SECOND, take(&nowhere, None, Busy::Wait(600 * SECOND))).await;
    let Err(error) = answer.expect("an answer at once") else { panic!("there is nothing to hold") };
    assert_eq!(error.code(), "T0703");
    assert!(error.to_string().contains("namespace taster-nowhere (`cluster.namespace`)"), "{error}");
}
