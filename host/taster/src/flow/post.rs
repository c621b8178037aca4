//! `post`: taste after the sync, judge against the standing baseline, write the verdict and its reports.

use taster_model::{AttemptId, Baseline, Capture, Current, LastRun, RunId, Side, Verdict, VerdictDocument, schema};

use super::{Kitchen, capture::Tasting, judging, run_id};
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
    let current = kitchen.store.current().await?;
    let run = run_id::resolve(given, super::pod_name().as_deref(), current.as_ref());
    let before = baseline(kitchen, &run, current.as_ref()).await?;
    if before.is_none() {
        tracing::warn!("run {run} has no capture before the sync: the verdict will be unknown");
    }
    let attempt = AttemptId::generate();
    let tasting = Tasting { kitchen, run: &run, side: Side::Post, attempt, before: before.as_ref() };
    let capture = tasting.taste().await?;
    let store = kitchen.store.run(&run);
    let after = store.commit_post(&capture).await?.into_inner();
    let verdict = judging::verdict_document(before.as_ref(), &after, &kitchen.config.expect);
    let mut reports = Vec::new();
    for (name, text) in
        [("report.md", render::markdown::verdict(&verdict)), ("junit.xml", render::junit::verdict(&verdict)?)]
    {
        store.put_report(&after.attempt, name, text.as_bytes()).await?;
        reports.push(store.report_url(&after.attempt, name));
    }
    // after the reports: whoever sees a verdict must find them
    store.put_verdict(&verdict).await?;
    close(kitchen, before.as_ref(), &verdict).await?;
    Ok(PostOutcome { verdict, reports })
}

/// The capture that `post` of this run is judged against: the standing baseline, else the run's own `pre`.
///
/// A run whose baseline was closed by `same` is judged again against its own `pre`, so that a repeated hook says the
/// same thing twice.
async fn baseline(kitchen: &Kitchen, run: &RunId, current: Option<&Current>) -> Result<Option<Capture>, Problem> {
    let standing = current.and_then(|c| c.baseline.as_ref()).map(|b| &b.run);
    let capture = kitchen.store.run(standing.unwrap_or(run)).pre().await?;
    Ok(capture.map(taster_store::Committed::into_inner))
}

/// Notes the verdict in `current.json`. `same` closes the baseline; anything else leaves it standing, and puts it there
/// where `pre` was killed between its capture and its note.
async fn close(kitchen: &Kitchen, before: Option<&Capture>, verdict: &VerdictDocument) -> Result<(), Problem> {
    let judged = before.map(|b| Baseline { run: b.run.clone(), attempt: b.attempt.clone(), started: b.started });
    let accepted = match &judged {
        Some(judged) => kitchen.store.run(&judged.run).accepted().await?.is_some(),
        None => false,
    };
    kitchen
        .store
        .update_current(|current| {
            let standing = current.and_then(|c| c.baseline);
            let baseline = if verdict.verdict == Verdict::Same {
                standing.filter(|standing| Some(&standing.run) != judged.as_ref().map(|j| &j.run))
            } else {
                standing.or_else(|| judged.clone().filter(|_| !accepted))
            };
            Some(Current {
                schema: schema::CURRENT.to_owned(),
                app: kitchen.config.app.clone(),
                baseline,
                last: Some(LastRun { run: verdict.run.clone(), verdict: Some(verdict.verdict) }),
            })
        })
        .await?;
    Ok(())
}
