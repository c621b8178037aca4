//! The guarantees of both back ends: creates are final, no update is lost, an object at another key is an error.

use std::fs;

use jiff::Timestamp;

use taster_model::{
    AttemptId, Baseline, Capture, CopyWitness, CurrentState, Diagnostic, ScaledState, ScaledWorkload, Side, Verdict,
    VerdictDocument, schema,
};
use taster_store::{AppStore, CommitPre, StoreError};

use crate::{
    shop::{self, run},
    test_store::TestStore,
};

fn pre(name: &str) -> Capture {
    shop::capture(&run(name), Side::Pre)
}

fn post(name: &str) -> Capture {
    shop::capture(&run(name), Side::Post)
}

/// Opens several independent clients.
async fn open_clients(backend: &TestStore, n: usize) -> Vec<AppStore> {
    let mut clients = Vec::new();
    for _ in 0..n {
        clients.push(backend.app().await);
    }
    clients
}

fn judged(after: &Capture, verdict: Verdict) -> VerdictDocument {
    shop::verdict(after, &after.run, verdict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_capture_before_the_sync_is_never_replaced() {
    for backend in TestStore::on_both_backends().await {
        let store = backend.app().await.run(&run("one"));
        assert!(store.pre().await.unwrap().is_none());
        let (first, second) = (pre("one"), pre("one"));
        assert!(matches!(store.commit_pre(&first).await.unwrap(), CommitPre::Committed(c) if c.get() == &first));
        // after a lost answer, the same attempt commits again
        assert!(matches!(store.commit_pre(&first).await.unwrap(), CommitPre::Committed(_)));
        assert!(
            matches!(store.commit_pre(&second).await.unwrap(), CommitPre::AlreadyCommitted(c) if c.get() == &first)
        );
        assert_eq!(store.pre().await.unwrap().unwrap().into_inner(), first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_concurrent_captures_is_committed() {
    for backend in TestStore::on_both_backends().await {
        let clients = open_clients(&backend, 6).await;
        for round in 0..20 {
            let name = format!("round-{round}");
            let tasks: Vec<_> = clients
                .iter()
                .map(|client| {
                    let (store, capture) = (client.run(&run(&name)), pre(&name));
                    tokio::spawn(async move {
                        match store.commit_pre(&capture).await.unwrap() {
                            CommitPre::Committed(c) => (true, c.into_inner().attempt),
                            CommitPre::AlreadyCommitted(c) => (false, c.into_inner().attempt),
                        }
                    })
                })
                .collect();
            let mut own = 0;
            let mut committed_attempts = std::collections::BTreeSet::new();
            for task in tasks {
                let (committed, attempt) = task.await.unwrap();
                own += u32::from(committed);
                committed_attempts.insert(attempt);
            }
            assert_eq!((own, committed_attempts.len()), (1, 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_concurrent_update_of_current_is_lost() {
    for backend in TestStore::on_both_backends().await {
        let tasks: Vec<_> = open_clients(&backend, 8)
            .await
            .into_iter()
            .map(|store| {
                tokio::spawn(async move {
                    for _ in 0..5 {
                        store
                            .update_current(|current| {
                                let counted =
                                    current.and_then(|c| c.baseline).map_or(0, |b| b.run.as_str().parse().unwrap());
                                Some(CurrentState {
                                    known: Vec::new(),
                                    schema: schema::CURRENT.to_owned(),
                                    app: "pxbbq".parse().unwrap(),
                                    baseline: Some(Baseline {
                                        run: run(&(counted + 1).to_string()),
                                        attempt: AttemptId::generate(),
                                        started: "2026-01-02T03:04:05Z".parse().unwrap(),
                                        copy: CopyWitness::default(),
                                        judged: None,
                                        judged_at: None,
                                        added: Vec::new(),
                                    }),
                                    claims: Vec::new(),
                                    last: None,
                                    nothing_yet: None,
                                })
                            })
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(backend.app().await.current().await.unwrap().unwrap().baseline.unwrap().run.as_str(), "40");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_concurrent_update_of_scaled_is_lost_and_it_is_no_run() {
    for backend in TestStore::on_both_backends().await {
        let store = backend.app().await;
        assert_eq!(store.scaled().await.unwrap(), None);
        let entry = |name: &str| ScaledWorkload {
            api_version: "apps/v1".to_owned(),
            kind: "StatefulSet".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            found: 0,
            to: 1,
            run: run("1"),
            since: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let add = |name: &'static str| {
            move |scaled: Option<ScaledState>| {
                let mut workloads = scaled.map(|scaled| scaled.workloads).unwrap_or_default();
                workloads.push(entry(name));
                Some(ScaledState { schema: schema::SCALED.to_owned(), app: "pxbbq".parse().unwrap(), workloads })
            }
        };
        let (mongo, web) = tokio::join!(store.update_scaled(add("mongo")), store.update_scaled(add("web")));
        mongo.unwrap();
        web.unwrap();
        let mut names: Vec<String> =
            store.scaled().await.unwrap().unwrap().workloads.into_iter().map(|w| w.name).collect();
        names.sort();
        assert_eq!(names, ["mongo", "web"], "neither of two concurrent updates is lost");
        assert!(store.runs().await.unwrap().is_empty());
        // a document with a wrong checksum is an error
        let path = backend.file("v1/pxbbq/scaled.json");
        let text = fs::read_to_string(&path).unwrap().replace("\"found\": 0", "\"found\": 7");
        fs::write(&path, text).unwrap();
        assert!(matches!(store.scaled().await, Err(StoreError::Damaged { .. })));
    }
}

/// A capture after the sync, read when the server's clock showed this second.
fn post_read_at(second: i64) -> Capture {
    let mut capture = post("one");
    capture.server.clock = Some(Timestamp::from_second(second).unwrap());
    capture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_run_has_the_verdict_of_the_attempt_that_read_last() {
    for backend in TestStore::on_both_backends().await {
        let store = backend.app().await.run(&run("one"));
        // the attempt that began first read last: it was slow, or the clock of its machine is behind
        let (late, early) = (post_read_at(20), post_read_at(10));
        assert!(late.attempt < early.attempt);
        store.commit_post(&early).await.unwrap();
        store.put_verdict(&judged(&early, Verdict::Same)).await.unwrap();
        assert_eq!(
            store.read_later_than(&judged(&early, Verdict::Same), std::slice::from_ref(&early.attempt)).await.unwrap(),
            None
        );
        store.commit_post(&late).await.unwrap();
        assert_eq!(store.latest_post().await.unwrap().unwrap().get().attempt, late.attempt);
        let attempts = [late.attempt.clone(), early.attempt.clone()];
        let uncompared = store.read_later_than(&judged(&early, Verdict::Same), &attempts).await.unwrap();
        assert_eq!(uncompared.as_ref(), Some(&late.attempt), "it is not compared yet");
        let verdict = store.put_verdict(&judged(&late, Verdict::Different)).await.unwrap();
        assert_eq!((verdict.attempt, verdict.verdict), (late.attempt.clone(), Verdict::Different));
        let stored = store.verdict().await.unwrap().unwrap().into_inner();
        assert_eq!(stored.verdict, Verdict::Different);
        assert_eq!(store.read_later_than(&stored, &attempts).await.unwrap(), None);
        // an attempt that read earlier than both comes last: it gets the verdict of the run
        let earliest = post_read_at(5);
        store.commit_post(&earliest).await.unwrap();
        let verdict = store.put_verdict(&judged(&earliest, Verdict::Same)).await.unwrap();
        assert_eq!(verdict.attempt, late.attempt);
        let error = store.put_verdict(&judged(&late, Verdict::Same)).await.unwrap_err();
        assert_eq!(error.code(), "T0408", "a verdict of an attempt is written once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_verdicts_about_one_moment_the_worse_counts() {
    use Verdict::{Different, Same, Unknown};
    for backend in TestStore::on_both_backends().await {
        for (number, order) in
            [[Same, Unknown, Different], [Different, Unknown, Same], [Unknown, Different, Same]].into_iter().enumerate()
        {
            let run = run(&format!("run-{number}"));
            let store = backend.app().await.run(&run);
            for verdict in order {
                let capture = Capture { run: run.clone(), ..post_read_at(10) };
                store.commit_post(&capture).await.unwrap();
                store.put_verdict(&judged(&capture, verdict)).await.unwrap();
            }
            assert_eq!(store.verdict().await.unwrap().unwrap().get().verdict, Different, "{order:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_copied_to_another_key_is_an_error() {
    for backend in TestStore::on_both_backends().await {
        let store = backend.app().await;
        store.run(&run("one")).commit_pre(&pre("one")).await.unwrap();
        let path = |run: &str| backend.file(&format!("v1/pxbbq/{run}/pre/capture.json"));
        fs::create_dir_all(path("two").parent().unwrap()).unwrap();
        fs::copy(path("one"), path("two")).unwrap();
        let error = store.run(&run("two")).pre().await.unwrap_err();
        assert_eq!(error.code(), "T0407");
        assert_eq!(
            error.to_string(),
            "v1/pxbbq/two/pre/capture.json holds another object: its run is `one`, expected `two`"
        );
        let runs = store.runs().await.unwrap();
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().any(|r| r.run == run("two") && r.damaged.is_some() && r.pre.is_none()), "{runs:?}");
        assert!(runs.iter().any(|r| r.run == run("one") && r.damaged.is_none() && r.pre.is_some()), "{runs:?}");
    }
}
