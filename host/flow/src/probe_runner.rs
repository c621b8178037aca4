//! [`ProbeRunner`]: loads the probes of a capture, runs them in the sandbox and records their results.

use std::{path::Path, time::Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use taster_census::CensusFile;
use taster_config::Probe;
use taster_engine::{Engine, EngineError, LogLevel, LogLine, RunInput};
use taster_model::{
    Capture, CollectionGrant, Diagnostic, Failure, Manifest, Metric, ProbeOutcome, ProbeRecord, Refusal,
    ResultsVersion, Usage,
};
use taster_query::{CensusEnv, Database, Grant, Snapshot};
use tracing::Instrument;

use crate::{
    census::{self, CensusSettings},
    component,
    context::FlowContext,
    determinism::{self, ProbeRuns},
    grants,
    limits::{engine_limits, query_limits, recorded_limits},
    loading::load_component,
    progress::Task,
    timing::Phase,
};

/// The result of one probe.
pub(crate) struct ProbeResult {
    pub(crate) record: ProbeRecord,
    /// What the probe has read. Each of them can tell whether the data have changed since.
    pub(crate) databases: Vec<Database>,
    /// The censuses that the metrics name.
    pub(crate) censuses: Vec<CensusFile>,
}

/// The output of a probe that succeeded.
struct ProbeOutput {
    metrics: Vec<Metric>,
    censuses: Vec<CensusFile>,
}

/// Runs the probes of one capture.
pub(crate) struct ProbeRunner<'a> {
    pub(crate) context: &'a FlowContext,
    /// The baseline, in `post`.
    pub(crate) before: Option<&'a Capture>,
    /// The only clock that the probes see.
    pub(crate) clock: Timestamp,
    /// The only entropy that the probes get.
    pub(crate) seed: &'a str,
    pub(crate) census_settings: &'a CensusSettings,
}

/// One run of a probe, as far as it has come: what it read and used is recorded even when it fails.
struct Attempt<'a> {
    probe: &'a Probe,
    snapshot: &'a Snapshot,
    task: &'a Task,
    record: ProbeRecord,
    databases: Vec<Database>,
}

impl ProbeRunner<'_> {
    /// Runs one probe on one snapshot of the database. The failure of a probe is part of its record; the others still run.
    pub(crate) async fn run(&self, probe: &Probe, snapshot: &Snapshot) -> ProbeResult {
        let span = tracing::info_span!("probe", probe = probe.name, component = tracing::field::Empty);
        self.run_and_record(probe, snapshot).instrument(span).await
    }

    async fn run_and_record(&self, probe: &Probe, snapshot: &Snapshot) -> ProbeResult {
        let started = Instant::now();
        let task = Task::start(probe.name.clone());
        let mut record = not_run(probe, Failure::from_probe("not run"));
        // baselines of earlier builds have the digest of the options as they were written
        let as_written = options_digest(probe, OptionOrder::AsWritten);
        if self.earlier(probe).is_some_and(|earlier| earlier.options_sha256 == as_written) {
            record.options_sha256 = as_written;
        }
        let mut attempt = Attempt { probe, snapshot, task: &task, record, databases: Vec::new() };
        let output = self.try_run(&mut attempt).await;
        let Attempt { mut record, databases, .. } = attempt;
        self.context.timer.probe_ended();
        let (outcome, censuses) = match output {
            Ok(ProbeOutput { metrics, censuses }) => (ProbeOutcome::Metrics(metrics), censuses),
            Err(failure) => (ProbeOutcome::Failed(with_probe_name(failure, &probe.name)), Vec::new()),
        };
        record.outcome = storable(outcome);
        match &record.outcome {
            ProbeOutcome::Metrics(metrics) => task.finish(&format!(
                "{} metrics from {} documents in {}",
                taster_text::grouped(metrics.len() as u64),
                taster_text::grouped(record.usage.documents),
                taster_text::duration(started.elapsed())
            )),
            ProbeOutcome::Failed(failure) => {
                task.finish("failed");
                tracing::warn!(probe = probe.name, code = failure.code.as_deref(), %failure, "the probe failed");
            }
        }
        let censuses = census::named_by_metrics(&record.outcome, censuses);
        ProbeResult { record, databases, censuses }
    }

    /// The record of the same probe in the baseline.
    fn earlier(&self, probe: &Probe) -> Option<&ProbeRecord> {
        self.before?.probes.iter().find(|record| record.name == probe.name)
    }

    /// Loads the probe, resolves its collections, and runs it once or twice.
    async fn try_run(&self, attempt: &mut Attempt<'_>) -> Result<ProbeOutput, Failure> {
        let probe = attempt.probe;
        let loaded = load_probe(&self.context.engine, probe, &self.context.base).await?;
        let record = &mut attempt.record;
        tracing::Span::current().record("component", loaded.sha256());
        loaded.sha256().clone_into(&mut record.sha256);
        record.version.clone_from(&loaded.manifest().version);
        record.declarations.clone_from(&loaded.manifest().metrics);
        let Manifest { name, results, .. } = loaded.manifest();
        record.results = results.map(|version| ResultsVersion { probe: name.clone(), version });
        let live = self.context.timer.time(Phase::MongoDb, attempt.snapshot.readable_collections()).await;
        let live = live.map_err(|error| coded_failure(&error))?;
        let earlier = self.earlier(probe).map_or(&[][..], |record| &record.collections);
        record.collections = grants::resolve(probe, loaded.manifest(), &live, earlier, &self.context.config.changes)
            .map_err(|error| error.into_failure(probe))?;
        self.context.timer.probe_started();
        let first = self.run_once(&loaded, attempt).await?;
        if self.context.probe_runs == ProbeRuns::Twice {
            let usage = attempt.record.usage.clone();
            let second = self.run_once(&loaded, attempt).await?;
            attempt.record.usage = usage;
            determinism::check_deterministic(&first.metrics, &second.metrics)?;
            census::check_censuses_deterministic(&first.censuses, &second.censuses)?;
        }
        Ok(first)
    }

    async fn run_once(&self, loaded: &taster_engine::Probe, attempt: &mut Attempt<'_>) -> Result<ProbeOutput, Failure> {
        let Attempt { probe, snapshot, task, record, databases } = attempt;
        let env = ProbeEnv { clock: self.clock, seed: self.seed, census: self.census_settings.env(probe) };
        let input = probe_run_input(snapshot, probe, &record.collections, env, task);
        let database = input.database.clone();
        databases.push(database.clone());
        let report = loaded.run(input).await;
        record.usage = report.usage;
        write_log(&probe.name, &report.log);
        match database.lost_snapshot() {
            // whatever the probe returned: it did not read the snapshot of this capture
            Some(lost) => Err(lost),
            None => report.outcome.map(|metrics| ProbeOutput { metrics, censuses: database.take_censuses() }),
        }
    }
}

/// The record of a probe that did not run.
pub(crate) fn not_run(probe: &Probe, why: Failure) -> ProbeRecord {
    ProbeRecord {
        name: probe.name.clone(),
        component: probe.component.clone(),
        sha256: String::new(),
        version: String::new(),
        results: None,
        options_sha256: options_digest(probe, OptionOrder::Sorted),
        collections: Vec::new(),
        severity: probe.severity,
        muted: probe.muted,
        declarations: Vec::new(),
        outcome: ProbeOutcome::Failed(why),
        usage: Usage::default(),
        limits: Some(recorded_limits(&probe.limits)),
    }
}

/// Puts the name of the probe into the settings that a failure names: the engine does not know it.
pub(crate) fn with_probe_name(failure: Failure, probe: &str) -> Failure {
    let named = |text: String| text.replace("probes[…]", &format!("probes[{probe}]"));
    Failure { message: named(failure.message), setting: failure.setting.map(named), ..failure }
}

/// The outcome, or a failure where it could not be read back from the store: the whole capture would be unreadable.
fn storable(outcome: ProbeOutcome) -> ProbeOutcome {
    match check_readable(&outcome) {
        Ok(()) => outcome,
        Err(error) => {
            let message = format!("the result cannot be stored: {error}");
            ProbeOutcome::Failed(Failure::refused(Refusal::Invalid, "T0618", message))
        }
    }
}

fn check_readable(outcome: &ProbeOutcome) -> Result<(), serde_json::Error> {
    let again: ProbeOutcome = serde_json::from_slice(&serde_json::to_vec(outcome)?)?;
    if again == *outcome { Ok(()) } else { Err(serde::de::Error::custom("it reads back as something else")) }
}

/// Reads and loads the component of `probe`.
pub async fn load_probe(engine: &Engine, probe: &Probe, base: &Path) -> Result<taster_engine::Probe, Failure> {
    let size_limit = engine_limits(&probe.limits).component_size;
    let read = component::read(probe, base, size_limit).map_err(|error| coded_failure(&error))?;
    let loaded = load_component(engine, probe, &read, &probe.limits_setting()).await;
    loaded.map_err(|error| load_failure(error, &probe.component))
}

/// Why a component could not be loaded, with the limit that was reached and its setting.
fn load_failure(error: EngineError, component: &str) -> Failure {
    let code = error.code();
    let reached = |refusal, what: &str, allowed: String, setting: String| {
        Failure::refused(refusal, code, format!("compiling the component {component} takes too {what}"))
            .asked(format!("more than {allowed}"))
            .allowed(allowed)
            .setting(setting)
    };
    match error {
        // it names the limit that `describe` reached, and its setting
        EngineError::Describe(failure) => *failure,
        EngineError::CompileTime { allowed, setting } => {
            reached(Refusal::Deadline, "long", taster_text::exact_duration(allowed), setting)
        }
        EngineError::CompileMemory { allowed, setting } => {
            reached(Refusal::Budget, "much memory", taster_text::exact_size(allowed), setting)
        }
        other => coded_failure(&other),
    }
}

/// An error of a library as the failure of a probe.
pub(crate) fn coded_failure(error: &dyn Diagnostic) -> Failure {
    let failure = Failure::refused(Refusal::Invalid, error.code(), error.to_string());
    match error.remedy() {
        Some(help) => failure.allowed(help),
        None => failure,
    }
}

/// What a probe sees besides the database.
pub struct ProbeEnv<'a> {
    /// The only clock.
    pub clock: Timestamp,
    /// The only entropy.
    pub seed: &'a str,
    /// The settings of its censuses.
    pub census: CensusEnv,
}

/// The input of one run of `probe`.
#[must_use]
pub fn probe_run_input(
    snapshot: &Snapshot,
    probe: &Probe,
    collections: &[CollectionGrant],
    env: ProbeEnv<'_>,
    task: &Task,
) -> RunInput<Database> {
    let ProbeEnv { clock, seed, census } = env;
    let task = task.clone();
    let config = probe.config.as_ref().map_or_else(|| "null".to_owned(), serde_json::Value::to_string);
    let setting = probe.limits_setting();
    let grant = Grant {
        probe: probe.name.clone(),
        collections: collections.to_vec(),
        limits: query_limits(&probe.limits),
        setting: setting.clone(),
    };
    RunInput {
        probe: probe.name.clone(),
        database: snapshot.database_with_census(grant, census),
        config,
        limits: engine_limits(&probe.limits),
        setting,
        clock,
        seed: Sha256::digest(seed.as_bytes()).into(),
        progress: Some(std::sync::Arc::new(move |progress: taster_engine::Progress| {
            task.set_progress(progress.done, progress.total);
        })),
    }
}

/// The digest of what decides a probe's result besides the data: its options and its collections as configured.
///
/// The resolved collections are not part of it: an upgrade that adds one must not make every probe incomparable.
fn options_digest(probe: &Probe, order: OptionOrder) -> String {
    let mut options = serde_json::json!({"config": probe.config, "collections": probe.collections});
    if order == OptionOrder::Sorted {
        // not within an option: `{a: 1, b: 2}` is another filter than `{b: 2, a: 1}`
        if let Some(config) = options["config"].as_object_mut() {
            config.sort_keys();
        }
        if let Some(collections) = options["collections"].as_array_mut() {
            collections.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
    }
    hex::encode(Sha256::digest(options.to_string().as_bytes()))
}

/// The order of options and collections in their digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OptionOrder {
    /// As the configuration has them.
    AsWritten,
    /// By name: writing them in another order changes nothing.
    Sorted,
}

fn write_log(probe: &str, lines: &[LogLine]) {
    for line in lines {
        match line.level {
            LogLevel::Debug => tracing::debug!(probe, "{}", line.message),
            LogLevel::Info => tracing::info!(probe, "{}", line.message),
            LogLevel::Warn | LogLevel::Error => tracing::warn!(probe, "{}", line.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_another_order_are_the_same() {
        let digest = |yaml: &str| {
            let yaml = format!("app: a\nmongodb: {{uri: \"mongodb://host/d\"}}\nprobes:\n  - {yaml}\n");
            let config = taster_config::parse("taster.yaml", &yaml, [].into()).unwrap();
            options_digest(&config.probes[0], OptionOrder::Sorted)
        };
        let one =
            digest("{name: c, component: census, collections: [menu, orders], config: {detail: fields, sample: 1}}");
        assert_eq!(
            one,
            digest("{name: c, component: census, collections: [orders, menu], config: {sample: 1, detail: fields}}")
        );
        for other in [
            "{name: c, component: census, collections: [menu], config: {detail: fields, sample: 1}}",
            "{name: c, component: census, collections: [menu, orders], config: {detail: fields, sample: 2}}",
            "{name: c, component: census, collections: [menu, orders], config: {detail: fields}}",
        ] {
            assert_ne!(one, digest(other));
        }
        let filter = |filter: &str| digest(&format!("{{name: c, component: census, config: {{filter: {filter}}}}}"));
        assert_ne!(filter("{a: {b: 1, c: 2}}"), filter("{a: {c: 2, b: 1}}"));
    }
}
