//! `pre`: taste before the sync, and let the capture stand as the baseline.

use taster_model::{
    AttemptId, Baseline, Capture, Current, Failure, LastRun, Outcome, RunId, Severity, Side, Verdict, schema,
};
use taster_store::CommitPre;

use super::{Kitchen, capture::Tasting, run_id};
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
    let run = run_id::resolve(given, super::pod_name().as_deref(), current.as_ref());
    let store = kitchen.store.run(&run);
    // a retried hook must not pay for a scan whose result cannot count
    let (capture, committed_now) = match store.pre().await? {
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

/// Notes the run in `current.json`. The first capture stands as the baseline until it is closed; a later one does not
/// replace it, for what it saw may be the damage.
async fn note(kitchen: &Kitchen, run: &RunId, capture: &Capture) -> Result<Baseline, Problem> {
    let own = Baseline { run: run.clone(), attempt: capture.attempt.clone(), started: capture.started };
    let store = kitchen.store.run(run);
    let verdict = store.verdict().await?.map(|v| v.into_inner().verdict);
    // a run that passed or was accepted is closed; a `pre` that comes again for it must not open it
    let closed = verdict == Some(Verdict::Same) || store.accepted().await?.is_some();
    let current = kitchen
        .store
        .update_current(|current| {
            let standing = current.and_then(|c| c.baseline);
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
