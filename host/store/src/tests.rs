//! What the store promises, on a real folder.

use std::{fs, path::Path};

use proptest::prelude::*;
use taster_model::{
    AttemptId, Baseline, Capture, Coded, Consistency, CopyWitness, Current, DataKind, RunId, Scaled, ScaledWorkload,
    ServerFacts, Side, SideSummary, Topology, Verdict, VerdictDocument, schema,
};
use tempfile::TempDir;

use super::*;

fn server() -> ServerFacts {
    ServerFacts {
        version: "6.0.5".to_owned(),
        topology: Topology::Standalone,
        replica_set: None,
        process_id: None,
        database: "pxbbq".to_owned(),
        read_at: None,
        members: Vec::new(),
        volumes: Vec::new(),
        copied: Vec::new(),
    }
}

fn capture(run: &str, side: Side) -> Capture {
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    Capture {
        schema: schema::CAPTURE.to_owned(),
        app: "pxbbq".parse().unwrap(),
        run: run.parse().unwrap(),
        side,
        attempt: AttemptId::generate(),
        taster: "0.0.0".to_owned(),
        started: now,
        finished: now,
        probe_clock: now,
        probe_seed: "00".to_owned(),
        server: server(),
        data: DataKind::Copy,
        workloads: Vec::new(),
        consistency: Consistency::default(),
        collections: Vec::new(),
        probes: Vec::new(),
        censuses: Vec::new(),
        census_key: None,
        changes: Vec::new(),
        objects: Vec::new(),
    }
}

fn verdict(capture: &Capture, verdict: Verdict) -> VerdictDocument {
    let after = SideSummary {
        run: capture.run.clone(),
        started: capture.started,
        finished: capture.finished,
        server: capture.server.clone(),
        workloads: Vec::new(),
        documents: 0,
        bytes: 0,
        probes: Vec::new(),
    };
    VerdictDocument {
        schema: schema::VERDICT.to_owned(),
        app: capture.app.clone(),
        run: capture.run.clone(),
        attempt: capture.attempt.clone(),
        verdict,
        taster: "0.0.0".to_owned(),
        before: None,
        after,
        findings: Vec::new(),
        uncovered: Vec::new(),
        remedy: None,
    }
}

fn app(folder: &Path) -> AppStore {
    Store { objects: Arc::new(file::Files::new(folder.into())) }.app(&"pxbbq".parse().unwrap())
}

fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

#[tokio::test]
async fn a_store_is_proven_and_the_proof_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    Store::open(format!("file://{}", folder.path().display())).await.unwrap();
    let left: Vec<_> = fs::read_dir(folder.path().join("v1")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_is_no_store_is_refused_with_the_way_out() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (url, code) in
        [("gs://bucket", "T0401"), ("file://", "T0401"), (&format!("file://{}", file.display()), "T0402")]
    {
        let error = Store::open(url).await.err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.help().is_some());
    }
}

#[tokio::test]
async fn the_first_capture_before_the_sync_stands() {
    let folder = TempDir::new().unwrap();
    let store = app(folder.path()).run(&run("one"));
    assert!(store.pre().await.unwrap().is_none());
    let (first, second) = (capture("one", Side::Pre), capture("one", Side::Pre));
    assert!(matches!(store.commit_pre(&first).await.unwrap(), CommitPre::Committed(c) if c.get() == &first));
    // a lost answer: the same attempt commits again
    assert!(matches!(store.commit_pre(&first).await.unwrap(), CommitPre::Committed(_)));
    assert!(matches!(store.commit_pre(&second).await.unwrap(), CommitPre::Standing(c) if c.get() == &first));
    assert_eq!(store.pre().await.unwrap().unwrap().into_inner(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_captures_at_once_one_stands() {
    let folder = TempDir::new().unwrap();
    for round in 0..20 {
        let name = format!("round-{round}");
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (store, capture) = (app(folder.path()).run(&run(&name)), capture(&name, Side::Pre));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_move_of_current_is_lost() {
    let folder = TempDir::new().unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = app(folder.path());
            tokio::spawn(async move {
                for _ in 0..5 {
                    store
                        .update_current(|current| {
                            let counted =
                                current.and_then(|c| c.baseline).map_or(0, |b| b.run.as_str().parse().unwrap());
                            Some(Current {
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
    assert_eq!(app(folder.path()).current().await.unwrap().unwrap().baseline.unwrap().run.as_str(), "40");
}

#[tokio::test]
async fn what_was_scaled_moves_as_current_does_and_is_no_run() {
    let folder = TempDir::new().unwrap();
    let store = app(folder.path());
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
        move |scaled: Option<Scaled>| {
            let mut workloads = scaled.map(|scaled| scaled.workloads).unwrap_or_default();
            workloads.push(entry(name));
            Some(Scaled { schema: schema::SCALED.to_owned(), app: "pxbbq".parse().unwrap(), workloads })
        }
    };
    let (mongo, web) = tokio::join!(store.update_scaled(add("mongo")), store.update_scaled(add("web")));
    mongo.unwrap();
    web.unwrap();
    let mut names: Vec<String> = store.scaled().await.unwrap().unwrap().workloads.into_iter().map(|w| w.name).collect();
    names.sort();
    assert_eq!(names, ["mongo", "web"], "none of two that came at once is lost");
    assert!(store.runs().await.unwrap().is_empty());
    // what does not carry its checksum is no record to act on
    let path = folder.path().join("v1/pxbbq/scaled.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"found\": 0", "\"found\": 7");
    fs::write(&path, text).unwrap();
    assert!(matches!(store.scaled().await, Err(StoreError::Damaged { .. })));
}

#[tokio::test]
async fn the_verdict_of_the_latest_started_attempt_stands() {
    let folder = TempDir::new().unwrap();
    let store = app(folder.path()).run(&run("one"));
    let (early, late) = (capture("one", Side::Post), capture("one", Side::Post));
    store.commit_post(&early).await.unwrap();
    store.commit_post(&late).await.unwrap();
    store.put_verdict(&verdict(&late, Verdict::Same)).await.unwrap();
    // the slower process began earlier, on data that has been replaced since
    let standing = store.put_verdict(&verdict(&early, Verdict::Different)).await.unwrap();
    assert_eq!(standing.attempt, late.attempt, "the slower one is told whose word stands");
    assert_eq!(store.verdict().await.unwrap().unwrap().get().verdict, Verdict::Same);
    assert_eq!(store.latest_post().await.unwrap().unwrap().get().attempt, late.attempt);
    let error = store.put_verdict(&verdict(&late, Verdict::Different)).await.unwrap_err();
    assert_eq!(error.code(), "T0408", "a verdict of an attempt is written once");
}

#[tokio::test]
async fn an_object_at_another_place_is_an_error() {
    let folder = TempDir::new().unwrap();
    let store = app(folder.path());
    store.run(&run("one")).commit_pre(&capture("one", Side::Pre)).await.unwrap();
    let path = |run: &str| folder.path().join(format!("v1/pxbbq/{run}/pre/capture.json"));
    fs::create_dir_all(path("two").parent().unwrap()).unwrap();
    fs::copy(path("one"), path("two")).unwrap();
    let error = store.run(&run("two")).pre().await.unwrap_err();
    assert_eq!(error.code(), "T0407");
    insta::assert_snapshot!(error, @"v1/pxbbq/two/pre/capture.json belongs elsewhere: its run is `one`, its place says `two`");
    let runs = store.runs().await.unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().any(|r| r.run == run("two") && r.damaged.is_some() && r.pre.is_none()), "{runs:?}");
    assert!(runs.iter().any(|r| r.run == run("one") && r.damaged.is_none() && r.pre.is_some()), "{runs:?}");
}

#[tokio::test]
async fn a_write_that_was_cut_off_is_invisible() {
    let folder = TempDir::new().unwrap();
    let store = app(folder.path());
    let pre = folder.path().join("v1/pxbbq/one/pre");
    fs::create_dir_all(&pre).unwrap();
    fs::write(pre.join(".tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV"), "{\"schema\": \"taster.dev/cap").unwrap();
    assert!(store.run(&run("one")).pre().await.unwrap().is_none());
    let mine = capture("one", Side::Pre);
    assert!(matches!(store.run(&run("one")).commit_pre(&mine).await.unwrap(), CommitPre::Committed(_)));
}

#[tokio::test]
async fn results_are_the_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let store = app(&folder.path().join("results"));
    store.run(&run("one")).commit_pre(&capture("one", Side::Pre)).await.unwrap();
    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("results"), 0o700);
    assert_eq!(mode("results/v1/pxbbq/one/pre/capture.json"), 0o600);
}

proptest! {
    #[test]
    fn any_altered_byte_is_an_error(position in 0_usize..10_000, bit in 0_u8..8) {
        let mut bytes = document::write("k", &capture("one", Side::Pre)).unwrap();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        prop_assert!(read_capture(&bytes).is_err(), "byte {} of {}", position, bytes.len());
    }

    #[test]
    fn any_truncation_is_an_error(length in 0_usize..10_000) {
        let bytes = document::write("k", &capture("one", Side::Pre)).unwrap();
        prop_assert!(read_capture(&bytes[..length % bytes.len()]).is_err());
    }
}

#[test]
fn a_document_reads_back_and_ends_in_its_checksum() {
    let written = capture("one", Side::Pre);
    let bytes = document::write("k", &written).unwrap();
    assert_eq!(read_capture(&bytes).unwrap(), written);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.lines().rev().nth(1).unwrap().starts_with("  \"checksum\": \"sha256:"), "{text}");
}
