//! `post`: taste after the sync, judge against the standing baseline, write the verdict and its reports.

use taster_diagnostics::CliError;
use taster_model::{AttemptId, Baseline, Capture, Current, LastRun, RunId, Side, Verdict, VerdictDocument, schema};
use taster_report::{html::Around, html::Links};
use taster_store::fault;

use super::{
    Ended, Kitchen, Rules, baseline,
    capture::{Tasting, at_table},
    cluster::{self, After, Entry, Look, Scaler, Surroundings, Versions},
    connect::connect_when_ready,
    differences::Kept,
    fresh, judging,
    pace::For,
    run_id,
    stop::Until,
};

/// What a stop means before the capture is committed.
const UNTIL: Until = Until::Committed("capture after the sync");

/// What `post` came to.
#[derive(Debug)]
pub enum Post {
    /// A verdict.
    Judged(Box<PostOutcome>),
    /// The sync made everything for the first time.
    NothingYet {
        /// The run.
        run: RunId,
    },
}

/// What came of judging.
#[derive(Debug)]
pub struct PostOutcome {
    /// The verdict with all its findings.
    pub verdict: VerdictDocument,
    /// Where the reports lie.
    pub reports: Vec<String>,
}

/// Tastes after the sync and judges. What was scaled up goes back once the database is read.
pub async fn post(kitchen: &Kitchen, given: Option<&RunId>) -> Result<Ended<Post>, CliError> {
    let named = run_id::named(given, &super::hook_names());
    let entry = Entry { what: "post", run: named.as_ref(), until: UNTIL };
    let work = async |scaler: Option<&Scaler<'_>>| Box::pin(taste(kitchen, named.as_ref(), scaler)).await;
    cluster::within(kitchen, entry, work, |post| match post {
        Post::Judged(_) => After::Back,
        Post::NothingYet { .. } => After::Up,
    })
    .await
}

async fn taste(kitchen: &Kitchen, named: Option<&RunId>, scaler: Option<&Scaler<'_>>) -> Result<Post, CliError> {
    let (stop, pace) = (&kitchen.stop, &kitchen.pace);
    let current = baseline::current(kitchen).await?;
    if let Some(run) = had_nothing(named, current.as_ref()) {
        // a first sync has made them by now; names that nothing has would pass for ever
        if let Some(scaler) = scaler
            && stop.unless(UNTIL, scaler.look()).await? == Look::Nothing
        {
            return Err(scaler.all_absent().into());
        }
        kitchen.store.update_current(|current| Some(Current { nothing_yet: None, ..current? })).await?;
        return Ok(Post::NothingYet { run });
    }
    let run = run_id::for_post(named, current.as_ref());
    let store = kitchen.store.run(&run);
    let before = judged_against(kitchen, &run, current.as_ref()).await?;
    if before.is_none() {
        tracing::warn!("run {run} has no capture before the sync: the verdict will be unknown");
    }
    let waiting = match scaler {
        Some(scaler) => {
            // never what `pre` left: in between anybody may have scaled
            if stop.unless(UNTIL, scaler.look()).await? == Look::Nothing {
                return Err(scaler.all_absent().into());
            }
            pace.of(For::Cluster, scaler.data_up(&run, UNTIL)).await?;
            pace.of(For::Cluster, scaler.apps_up(&run, UNTIL, Versions::Any)).await?;
            pace.of(For::Cluster, scaler.settle(UNTIL)).await?;
            scaler.waiting()
        }
        None => None,
    };
    let comment = format!("taster/{run}/{}", Side::Post);
    let connecting = stop.unless(UNTIL, connect_when_ready(&kitchen.config, &comment, waiting));
    let session = pace.of(For::MongoDb, connecting).await?;
    let around = around(kitchen, scaler).await?;
    let attempt = AttemptId::generate();
    let tasting = Tasting { kitchen, run: &run, side: Side::Post, attempt, before: before.as_ref(), around };
    let draft = at_table(stop, session, UNTIL, async |session| tasting.taste(session).await).await?;
    fault::arm();
    // the database is not needed any more: whoever waits for it need not wait for the store
    let capture = stop.unless(UNTIL, draft.keep(&store)).await?;
    if let Some(scaler) = scaler {
        pace.of(For::Cluster, scaler.still_mine()).await?;
    }
    let after = store.commit_post(&capture).await?.into_inner();
    fault::point("post: committed");
    if let Some(scaler) = scaler {
        pace.of(For::Cluster, scaler.restore()).await;
    }
    let earlier = before.as_ref().map(|before| (before, kitchen.store.run(&before.run).censuses()));
    let earlier = earlier.as_ref().map(|(capture, censuses)| Kept { capture, censuses });
    let later = Kept { capture: &after, censuses: &store.censuses() };
    let judging = judging::verdict_document(earlier, later, Rules::from(&kitchen.config));
    let verdict = stop.unless(Until::Committed("comparison"), async { Ok(judging.await) }).await?;
    let around = Around { links: Links::beside(), ..Around::default() };
    for (name, text) in [
        ("report.html", taster_report::html::report(&verdict, &around)),
        ("report.md", taster_report::markdown::verdict(&verdict)),
        ("junit.xml", taster_report::junit::verdict(&verdict)?),
    ] {
        store.put_report(&after.attempt, name, text.as_bytes()).await?;
    }
    // after the reports: whoever sees a verdict must find them
    let standing = store.put_verdict(&verdict).await?;
    pace.written("verdict");
    fault::point("post: judged");
    if standing.attempt == verdict.attempt {
        close(kitchen, before.as_ref(), &verdict).await?;
        fault::point("post: noted");
    } else {
        tracing::warn!("an attempt that began later has judged already; its verdict stands, not this one's");
    }
    let reports =
        ["report.html", "report.md", "junit.xml"].map(|name| store.report_url(&standing.attempt, name)).to_vec();
    if let Some(scaler) = scaler {
        scaler.say_verdict(&standing).await;
    }
    Ok(Post::Judged(Box::new(PostOutcome { verdict: standing, reports })))
}

/// What is around the database after the sync.
async fn around(kitchen: &Kitchen, scaler: Option<&Scaler<'_>>) -> Result<Surroundings, CliError> {
    let copied = match scaler {
        Some(scaler) => fresh::identities(&kitchen.config, &scaler.cluster).await,
        None if fresh::asks_a_cluster(&kitchen.config) => {
            fresh::identities(&kitchen.config, &cluster::connect(&kitchen.config).await?).await
        }
        None => Vec::new(),
    };
    Ok(match scaler {
        Some(scaler) => scaler.surroundings(copied).await,
        None => Surroundings { copied, ..Surroundings::default() },
    })
}

/// The run, if its `pre` found nothing to taste.
fn had_nothing(named: Option<&RunId>, current: Option<&Current>) -> Option<RunId> {
    let noted = current.filter(|current| current.baseline.is_none())?.nothing_yet.as_ref()?;
    named.is_none_or(|named| named == noted).then(|| noted.clone())
}

/// The capture that `post` of this run is judged against: the standing baseline; else what the run was judged against
/// before, so that a repeated hook says the same thing twice; else the run's own `pre`.
async fn judged_against(
    kitchen: &Kitchen,
    run: &RunId,
    current: Option<&Current>,
) -> Result<Option<Capture>, CliError> {
    let standing = current.and_then(|c| c.baseline.as_ref()).map(|b| b.run.clone());
    let of = match standing {
        Some(standing) => standing,
        None => judging::judged_against(&kitchen.store, run).await?.unwrap_or_else(|| run.clone()),
    };
    Ok(kitchen.store.run(&of).pre().await?.map(taster_store::Committed::into_inner))
}

/// Notes the verdict in `current.json`. `same` closes the baseline; anything else leaves it standing, and puts it there
/// where `pre` was killed between its capture and its note. The word of an attempt that began later is not undone.
async fn close(kitchen: &Kitchen, before: Option<&Capture>, verdict: &VerdictDocument) -> Result<(), CliError> {
    let mine = &verdict.attempt;
    let judged = before.map(|before| Baseline { judged: Some(mine.clone()), ..baseline::of(before) });
    let accepted = kitchen.store.run(&verdict.run).accepted().await?.is_some();
    kitchen
        .store
        .update_current(|current| {
            let Current { baseline: standing, claims, known, .. } =
                current.unwrap_or_else(|| baseline::nothing(kitchen));
            if standing.as_ref().is_some_and(|standing| standing.judged.as_ref().is_some_and(|other| other > mine)) {
                return None;
            }
            let ours = |standing: &Baseline| judged.as_ref().is_some_and(|judged| judged.run == standing.run);
            let baseline = match (verdict.verdict, standing) {
                (Verdict::Same, standing) => standing.filter(|standing| !ours(standing)),
                (_, Some(standing)) if ours(&standing) => Some(Baseline { judged: Some(mine.clone()), ..standing }),
                (_, Some(other)) => Some(other),
                (_, None) => judged.clone().filter(|_| !accepted),
            };
            Some(Current {
                schema: schema::CURRENT.to_owned(),
                app: kitchen.config.app.clone(),
                baseline,
                claims,
                last: Some(LastRun { run: verdict.run.clone(), verdict: Some(verdict.verdict) }),
                // whoever was judged had something to taste
                nothing_yet: None,
                known: if verdict.verdict == Verdict::Same { verdict.after.workloads.clone() } else { known },
            })
        })
        .await?;
    Ok(())
}
