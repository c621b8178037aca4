//! `post`: taste after the sync, judge against the standing baseline, write the verdict and its reports.

use taster_model::{AttemptId, Baseline, Capture, Current, LastRun, RunId, Side, Verdict, VerdictDocument, schema};
use taster_store::fault;

use super::{
    Kitchen, Rules, baseline,
    capture::{Tasting, at_table, connect, unless_stopped},
    differences::Kept,
    judging, run_id,
};
use crate::{exit::Problem, render};

/// What came of `post`.
pub struct PostOutcome {
    /// The verdict with all its findings.
    pub verdict: VerdictDocument,
    /// Where the reports lie.
    pub reports: Vec<String>,
}

/// Tastes after the sync and judges.
pub async fn post(kitchen: &Kitchen, given: Option<&RunId>) -> Result<PostOutcome, Problem> {
    let current = baseline::current(kitchen).await?;
    let run = run_id::for_post(given, super::pod_name().as_deref(), current.as_ref());
    let store = kitchen.store.run(&run);
    let before = judged_against(kitchen, &run, current.as_ref()).await?;
    if before.is_none() {
        tracing::warn!("run {run} has no capture before the sync: the verdict will be unknown");
    }
    let attempt = AttemptId::generate();
    let tasting = Tasting { kitchen, run: &run, side: Side::Post, attempt, before: before.as_ref() };
    let session = connect(&kitchen.config, &format!("taster/{run}/{}", Side::Post)).await?;
    let what = "capture after the sync";
    let draft = at_table(session, what, async |session| tasting.taste(session).await).await?;
    fault::arm();
    // the database is not needed any more: whoever waits for it need not wait for the store
    let capture = unless_stopped(what, draft.keep(&store)).await?;
    let after = store.commit_post(&capture).await?.into_inner();
    fault::point("post: committed");
    let earlier = before.as_ref().map(|before| (before, kitchen.store.run(&before.run).censuses()));
    let earlier = earlier.as_ref().map(|(capture, censuses)| Kept { capture, censuses });
    let later = Kept { capture: &after, censuses: &store.censuses() };
    let judging = judging::verdict_document(earlier, later, Rules::from(&kitchen.config));
    let verdict = unless_stopped("comparison", async { Ok(judging.await) }).await?;
    for (name, text) in
        [("report.md", render::markdown::verdict(&verdict)), ("junit.xml", render::junit::verdict(&verdict)?)]
    {
        store.put_report(&after.attempt, name, text.as_bytes()).await?;
    }
    // after the reports: whoever sees a verdict must find them
    let standing = store.put_verdict(&verdict).await?;
    fault::point("post: judged");
    if standing.attempt == verdict.attempt {
        close(kitchen, before.as_ref(), &verdict).await?;
        fault::point("post: noted");
    } else {
        tracing::warn!("an attempt that began later has judged already; its verdict stands, not this one's");
    }
    let reports = ["report.md", "junit.xml"].map(|name| store.report_url(&standing.attempt, name)).to_vec();
    Ok(PostOutcome { verdict: standing, reports })
}

/// The capture that `post` of this run is judged against: the standing baseline; else what the run was judged against
/// before, so that a repeated hook says the same thing twice; else the run's own `pre`.
async fn judged_against(kitchen: &Kitchen, run: &RunId, current: Option<&Current>) -> Result<Option<Capture>, Problem> {
    let standing = current.and_then(|c| c.baseline.as_ref()).map(|b| b.run.clone());
    let of = match standing {
        Some(standing) => standing,
        None => judging::judged_against(&kitchen.store, run).await?.unwrap_or_else(|| run.clone()),
    };
    Ok(kitchen.store.run(&of).pre().await?.map(taster_store::Committed::into_inner))
}

/// Notes the verdict in `current.json`. `same` closes the baseline; anything else leaves it standing, and puts it there
/// where `pre` was killed between its capture and its note. The word of an attempt that began later is not undone.
async fn close(kitchen: &Kitchen, before: Option<&Capture>, verdict: &VerdictDocument) -> Result<(), Problem> {
    let mine = &verdict.attempt;
    let judged = before.map(|before| Baseline { judged: Some(mine.clone()), ..baseline::of(before) });
    let accepted = kitchen.store.run(&verdict.run).accepted().await?.is_some();
    kitchen
        .store
        .update_current(|current| {
            let Current { baseline: standing, claims, nothing_yet, .. } =
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
                nothing_yet,
            })
        })
        .await?;
    Ok(())
}
