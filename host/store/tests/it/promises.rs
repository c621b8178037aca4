//! What every store promises: what is created stands, what moves loses nothing, what lies at another place is an error.

use std::fs;

use taster_model::{
    AttemptId, Baseline, Capture, CopyWitness, CurrentState, Diagnostic, ScaledState, ScaledWorkload, Side, Verdict,
    VerdictDocument, schema,
};
use taster_store::{AppStore, CommitPre, StoreError};

use crate::{
    place::Place,
    shop::{self, run},
};

fn pre(name: &str) -> Capture {
    shop::capture(&run(name), Side::Pre)
}

fn post(name: &str) -> Capture {
    shop::capture(&run(name), Side::Post)
}

/// So many clients that know nothing of each other.
async fn several(place: &Place, n: usize) -> Vec<AppStore> {
    let mut clients = Vec::new();
    for _ in 0..n {
        clients.push(place.app().await);
    }
    clients
}

fn judged(after: &Capture, verdict: Verdict) -> VerdictDocument {
    shop::verdict(after, &after.run, verdict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_capture_before_the_sync_stands() {
    for place in Place::both().await {
        let store = place.app().await.run(&run("one"));
        assert!(store.pre().await.unwrap().is_none());
        let (first, second) = (pre("one"), pre("one"));
        assert!(matches!(store.commit_pre(&first).await.unwrap(), CommitPre::Committed(c) if c.get() == &first));
        // a lost answer: the same attempt commits again
        assert!(matches!(store.commit_pre(&first).await.unwrap(), CommitPre::Committed(_)));
        assert!(matches!(store.commit_pre(&second).await.unwrap(), CommitPre::Standing(c) if c.get() == &first));
        assert_eq!(store.pre().await.unwrap().unwrap().into_inner(), first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_captures_at_once_one_stands() {
    for place in Place::both().await {
        let clients = several(&place, 6).await;
        for round in 0..20 {
            let name = format!("round-{round}");
            let tasks: Vec<_> = clients
                .iter()
                .map(|client| {
                    let (store, capture) = (client.run(&run(&name)), pre(&name));
                    tokio::spawn(async move {
                        match store.commit_pre(&capture).await.unwrap() {
                            CommitPre::Committed(c) => (true, c.into_inner().attempt),
                            CommitPre::Standing(c) => (false, c.into_inner().attempt),
                        }
                    })
                })
                .collect();
            let mut own = 0;
            let mut standing = std::collections::BTreeSet::new();
            for task in tasks {
                let (committed, attempt) = task.await.unwrap();
                own += u32::from(committed);
                standing.insert(attempt);
            }
            assert_eq!((own, standing.len()), (1, 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_move_of_current_is_lost() {
    for place in Place::both().await {
        let tasks: Vec<_> = several(&place, 8)
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
        assert_eq!(place.app().await.current().await.unwrap().unwrap().baseline.unwrap().run.as_str(), "40");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_scaled_moves_as_current_does_and_is_no_run() {
    for place in Place::both().await {
        let store = place.app().await;
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
        assert_eq!(names, ["mongo", "web"], "none of two that came at once is lost");
        assert!(store.runs().await.unwrap().is_empty());
        // what does not carry its checksum is no record to act on
        let path = place.file("v1/pxbbq/scaled.json");
        let text = fs::read_to_string(&path).unwrap().replace("\"found\": 0", "\"found\": 7");
        fs::write(&path, text).unwrap();
        assert!(matches!(store.scaled().await, Err(StoreError::Damaged { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_verdict_of_the_latest_started_attempt_stands() {
    for place in Place::both().await {
        let store = place.app().await.run(&run("one"));
        let (early, late) = (post("one"), post("one"));
        store.commit_post(&early).await.unwrap();
        store.commit_post(&late).await.unwrap();
        store.put_verdict(&judged(&late, Verdict::Same)).await.unwrap();
        // the slower process began earlier, on data that has been replaced since
        let standing = store.put_verdict(&judged(&early, Verdict::Different)).await.unwrap();
        assert_eq!(standing.attempt, late.attempt, "the slower one is told whose word stands");
        assert_eq!(store.verdict().await.unwrap().unwrap().get().verdict, Verdict::Same);
        assert_eq!(store.latest_post().await.unwrap().unwrap().get().attempt, late.attempt);
        let error = store.put_verdict(&judged(&late, Verdict::Different)).await.unwrap_err();
        assert_eq!(error.code(), "T0408", "a verdict of an attempt is written once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_at_another_place_is_an_error() {
    for place in Place::both().await {
        let store = place.app().await;
        store.run(&run("one")).commit_pre(&pre("one")).await.unwrap();
        let path = |run: &str| place.file(&format!("v1/pxbbq/{run}/pre/capture.json"));
        fs::create_dir_all(path("two").parent().unwrap()).unwrap();
        fs::copy(path("one"), path("two")).unwrap();
        let error = store.run(&run("two")).pre().await.unwrap_err();
        assert_eq!(error.code(), "T0407");
        assert_eq!(
            error.to_string(),
            "v1/pxbbq/two/pre/capture.json belongs elsewhere: its run is `one`, its place says `two`"
        );
        let runs = store.runs().await.unwrap();
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().any(|r| r.run == run("two") && r.damaged.is_some() && r.pre.is_none()), "{runs:?}");
        assert!(runs.iter().any(|r| r.run == run("one") && r.damaged.is_none() && r.pre.is_some()), "{runs:?}");
    }
}
