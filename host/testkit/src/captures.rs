//! Captures of a small shop, for tests that need one and care for a part of it: `Capture { probes, ..captures::empty(…) }`.

use taster_model::{
    AttemptId, Capture, Consistency, DataKind, ProbeOutcome, ProbeRecord, ServerFacts, Severity, Side, Topology, Usage,
    schema,
};

/// A standalone server that says nothing of its starts.
#[must_use]
pub fn server() -> ServerFacts {
    ServerFacts {
        version: "6.0.5".to_owned(),
        topology: Topology::Standalone,
        replica_set: None,
        process_id: None,
        database: "pxbbq".to_owned(),
        read_at: None,
        clock: None,
        hosts: None,
        members: Vec::new(),
        volumes: Vec::new(),
        copied: Vec::new(),
    }
}

/// A capture without probes and collections, of a new attempt that started when its id says.
///
/// # Panics
///
/// Panics when `run` is no name of a run.
#[must_use]
pub fn empty(run: &str, side: Side) -> Capture {
    let attempt = AttemptId::generate();
    let millis = i64::try_from(attempt.started_ms()).expect("a time of this millennium");
    let started = jiff::Timestamp::from_millisecond(millis).expect("a time of this millennium");
    Capture {
        schema: schema::CAPTURE.to_owned(),
        app: "pxbbq".parse().expect("an app"),
        run: run.parse().expect("a run"),
        side,
        attempt,
        taster: "0.1.0".to_owned(),
        started,
        finished: started,
        probe_clock: started,
        probe_seed: "00".repeat(32),
        server: server(),
        data: DataKind::Copy,
        workloads: Vec::new(),
        consistency: Consistency::default(),
        collections: Vec::new(),
        probes: Vec::new(),
        censuses: Vec::new(),
        census_key: None,
        revision: None,
        changes: Vec::new(),
        quiet_expectations: None,
        objects: Vec::new(),
    }
}

/// What a probe of the component `group-report` came to.
#[must_use]
pub fn probe(name: &str, outcome: ProbeOutcome) -> ProbeRecord {
    ProbeRecord {
        name: name.to_owned(),
        component: "group-report".to_owned(),
        sha256: "ab".repeat(32),
        version: "1.0.0".to_owned(),
        results: None,
        options_sha256: "cd".repeat(32),
        collections: Vec::new(),
        severity: Severity::Fail,
        muted: false,
        declarations: Vec::new(),
        outcome,
        usage: Usage::default(),
        limits: None,
    }
}
