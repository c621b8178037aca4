//! One side of a run: connect, run every probe, record what came of it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use taster_census::Recorded;
use taster_config::{DEFAULT_CENSUS, Limits, Probe};
use taster_diagnostics::CliError;
use taster_engine::{Engine, LogLevel, LogLine, RunInput};
use taster_model::{
    AttemptId, Capture, Coded, CollectionGrant, Failure, Metric, Outcome, ProbeRecord, Refusal, RunId, Side, Usage,
    UsageLimits, schema,
};
use taster_query::{CensusSetup, Database, Grant, Session};

use super::{
    Kitchen, Tastings,
    census::{self, Draft, Occasion, Taking},
    cluster::Surroundings,
    determinism, grants,
    moment::{self, Moment},
    pace::For,
    stop::{Stop, Until},
};
use crate::{component, progress::Task};

/// Which side of which run is tasted, and what guests see of the world.
pub(super) struct Tasting<'a> {
    pub(super) kitchen: &'a Kitchen,
    pub(super) run: &'a RunId,
    pub(super) side: Side,
    pub(super) attempt: AttemptId,
    /// The baseline, on `post`: guests get its clock and seed, so that they cannot tell the sides apart.
    pub(super) before: Option<&'a Capture>,
    /// What is around the database.
    pub(super) around: Surroundings,
}

impl Tasting<'_> {
    /// Tastes the database over `session`, which the caller closes.
    pub(super) async fn taste(&self, session: &Session) -> Result<Draft, CliError> {
        let started = Timestamp::now();
        let kitchen = self.kitchen;
        let facts = session.facts();
        tracing::info!(
            database = facts.database,
            version = facts.version,
            topology = ?facts.topology,
            "tasting {} of run {}",
            self.side,
            self.run
        );
        kitchen.pace.of(For::MongoDb, super::server::check_user(session, &kitchen.config)).await?;
        let (clock, seed) = match self.before {
            Some(before) => (before.probe_clock, before.probe_seed.clone()),
            // a ULID has 80 random bits; the hash spreads them over the whole seed
            None => (started, hex::encode(Sha256::digest(RunId::generate().as_str()))),
        };
        let taking = Taking::new(&kitchen.config, &self.occasion())?;
        let guests = Guests { kitchen, before: self.before, clock, seed: &seed, taking: &taking };
        let Moment { server, collections, probes, censuses, consistency } = moment::record(&guests, session).await?;
        let server = self.around.joined(&server);
        let capture = Capture {
            schema: schema::CAPTURE.to_owned(),
            app: kitchen.config.app.clone(),
            run: self.run.clone(),
            side: self.side,
            attempt: self.attempt.clone(),
            taster: taster_model::VERSION.to_owned(),
            started,
            finished: Timestamp::now(),
            probe_clock: clock,
            probe_seed: seed,
            server,
            data: kitchen.config.mongodb.data,
            workloads: self.around.workloads.clone(),
            consistency,
            collections,
            probes,
            censuses: Vec::new(),
            census_key: None,
            changes: kitchen.config.changes.clone(),
            objects: Vec::new(),
        };
        Ok(Draft { capture, censuses, key: taking.key().clone() })
    }

    fn occasion(&self) -> Occasion<'_> {
        Occasion {
            app: &self.kitchen.config.app,
            run: self.run,
            side: self.side,
            attempt: &self.attempt,
            before: self.before,
        }
    }
}

/// Works with a connection until it is done or it is time to stop. Whatever happens, no cursor stays open on the server.
pub(super) async fn at_table<T>(
    stop: &Stop,
    session: Session,
    until: Until,
    work: impl AsyncFnOnce(&Session) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let result = stop.unless(until, work(&session)).await;
    session.close().await;
    result
}

/// What one probe found, and what it read: a look at each of the databases says whether that still counts.
pub(super) struct Tasted {
    pub(super) record: ProbeRecord,
    pub(super) databases: Vec<Database>,
    /// Those that its metrics name.
    pub(super) censuses: Vec<Recorded>,
}

/// What a probe that ended well came to.
struct Answer {
    metrics: Vec<Metric>,
    censuses: Vec<Recorded>,
}

/// What every probe of a capture is given.
pub(super) struct Guests<'a> {
    pub(super) kitchen: &'a Kitchen,
    pub(super) before: Option<&'a Capture>,
    pub(super) clock: Timestamp,
    pub(super) seed: &'a str,
    pub(super) taking: &'a Taking,
}

impl Guests<'_> {
    /// Runs one probe on one look at the database. A probe that fails is a record of its failure; the others still run.
    pub(super) async fn serve(&self, probe: &Probe, session: &Session) -> Tasted {
        let mut record = unserved(probe, Failure::own("not run"));
        let mut databases = Vec::new();
        let begun = Instant::now();
        let task = Task::begin(probe.name.clone());
        let mut censuses = Vec::new();
        record.outcome = match self.run(probe, session, &mut record, &mut databases, &task).await {
            Ok(answer) => {
                censuses = answer.censuses;
                Outcome::Metrics(answer.metrics)
            }
            Err(failure) => Outcome::Failed(named(failure, &probe.name)),
        };
        self.kitchen.pace.probe_ended();
        // what cannot be read back must not take the other probes' findings with it
        if let Err(error) = read_back(&record.outcome) {
            let message = format!("the result cannot be stored: {error}");
            record.outcome = Outcome::Failed(Failure::refused(Refusal::Invalid, "T0618", message));
        }
        match &record.outcome {
            Outcome::Metrics(metrics) => task.end(&format!(
                "{} metrics from {} documents in {}",
                taster_text::grouped(metrics.len() as u64),
                taster_text::grouped(record.usage.documents),
                taster_text::duration(begun.elapsed())
            )),
            Outcome::Failed(failure) => {
                task.end("failed");
                tracing::warn!("{}: {failure}", probe.name);
            }
        }
        let censuses = census::named(&record.outcome, censuses);
        Tasted { record, databases, censuses }
    }

    async fn run(
        &self,
        probe: &Probe,
        session: &Session,
        record: &mut ProbeRecord,
        databases: &mut Vec<Database>,
        task: &Task,
    ) -> Result<Answer, Failure> {
        let loaded = load_probe(&self.kitchen.engine, probe, &self.kitchen.base).await?;
        loaded.sha256().clone_into(&mut record.sha256);
        record.version.clone_from(&loaded.manifest().version);
        record.declarations.clone_from(&loaded.manifest().metrics);
        let earlier = self.before.and_then(|before| before.probes.iter().find(|p| p.name == probe.name));
        let collections = self.kitchen.pace.of(For::MongoDb, session.readable()).await;
        let collections = collections.map_err(|error| coded_failure(&error))?;
        let earlier = earlier.map_or(&[][..], |p| &p.collections);
        record.collections = grants::resolve(probe, loaded.manifest(), &collections, earlier)
            .map_err(|error| error.into_failure(probe))?;
        self.kitchen.pace.probe_begins();
        let answer = self.taste_once(&loaded, probe, session, record, databases, task).await?;
        if self.kitchen.tastings == Tastings::Two {
            let usage = record.usage.clone();
            let again = self.taste_once(&loaded, probe, session, record, databases, task).await?;
            record.usage = usage;
            determinism::agree(&answer.metrics, &again.metrics)?;
            census::censuses_agree(&answer.censuses, &again.censuses)?;
        }
        Ok(answer)
    }

    async fn taste_once(
        &self,
        loaded: &taster_engine::Probe,
        probe: &Probe,
        session: &Session,
        record: &mut ProbeRecord,
        databases: &mut Vec<Database>,
        task: &Task,
    ) -> Result<Answer, Failure> {
        let world = World { clock: self.clock, seed: self.seed, census: self.taking.setup(probe) };
        let input = probe_run_input(session, probe, &record.collections, world, task);
        let database = input.database.clone();
        databases.push(database.clone());
        let report = loaded.run(input).await;
        record.usage = report.usage;
        write_log(&probe.name, &report.log);
        match database.lost() {
            // whatever the probe made of it: its result is not of the moment of this capture
            Some(lost) => Err(lost),
            None => report.outcome.map(|metrics| Answer { metrics, censuses: database.take_censuses() }),
        }
    }
}

/// The record of a probe that could not run.
pub(super) fn unserved(probe: &Probe, why: Failure) -> ProbeRecord {
    ProbeRecord {
        name: probe.name.clone(),
        component: probe.component.clone(),
        sha256: String::new(),
        version: String::new(),
        options_sha256: options_digest(probe),
        collections: Vec::new(),
        severity: probe.severity,
        muted: probe.muted,
        declarations: Vec::new(),
        outcome: Outcome::Failed(why),
        usage: Usage::default(),
        limits: Some(recorded_limits(&probe.limits)),
    }
}

/// A probe does not know its name in the configuration; whoever reads the failure does.
fn named(failure: Failure, probe: &str) -> Failure {
    let named = |text: String| text.replace("probes[…]", &format!("probes[{probe}]"));
    Failure { message: named(failure.message), setting: failure.setting.map(named), ..failure }
}

fn read_back(outcome: &Outcome) -> Result<(), serde_json::Error> {
    let again: Outcome = serde_json::from_slice(&serde_json::to_vec(outcome)?)?;
    if again == *outcome { Ok(()) } else { Err(serde::de::Error::custom("it reads back as something else")) }
}

/// Reads and loads the component of `probe`.
pub async fn load_probe(engine: &Engine, probe: &Probe, base: &Path) -> Result<taster_engine::Probe, Failure> {
    let limits = limits_of(&probe.limits);
    let read = component::read(probe, base, limits.component_size).map_err(|error| coded_failure(&error))?;
    engine.load(&read.bytes, &limits, &probe.limits_setting()).await.map_err(|error| match error {
        // the limit that `describe` met, and its setting, stay with it
        taster_engine::EngineError::Describe(failure) => *failure,
        other => coded_failure(&other),
    })
}

pub(super) fn coded_failure(error: &dyn Coded) -> Failure {
    let failure = Failure::refused(Refusal::Invalid, error.code(), error.to_string());
    match error.help() {
        Some(help) => failure.allowed(help),
        None => failure,
    }
}

/// What guests see of the world beside the database.
pub struct World<'a> {
    /// The only clock.
    pub clock: Timestamp,
    /// The only entropy.
    pub seed: &'a str,
    /// What their censuses are taken with.
    pub census: CensusSetup,
}

/// What a run of `probe` is given.
#[must_use]
pub fn probe_run_input(
    session: &Session,
    probe: &Probe,
    collections: &[CollectionGrant],
    world: World<'_>,
    task: &Task,
) -> RunInput<Database> {
    let World { clock, seed, census } = world;
    let task = task.clone();
    let config = probe.config.as_ref().map_or_else(|| "null".to_owned(), serde_json::Value::to_string);
    let setting = probe.limits_setting();
    let grant = Grant {
        probe: probe.name.clone(),
        collections: collections.to_vec(),
        limits: query_limits(&probe.limits),
        setting: setting.clone(),
        census: Some(census),
    };
    RunInput {
        probe: probe.name.clone(),
        database: session.database(grant),
        config,
        limits: limits_of(&probe.limits),
        setting,
        clock,
        seed: Sha256::digest(seed.as_bytes()).into(),
        progress: Some(std::sync::Arc::new(move |progress: taster_engine::Progress| {
            task.at(progress.done, progress.total);
        })),
    }
}

/// The engine's limits, where the configuration sets none by default.
#[must_use]
pub fn limits_of(limits: &Limits) -> taster_engine::Limits {
    let defaults = taster_engine::Limits::default();
    taster_engine::Limits {
        deadline: limits.deadline.map_or(defaults.deadline, taster_config::Period::get),
        memory: limits.memory.map_or(defaults.memory, taster_config::Size::bytes),
        metrics: limits.metrics.unwrap_or(defaults.metrics),
        result_bytes: limits.result_bytes.map_or(defaults.result_bytes, taster_config::Size::bytes),
        log_bytes: limits.log_bytes.map_or(defaults.log_bytes, taster_config::Size::bytes),
        handles: limits.handles.unwrap_or(defaults.handles),
        hostcall_bytes: limits.hostcall_bytes.map_or(defaults.hostcall_bytes, taster_config::Size::bytes),
        component_size: limits.component_size.map_or(defaults.component_size, taster_config::Size::bytes),
    }
}

/// The limits, as a capture records them beside what was used of them.
fn recorded_limits(limits: &Limits) -> UsageLimits {
    let (engine, query) = (limits_of(limits), query_limits(limits));
    let millis = |period: Duration| u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    UsageLimits {
        wall_ms: millis(engine.deadline),
        server_ms: millis(query.server_time),
        census_ms: millis(limits.census.unwrap_or(DEFAULT_CENSUS).get()),
        documents: query.documents,
        bytes: query.bytes,
        memory_peak: engine.memory,
        metrics: engine.metrics.into(),
        log_bytes: engine.log_bytes,
    }
}

fn query_limits(limits: &Limits) -> taster_query::Limits {
    let defaults = taster_query::Limits::default();
    taster_query::Limits {
        documents: limits.documents.unwrap_or(defaults.documents),
        bytes: limits.bytes.map_or(defaults.bytes, taster_config::Size::bytes),
        cursors: limits.cursors.unwrap_or(defaults.cursors),
        server_time: limits.server_time.map_or(defaults.server_time, taster_config::Period::get),
        batch: limits.batch.map_or(defaults.batch, |size| usize::try_from(size.bytes()).unwrap_or(usize::MAX)),
    }
}

/// Digest of what decides a probe's result beside the data: its options and the collections as configured.
///
/// Not the resolved collections: an upgrade that adds one must not make every probe incomparable.
fn options_digest(probe: &Probe) -> String {
    let options = serde_json::json!({"config": probe.config, "collections": probe.collections});
    hex::encode(Sha256::digest(options.to_string().as_bytes()))
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
