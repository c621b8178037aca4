//! Documents of a small shop, and the folder they are stored in.

use std::path::{Path, PathBuf};

use taster_model::{
    Acceptance, AppName, Baseline, Capture, CopyWitness, CurrentState, Labels, LastRun, Metric, ProbeOutcome, Real,
    RunId, Side, SideSummary, Value, Verdict, VerdictDocument, schema,
};
use taster_store::{AppStore, Store};
use taster_testkit::captures;

use crate::stored_censuses;

pub(crate) fn app_name() -> AppName {
    "pxbbq".parse().unwrap()
}

pub(crate) fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

pub(crate) async fn app(folder: &Path) -> AppStore {
    Store::open_unverified(folder.to_str().unwrap()).await.unwrap().app(&app_name())
}

pub(crate) fn capture(run: &RunId, side: Side) -> Capture {
    let metric =
        |name: &str, value| Metric { name: name.to_owned(), labels: Labels::new(), value, unit: "1".to_owned() };
    let metrics = vec![
        metric("orders.count", Value::Integer(200_000)),
        metric("orders.mean", Value::Real(Real(0.1 + 0.2))),
        metric("orders.note", Value::Text("größer \"als\"\n\u{1b}[2J".to_owned())),
    ];
    Capture {
        probes: vec![captures::probe("orders", ProbeOutcome::Metrics(metrics))],
        ..captures::empty(run.as_str(), side)
    }
}

pub(crate) fn verdict(after: &Capture, before: &RunId, verdict: Verdict) -> VerdictDocument {
    let side = |run: &RunId| SideSummary {
        run: run.clone(),
        started: after.started,
        finished: after.finished,
        server: after.server.clone(),
        revision: None,
        workloads: Vec::new(),
        documents: 1,
        bytes: 2,
        probes: Vec::new(),
    };
    VerdictDocument {
        schema: schema::VERDICT.to_owned(),
        app: app_name(),
        run: after.run.clone(),
        attempt: after.attempt.clone(),
        verdict,
        taster: "0.1.0".to_owned(),
        before: Some(side(before)),
        added: Vec::new(),
        after: side(&after.run),
        findings: Vec::new(),
        uncovered: vec!["carts".to_owned()],
        evidence: Vec::new(),
        remedy: None,
    }
}

pub(crate) fn acceptance(verdict: &VerdictDocument) -> Acceptance {
    Acceptance {
        schema: schema::ACCEPTED.to_owned(),
        app: app_name(),
        run: verdict.run.clone(),
        verdict: verdict.verdict,
        attempt: verdict.attempt.clone(),
        who: "ada".to_owned(),
        reason: "the 34 were tests".to_owned(),
        at: jiff::Timestamp::UNIX_EPOCH,
    }
}

pub(crate) fn current(pre: &Capture, verdict: Option<Verdict>) -> CurrentState {
    CurrentState {
        known: Vec::new(),
        schema: schema::CURRENT.to_owned(),
        app: app_name(),
        baseline: Some(Baseline {
            run: pre.run.clone(),
            attempt: pre.attempt.clone(),
            started: pre.started,
            copy: CopyWitness::default(),
            judged: None,
            judged_at: None,
            added: Vec::new(),
        }),
        claims: Vec::new(),
        last: Some(LastRun { run: pre.run.clone(), verdict }),
        nothing_yet: None,
    }
}

/// Stores everything that a run can leave behind.
pub(crate) async fn whole_run(store: &AppStore, run: &RunId) {
    let stored = store.run(run);
    let mut pre = capture(run, Side::Pre);
    let census = stored_censuses::from_bytes(stored_censuses::place(&pre, "orders"), &[7; 5_000]);
    let object = stored.put_census(Side::Pre, &pre.attempt, &census).await.unwrap();
    stored_censuses::add_to(&mut pre, &census, object);
    stored.commit_pre(&pre).await.unwrap();
    store.update_current(|_| Some(current(&pre, None))).await.unwrap();
    let post = capture(run, Side::Post);
    stored.commit_post(&post).await.unwrap();
    stored.put_report(&post.attempt, "report.md", b"# 34 fewer").await.unwrap();
    let verdict = verdict(&post, run, Verdict::Different);
    stored.put_verdict(&verdict).await.unwrap();
    stored.accept(&acceptance(&verdict)).await.unwrap();
    store.update_current(|_| Some(current(&pre, Some(Verdict::Different)))).await.unwrap();
}

/// Every file below `folder`, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
