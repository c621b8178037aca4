//! Garbage collection on both back ends: old runs are removed, and needed ones are kept.

use std::{fs::File, path::Path, process::ExitStatus, time::SystemTime};

use jiff::{SignedDuration, Timestamp};
use taster_model::{Side, Verdict};
use taster_store::{AppStore, GcMode, GcOutcome, Retention, Settings, Store};
use taster_testkit::s3::Server;

use crate::{child_process, s3_settings::settings, shop};

/// Both kinds of store, with the folder and the server that hold them.
async fn stores() -> (tempfile::TempDir, Server, Vec<(&'static str, Settings)>) {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start().await);
    let files = Settings::from(folder.path().to_str().unwrap());
    let settings = vec![("file", files), ("s3", settings(&server.endpoint()))];
    (folder, server, settings)
}

async fn app(settings: Settings) -> AppStore {
    Store::open_unverified(settings).await.unwrap().app(&shop::app_name())
}

fn in_days(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

fn keep(keep: u32) -> Retention {
    Retention { keep: Some(keep), max_age: None }
}

fn older_than(days: u64) -> Retention {
    Retention { keep: None, max_age: Some(std::time::Duration::from_hours(24 * days)) }
}

/// The runs with an outcome, newest first.
async fn runs_with(
    store: &AppStore,
    retention: Retention,
    now: Timestamp,
    mode: GcMode,
    outcome: GcOutcome,
) -> Vec<String> {
    let collection = store.collect(retention, now, mode).await.unwrap();
    collection.runs.into_iter().filter(|run| run.outcome == outcome).map(|run| run.run.to_string()).collect()
}

/// Makes all files of a folder so many seconds older: the clocks of stores have seconds, and the order of runs is theirs.
fn backdate(folder: &Path, seconds: u64) {
    let then = SystemTime::now() - std::time::Duration::from_secs(seconds);
    for path in shop::files(folder) {
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }
}

async fn names(store: &AppStore) -> Vec<String> {
    store.index().await.unwrap().into_iter().map(|entry| entry.run.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_runs_are_removed_and_needed_ones_are_kept() {
    let (folder, server, settings) = stores().await;
    let roots = [folder.path().join("v1/pxbbq"), server.file("v1/pxbbq")];
    for ((kind, settings), root) in settings.into_iter().zip(roots) {
        let store = app(settings).await;
        for (run, age) in [("a", 40), ("b", 30), ("c", 20), ("d", 10)] {
            shop::whole_run(&store, &shop::run(run)).await;
            backdate(&root.join(run), age);
        }
        // `a` is the baseline; `e` has only its capture
        let baseline = store.run(&shop::run("a")).pre().await.unwrap().unwrap().into_inner();
        store.update_current(|_| Some(shop::current(&baseline, None))).await.unwrap();
        let e = shop::run("e");
        store.run(&e).commit_pre(&shop::capture(&e, Side::Pre)).await.unwrap();

        let nothing = runs_with(&store, keep(1), Timestamp::now(), GcMode::Remove, GcOutcome::Removed).await;
        assert!(nothing.is_empty(), "{kind}: removed, but younger than an hour: {nothing:?}");
        let nothing = runs_with(&store, older_than(9), in_days(8), GcMode::Remove, GcOutcome::Removed).await;
        assert!(nothing.is_empty(), "{kind}: {nothing:?}");
        let both = Retention { keep: Some(5), ..older_than(1) };
        assert!(
            runs_with(&store, both, in_days(8), GcMode::Remove, GcOutcome::Removed).await.is_empty(),
            "{kind}: beyond only one of both limits"
        );

        let dry = runs_with(&store, keep(1), in_days(8), GcMode::DryRun, GcOutcome::Removed).await;
        assert_eq!(dry, ["c", "b"], "{kind}");
        assert_eq!(names(&store).await.len(), 5, "{kind}: a dry run removed something");
        assert_eq!(runs_with(&store, keep(1), in_days(8), GcMode::Remove, GcOutcome::Removed).await, dry, "{kind}");
        // the newest complete run is not the newest one, and both are kept
        assert_eq!(names(&store).await, ["e", "d", "a"], "{kind}");
        assert!(store.runs().await.unwrap().iter().all(|run| run.damaged.is_none()), "{kind}");
        // once the baseline is closed, its run is removed like any other
        store.update_current(|_| Some(shop::current(&baseline, Some(Verdict::Same)))).await.unwrap();
        store
            .update_current(|current| Some(taster_model::CurrentState { baseline: None, last: None, ..current? }))
            .await
            .unwrap();
        runs_with(&store, older_than(1), in_days(8), GcMode::Remove, GcOutcome::Removed).await;
        assert_eq!(names(&store).await, ["d"], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_while_the_current_state_is_unreadable() {
    let (folder, server, settings) = stores().await;
    let damaged = [folder.path().join("v1/pxbbq/current.json"), server.file("v1/pxbbq/current.json")];
    for ((kind, settings), file) in settings.into_iter().zip(damaged) {
        let store = app(settings).await;
        for run in ["a", "b"] {
            shop::whole_run(&store, &shop::run(run)).await;
        }
        std::fs::write(file, "{}").unwrap();
        assert!(store.collect(older_than(1), in_days(8), GcMode::Remove).await.is_err(), "{kind}");
        assert_eq!(names(&store).await.len(), 2, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_collection_leaves_no_verdict_and_the_next_one_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let store = shop::app(&folder.path().join("results")).await;
    for (run, age) in [("a", 20), ("b", 10)] {
        shop::whole_run(&store, &shop::run(run)).await;
        backdate(&folder.path().join("results/v1/pxbbq").join(run), age);
    }
    store
        .update_current(|current| Some(taster_model::CurrentState { baseline: None, last: None, ..current? }))
        .await
        .unwrap();
    let gone = store.run(&shop::run("a"));
    let mut kills = 0;
    loop {
        let status: ExitStatus =
            child_process::command("collect garbage", folder.path(), "gc").env("TASTER_FAULT", "1").status().unwrap();
        // killed after the first object, which is the verdict
        assert!(gone.verdict().await.unwrap().is_none());
        let entry = store.index().await.unwrap().into_iter().find(|entry| entry.run.as_str() == "a");
        assert!(entry.as_ref().is_none_or(|entry| !entry.complete()));
        if status.success() {
            assert_eq!(entry, None);
            break;
        }
        kills += 1;
    }
    assert!(kills > 4, "killed {kills} times");
    assert_eq!(names(&store).await, ["b"]);
    assert!(!folder.path().join("results/v1/pxbbq/a").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_objects_of_killed_processes_are_swept() {
    for backend in crate::test_store::TestStore::on_both_backends().await {
        let store = backend.app().await;
        shop::whole_run(&store, &shop::run("a")).await;
        for kill in 1..=3 {
            let status = child_process::command_for("verify", &backend, "")
                .env("TASTER_FAULT", kill.to_string())
                .status()
                .unwrap();
            assert!(!status.success(), "{}: it was not killed", backend.kind());
        }
        let verification_objects = || {
            std::fs::read_dir(backend.file("v1"))
                .unwrap()
                .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name() != "pxbbq"))
        };
        let left = verification_objects().count() as u64;
        assert!(left > 0, "{}: a killed verification leaves an object", backend.kind());
        let sweep = async |now, mode| store.collect(keep(9), now, mode).await.unwrap().unfinished;
        assert_eq!(sweep(Timestamp::now(), GcMode::Remove).await, 0, "another process may be verifying");
        assert!(sweep(in_days(2), GcMode::DryRun).await > 0 && verification_objects().count() as u64 == left);
        assert!(sweep(in_days(2), GcMode::Remove).await > 0);
        let remain: Vec<_> = verification_objects().collect();
        assert!(remain.is_empty(), "{}: {remain:?}", backend.kind());
        assert_eq!(store.index().await.unwrap().len(), 1, "the run is complete");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_writes_of_killed_processes_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let store = shop::app(folder.path()).await;
    shop::whole_run(&store, &shop::run("a")).await;
    let unfinished = folder.path().join("v1/pxbbq/a/pre/.tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV");
    std::fs::write(&unfinished, "half").unwrap();
    assert_eq!(
        store.collect(keep(1), Timestamp::now(), GcMode::Remove).await.unwrap().unfinished,
        0,
        "another process may be writing it"
    );
    assert_eq!(store.collect(keep(1), in_days(2), GcMode::DryRun).await.unwrap().unfinished, 1);
    assert!(unfinished.exists());
    assert_eq!(store.collect(keep(1), in_days(2), GcMode::Remove).await.unwrap().unfinished, 1);
    assert!(!unfinished.exists());
}
