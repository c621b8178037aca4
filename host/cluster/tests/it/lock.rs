//! The lock is held by one process at a time.

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
use taster_cluster::{Cluster, ClusterError, Lock, LockRequest, ProcessIdentity, WhenLocked};
use taster_model::Diagnostic;
use tokio::sync::Notify;

use crate::{cluster_client, proxy::ApiProxy, shop::Shop};

const SECOND: Duration = Duration::from_secs(1);

fn request(run: Option<&str>) -> LockRequest {
    let run = run.map(|run| run.parse().expect("a run"));
    LockRequest { run, command: "pre", when_locked: WhenLocked::Fail, lease_duration: 2 * SECOND }
}

async fn take(cluster: &Cluster, run: Option<&str>, when_locked: WhenLocked) -> Result<Lock, ClusterError> {
    cluster.acquire_lock(LockRequest { when_locked, ..request(run) }, &|_| {}).await
}

/// A process in a pod of its own.
async fn in_pod(shop: &Shop, name: &str) -> Cluster {
    let pod: Pod = serde_json::from_value(json!({"metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "taster"}], "terminationGracePeriodSeconds": 0}}))
    .expect("a pod");
    let pod = shop.api::<Pod>().create(&PostParams::default(), &pod).await.expect("created");
    let me = ProcessIdentity {
        pod: Some(name.to_owned()),
        uid: pod.metadata.uid,
        namespace: Some(shop.namespace.clone()),
        job: None,
    };
    cluster_client::cluster(&shop.namespace, me).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn of_eight_processes_one_holds_the_lock() {
    let shop = Shop::open("eight").await;
    let inside = Arc::new(AtomicU32::new(0));
    let mut processes = Vec::new();
    for _ in 0..8 {
        let (cluster, inside) =
            (cluster_client::cluster(&shop.namespace, ProcessIdentity::default()).await, Arc::clone(&inside));
        processes.push(tokio::spawn(async move {
            for _ in 0..3 {
                let lock = take(&cluster, None, WhenLocked::Wait(120 * SECOND)).await.expect("its turn");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "another process holds the lock, too");
                lock.confirm().await.expect("held");
                // long enough for another process to be met inside
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "another process holds the lock, too");
                lock.release().await.expect("given back");
            }
        }));
    }
    for process in processes {
        process.await.expect("none failed");
    }
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_second_process_fails_or_waits_as_requested() {
    let shop = Shop::open("second").await;
    let first = in_pod(&shop, "pre-1").await;
    let second = in_pod(&shop, "pre-2").await;
    let held = take(&first, Some("r1"), WhenLocked::Fail).await.expect("the first one has it");
    let Err(error) = take(&second, Some("r2"), WhenLocked::Fail).await else { panic!("both have it") };
    insta::assert_snapshot!(format!("{}: {error}", error.code()), @"T0712: the lock (Lease taster-shop) is held by pod pre-1 (pre of run r1)");
    let begun = Instant::now();
    let Err(error) = take(&second, Some("r2"), WhenLocked::Wait(5 * SECOND)).await else { panic!("both have it") };
    assert!(begun.elapsed() >= 5 * SECOND, "a holder that renews keeps the lock: {:?}", begun.elapsed());
    assert!(error.to_string().contains("; waited 5."), "{error}");

    let waits = Arc::new(Notify::new());
    let waiting = tokio::spawn({
        let waits = Arc::clone(&waits);
        let request = LockRequest { when_locked: WhenLocked::Wait(30 * SECOND), ..request(Some("r2")) };
        async move { second.acquire_lock(request, &|_| waits.notify_one()).await }
    });
    waits.notified().await;
    let released = Instant::now();
    held.release().await.expect("given back");
    let second = waiting.await.expect("no panic").expect("its turn");
    assert!(released.elapsed() < 2 * SECOND, "{:?}", released.elapsed());
    second.release().await.expect("given back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn the_lock_of_an_ended_pod_is_free_at_once_and_that_of_a_killed_process_after_its_lease() {
    let shop = Shop::open("dead").await;
    let mut first = in_pod(&shop, "pre-1").await;
    let outside = cluster_client::cluster(&shop.namespace, ProcessIdentity::default()).await;
    for end in ["deleted", "failed"] {
        let long = LockRequest { lease_duration: 600 * SECOND, ..request(None) };
        let lock = first.acquire_lock(long, &|_| {}).await.expect("held");
        drop(lock); // as after kill -9
        assert!(take(&outside, None, WhenLocked::Fail).await.is_err(), "its pod is there");
        if end == "deleted" {
            shop.api::<Pod>().delete("pre-1", &DeleteParams::default()).await.expect("deleted");
        } else {
            let failed = Patch::Merge(json!({"status": {"phase": "Failed"}}));
            shop.api::<Pod>().patch_status("pre-1", &PatchParams::default(), &failed).await.expect("failed");
        }
        take(&outside, None, WhenLocked::Fail).await.expect("at once").release().await.expect("given back");
        if end == "deleted" {
            // a pod of the same name is another one: its UID is not the holder's
            let again = in_pod(&shop, "pre-1").await;
            let long = LockRequest { lease_duration: 600 * SECOND, ..request(None) };
            drop(first.acquire_lock(long, &|_| {}).await.expect("held by the pod that is no more"));
            take(&again, None, WhenLocked::Fail).await.expect("at once").release().await.expect("given back");
            shop.api::<Pod>().delete("pre-1", &DeleteParams::default()).await.expect("deleted");
            first = in_pod(&shop, "pre-1").await;
        }
    }
    // whether a process outside a pod still runs cannot be looked up
    drop(take(&outside, None, WhenLocked::Fail).await.expect("held"));
    let begun = Instant::now();
    let other = cluster_client::cluster(&shop.namespace, ProcessIdentity::default()).await;
    let lock = take(&other, None, WhenLocked::Wait(30 * SECOND)).await.expect("after its two seconds");
    assert!((2 * SECOND..8 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    lock.release().await.expect("given back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_take_over_from_the_same_run_is_noticed_by_the_holder() {
    let shop = Shop::open("takeover").await;
    let first = in_pod(&shop, "post-1").await;
    let restore = in_pod(&shop, "syncfail-1").await;
    let held = take(&first, Some("r1"), WhenLocked::Fail).await.expect("held");
    held.confirm().await.expect("held");
    let other = take(&restore, Some("r2"), WhenLocked::TakeOver(SECOND)).await;
    assert!(matches!(other, Err(ClusterError::Locked { .. })), "another run's lock is not taken");
    let taken = take(&restore, Some("r1"), WhenLocked::TakeOver(SECOND)).await.expect("taken");
    let error = tokio::time::timeout(5 * SECOND, held.lost()).await.expect("it notices");
    assert_eq!(error.to_string(), "the lock (Lease taster-shop) was lost to pod syncfail-1 (pre of run r1)");
    assert!(matches!(held.confirm().await, Err(ClusterError::LockLost { .. })));
    held.release().await.expect("nothing to give back");
    taken.confirm().await.expect("the other one's release has not freed it");
    taken.release().await.expect("given back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn editing_or_deleting_the_lease_does_not_take_the_lock_from_its_holder() {
    let shop = Shop::open("person").await;
    let held = take(&shop.cluster, None, WhenLocked::Fail).await.expect("held");
    let noted = Patch::Merge(json!({"metadata": {"labels": {"seen": "yes"}}}));
    shop.api::<Lease>().patch("taster-shop", &PatchParams::default(), &noted).await.expect("edited");
    held.confirm().await.expect("still held");
    shop.api::<Lease>().delete("taster-shop", &DeleteParams::default()).await.expect("deleted");
    held.confirm().await.expect("held again: no other process took it");
    shop.api::<Lease>().delete("taster-shop", &DeleteParams::default()).await.expect("deleted");
    let other = cluster_client::cluster(&shop.namespace, ProcessIdentity::default()).await;
    let faster = take(&other, None, WhenLocked::Fail).await.expect("another process was faster");
    assert!(matches!(held.confirm().await, Err(ClusterError::LockLost { .. })));
    faster.confirm().await.expect("held");
    held.release().await.expect("nothing to give back");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn an_unreachable_api_server_does_not_lose_the_lock_but_a_take_over_does() {
    let shop = Shop::open("away").await;
    let proxy = ApiProxy::start().await;
    let far = cluster_client::cluster_of(proxy.client().await, &shop.namespace, ProcessIdentity::default());
    let held = take(&far, None, WhenLocked::Fail).await.expect("held");
    proxy.block();
    let error = held.confirm().await.expect_err("no answer");
    assert!(error.is_transient(), "{error}");
    // longer than the lease duration: no other process watches the Lease, so nothing takes it over
    tokio::time::sleep(3 * SECOND).await;
    proxy.unblock();
    held.confirm().await.expect("still held");

    proxy.block();
    let taken = take(&shop.cluster, None, WhenLocked::Wait(30 * SECOND)).await.expect("after its two seconds");
    proxy.unblock();
    let error = tokio::time::timeout(20 * SECOND, held.lost()).await.expect("it notices by itself");
    assert!(matches!(error, ClusterError::LockLost { .. }), "{error}");
    assert!(matches!(held.confirm().await, Err(ClusterError::LockLost { .. })));
    taken.confirm().await.expect("one has it, and not the other");
}

#[tokio::test]
#[ignore = "needs a control plane: make test-cluster"]
async fn in_a_missing_namespace_the_request_fails_at_once() {
    let nowhere = cluster_client::cluster("taster-nowhere", ProcessIdentity::default()).await;
    let answer = tokio::time::timeout(10 * SECOND, take(&nowhere, None, WhenLocked::Wait(600 * SECOND))).await;
    let Err(error) = answer.expect("an answer at once") else { panic!("there is nothing to hold") };
    assert_eq!(error.code(), "T0703");
    assert!(error.to_string().contains("namespace taster-nowhere (`cluster.namespace`)"), "{error}");
}
