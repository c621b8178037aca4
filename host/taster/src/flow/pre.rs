//! `pre`: taste before the sync, and let the capture stand as the baseline.

use taster_model::{AttemptId, Baseline, Capture, CopyRelation, Failure, Outcome, RunId, ServerFacts, Severity, Side};
use taster_query::Session;
use taster_store::{CommitPre, fault};

use super::{
    FlowError, Kitchen, baseline,
    capture::{Tasting, at_table, connect},
    run_id,
};
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
    let current = baseline::current(kitchen).await?;
    let mut run = run_id::resolve(given, super::pod_name().as_deref(), current.as_ref());
    if given.is_none() && baseline::is_spoilt(kitchen, &run).await? {
        // a capture is written once; a retried hook of one in which a probe failed would find that failure forever
        run = RunId::generate();
    }
    let session = connect(&kitchen.config, &format!("taster/{run}/{}", Side::Pre)).await?;
    let what = "capture before the sync";
    at_table(session, what, async |session| before(kitchen, given, run, session).await).await
}

async fn before(
    kitchen: &Kitchen,
    given: Option<&RunId>,
    mut run: RunId,
    session: &Session,
) -> Result<PreOutcome, Problem> {
    let server = session.facts();
    if given.is_none() && of_another_copy(kitchen, &run, server).await? {
        // the same holds of a copy that is gone
        run = RunId::generate();
    }
    let store = kitchen.store.run(&run);
    // a retried hook must not pay for a scan whose result cannot count
    let (capture, committed_now) = match store.pre().await? {
        // but who names a run that is over means a new sync, and would be judged against data of long ago
        Some(_) if given.is_some() && baseline::is_closed(kitchen, &run).await? => {
            return Err(FlowError::RunClosed { run }.into());
        }
        Some(_) if of_another_copy(kitchen, &run, server).await? => {
            return Err(FlowError::AnotherCopy { run }.into());
        }
        Some(standing) => (standing.into_inner(), false),
        None => {
            let attempt = AttemptId::generate();
            let draft = Tasting { kitchen, run: &run, side: Side::Pre, attempt, before: None }.taste(session).await?;
            fault::arm();
            let capture = draft.keep(&store).await?;
            baseline::announce(kitchen, &baseline::of(&capture)).await?;
            fault::point("pre: announced");
            match store.commit_pre(&capture).await? {
                CommitPre::Committed(capture) => (capture.into_inner(), true),
                CommitPre::Standing(capture) => (capture.into_inner(), false),
            }
        }
    };
    fault::point("pre: committed");
    let baseline = baseline::note(kitchen, &run, &capture, server).await?;
    fault::point("pre: noted");
    Ok(PreOutcome { run, capture, committed_now, baseline })
}

/// Whether the run was tasted already, on a copy that was replaced since.
async fn of_another_copy(kitchen: &Kitchen, run: &RunId, server: &ServerFacts) -> Result<bool, Problem> {
    let Some(standing) = kitchen.store.run(run).pre().await? else { return Ok(false) };
    Ok(baseline::copy(kitchen, &baseline::of(standing.get()), server) == CopyRelation::Another)
}
