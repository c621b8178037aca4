//! From two captures to the document behind every report.

use taster_judge::Input;
use taster_model::{Capture, Expectation, RunId, SideSummary, Verdict, VerdictDocument, schema};
use taster_store::AppStore;

use crate::exit::Problem;

/// The run whose capture `run` was judged against, where it was.
pub async fn judged_against(store: &AppStore, run: &RunId) -> Result<Option<RunId>, Problem> {
    let verdict = store.run(run).verdict().await?;
    Ok(verdict.and_then(|verdict| verdict.into_inner().before).map(|before| before.run))
}

/// Judges `after` against `before`.
#[must_use]
pub fn verdict_document(before: Option<&Capture>, after: &Capture, expectations: &[Expectation]) -> VerdictDocument {
    let judgement = taster_judge::judge(&Input { before, after, expectations });
    VerdictDocument {
        schema: schema::VERDICT.to_owned(),
        app: after.app.clone(),
        run: after.run.clone(),
        attempt: after.attempt.clone(),
        verdict: judgement.verdict,
        taster: crate::VERSION.to_owned(),
        before: before.map(side_summary),
        after: side_summary(after),
        findings: judgement.findings,
        uncovered: judgement.uncovered,
        remedy: remedy_for(judgement.verdict, after),
    }
}

/// One side, as a verdict shows it.
#[must_use]
pub fn side_summary(capture: &Capture) -> SideSummary {
    SideSummary {
        run: capture.run.clone(),
        started: capture.started,
        finished: capture.finished,
        server: capture.server.clone(),
        documents: capture.probes.iter().map(|p| p.usage.documents).sum(),
        bytes: capture.probes.iter().map(|p| p.usage.bytes).sum(),
    }
}

/// The command that gets one unstuck.
#[must_use]
pub fn remedy_for(verdict: Verdict, after: &Capture) -> Option<String> {
    let run = &after.run;
    match verdict {
        Verdict::Same => None,
        Verdict::Different => Some(format!(
            "restore what is missing and run `taster post --run {run}` again; or, if the change is right, \
             `taster accept {run} --reason \"…\"`"
        )),
        Verdict::Unknown => Some(format!(
            "mend what made it unknown and run `taster post --run {run}` again; or, if you know that the data is right, \
             `taster accept {run} --reason \"…\"`"
        )),
    }
}
