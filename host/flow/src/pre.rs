//! `pre`: taste before the sync, and let the capture stand as the baseline.

use taster_cluster::Tone;
use taster_diagnostics::CliError;
use taster_model::{
    AttemptId, Baseline, Capture, CopyRelation, Current, Failure, Outcome, RunId, ServerFacts, Severity, Side,
};
use taster_query::Session;
use taster_store::{CommitPre, fault};

use super::{
    Ended, FlowError, Kitchen, baseline,
    capture::{Tasting, at_table},
    cluster::{self, After, Entry, Look, Scaler, Surroundings, Versions},
    connect::connect_when_ready,
    fresh,
    pace::For,
    run_id,
    stop::Until,
};

/// What a stop means before the capture is committed.
const UNTIL: Until = Until::Committed("capture before the sync");
/// And after it.
const THEN: Until = Until::While("the applications got ready; the capture before the sync stands");

/// What `pre` came to.
#[derive(Debug)]
pub enum Pre {
    /// It was tasted.
    Tasted(Box<PreOutcome>),
    /// The sync makes everything for the first time.
    NothingYet {
        /// The run.
        run: RunId,
    },
}

/// What came of tasting before the sync.
#[derive(Debug)]
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

/// Tastes before the sync. What was scaled up for it stays up, for the sync needs it, unless it came to nothing.
pub async fn pre(kitchen: &Kitchen, given: Option<&RunId>) -> Result<Ended<Pre>, CliError> {
    let named = run_id::named(given, &super::hook_names());
    let entry = Entry { what: "pre", run: named.as_ref(), until: UNTIL };
    let work = async |scaler: Option<&Scaler<'_>>| Box::pin(taste(kitchen, given, named.as_ref(), scaler)).await;
    cluster::within(kitchen, entry, work, |pre| match pre {
        Pre::Tasted(outcome) if outcome.failed().next().is_some() => After::Back,
        Pre::Tasted(_) | Pre::NothingYet { .. } => After::Up,
    })
    .await
}

async fn taste(
    kitchen: &Kitchen,
    given: Option<&RunId>,
    named: Option<&RunId>,
    scaler: Option<&Scaler<'_>>,
) -> Result<Pre, CliError> {
    let (stop, pace) = (&kitchen.stop, &kitchen.pace);
    let current = baseline::current(kitchen).await?;
    let mut run = run_id::resolve(named, current.as_ref());
    if given.is_none() && baseline::is_spoilt(kitchen, &run).await? {
        // a capture is written once; a retried hook of one in which a probe failed would find that failure forever
        run = RunId::generate();
    }
    if let Some(scaler) = scaler
        && stop.unless(UNTIL, scaler.look()).await? == Look::Nothing
    {
        return nothing_yet(kitchen, run, current.as_ref(), scaler).await;
    }
    let asked = match scaler {
        Some(scaler) => Some(scaler.cluster.clone()),
        None if fresh::asks_a_cluster(&kitchen.config) => Some(cluster::connect(&kitchen.config).await?),
        None => None,
    };
    let copied = match &asked {
        Some(cluster) => stop.unless(UNTIL, fresh::copies(&kitchen.config, cluster)).await?,
        None => Vec::new(),
    };
    if let Some(scaler) = scaler {
        pace.of(For::Cluster, scaler.data_up(&run, UNTIL)).await?;
    }
    let comment = format!("taster/{run}/{}", Side::Pre);
    let waiting = scaler.and_then(Scaler::waiting);
    let connecting = stop.unless(UNTIL, connect_when_ready(&kitchen.config, &comment, waiting));
    let session = pace.of(For::MongoDb, connecting).await?;
    let around = match scaler {
        Some(scaler) => scaler.surroundings(copied).await,
        None => Surroundings { copied, ..Surroundings::default() },
    };
    let work = async |session: &Session| {
        pace.of(For::MongoDb, fresh::newest(&kitchen.config, session, asked.as_ref())).await?;
        Box::pin(before(kitchen, given, run, session, Before { around, scaler })).await
    };
    let outcome = Box::pin(at_table(stop, session, UNTIL, work)).await?;
    if let Some(scaler) = scaler {
        let failed: Vec<String> = outcome.failed().map(|(name, failure)| format!("{name}: {failure}")).collect();
        if failed.is_empty() {
            let known = kitchen.store.current().await?.map(|current| current.known).unwrap_or_default();
            scaler.apps_up(&outcome.run, THEN, Versions::Known(&known)).await?;
            let documents = outcome.capture.probes.iter().map(|p| p.usage.documents).sum();
            let text = format!("tasted before the sync: {}", taster_text::counted(documents, "document"));
            scaler.say_tasted(&outcome.run, text, Tone::Normal).await;
        } else {
            let text = format!("unknown: {}", failed.join("; "));
            scaler
                .say_tasted(
                    &outcome.run,
                    taster_text::truncate_bytes(&text, taster_report::line::ON_THE_JOB),
                    Tone::Warning,
                )
                .await;
        }
    }
    Ok(Pre::Tasted(Box::new(outcome)))
}

/// A first sync into an empty namespace has nothing to lose. Noted, so that its `post` knows.
async fn nothing_yet(
    kitchen: &Kitchen,
    run: RunId,
    current: Option<&Current>,
    scaler: &Scaler<'_>,
) -> Result<Pre, CliError> {
    let first = current.is_none_or(|c| c.baseline.is_none() && c.claims.is_empty() && c.last.is_none());
    if !first {
        return Err(scaler.all_absent().into());
    }
    let noted = Some(run.clone());
    kitchen
        .store
        .update_current(|current| {
            let current = current.unwrap_or_else(|| baseline::nothing(kitchen));
            Some(Current { nothing_yet: noted.clone(), ..current })
        })
        .await?;
    scaler.say_tasted(&run, "nothing to taste yet".to_owned(), Tone::Normal).await;
    Ok(Pre::NothingYet { run })
}

/// What the cluster has to do with a capture.
struct Before<'a> {
    around: Surroundings,
    scaler: Option<&'a Scaler<'a>>,
}

async fn before(
    kitchen: &Kitchen,
    given: Option<&RunId>,
    mut run: RunId,
    session: &Session,
    Before { around, scaler }: Before<'_>,
) -> Result<PreOutcome, CliError> {
    let server = &around.joined(session.facts());
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
            let draft =
                Tasting { kitchen, run: &run, side: Side::Pre, attempt, before: None, around }.taste(session).await?;
            fault::arm();
            let capture = draft.keep(&store).await?;
            if let Some(scaler) = scaler {
                scaler.still_mine().await?;
            }
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
    if committed_now {
        kitchen.pace.written("capture");
    }
    Ok(PreOutcome { run, capture, committed_now, baseline })
}

/// Whether the run was tasted already, on a copy that was replaced since.
async fn of_another_copy(kitchen: &Kitchen, run: &RunId, server: &ServerFacts) -> Result<bool, CliError> {
    let Some(standing) = kitchen.store.run(run).pre().await? else { return Ok(false) };
    Ok(baseline::copy(kitchen, &baseline::of(standing.get()), server) == CopyRelation::Another)
}
