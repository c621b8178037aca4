//! [`CaptureJob`]: captures one side of a run over a connection.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use taster_diagnostics::CliError;
use taster_model::{AttemptId, Capture, RunId, Side, schema};
use taster_query::Connection;

use crate::{
    census::{CaptureIdentity, CensusSettings, UncommittedCapture},
    cluster::ClusterFacts,
    consistency::{ConsistentResults, run_probes},
    context::FlowContext,
    privileges::check_user,
    probe_runner::ProbeRunner,
    shutdown::{Shutdown, StopPoint},
    timing::Phase,
};

/// Which side of which run is captured.
pub(crate) struct CaptureJob<'a> {
    pub(crate) context: &'a FlowContext,
    pub(crate) run: &'a RunId,
    pub(crate) side: Side,
    pub(crate) attempt: AttemptId,
    /// The baseline, in `post`.
    pub(crate) before: Option<&'a Capture>,
    /// In `pre`, the open baseline. This capture may replace it, or be the baseline of a probe that was added since: with the same
    /// key, clock and seed, `post` can be compared with either.
    pub(crate) open: Option<&'a Capture>,
    pub(crate) cluster_facts: ClusterFacts,
}

impl CaptureJob<'_> {
    /// Captures the database. The caller closes `connection`.
    pub(crate) async fn run(self, connection: &Connection) -> Result<UncommittedCapture, CliError> {
        let started = Timestamp::now();
        let config = &self.context.config;
        let facts = connection.facts();
        tracing::info!(
            run = %self.run,
            side = %self.side,
            database = facts.database,
            version = facts.version,
            topology = ?facts.topology,
            "capturing the database"
        );
        self.context.timer.time(Phase::MongoDb, check_user(connection, config)).await?;
        let (clock, seed) = self.clock_and_seed(started);
        let census_settings = CensusSettings::new(config, &self.identity())?;
        let runner = ProbeRunner {
            context: self.context,
            before: self.before,
            clock,
            seed: &seed,
            census_settings: &census_settings,
        };
        let results = run_probes(&runner, connection).await?;
        let ConsistentResults { server, collections, probes, censuses, consistency } = results;
        let capture = Capture {
            schema: schema::CAPTURE.to_owned(),
            app: config.app.clone(),
            run: self.run.clone(),
            side: self.side,
            server: self.cluster_facts.add_to(&server),
            attempt: self.attempt,
            taster: taster_model::VERSION.to_owned(),
            started,
            finished: Timestamp::now(),
            probe_clock: clock,
            probe_seed: seed,
            data: config.mongodb.data,
            workloads: self.cluster_facts.workloads,
            consistency,
            collections,
            probes,
            censuses: Vec::new(),
            census_key: None,
            revision: self.context.revision.clone(),
            changes: config.changes.clone(),
            quiet_expectations: Some(
                config.expect.iter().filter(|expectation| expectation.is_quiet()).cloned().collect(),
            ),
            objects: Vec::new(),
        };
        Ok(UncommittedCapture { capture, censuses, key: census_settings.key().clone() })
    }

    /// The clock and the seed of the probes. Where there is a baseline, those of the baseline, so that a probe cannot tell the sides apart.
    fn clock_and_seed(&self, started: Timestamp) -> (Timestamp, String) {
        match self.before.or(self.open) {
            Some(before) => (before.probe_clock, before.probe_seed.clone()),
            // a ULID has 80 random bits; the hash spreads them over the whole seed
            None => (started, hex::encode(Sha256::digest(RunId::generate().as_str()))),
        }
    }

    fn identity(&self) -> CaptureIdentity<'_> {
        CaptureIdentity {
            app: &self.context.config.app,
            run: self.run,
            side: self.side,
            attempt: &self.attempt,
            before: self.before,
            key_of: self.before.or(self.open),
        }
    }
}

/// Runs `work` with a connection until it is done or a stop is requested, and then closes the connection: no cursor stays
/// open on the server.
pub(crate) async fn with_connection<T>(
    shutdown: &Shutdown,
    connection: Connection,
    stop_point: StopPoint,
    work: impl AsyncFnOnce(&Connection) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let result = shutdown.run_until(stop_point, work(&connection)).await;
    connection.close().await;
    result
}

#[cfg(test)]
mod tests {
    use taster_engine::{Compiler, Engine, EngineOptions};
    use taster_store::Store;
    use taster_testkit::captures;

    use super::*;
    use crate::{
        determinism::ProbeRuns,
        timing::{PhaseTimer, TimingLevel},
    };

    async fn context(folder: &tempfile::TempDir) -> FlowContext {
        let store_url = format!("file://{}", folder.path().display());
        let yaml = format!("app: pxbbq\nstore: {store_url}\nmongodb: {{uri: \"mongodb://h/pxbbq\"}}\n");
        let config = taster_config::parse("taster.yaml", &yaml, [].into()).unwrap();
        let store = Store::open_unverified(config.store_settings()).await.unwrap().app(&config.app);
        FlowContext {
            config,
            base: folder.path().to_owned(),
            store,
            store_url,
            engine: Engine::new(EngineOptions::new(Compiler::InProcess)).unwrap(),
            revision: None,
            probe_runs: ProbeRuns::Once,
            shutdown: Shutdown::on_signals(),
            timer: PhaseTimer::new(TimingLevel::Debug),
        }
    }

    #[tokio::test]
    async fn a_probe_cannot_tell_pre_from_post_by_clock_or_seed() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(&folder).await;
        let clock_and_seed = |baseline: Option<&Capture>, started: &str| {
            let job = CaptureJob {
                context: &context,
                run: &"one".parse().unwrap(),
                side: if baseline.is_some() { Side::Post } else { Side::Pre },
                attempt: AttemptId::generate(),
                before: baseline,
                open: None,
                cluster_facts: ClusterFacts::default(),
            };
            job.clock_and_seed(started.parse().unwrap())
        };

        let (probe_clock, probe_seed) = clock_and_seed(None, "2026-01-02T03:04:05Z");
        assert_eq!(probe_clock.to_string(), "2026-01-02T03:04:05Z", "pre uses the time of its start");
        assert_eq!(probe_seed.len(), 64, "32 bytes in hexadecimal: {probe_seed}");
        let (_, other_seed) = clock_and_seed(None, "2026-01-02T03:04:05Z");
        assert_ne!(probe_seed, other_seed, "each baseline has a seed of its own");

        let baseline = Capture { probe_clock, probe_seed, ..captures::empty("one", Side::Pre) };
        let expected = (baseline.probe_clock, baseline.probe_seed.clone());
        assert_eq!(clock_and_seed(Some(&baseline), "2026-01-02T04:00:00Z"), expected, "post starts later");
        assert_eq!(clock_and_seed(Some(&baseline), "2026-01-03T00:00:00Z"), expected, "a second attempt at post");
    }
}
