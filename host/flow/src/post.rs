//! `post`: captures the database after the sync, compares it with the baseline, and stores the verdict and its reports.

use taster_diagnostics::CliError;
use taster_model::{
    AttemptId, Baseline, Capture, CurrentState, LastRun, ReportFile, RunId, Side, Verdict, VerdictDocument, schema,
};
use taster_store::{RunStore, fault};
use tracing::{Instrument, field};

use crate::{
    added_probes::BaselineCaptures,
    baseline,
    capture::{CaptureJob, with_connection},
    census::UncommittedCapture,
    cluster::{
        self, AllowedImages, ClusterFacts, FlowOutcome, FlowRequest, OnSuccess, Scaler, WorkloadPresence,
        with_scaled_workloads,
    },
    connect::connect_when_ready,
    context::FlowContext,
    differences::StoredCapture,
    freshness, judging, missing_baseline,
    rules::Rules,
    run_id,
    shutdown::StopPoint,
    timing::Phase,
};

/// A stop before the capture is committed.
const BEFORE_COMMIT: StopPoint = StopPoint::BeforeCommit("capture after the sync");

/// The result of `post`.
#[derive(Debug)]
pub enum Post {
    /// A verdict.
    Judged(Box<PostOutcome>),
    /// The sync created all workloads: there was nothing to compare with.
    NothingYet {
        /// The run.
        run: RunId,
    },
}

/// A verdict and its reports.
#[derive(Debug)]
pub struct PostOutcome {
    /// The verdict with all its findings.
    pub verdict: VerdictDocument,
    /// The URLs of the reports.
    pub reports: Vec<String>,
}

/// Captures the database after the sync and compares. Scaled workloads are restored as soon as the database is read.
pub async fn post(context: &FlowContext, given: Option<&RunId>) -> Result<FlowOutcome<Post>, CliError> {
    let named = run_id::from_flag_or_hook(given, &run_id::hook_names());
    let request = FlowRequest { command: "post", run: named.as_ref(), stop_point: BEFORE_COMMIT };
    let work = async |scaler: Option<&Scaler<'_>>| Box::pin(compare_after(context, named.as_ref(), scaler)).await;
    let span = tracing::info_span!("run", app = %context.config.app, run = field::Empty, side = "post");
    with_scaled_workloads(context, request, work, |post| match post {
        Post::Judged(_) => OnSuccess::Restore,
        Post::NothingYet { .. } => OnSuccess::KeepScaled,
    })
    .instrument(span)
    .await
}

async fn compare_after(
    context: &FlowContext,
    named: Option<&RunId>,
    scaler: Option<&Scaler<'_>>,
) -> Result<Post, CliError> {
    let current = baseline::load_current(&context.store).await?;
    if let Some(run) = run_without_pre(named, current.as_ref()) {
        run_id::record_in_span(&run);
        return nothing_yet(context, run, scaler).await;
    }
    let run = run_id::for_post(named, current.as_ref());
    run_id::record_in_span(&run);
    let store = context.store.run(&run);
    let before = load_baseline(context, &run, current.as_ref()).await?;
    if before.own.is_none() {
        tracing::warn!(%run, "no capture before the sync: the verdict will be unknown");
    }
    let merged = before.merged();
    let uncommitted = capture(context, &run, merged.as_ref(), scaler).await?;
    let after = commit(context, uncommitted, &store, scaler).await?;
    let verdict = judge(context, &before, &after, &store).await?;
    let own = before.own.as_ref().map(|(capture, _)| capture);
    let verdict = publish(context, own, &verdict, &store).await?;
    let reports = ReportFile::RENDERED.map(|file| store.report_url(&verdict.attempt, file.name())).to_vec();
    if let Some(scaler) = scaler {
        scaler.publish_verdict(&verdict).await;
    }
    Ok(Post::Judged(Box::new(PostOutcome { verdict, reports })))
}

/// The `post` of a run whose `pre` found no workloads. They must exist by now: otherwise every run with misspelt names would
/// pass.
async fn nothing_yet(context: &FlowContext, run: RunId, scaler: Option<&Scaler<'_>>) -> Result<Post, CliError> {
    if let Some(scaler) = scaler {
        require_workloads(context, scaler).await?;
    }
    context.store.update_current(|current| Some(CurrentState { nothing_yet: None, ..current? })).await?;
    Ok(Post::NothingYet { run })
}

async fn require_workloads(context: &FlowContext, scaler: &Scaler<'_>) -> Result<(), CliError> {
    match context.shutdown.run_until(BEFORE_COMMIT, scaler.find_workloads()).await? {
        WorkloadPresence::All => Ok(()),
        WorkloadPresence::None => Err(scaler.all_absent().into()),
    }
}

/// Scales everything up, connects and captures.
async fn capture(
    context: &FlowContext,
    run: &RunId,
    before: Option<&Capture>,
    scaler: Option<&Scaler<'_>>,
) -> Result<UncommittedCapture, CliError> {
    let FlowContext { config, shutdown, timer, .. } = context;
    if let Some(scaler) = scaler {
        // do not rely on what `pre` has scaled: another client may have changed it since
        require_workloads(context, scaler).await?;
        timer.time(Phase::Cluster, scaler.scale_up_data(run, BEFORE_COMMIT)).await?;
        timer.time(Phase::Cluster, scaler.scale_up_apps(run, BEFORE_COMMIT, AllowedImages::Any)).await?;
        timer.time(Phase::Cluster, scaler.settle(BEFORE_COMMIT)).await?;
    }
    let comment = format!("taster/{run}/{}", Side::Post);
    let deadline = scaler.and_then(Scaler::startup_deadline);
    let connecting = shutdown.run_until(BEFORE_COMMIT, connect_when_ready(config, &comment, deadline));
    let connection = timer.time(Phase::MongoDb, connecting).await?;
    let cluster_facts = cluster_facts(context, scaler).await?;
    let attempt = AttemptId::generate();
    let job = CaptureJob { context, run, side: Side::Post, attempt, before, open: None, cluster_facts };
    with_connection(shutdown, connection, BEFORE_COMMIT, async |connection| job.run(connection).await).await
}

/// Commits the capture and restores the workloads: nothing after this reads the database.
async fn commit(
    context: &FlowContext,
    uncommitted: UncommittedCapture,
    store: &RunStore,
    scaler: Option<&Scaler<'_>>,
) -> Result<Capture, CliError> {
    fault::arm();
    let capture = context.shutdown.run_until(BEFORE_COMMIT, uncommitted.store_censuses(store)).await?;
    if let Some(scaler) = scaler {
        context.timer.time(Phase::Cluster, scaler.confirm_lock()).await?;
    }
    let capture = store.commit_post(&capture).await?.into_inner();
    fault::point("post: committed");
    if let Some(scaler) = scaler {
        context.timer.time(Phase::Cluster, scaler.restore()).await;
    }
    Ok(capture)
}

/// Compares the capture with the baseline.
async fn judge(
    context: &FlowContext,
    before: &BaselineCaptures,
    after: &Capture,
    store: &RunStore,
) -> Result<VerdictDocument, CliError> {
    let (own, added) = (before.own_stored(), before.added_stored());
    let after = StoredCapture { capture: after, censuses: &store.censuses() };
    let judging = Box::pin(judging::verdict_with_added(own, &added, after, Rules::from(&context.config)));
    let mut verdict =
        context.shutdown.run_until(StopPoint::BeforeCommit("comparison"), async { Ok(judging.await) }).await?;
    if verdict.before.is_none() {
        missing_baseline::explain(context, &mut verdict).await?;
    }
    Ok(verdict)
}

/// Stores the reports, then the verdict, and then records it. Returns the worse of this verdict and that of the run, which
/// may be that of another attempt: what this attempt has seen must not be hidden by one that saw less.
async fn publish(
    context: &FlowContext,
    before: Option<&Capture>,
    verdict: &VerdictDocument,
    store: &RunStore,
) -> Result<VerdictDocument, CliError> {
    // before the verdict: a reader who sees the verdict must find its reports
    for (file, text) in taster_report::stored_reports(verdict)? {
        store.put_report(&verdict.attempt, file.name(), text.as_bytes()).await?;
    }
    let stored = store.put_verdict(verdict).await?;
    context.timer.result_written("verdict");
    fault::point("post: judged");
    if stored.attempt == verdict.attempt {
        record_verdict(context, before, verdict).await?;
        fault::point("post: noted");
        return Ok(stored);
    }
    tracing::warn!(
        attempt = %verdict.attempt,
        verdict = %verdict.verdict,
        counts = %stored.verdict,
        "another attempt read the data later; its verdict is the one of the run"
    );
    Ok(if verdict.verdict.is_worse_than(stored.verdict) { verdict.clone() } else { stored })
}

/// The facts about the cluster after the sync.
async fn cluster_facts(context: &FlowContext, scaler: Option<&Scaler<'_>>) -> Result<ClusterFacts, CliError> {
    let config = &context.config;
    Ok(match scaler {
        Some(scaler) => {
            let copied = freshness::copy_identities(config, &scaler.cluster).await;
            scaler.cluster_facts(copied).await
        }
        None if freshness::needs_cluster(config) => {
            let copied = freshness::copy_identities(config, &cluster::connect(config).await?).await;
            ClusterFacts { copied, ..ClusterFacts::default() }
        }
        None => ClusterFacts::default(),
    })
}

/// The run, if its `pre` found no workloads.
fn run_without_pre(named: Option<&RunId>, current: Option<&CurrentState>) -> Option<RunId> {
    let skipped = current.filter(|current| current.baseline.is_none())?.nothing_yet.as_ref()?;
    named.is_none_or(|named| named == skipped).then(|| skipped.clone())
}

/// The capture that this run is compared with: that of the baseline; else the one that the run was compared with before, so
/// that a repeated hook comes to the same verdict; else the run's own `pre`. None if a person dropped that one.
async fn load_baseline(
    context: &FlowContext,
    run: &RunId,
    current: Option<&CurrentState>,
) -> Result<BaselineCaptures, CliError> {
    let open = current.and_then(|current| current.baseline.as_ref());
    let (of, added) = match open {
        Some(baseline) => (baseline.run.clone(), baseline.added.clone()),
        None => judging::compared_with(&context.store, run).await?.unwrap_or_else(|| (run.clone(), Vec::new())),
    };
    if baseline::is_dropped(&context.store, &of).await? {
        return Ok(BaselineCaptures::default());
    }
    BaselineCaptures::load(&context.store, &of, &added).await
}

/// Records the verdict in `current.json`. `same` closes the baseline. Any other verdict keeps it, and adds it where `pre` was
/// killed after it had committed its capture. The verdict of a later attempt is not overwritten.
async fn record_verdict(
    context: &FlowContext,
    before: Option<&Capture>,
    verdict: &VerdictDocument,
) -> Result<(), CliError> {
    let judged_by = |baseline: Baseline| Baseline {
        judged: Some(verdict.attempt.clone()),
        judged_at: Some(verdict.after.server.moment()),
        ..baseline
    };
    let judged = before.map(|before| judged_by(baseline::from_capture(before)));
    let is_accepted = context.store.run(&verdict.run).accepted().await?.is_some();
    let is_dropped = match &judged {
        Some(judged) => baseline::is_dropped(&context.store, &judged.run).await?,
        None => false,
    };
    context
        .store
        .update_current(|current| {
            let CurrentState { baseline: existing, claims, known, .. } =
                current.unwrap_or_else(|| baseline::empty_state(context));
            if existing.as_ref().is_some_and(|existing| existing.was_judged_after(verdict)) {
                return None;
            }
            let is_ours = |existing: &Baseline| judged.as_ref().is_some_and(|judged| judged.run == existing.run);
            let baseline = match (verdict.verdict, existing) {
                (Verdict::Same, existing) => existing.filter(|existing| !is_ours(existing)),
                (_, Some(existing)) if is_ours(&existing) => Some(judged_by(existing)),
                (_, Some(other)) => Some(other),
                (_, None) => judged.clone().filter(|_| !is_accepted && !is_dropped),
            };
            Some(CurrentState {
                schema: schema::CURRENT.to_owned(),
                app: context.config.app.clone(),
                baseline,
                claims,
                last: Some(LastRun { run: verdict.run.clone(), verdict: Some(verdict.verdict) }),
                // a run with a verdict had workloads
                nothing_yet: None,
                known: if verdict.verdict == Verdict::Same { verdict.after.workloads.clone() } else { known },
            })
        })
        .await?;
    Ok(())
}
