//! Other processes that hold the lock, an unreachable API server, an abandoned sync.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use taster_testkit::control_plane::ApiServerPause;

use super::{PROBES, Shop, ended, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn of_two_processes_one_works_and_the_other_waits_or_fails() {
    let shop = Shop::open().await;
    shop.kubelet.hold("mongo");
    let first = shop.spawn(&["pre", "--run", "a"]);
    until("the first one holds the lock", async || shop.holder().await.is_some()).await;
    shop.configure("  lock: {busy: fail}\n", PROBES);
    let refused = shop.taster(&["pre", "--run", "b"]).await;
    assert_eq!(refused.code, 4, "{}", refused.all());
    assert!(refused.err.contains("error[T0712]") && refused.err.contains("(pre of run a)"), "{}", refused.err);
    shop.configure("  lock: {busy: wait, wait: 2m}\n", PROBES);
    let second = shop.spawn_logged(&["post", "--run", "a"]);
    second.logs("waiting for the lock holder=process").await;
    shop.kubelet.release();
    let (first, second) = (ended(first).await, second.ended().await);
    assert_eq!((first.code, second.code), (0, 0), "{}\n{}", first.all(), second.all());
    shop.expect_back(0, &second.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_restore_that_waits_for_the_lock_can_be_stopped() {
    let shop = Shop::open().await;
    shop.kubelet.hold("mongo");
    let first = shop.spawn(&["pre", "--run", "a"]);
    until("the first one holds the lock", async || shop.holder().await.is_some()).await;
    // of another run, so it is not taken over
    let restore = shop.spawn_logged(&["restore", "--run", "b"]);
    restore.logs("waiting for the lock").await;
    let asked = Instant::now();
    kill_process(Pid::from_child(&restore.child), Signal::TERM).expect("it waits");
    let restore = restore.ended().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(restore.code, 4, "{}", restore.all());
    assert!(restore.err.contains("SIGTERM") && restore.err.contains("nothing was restored"), "{}", restore.err);
    shop.kubelet.release();
    let first = ended(first).await;
    assert_eq!(first.code, 0, "{}", first.all());
    shop.fine(&["restore", "--run", "a"]).await;
    shop.expect_back(0, &restore.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_process_that_loses_the_lock_stops_and_restores_nothing() {
    let shop = Shop::open().await;
    shop.kubelet.hold("mongo");
    let first = shop.spawn(&["pre", "--run", "a"]);
    until("mongo is scaled up", async || shop.counts().await.0 == 1).await;
    // the hook of the failed sync takes over from its own run
    let restored = shop.fine(&["restore", "--run", "a"]).await;
    assert!(restored.out.contains("restored StatefulSet mongo 1→0"), "{}", restored.out);
    let first = ended(first).await;
    assert_eq!(first.code, 4, "{}", first.all());
    assert!(first.err.contains("error[T0713]") || first.err.contains("error[T0724]"), "{}", first.err);
    shop.expect_back(0, &first.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn workloads_that_cannot_be_restored_are_reported_first_and_restored_later() {
    let shop = Shop::alone().await;
    shop.kubelet.hold("pxbbq-web");
    let child = shop.spawn(&["pre", "--run", "a"]);
    until("the applications are scaled up", async || shop.counts().await.1 == 1).await;
    let pause = ApiServerPause::begin();
    let asked = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it is there");
    let ended = ended(child).await;
    let took = asked.elapsed();
    drop(pause);
    assert_eq!(ended.code, 4, "{}", ended.all());
    assert!(took < Duration::from_secs(30), "the grace period was over: {took:?}");
    let lead = "NOT RESTORED pxbbq-web 1→0, mongo 1→0";
    assert!(ended.err.lines().any(|line| line == lead), "{}", ended.err);
    assert!(shop.last_word().starts_with(&format!("{lead}; error[T0604]")), "{}", shop.last_word());
    assert_eq!(shop.counts().await, (1, 1, 2), "{}", ended.all());
    shop.fine(&["restore", "--run", "a"]).await;
    shop.expect_back(0, &ended.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn restore_needs_neither_database_nor_store() {
    let mut shop = Shop::open().await;
    shop.fine(&["pre", "--run", "a"]).await;
    shop.workspace.point_at("mongodb://127.0.0.1:1/pxbbq");
    std::fs::remove_dir_all(shop.workspace.path().join("results")).expect("it is there");
    std::fs::write(shop.workspace.path().join("results"), "in the way").expect("it is there");
    let restored = shop.fine(&["restore", "--run", "a"]).await;
    assert_eq!(shop.counts().await, (0, 0, 0), "{}", restored.all());
    // and a `post` that can store nothing puts back all the same
    std::fs::remove_file(shop.workspace.path().join("results")).expect("it is there");
    shop.workspace.point_at(&shop.database.uri());
    shop.fine(&["pre", "--run", "b"]).await;
    std::fs::remove_dir_all(shop.workspace.path().join("results")).expect("it is there");
    std::fs::write(shop.workspace.path().join("results"), "in the way").expect("it is there");
    let post = shop.taster(&["post", "--run", "b"]).await;
    assert_eq!(post.code, 4, "{}", post.all());
    assert_eq!(shop.counts().await, (0, 0, 0), "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn a_workload_whose_annotation_was_removed_is_restored_from_the_store() {
    use k8s_openapi::api::apps::v1::StatefulSet;
    let shop = Shop::open().await;
    shop.fine(&["pre", "--run", "a"]).await;
    let none = serde_json::json!({"metadata": {"annotations": {"taster.dev/scaled": null}}});
    let patch = kube::api::Patch::Merge(none);
    shop.api::<StatefulSet>().patch("mongo", &kube::api::PatchParams::default(), &patch).await.expect("an answer");
    let restored = shop.fine(&["restore", "--run", "a"]).await;
    shop.expect_back(0, &restored.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn abandoned_workloads_are_restored_after_their_age_when_the_lock_is_free() {
    let shop = Shop::open().await;
    shop.fine(&["pre", "--run", "a"]).await;
    let young = shop.fine(&["restore", "--abandoned"]).await;
    assert!(young.out.contains("no workload has been scaled up for longer than 4h"), "{}", young.out);
    assert_eq!(shop.counts().await, (1, 1, 2));
    shop.configure("  abandonedAfter: 1s\n", PROBES);
    // a living process is at work with it: no pod of the applications gets ready
    shop.scale(0).await;
    shop.kubelet.hold("pxbbq-web");
    let post = shop.spawn(&["post", "--run", "a"]);
    until("post waits for the applications", async || shop.counts().await == (1, 1, 2)).await;
    until("the records are older than `abandonedAfter`", async || {
        shop.youngest_record_age().await > Duration::from_secs(2)
    })
    .await;
    let busy = shop.fine(&["restore", "--abandoned"]).await;
    assert!(busy.out.contains("nothing was restored: process") && busy.out.contains("(post of run a)"), "{}", busy.out);
    assert_eq!(shop.counts().await, (1, 1, 2));
    kill_process(Pid::from_child(&post), Signal::KILL).expect("it is there");
    ended(post).await;
    // its lease expires; `restore --abandoned` needs no run
    let back = shop.fine(&["restore", "--abandoned"]).await;
    assert!(back.out.contains("restored StatefulSet mongo 1→0"), "{}", back.out);
    shop.expect_back(0, &back.all()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a control plane: make test-cluster"]
async fn data_of_unknown_age_are_not_captured() {
    let shop = Shop::open().await;
    let source = "freshness:\n  - {migrationSchedule: portworx/none, maxAge: 30m";
    shop.configure("", &format!("{PROBES}{source}}}\n"));
    let pre = shop.taster(&["pre", "--run", "a"]).await;
    assert_eq!(pre.code, 4, "{}", pre.all());
    assert!(pre.err.contains("error[T0730]") || pre.err.contains("error[T0731]"), "{}", pre.err);
    assert!(!pre.err.contains("scaled a workload"), "{}", pre.err);
    shop.expect_back(0, &pre.all()).await;
    shop.configure("", &format!("{PROBES}{source}, severity: warn}}\n"));
    let warned = shop.fine(&["pre", "--run", "a"]).await;
    assert!(warned.err.contains("the data are not fresh error="), "{}", warned.err);
    shop.fine(&["restore", "--run", "a"]).await;
}
