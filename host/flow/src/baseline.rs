//! The state of an app in `current.json`: the baseline that `post` compares with, and repairs after a killed process.

use taster_diagnostics::CliError;
use taster_model::{
    Baseline, Capture, CopyRelation, CurrentState, DataKind, LastRun, ProbeOutcome, RunId, ServerFacts, Severity,
    Verdict, WorkloadFacts, schema,
};
use taster_store::AppStore;

use crate::{
    added_probes::{self, BaselineCaptures},
    context::FlowContext,
    error::FlowError,
    reload::Reload,
    replacement,
};

/// The most announced captures. Each process that dies between announcing and committing leaves one behind.
const MAX_CLAIMS: usize = 16;
/// How often the repair is tried while other processes change `current.json`.
const MAX_ATTEMPTS: usize = 20;

/// The state of the app, repaired: a capture whose process died before it was recorded becomes the baseline, and a verdict or
/// an acceptance that closes the baseline closes it.
pub(crate) async fn load_current(store: &AppStore) -> Result<Option<CurrentState>, CliError> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(seen) = store.current().await? else { return Ok(None) };
        let repaired = repaired(store, &seen).await?;
        if repaired == seen {
            return Ok(Some(seen));
        }
        let stored = store
            .update_current(|current| if current.as_ref() == Some(&seen) { Some(repaired.clone()) } else { None })
            .await?;
        if stored.as_ref() == Some(&repaired) {
            return Ok(stored);
        }
    }
    Ok(store.current().await?)
}

/// The state as [`load_current`] would store it.
pub(crate) async fn repaired(store: &AppStore, seen: &CurrentState) -> Result<CurrentState, CliError> {
    let mut current = seen.clone();
    // An announced capture that is committed counts as if its process had recorded it. Of several, the first one counts: the
    // others may have seen what happened after it.
    for claim in &seen.claims {
        if !is_committed(store, claim).await? {
            continue;
        }
        current.claims.retain(|other| other != claim);
        if current.baseline.is_none() && !is_closed(store, &claim.run).await? {
            current.baseline = Some(claim.clone());
            current.nothing_yet = None;
            let verdict = store.run(&claim.run).verdict().await?.map(|v| v.into_inner().verdict);
            current.last = Some(LastRun { run: claim.run.clone(), verdict });
        }
    }
    let runs = [current.last.as_ref().map(|last| last.run.clone()), current.baseline.as_ref().map(|b| b.run.clone())];
    for run in runs.into_iter().flatten() {
        let Some(baseline) = &current.baseline else { break };
        if let Some(passed) = closed_by(store, &run, baseline).await? {
            current.baseline = None;
            current.known = passed;
        }
    }
    if let Some(baseline) = &current.baseline
        && is_dropped(store, &baseline.run).await?
    {
        current.baseline = None;
    }
    Ok(current)
}

/// Whether the announced capture is the committed one of its run.
async fn is_committed(store: &AppStore, claim: &Baseline) -> Result<bool, CliError> {
    let committed = store.run(&claim.run).pre().await?;
    Ok(committed.is_some_and(|capture| capture.get().attempt == claim.attempt))
}

/// Whether `run` closes the baseline: it has the verdict `same` against it, and no attempt has read the data later, or its
/// verdict was accepted. Returns the workloads, whose versions have passed.
async fn closed_by(store: &AppStore, run: &RunId, baseline: &Baseline) -> Result<Option<Vec<WorkloadFacts>>, CliError> {
    let store = store.run(run);
    let Some(verdict) = store.verdict().await?.map(taster_store::Committed::into_inner) else { return Ok(None) };
    let against = verdict.before.as_ref().is_some_and(|before| before.run == baseline.run);
    if !against || baseline.was_judged_after(&verdict) {
        return Ok(None);
    }
    let passed = verdict.verdict == Verdict::Same
        || store.accepted().await?.is_some_and(|accepted| accepted.get().attempt == verdict.attempt);
    Ok(passed.then_some(verdict.after.workloads))
}

/// Whether the run has passed, was accepted, or its baseline was dropped. Nothing is compared with its capture any more.
pub(crate) async fn is_closed(store: &AppStore, run: &RunId) -> Result<bool, CliError> {
    let run_store = store.run(run);
    let passed = run_store.verdict().await?.is_some_and(|verdict| verdict.get().verdict == Verdict::Same);
    Ok(passed || run_store.accepted().await?.is_some() || is_dropped(store, run).await?)
}

/// Whether a person dropped the baseline that the run's `pre` recorded.
pub(crate) async fn is_dropped(store: &AppStore, run: &RunId) -> Result<bool, CliError> {
    Ok(store.run(run).dropped().await?.is_some())
}

/// A capture as a baseline.
pub(crate) fn from_capture(capture: &Capture) -> Baseline {
    Baseline {
        run: capture.run.clone(),
        attempt: capture.attempt.clone(),
        started: capture.started,
        copy: capture.server.copy_witness(),
        judged: None,
        judged_at: None,
        added: Vec::new(),
    }
}

/// Announces a capture that is about to be committed. Without that, the capture of a process that is killed right after the
/// commit would be unknown, and the next baseline would be what the upgrade has left.
pub(crate) async fn announce(context: &FlowContext, claim: &Baseline) -> Result<(), CliError> {
    context
        .store
        .update_current(|current| {
            let mut current = current.unwrap_or_else(|| empty_state(context));
            current.claims.push(claim.clone());
            let surplus = current.claims.len().saturating_sub(MAX_CLAIMS);
            current.claims.drain(..surplus);
            Some(current)
        })
        .await?;
    Ok(())
}

/// A committed capture of `pre`, and what is known about it.
pub(crate) struct CommittedPre<'a> {
    pub(crate) run: &'a RunId,
    pub(crate) capture: &'a Capture,
    pub(crate) server: &'a ServerFacts,
    /// A baseline that this capture may replace: no capture could be `same` as it.
    pub(crate) flawed: Option<&'a Capture>,
    /// Whether the database was loaded anew since the baseline.
    pub(crate) reload: &'a Reload,
}

/// The open baseline with the captures of the probes that were added since.
pub(crate) async fn open_captures(store: &AppStore) -> Result<BaselineCaptures, CliError> {
    match store.current().await?.and_then(|current| current.baseline) {
        Some(open) => BaselineCaptures::load(store, &open.run, &open.added).await,
        None => Ok(BaselineCaptures::default()),
    }
}

/// The baseline after a capture was recorded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordedBaseline {
    pub(crate) baseline: Baseline,
    /// Why a baseline in which a probe failed was kept all the same.
    pub(crate) kept_because: Option<String>,
    /// The baseline of another copy that was closed for this one.
    pub(crate) replaced: Option<ReplacedBaseline>,
}

/// A baseline that was closed because the database is another copy now.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacedBaseline {
    /// The baseline.
    pub baseline: Baseline,
    /// What shows that it is another copy.
    pub because: &'static str,
}

/// Records the committed capture of `run`. It becomes the baseline if there is none. An existing baseline is kept, because a
/// later capture may have seen the damage, with two exceptions: a baseline of another copy, and `flawed`, one that no capture could
/// be `same` as, if the capture agrees with everything in it that is good.
pub(crate) async fn record_capture(
    context: &FlowContext,
    committed: CommittedPre<'_>,
) -> Result<RecordedBaseline, CliError> {
    let CommittedPre { run, capture, server, flawed, reload } = committed;
    let own = from_capture(capture);
    let verdict = context.store.run(run).verdict().await?.map(|v| v.into_inner().verdict);
    let closed = is_closed(&context.store, run).await?;
    let flawed = flawed.filter(|flawed| flawed.run != *run && is_comparable(capture));
    let kept_because = flawed.and_then(|flawed| replacement::disagreement(flawed, capture));
    let replaceable = flawed.filter(|_| kept_because.is_none()).map(from_capture);
    let mut replaced = None;
    // against a baseline in which a probe failed nothing is the same anyway, and a closed run is no baseline
    let standing = if flawed.is_none() && !closed { open_captures(&context.store).await?.own } else { None };
    let standing = standing.map(|(capture, _)| capture);
    let current = context
        .store
        .update_current(|current| {
            let mut current = current.unwrap_or_else(|| empty_state(context));
            replaced = current.baseline.clone().and_then(|baseline| {
                let because = another_copy(context, &baseline, server, reload)?;
                Some(ReplacedBaseline { baseline, because })
            });
            let existing = current.baseline.filter(|_| replaced.is_none());
            // after a `post` anything may have been lost
            let is_replaceable = |baseline: &Baseline| {
                baseline.judged.is_none()
                    && replaceable.as_ref().is_some_and(|flawed| flawed.attempt == baseline.attempt)
            };
            let existing = existing.filter(|baseline| !is_replaceable(baseline));
            let existing = existing.map(|baseline| with_added(baseline, standing.as_ref(), capture));
            current.baseline = if closed { existing } else { existing.or_else(|| Some(own.clone())) };
            current.claims.retain(|claim| claim.run != *run);
            current.last = Some(LastRun { run: run.clone(), verdict });
            current.nothing_yet = None;
            if current.known.is_empty() {
                current.known.clone_from(&capture.workloads);
            }
            Some(current)
        })
        .await?;
    let baseline = current.and_then(|c| c.baseline).unwrap_or(own);
    let is_kept = flawed.is_some_and(|flawed| flawed.run == baseline.run);
    Ok(RecordedBaseline { baseline, kept_because: kept_because.filter(|_| is_kept), replaced })
}

/// The baseline with the probes of `capture` that it does not know yet: this capture is theirs. `standing` is the capture of the
/// baseline, as far as it was read.
fn with_added(mut baseline: Baseline, standing: Option<&Capture>, capture: &Capture) -> Baseline {
    if let Some(standing) = standing.filter(|standing| standing.attempt == baseline.attempt)
        && capture.run != baseline.run
    {
        baseline.added.extend(added_probes::unknown_to(standing, &baseline.added, capture));
    }
    baseline
}

/// What shows that the database is another copy than that of the baseline.
fn another_copy(
    context: &FlowContext,
    baseline: &Baseline,
    server: &ServerFacts,
    reload: &Reload,
) -> Option<&'static str> {
    if copy_relation(context, baseline, server) == CopyRelation::Different {
        return Some("the copy was replaced");
    }
    (*reload == Reload::Whole(Box::new(baseline.clone())))
        .then_some("every collection was dropped and created again since")
}

/// How the copy of a baseline is related to the data of the server.
pub(crate) fn copy_relation(context: &FlowContext, baseline: &Baseline, server: &ServerFacts) -> CopyRelation {
    match context.config.mongodb.data {
        DataKind::Live => CopyRelation::Same,
        DataKind::Copy => server.copy_relation(&baseline.copy),
    }
}

/// Fails if the open baseline, or the capture of `run`, is of another database than the configuration names: nothing in them
/// can be compared.
pub(crate) async fn check_database(
    context: &FlowContext,
    current: Option<&CurrentState>,
    run: &RunId,
) -> Result<(), CliError> {
    let configured = context.config.database()?;
    let open = current.and_then(|current| current.baseline.as_ref()).map(|baseline| &baseline.run);
    for run in open.into_iter().chain([run]) {
        let Some(capture) = context.store.run(run).pre().await? else { continue };
        let recorded = &capture.get().server.database;
        if *recorded != configured && !is_closed(&context.store, run).await? {
            let app = context.config.app.to_string();
            return Err(
                FlowError::OtherDatabase { app, run: run.clone(), recorded: recorded.clone(), configured }.into()
            );
        }
    }
    Ok(())
}

/// The capture of the baseline, if a comparable capture may replace it: it is not comparable itself, and no `post` has compared
/// with it. After a `post`, anything may have been lost.
pub(crate) async fn flawed_capture(context: &FlowContext) -> Result<Option<Capture>, CliError> {
    let Some(existing) = context.store.current().await?.and_then(|c| c.baseline) else { return Ok(None) };
    if existing.judged.is_some() || !has_failed_probes(&context.store, &existing.run).await? {
        return Ok(None);
    }
    let capture = context.store.run(&existing.run).pre().await?.map(taster_store::Committed::into_inner);
    let existing = Baseline { added: Vec::new(), ..existing };
    Ok(capture.filter(|capture| from_capture(capture) == existing))
}

/// Whether the run has a capture in which a gating probe failed, and no `post` yet.
pub(crate) async fn has_failed_probes(store: &AppStore, run: &RunId) -> Result<bool, CliError> {
    let store = store.run(run);
    let broken = store.pre().await?.is_some_and(|capture| !is_comparable(capture.get()));
    Ok(broken && store.latest_post().await?.is_none())
}

/// Whether every gating probe succeeded and found its collections, and none was altered meanwhile. Only then can a later
/// capture be `same`.
fn is_comparable(capture: &Capture) -> bool {
    capture.probes.iter().filter(|p| p.severity == Severity::Fail && !p.muted).all(|p| {
        matches!(p.outcome, ProbeOutcome::Metrics(_))
            && p.failures().next().is_none()
            && replacement::absent(capture, p).next().is_none()
    }) && capture.consistency.unstable.is_empty()
        && capture.collections.iter().all(|collection| collection.building.is_empty())
}

/// The state of an app without any run.
pub(crate) fn empty_state(context: &FlowContext) -> CurrentState {
    CurrentState {
        schema: schema::CURRENT.to_owned(),
        app: context.config.app.clone(),
        baseline: None,
        claims: Vec::new(),
        last: None,
        nothing_yet: None,
        known: Vec::new(),
    }
}
