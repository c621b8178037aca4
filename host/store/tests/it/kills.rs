//! Killed processes leave no partial objects.

use std::time::{Duration, Instant};

use crate::{child_process, shop, test_store::TestStore};

const KILLS: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_no_partial_object() {
    for backend in &TestStore::on_both_backends().await {
        kill_writers(backend).await;
    }
}

async fn kill_writers(backend: &TestStore) {
    let store = backend.app().await;
    let mut unfinished = 0;
    let run_takes = time_of_a_run(backend);
    for kill in 0..KILLS {
        let name = format!("kill{kill}");
        let mut writer = child_process::spawn("write runs until killed", backend, &name);
        child_process::wait_for(&backend.note(&format!("{name}.ready")));
        // a later moment each time, from the first write to two runs later
        std::thread::sleep(run_takes * 2 * kill / KILLS);
        writer.kill().unwrap();
        writer.wait().unwrap();

        for summary in store.runs().await.unwrap() {
            assert_eq!(summary.damaged, None, "{summary:?}");
            let run = store.run(&summary.run);
            let pre = run.pre().await.unwrap();
            // a committed capture has all of its censuses, complete
            for object in pre.iter().flat_map(|pre| &pre.get().objects) {
                let path = backend.file(&format!("v1/pxbbq/{}/{}", summary.run, object.key));
                assert_eq!(std::fs::metadata(path).unwrap().len(), object.length);
            }
            unfinished += u32::from(pre.is_none() || summary.verdict.is_none());
            // each document depends on an earlier one
            assert!(summary.post.is_none() || pre.is_some(), "{summary:?}");
            assert!(!summary.accepted || summary.verdict.is_some(), "{summary:?}");
            if let Some(verdict) = run.verdict().await.unwrap() {
                let attempt = &verdict.get().attempt;
                assert!(run.post(attempt).await.unwrap().is_some());
                assert!(backend.file(&format!("v1/pxbbq/{}/post/{attempt}/report.md", summary.run)).exists());
            }
        }
        if let Some(baseline) = store.current().await.unwrap().and_then(|current| current.baseline) {
            let pre = store.run(&baseline.run).pre().await.unwrap().unwrap();
            assert_eq!(pre.get().attempt, baseline.attempt);
        }
    }
    // at least one kill must fall within a run
    assert!(unfinished > 0, "{}: every kill fell between two runs", backend.kind());
}

/// How long a writer takes for its first run, on this machine as busy as it is.
fn time_of_a_run(backend: &TestStore) -> Duration {
    let mut writer = child_process::spawn("write runs until killed", backend, "measured");
    child_process::wait_for(&backend.note("measured.ready"));
    let started = Instant::now();
    child_process::wait_for(&backend.note("measured.first"));
    let taken = started.elapsed();
    writer.kill().unwrap();
    writer.wait().unwrap();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_repeated_after_its_process_was_killed() {
    for backend in &TestStore::on_both_backends().await {
        repeat_runs(backend).await;
    }
}

async fn repeat_runs(backend: &TestStore) {
    let store = backend.app().await;
    let mut writer = child_process::spawn("write runs until killed", backend, "first");
    // in the middle of the first run, or soon after
    child_process::wait_for(&backend.file("v1/pxbbq/first-0/pre/capture.json"));
    writer.kill().unwrap();
    writer.wait().unwrap();
    // the same run ids again: a committed capture is kept, everything else is written again
    for round in 0..3 {
        let run = shop::run(&format!("first-{round}"));
        let before = store.run(&run).pre().await.unwrap();
        assert!(round > 0 || before.is_some(), "it was killed after this capture");
        let again = shop::capture(&run, taster_model::Side::Pre);
        store.run(&run).commit_pre(&again).await.unwrap();
        let committed = store.run(&run).pre().await.unwrap().unwrap().into_inner();
        assert_eq!(committed, before.map_or(again, taster_store::Committed::into_inner));
        let post = shop::capture(&run, taster_model::Side::Post);
        store.run(&run).commit_post(&post).await.unwrap();
        assert_eq!(store.run(&run).latest_post().await.unwrap().unwrap().into_inner(), post);
    }
}
