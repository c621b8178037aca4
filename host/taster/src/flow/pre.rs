//! `pre`: taste before the sync, and let the capture stand as the baseline.

use taster_model::{
    AttemptId, Baseline, Capture, Current, Failure, LastRun, Outcome, RunId, Severity, Side, Verdict, schema,
};
use taster_store::CommitPre;

use super::{FlowError, Kitchen, capture::Tasting, run_id};
use crate::exit::Problem;

/// What came of `pre`.
pub struct PreOutcome {
    /// The run.
    pub run: RunId,
    /// The capture that stands: this attempt's, or an earlier one's of the same run.
    pub capture: Capture,
    /// Whether this attempt committed it.
    pub committed_now: bool,
    /// The baseline that `post` will be judged against.
    pub baseline: Baseline,
}

impl PreOutcome {
    /// Gating probes that did not end well. Before the sync is the better moment to learn it.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.capture.probes.iter().filter(|p| p.severity == Severity::Fail && !p.muted).filter_map(|p| {
            match &p.outcome {
                Outcome::Failed(failure) => Some((p.name.as_str(), failure)),
                Outcome::Metrics(_) => None,
            }
        })
    }
}

/// Tastes before the sync.
pub async fn pre(kitchen: &Kitchen, given: Option<&RunId>) -> Result<PreOutcome, Problem> {
    let current = kitchen.store.current().await?;
    let mut run = run_id::resolve(given, super::pod_name().as_deref(), current.as_ref());
    if given.is_none() && is_spoilt(kitchen, &run).await? {
        // a capture is written once; a retried hook of one in which a probe failed would find that failure forever
        run = RunId::generate();
    }
    let store = kitchen.store.run(&run);
    // a retried hook must not pay for a scan whose result cannot count
    let (capture, committed_now) = match store.pre().await? {
        // but who names a run that is over means a new sync, and would be judged against data of long ago
        Some(_) if given.is_some() && is_closed(kitchen, &run).await? => {
            return Err(FlowError::RunClosed { run }.into());
        }
        Some(standing) => (standing.into_inner(), false),
        None => {
            let attempt = AttemptId::generate();
            let tasting = Tasting { kitchen, run: &run, side: Side::Pre, attempt, before: None };
            match store.commit_pre(&tasting.taste().await?).await? {
                CommitPre::Committed(capture) => (capture.into_inner(), true),
                CommitPre::Standing(capture) => (capture.into_inner(), false),
            }
        }
    };
    let baseline = note(kitchen, &run, &capture).await?;
    Ok(PreOutcome { run, capture, committed_now, baseline })
}

/// Whether the run has a capture in which a gating probe failed, and nothing was judged against it yet.
async fn is_spoilt(kitchen: &Kitchen, run: &RunId) -> Result<bool, Problem> {
    let store = kitchen.store.run(run);
    let broken = store.pre().await?.is_some_and(|capture| !whole(capture.get()));
    Ok(broken && store.latest_post().await?.is_none())
}

/// Whether the run has passed or was accepted: nothing is compared with its capture any more.
async fn is_closed(kitchen: &Kitchen, run: &RunId) -> Result<bool, Problem> {
    let store = kitchen.store.run(run);
    let passed = store.verdict().await?.is_some_and(|verdict| verdict.get().verdict == Verdict::Same);
    Ok(passed || store.accepted().await?.is_some())
}

/// Notes the run in `current.json`. The first capture stands as the baseline until it is closed; a later one does not
/// replace it, for what it saw may be the damage.
async fn note(kitchen: &Kitchen, run: &RunId, capture: &Capture) -> Result<Baseline, Problem> {
    let own = Baseline { run: run.clone(), attempt: capture.attempt.clone(), started: capture.started, judged: None };
    let verdict = kitchen.store.run(run).verdict().await?.map(|v| v.into_inner().verdict);
    let closed = is_closed(kitchen, run).await?;
    let usable = whole(capture);
    let unusable = unusable_baseline(kitchen, usable).await?;
    let current = kitchen
        .store
        .update_current(|current| {
            let standing = current.and_then(|c| c.baseline).filter(|standing| Some(standing) != unusable.as_ref());
            Some(Current {
                schema: schema::CURRENT.to_owned(),
                app: kitchen.config.app.clone(),
                baseline: if closed { standing } else { standing.or_else(|| Some(own.clone())) },
                last: Some(LastRun { run: run.clone(), verdict }),
            })
        })
        .await?;
    Ok(current.and_then(|c| c.baseline).unwrap_or(own))
}

/// Whether every gating probe ended well: only then can anything be judged `same` against the capture.
fn whole(capture: &Capture) -> bool {
    capture
        .probes
        .iter()
        .filter(|p| p.severity == Severity::Fail && !p.muted)
        .all(|p| matches!(p.outcome, Outcome::Metrics(_)))
}

/// The standing baseline, if a whole capture may take its place: it is not whole itself, and no `post` has judged
/// against it. Before the sync nothing can have been lost between the two; after a `post` it may.
async fn unusable_baseline(kitchen: &Kitchen, replacement_is_whole: bool) -> Result<Option<Baseline>, Problem> {
    let Some(standing) = kitchen.store.current().await?.and_then(|c| c.baseline) else { return Ok(None) };
    if !replacement_is_whole || standing.judged.is_some() {
        return Ok(None);
    }
    let spoilt = is_spoilt(kitchen, &standing.run).await?;
    Ok(Some(standing).filter(|_| spoilt))
}
