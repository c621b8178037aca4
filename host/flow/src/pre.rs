//! `pre`: captures the database before the sync. The capture becomes the baseline of `post`.

use std::collections::BTreeSet;

use taster_cluster::{Cluster, EventType};
use taster_diagnostics::CliError;
use taster_model::{
    AttemptId, Baseline, Capture, CollectionFacts, CopyRelation, CurrentState, Failure, ProbeOutcome, RunId,
    ServerFacts, Severity, Side,
};
use taster_query::Connection;
use taster_store::{CommitPre, RunStore, fault};
use tracing::{Instrument, field};

use crate::{
    baseline::{self, CommittedPre, RecordedBaseline, ReplacedBaseline},
    capture::{CaptureJob, with_connection},
    cluster::{
        self, AllowedImages, ClusterFacts, FlowOutcome, FlowRequest, OnSuccess, Scaler, WorkloadPresence,
        with_scaled_workloads,
    },
    connect::connect_when_ready,
    context::FlowContext,
    error::FlowError,
    freshness, missing_baseline,
    preflight::{require_collections, require_possible},
    prospects::{self, Prospects},
    reload::{self, PartialReload, Reload},
    run_id,
    shutdown::StopPoint,
    timing::Phase,
};

/// A stop before the capture is committed.
const BEFORE_COMMIT: StopPoint = StopPoint::BeforeCommit("capture before the sync");
/// A stop after it.
const AFTER_COMMIT: StopPoint = StopPoint::During("starting the applications; the capture before the sync is kept");

/// The result of `pre`.
#[derive(Debug)]
pub enum Pre {
    /// The database is captured.
    Captured(Box<PreOutcome>),
    /// None of the workloads exists yet: this is the first sync.
    NothingYet {
        /// The run.
        run: RunId,
    },
}

/// A capture before the sync.
#[derive(Debug)]
pub struct PreOutcome {
    /// The run.
    pub run: RunId,
    /// The capture of the run: this attempt's, or that of an earlier attempt.
    pub capture: Capture,
    /// Whether this attempt committed it.
    pub committed_now: bool,
    /// The baseline that `post` will compare with.
    pub baseline: Baseline,
    /// Why that is still one in which a probe failed: the data changed since. `post` cannot be `same`.
    pub kept_because: Option<String>,
    /// The baseline that was closed because the database is another copy now.
    pub replaced: Option<ReplacedBaseline>,
    /// The run before, if its `post` had nothing to compare with: what its sync did becomes part of this baseline.
    pub uncompared_run: Option<RunId>,
    /// The run that has seen the collections of today, where every collection was made anew since the baseline: the baseline is
    /// kept, because that may be the work of the upgrade.
    pub reload_seen_by: Option<RunId>,
    /// Where some collections were made anew since the baseline and others not: the baseline is kept.
    pub reloaded_in_part: Option<PartialReload>,
    /// What keeps the verdict from being `same` even if the upgrade changes nothing, as sentences.
    pub hopeless: Vec<String>,
}

impl PreOutcome {
    /// Why `post` cannot be `same`: it is better to know before the sync.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        let failed = self.failed().map(|(name, failure)| format!("{name}: {failure}"));
        let others = self.failed_collections().chain(self.index_builds()).chain(self.kept_because.clone());
        failed.chain(others).chain(self.hopeless.iter().cloned()).collect()
    }

    /// The indexes that were still being built, as sentences.
    pub fn index_builds(&self) -> impl Iterator<Item = String> {
        let collections = self.capture.collections.iter();
        collections.flat_map(|collection| {
            let name = &collection.name;
            collection.building.iter().map(move |index| format!("index `{index}` of `{name}` is still being built"))
        })
    }

    /// Logs what happened to the baseline, for readers who do not see the result.
    fn log_baseline(&self) {
        if let Some(ReplacedBaseline { baseline, because }) = &self.replaced {
            tracing::info!(closed = %baseline.run, because, "another copy: a new baseline");
        }
        if let Some(run) = &self.uncompared_run {
            tracing::warn!(%run, "the run before ended without a comparison: what its sync did becomes part of this baseline");
        }
        if let Some(run) = &self.reload_seen_by {
            tracing::warn!(%run, "every collection was made anew, and this run has seen it already: the baseline stays");
        }
        if let Some(PartialReload { anew, kept }) = &self.reloaded_in_part {
            let [anew, kept] = [anew, kept].map(|names| taster_text::escape_hidden(&taster_text::listed(names)));
            tracing::warn!(%anew, %kept, "some collections were made anew and others not: the baseline stays");
        }
    }

    /// The collections that a gating probe could not read, as sentences.
    pub fn failed_collections(&self) -> impl Iterator<Item = String> {
        let gating = self.capture.probes.iter().filter(|p| p.severity == Severity::Fail && !p.muted);
        gating.flat_map(|probe| {
            probe.failures().map(move |metric| {
                let labels: Vec<&str> = metric.labels.values().map(String::as_str).collect();
                let text = format!("{}: {}: {}", probe.name, labels.join(", "), metric.value.plain());
                taster_text::escape_hidden(&text)
            })
        })
    }

    /// The gating probes that failed.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.capture.probes.iter().filter(|p| p.severity == Severity::Fail && !p.muted).filter_map(|p| {
            match &p.outcome {
                ProbeOutcome::Failed(failure) => Some((p.name.as_str(), failure)),
                ProbeOutcome::Metrics(_) => None,
            }
        })
    }
}

/// Captures the database before the sync. Workloads that were scaled up stay scaled up, because the sync needs them, unless a
/// gating probe failed.
pub async fn pre(context: &FlowContext, given: Option<&RunId>) -> Result<FlowOutcome<Pre>, CliError> {
    let named = run_id::from_flag_or_hook(given, &run_id::hook_names());
    let request = FlowRequest { command: "pre", run: named.as_ref(), stop_point: BEFORE_COMMIT };
    let work =
        async |scaler: Option<&Scaler<'_>>| Box::pin(capture_before(context, given, named.as_ref(), scaler)).await;
    let span = tracing::info_span!("run", app = %context.config.app, run = field::Empty, side = "pre");
    with_scaled_workloads(context, request, work, |pre| match pre {
        Pre::Captured(outcome) if !outcome.obstacles().is_empty() => OnSuccess::Restore,
        Pre::Captured(_) | Pre::NothingYet { .. } => OnSuccess::KeepScaled,
    })
    .instrument(span)
    .await
}

async fn capture_before(
    context: &FlowContext,
    given: Option<&RunId>,
    named: Option<&RunId>,
    scaler: Option<&Scaler<'_>>,
) -> Result<Pre, CliError> {
    let current = baseline::load_current(&context.store).await?;
    let mut run = run_id::resolve(named, current.as_ref());
    let is_unusable =
        baseline::has_failed_probes(&context.store, &run).await? || baseline::is_dropped(&context.store, &run).await?;
    if given.is_none() && is_unusable {
        // a capture is never overwritten: with the same run, every retry of the hook would find that capture
        run = RunId::generate();
    }
    run_id::record_in_span(&run);
    // before any workload is started
    baseline::check_database(context, current.as_ref(), &run).await?;
    // within the lock, so that workloads of an interrupted run are restored even with a wrong configuration
    context.shutdown.run_until(BEFORE_COMMIT, async { Ok(require_possible(context).await?) }).await?;
    if let Some(scaler) = scaler
        && context.shutdown.run_until(BEFORE_COMMIT, scaler.find_workloads()).await? == WorkloadPresence::None
    {
        return nothing_yet(context, run, current.as_ref(), scaler).await;
    }
    let PreparedCapture { connection, cluster, cluster_facts } = prepare(context, &run, scaler).await?;
    let work = async |connection: &Connection| {
        let checking = freshness::check_newest_documents(&context.config, connection, cluster.as_ref());
        context.timer.time(Phase::MongoDb, checking).await?;
        context.timer.time(Phase::MongoDb, require_collections(&context.config, connection)).await?;
        let job = PreJob { context, given, named, current: current.as_ref(), scaler, cluster_facts };
        Box::pin(job.capture_and_record(run, connection)).await
    };
    let outcome = Box::pin(with_connection(&context.shutdown, connection, BEFORE_COMMIT, work)).await?;
    if let Some(scaler) = scaler {
        start_applications(context, &outcome, scaler).await?;
    }
    Ok(Pre::Captured(Box::new(outcome)))
}

/// What a capture needs: a database that is up and a connection to it.
struct PreparedCapture {
    connection: Connection,
    /// The cluster whose clock and copies count, if there is one.
    cluster: Option<Cluster>,
    cluster_facts: ClusterFacts,
}

/// Checks the age of the copy, scales the database up and connects.
async fn prepare(context: &FlowContext, run: &RunId, scaler: Option<&Scaler<'_>>) -> Result<PreparedCapture, CliError> {
    let FlowContext { config, shutdown, timer, .. } = context;
    let cluster = match scaler {
        Some(scaler) => Some(scaler.cluster.clone()),
        None if freshness::needs_cluster(config) => Some(cluster::connect(config).await?),
        None => None,
    };
    let copied = match &cluster {
        Some(cluster) => shutdown.run_until(BEFORE_COMMIT, freshness::check_copies(config, cluster)).await?,
        None => Vec::new(),
    };
    if let Some(scaler) = scaler {
        timer.time(Phase::Cluster, scaler.scale_up_data(run, BEFORE_COMMIT)).await?;
    }
    let comment = format!("taster/{run}/{}", Side::Pre);
    let deadline = scaler.and_then(Scaler::startup_deadline);
    let connecting = shutdown.run_until(BEFORE_COMMIT, connect_when_ready(config, &comment, deadline));
    let connection = timer.time(Phase::MongoDb, connecting).await?;
    let cluster_facts = match scaler {
        Some(scaler) => scaler.cluster_facts(copied).await,
        None => ClusterFacts { copied, ..ClusterFacts::default() },
    };
    Ok(PreparedCapture { connection, cluster, cluster_facts })
}

/// Starts the applications after a good capture, and publishes the result on the Job.
async fn start_applications(context: &FlowContext, outcome: &PreOutcome, scaler: &Scaler<'_>) -> Result<(), CliError> {
    let obstacles = outcome.obstacles();
    if obstacles.is_empty() {
        let verified = context.store.current().await?.map(|current| current.known).unwrap_or_default();
        scaler.scale_up_apps(&outcome.run, AFTER_COMMIT, AllowedImages::Verified(&verified)).await?;
        let documents = taster_text::counted(outcome.capture.documents_read(), "document");
        let text = format!("tasted before the sync: {documents}");
        scaler.publish_capture(&outcome.run, &text, EventType::Normal).await;
    } else {
        let text = format!("unknown: {}", obstacles.join("; "));
        scaler.publish_capture(&outcome.run, &text, EventType::Warning).await;
    }
    Ok(())
}

/// Records that the first sync into an empty namespace has nothing to lose, so that its `post` knows it.
async fn nothing_yet(
    context: &FlowContext,
    run: RunId,
    current: Option<&CurrentState>,
    scaler: &Scaler<'_>,
) -> Result<Pre, CliError> {
    let is_first = current.is_none_or(|c| c.baseline.is_none() && c.claims.is_empty() && c.last.is_none());
    if !is_first {
        return Err(scaler.all_absent().into());
    }
    let skipped = Some(run.clone());
    context
        .store
        .update_current(|current| {
            let current = current.unwrap_or_else(|| baseline::empty_state(context));
            Some(CurrentState { nothing_yet: skipped.clone(), ..current })
        })
        .await?;
    scaler.publish_capture(&run, "nothing to taste yet", EventType::Normal).await;
    Ok(Pre::NothingYet { run })
}

/// Captures the database over an open connection, unless the run has a capture already.
struct PreJob<'a> {
    context: &'a FlowContext,
    given: Option<&'a RunId>,
    /// The run as `--run` or the hook names it.
    named: Option<&'a RunId>,
    current: Option<&'a CurrentState>,
    scaler: Option<&'a Scaler<'a>>,
    cluster_facts: ClusterFacts,
}

impl PreJob<'_> {
    async fn capture_and_record(self, mut run: RunId, connection: &Connection) -> Result<PreOutcome, CliError> {
        let (context, given, current) = (self.context, self.given, self.current);
        let server = self.cluster_facts.add_to(connection.facts());
        if given.is_none() && is_of_another_copy(context, &run, &server).await? {
            // for the same reason: every retry would find the capture of a copy that was replaced
            run = RunId::generate();
            run_id::record_in_span(&run);
        }
        if self.is_reloaded(&run, connection).await? {
            run = RunId::generate();
            run_id::record_in_span(&run);
        }
        let uncompared_run = missing_baseline::uncompared_run(context, current, &server).await?;
        let store = context.store.run(&run);
        let flawed = baseline::flawed_capture(context).await?;
        // if the run has a capture, a retried hook does not scan again: its result would not count
        let (capture, committed_now) = match store.pre().await? {
            // `--run` names a closed run: the new sync would be compared with old data
            Some(_) if given.is_some() && baseline::is_closed(&context.store, &run).await? => {
                return Err(FlowError::RunClosed { run }.into());
            }
            Some(_) if is_of_another_copy(context, &run, &server).await? => {
                return Err(FlowError::AnotherCopy { run }.into());
            }
            Some(existing) => (existing.into_inner(), false),
            None => {
                let open = baseline::open_captures(&context.store).await?.merged();
                self.capture_and_commit(&run, &store, connection, open.as_ref()).await?
            }
        };
        fault::point("pre: committed");
        let reload = reload::since_baseline(context, &capture.collections).await?;
        let committed =
            CommittedPre { run: &run, capture: &capture, server: &server, flawed: flawed.as_ref(), reload: &reload };
        let recorded = baseline::record_capture(context, committed).await?;
        fault::point("pre: noted");
        if committed_now {
            context.timer.result_written("capture");
        }
        let RecordedBaseline { baseline, kept_because, replaced } = recorded;
        let (reload_seen_by, reloaded_in_part) = match reload {
            Reload::Seen(run) => (Some(run), None),
            // a baseline that this capture has replaced is not kept
            Reload::Part(part) if baseline.run != run => (None, Some(part)),
            Reload::No | Reload::Part(_) | Reload::Whole(_) => (None, None),
        };
        let seen = collections_seen_before(context, current).await?;
        let Prospects { obstacles: hopeless, doubts } = prospects::prospects(&context.config, &capture, &seen);
        for doubt in doubts {
            tracing::warn!("{doubt}");
        }
        let outcome = PreOutcome {
            run,
            capture,
            committed_now,
            baseline,
            kept_because,
            replaced,
            uncompared_run,
            reload_seen_by,
            reloaded_in_part,
            hopeless,
        };
        outcome.log_baseline();
        Ok(outcome)
    }

    /// Whether the run has a capture, and the database was loaded anew since. A run that somebody named keeps its capture: it is
    /// the same deployment, tried again, and the load may be its own work.
    async fn is_reloaded(&self, run: &RunId, connection: &Connection) -> Result<bool, CliError> {
        if self.context.store.run(run).pre().await?.is_none() {
            return Ok(false);
        }
        let now = connection.read_inventory().await?.recorded_facts();
        let Reload::Whole(baseline) = reload::since_baseline(self.context, &now).await? else { return Ok(false) };
        if self.named.is_some() {
            tracing::warn!(
                baseline = %baseline.run,
                "every collection was dropped and created again since the capture of this run, which stays what `post` compares \
                 with. If the staging database was loaded anew, choose another --run"
            );
        }
        Ok(self.named.is_none())
    }

    /// Returns the capture of the run, and whether this attempt committed it.
    async fn capture_and_commit(
        self,
        run: &RunId,
        store: &RunStore,
        connection: &Connection,
        open: Option<&Capture>,
    ) -> Result<(Capture, bool), CliError> {
        let Self { context, scaler, cluster_facts, .. } = self;
        let attempt = AttemptId::generate();
        let job = CaptureJob { context, run, side: Side::Pre, attempt, before: None, open, cluster_facts };
        let uncommitted = job.run(connection).await?;
        fault::arm();
        let capture = uncommitted.store_censuses(store).await?;
        if let Some(scaler) = scaler {
            scaler.confirm_lock().await?;
        }
        baseline::announce(context, &baseline::from_capture(&capture)).await?;
        fault::point("pre: announced");
        Ok(match store.commit_pre(&capture).await? {
            CommitPre::Committed(capture) => (capture.into_inner(), true),
            CommitPre::AlreadyCommitted(capture) => (capture.into_inner(), false),
        })
    }
}

/// The collections of the baseline that was open when this attempt began, and those of the run before.
async fn collections_seen_before(
    context: &FlowContext,
    current: Option<&CurrentState>,
) -> Result<Vec<CollectionFacts>, CliError> {
    let open = current.and_then(|current| current.baseline.as_ref()).map(|baseline| &baseline.run);
    let last = current.and_then(|current| current.last.as_ref()).map(|last| &last.run);
    let runs: BTreeSet<&RunId> = open.into_iter().chain(last).collect();
    let mut seen = Vec::new();
    for run in runs {
        if let Some(capture) = context.store.run(run).pre().await? {
            seen.extend(capture.into_inner().collections);
        }
    }
    Ok(seen)
}

/// Whether the run has a capture of a copy that was replaced since.
async fn is_of_another_copy(context: &FlowContext, run: &RunId, server: &ServerFacts) -> Result<bool, CliError> {
    let Some(capture) = context.store.run(run).pre().await? else { return Ok(false) };
    Ok(baseline::copy_relation(context, &baseline::from_capture(capture.get()), server) == CopyRelation::Different)
}
