//! Running the probes until all of them have read the same state of the data.
//!
//! A snapshot has that state by definition, at one cluster time; only what snapshots do not cover is compared before and
//! after. Everywhere else the state is that of the end: counters of the server show whether anything was written since a
//! probe began, and probes that read a changed collection run again.

use std::collections::BTreeSet;

use taster_census::CensusFile;
use taster_config::{Collections, Config, OneOrMany, Probe};
use taster_diagnostics::CliError;
use taster_model::{
    ChangeKind, CollectionFacts, Consistency, Diagnostic as _, Failure, ProbeOutcome, ProbeRecord, ReadMode,
    ReadMoment, Refusal, ServerFacts, failure,
};
use taster_query::{CollectionChange, Connection, Inventory, QueryError, Snapshot, SnapshotOptions};

use crate::{
    probe_runner::{ProbeResult, ProbeRunner, coded_failure, not_run},
    timing::Phase,
};

/// The results of all probes, of one state of the data.
pub(crate) struct ConsistentResults {
    pub(crate) server: ServerFacts,
    pub(crate) collections: Vec<CollectionFacts>,
    pub(crate) probes: Vec<ProbeRecord>,
    /// The censuses that metrics name.
    pub(crate) censuses: Vec<CensusFile>,
    pub(crate) consistency: Consistency,
}

/// A collection that changed after a probe had read it.
struct StaleRead {
    collection: String,
    change: CollectionChange,
}

/// Runs every probe, and runs those again whose data changed meanwhile, up to `mongodb.max_rescans` times.
pub(crate) async fn run_probes(
    runner: &ProbeRunner<'_>,
    connection: &Connection,
) -> Result<ConsistentResults, CliError> {
    let (config, timer) = (&runner.context.config, &runner.context.timer);
    let mut initial = connection.initial_snapshot();
    if !timer.time(Phase::MongoDb, initial.inventory()).await?.index_builds().is_empty() {
        let limit = config.mongodb.index_build_timeout.get();
        timer.time(Phase::MongoDb, connection.wait_for_index_builds(limit)).await?;
        initial = connection.initial_snapshot();
    }
    let live = timer.time(Phase::MongoDb, initial.collections()).await?;
    let reading = timer.time(Phase::MongoDb, initial.plan(&planned_scans(config, &live))).await?;
    let results = config.probes.iter().map(|_| None).collect();
    let mut scan = Scan { runner, connection, reading, results, rescans: 0 };
    loop {
        let snapshot =
            match timer.time(Phase::MongoDb, connection.snapshot(snapshot_options(config, scan.reading))).await {
                Ok(snapshot) => snapshot,
                Err(error @ QueryError::MajorityTimeout { .. }) => {
                    return majority_not_reached(runner, &initial, &error).await;
                }
                Err(error) => return Err(error.into()),
            };
        if let Some(consistent) = scan.attempt(&snapshot).await? {
            return Ok(consistent);
        }
    }
}

/// The results so far. A probe without a result runs in the next attempt.
struct Scan<'a> {
    runner: &'a ProbeRunner<'a>,
    connection: &'a Connection,
    reading: ReadMode,
    results: Vec<Option<ProbeResult>>,
    rescans: u32,
}

impl Scan<'_> {
    /// Runs the probes that have no result. Returns all results if they are consistent, or if no rescan is left.
    async fn attempt(&mut self, snapshot: &Snapshot) -> Result<Option<ConsistentResults>, CliError> {
        let (config, timer) = (&self.runner.context.config, &self.runner.context.timer);
        for (probe, result) in config.probes.iter().zip(&mut self.results) {
            if result.is_none() {
                *result = Some(self.runner.run(probe, snapshot).await);
            }
        }
        let now = timer.time(Phase::MongoDb, self.connection.read_inventory()).await?;
        if self.reading == ReadMode::Snapshot && self.results.iter().flatten().any(lost_snapshot) {
            tracing::warn!("the server no longer has the snapshot of this capture; reading again in ranges");
            self.reading = ReadMode::Ranges;
            self.results.fill_with(|| None);
            self.rescans += 1;
            return Ok(None);
        }
        let stale = timer.time(Phase::MongoDb, stale_reads(&self.results, &now)).await?;
        let unstable = timer.time(Phase::MongoDb, altered_collections(snapshot, self.reading, &now)).await?;
        let is_consistent = stale.iter().all(Option::is_none) && unstable.is_empty();
        if !is_consistent && self.rescans < config.mongodb.max_rescans {
            self.discard(&stale, &unstable);
            return Ok(None);
        }
        let mut server = snapshot.facts().clone();
        let collections = match self.reading {
            ReadMode::Snapshot => timer.time(Phase::MongoDb, snapshot.recorded_collections()).await?,
            ReadMode::Ranges | ReadMode::Live => {
                let ReadMoment { cluster_time, clock } = now.moment();
                (server.read_at, server.clock) = (cluster_time, clock);
                now.recorded_facts()
            }
        };
        let (probes, censuses) = self.take_results(stale);
        Ok(Some(ConsistentResults {
            server,
            collections,
            probes,
            censuses,
            consistency: Consistency { reading: self.reading, rescans: self.rescans, unstable },
        }))
    }

    /// Discards the results that do not count, so that their probes run again.
    fn discard(&mut self, stale: &[Option<StaleRead>], altered: &[String]) {
        self.rescans += 1;
        let written: Vec<&str> = stale.iter().flatten().map(|stale| stale.collection.as_str()).collect();
        tracing::warn!(rescan = self.rescans, ?written, ?altered, "data changed while they were read; reading again");
        for (result, stale) in self.results.iter_mut().zip(stale) {
            // the next snapshot is of another time, so that no result of this one can stay
            if stale.is_some() || self.reading == ReadMode::Snapshot {
                *result = None;
            }
        }
    }

    /// The records of all probes, and the censuses of those whose result counts.
    fn take_results(&mut self, stale: Vec<Option<StaleRead>>) -> (Vec<ProbeRecord>, Vec<CensusFile>) {
        let (mut probes, mut censuses) = (Vec::new(), Vec::new());
        for (result, stale) in std::mem::take(&mut self.results).into_iter().flatten().zip(stale) {
            if stale.is_none() {
                censuses.extend(result.censuses);
            }
            probes.push(checked(result.record, stale, self.rescans + 1));
        }
        (probes, censuses)
    }
}

fn snapshot_options(config: &Config, reading: ReadMode) -> SnapshotOptions {
    SnapshotOptions {
        reading,
        quiet_period: config.mongodb.quiet_period.get(),
        majority_timeout: config.mongodb.majority_timeout.get(),
        documents_per_range: None,
    }
}

/// The collections that the probes may scan, each as often as it may be scanned.
fn planned_scans(config: &Config, there: &[CollectionFacts]) -> Vec<String> {
    let all = || there.iter().map(|facts| facts.name.clone()).collect();
    let granted = |probe: &Probe| match &probe.collections {
        None => all(),
        Some(Collections::List(names)) => names.clone(),
        Some(Collections::Roles(roles)) => roles.values().flat_map(OneOrMany::names).cloned().collect(),
    };
    // each declaration of added or removed documents costs one more scan
    let parts = |name: &String| {
        let documents =
            |kind: &ChangeKind| matches!(kind, ChangeKind::AddedDocuments(_) | ChangeKind::RemovedDocuments(_));
        1 + config
            .changes
            .iter()
            .filter(|change| documents(&change.kind) && change.concerns(name, &config.changes))
            .count()
    };
    let granted = config.probes.iter().flat_map(granted);
    granted.flat_map(|name| std::iter::repeat_n(name.clone(), parts(&name))).collect()
}

fn lost_snapshot(results: &ProbeResult) -> bool {
    matches!(&results.record.outcome, ProbeOutcome::Failed(failure) if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST))
}

/// For each probe, the first collection that changed after the probe had read it.
async fn stale_reads(results: &[Option<ProbeResult>], now: &Inventory) -> Result<Vec<Option<StaleRead>>, CliError> {
    let mut found = Vec::with_capacity(results.len());
    for results in results.iter().flatten() {
        let mut stale = None;
        for database in &results.databases {
            if let Some((collection, change)) = database.changed_collection(now).await? {
                stale = Some(StaleRead { collection, change });
                break;
            }
        }
        found.push(stale);
    }
    Ok(found)
}

/// The collections that were created, dropped or altered while a snapshot was read: snapshots do not cover that. Without a
/// snapshot, the state of the end counts.
async fn altered_collections(snapshot: &Snapshot, reading: ReadMode, now: &Inventory) -> Result<Vec<String>, CliError> {
    if reading != ReadMode::Snapshot {
        return Ok(Vec::new());
    }
    let then = snapshot.inventory().await?;
    let altered: BTreeSet<&str> = then.names_with(now).filter(|name| then.redefinition(now, name).is_some()).collect();
    Ok(altered.into_iter().map(ToOwned::to_owned).collect())
}

/// The record of a probe, with a failure as its outcome if what it read has changed since.
fn checked(mut record: ProbeRecord, stale: Option<StaleRead>, tries: u32) -> ProbeRecord {
    let Some(StaleRead { collection, change }) = stale else { return record };
    let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times in a row") };
    let (code, message, help) = match change {
        CollectionChange::Written => (
            failure::UNSTABLE,
            format!("`{collection}` was written to while it was read, {times}"),
            "stop the writers: scale the application down, suspend jobs; or use a replica set, which is read in one snapshot",
        ),
        CollectionChange::Redefined => (
            failure::UNSTABLE,
            format!("`{collection}` was created, dropped or altered while it was read, {times}"),
            "stop what creates, drops or alters collections and indexes while Taster reads",
        ),
        CollectionChange::ServerRestarted => (
            failure::UNSTABLE,
            format!("the server was restarted while `{collection}` was read, {times}"),
            "the server's log says why it stopped",
        ),
        CollectionChange::NoCounters => (
            failure::STABILITY_UNKNOWN,
            format!("it is unknown whether `{collection}` was written to while it was read"),
            "grant the user `collStats` on the database, or start the server with statistics (not `statistics=(none)`); or use a \
             replica set, which is read in one snapshot",
        ),
    };
    let failure = Failure::refused(Refusal::Unavailable, code, message).allowed(help);
    tracing::warn!(probe = record.name, code, %failure, "the probe failed");
    record.outcome = ProbeOutcome::Failed(failure);
    record
}

/// The results where the server did not confirm the writes with a majority in time: every probe fails.
async fn majority_not_reached(
    runner: &ProbeRunner<'_>,
    initial: &Snapshot,
    error: &QueryError,
) -> Result<ConsistentResults, CliError> {
    tracing::warn!(code = error.code(), %error, "no write was confirmed by a majority: every probe fails");
    let probes = &runner.context.config.probes;
    Ok(ConsistentResults {
        server: initial.facts().clone(),
        collections: initial.recorded_collections().await?,
        probes: probes.iter().map(|probe| not_run(probe, coded_failure(error))).collect(),
        censuses: Vec::new(),
        consistency: Consistency { reading: ReadMode::Snapshot, rescans: 0, unstable: Vec::new() },
    })
}
