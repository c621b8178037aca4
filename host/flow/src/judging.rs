//! Builds the verdict document from two captures.

use taster_diagnostics::CliError;
use taster_judge::JudgementInput;
use taster_model::{
    Capture, CensusDifferences, ProbeOutcome, ProbeRecord, ProbeSummary, ReasonCode, RunId, SideSummary, Verdict,
    VerdictDocument, schema,
};
use taster_store::AppStore;

use crate::{
    differences::{self, StoredCapture},
    rules::Rules,
};

/// The run with whose capture `run` was compared, if it has a verdict.
pub async fn judged_against(store: &AppStore, run: &RunId) -> Result<Option<RunId>, CliError> {
    let verdict = store.run(run).verdict().await?;
    Ok(verdict.and_then(|verdict| verdict.into_inner().before).map(|before| before.run))
}

/// Compares `after` with `before`, their censuses document by document.
pub async fn verdict_document(
    before: Option<StoredCapture<'_>>,
    after: StoredCapture<'_>,
    rules: Rules<'_>,
) -> VerdictDocument {
    let differences = match before {
        Some(before) => differences::between(before, after, rules).await,
        None => CensusDifferences::new(),
    };
    let (before, after) = (before.map(|before| before.capture), after.capture);
    let Rules { expectations, changes, max_baseline_age, required_censuses, .. } = rules;
    let judgement = taster_judge::judge(&JudgementInput {
        before,
        after,
        expectations,
        changes,
        differences: &differences,
        max_baseline_age,
        required_censuses,
    });
    let copy =
        [ReasonCode::CopyReplaced, ReasonCode::CopyUnwitnessed, ReasonCode::ServerChanged, ReasonCode::BaselineTooOld];
    let configuration = [ReasonCode::OptionsChanged, ReasonCode::ComponentChanged, ReasonCode::ProbeOnOneSide];
    let deciding = |codes: &[ReasonCode]| {
        judgement.findings.iter().find(|f| f.gates() && codes.contains(&f.code)).map(|finding| finding.code)
    };
    let reasons = match judgement.verdict {
        Verdict::Unknown => deciding(&copy).or_else(|| deciding(&configuration)),
        Verdict::Same | Verdict::Different => deciding(&copy),
    };
    VerdictDocument {
        schema: schema::VERDICT.to_owned(),
        app: after.app.clone(),
        run: after.run.clone(),
        attempt: after.attempt.clone(),
        verdict: judgement.verdict,
        taster: taster_model::VERSION.to_owned(),
        before: before.map(side_summary),
        after: side_summary(after),
        findings: judgement.findings,
        uncovered: judgement.uncovered,
        evidence: judgement.evidence,
        remedy: remedy_for(judgement.verdict, reasons, after),
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
        workloads: capture.workloads.clone(),
        documents: capture.probes.iter().map(|p| p.usage.documents).sum(),
        bytes: capture.probes.iter().map(|p| p.usage.bytes).sum(),
        probes: capture.probes.iter().map(probe_summary).collect(),
    }
}

fn probe_summary(probe: &ProbeRecord) -> ProbeSummary {
    let (metrics, failure) = match &probe.outcome {
        ProbeOutcome::Metrics(metrics) => (Some(metrics.len() as u64), None),
        ProbeOutcome::Failed(failure) => (None, Some(failure.to_string())),
    };
    ProbeSummary {
        name: probe.name.clone(),
        component: probe.component.clone(),
        sha256: probe.sha256.clone(),
        version: probe.version.clone(),
        metrics,
        failure,
        usage: probe.usage.clone(),
        limits: probe.limits,
    }
}

/// What to do about the verdict. `baseline` is the reason if the baseline itself cannot be used.
#[must_use]
pub fn remedy_for(verdict: Verdict, baseline: Option<ReasonCode>, after: &Capture) -> Option<String> {
    let run = &after.run;
    let accept = format!("`taster accept {run} --reason \"…\"`");
    match (verdict, baseline) {
        (Verdict::Same, _) => None,
        (_, Some(ReasonCode::CopyReplaced)) => {
            Some("run the sync again: the next `taster pre` takes its baseline from the new copy".to_owned())
        }
        (_, Some(ReasonCode::CopyUnwitnessed)) => Some(format!(
            "grant the user `find` on `local.startup_log` and run the sync again; or, if you know that the data are \
             right, {accept}"
        )),
        (_, Some(ReasonCode::ServerChanged)) => Some(format!(
            "read the server that was read before the sync and run `taster post --run {run}` again; or, if you know that the \
             data are right, {accept}"
        )),
        (_, Some(ReasonCode::OptionsChanged | ReasonCode::ComponentChanged | ReasonCode::ProbeOnOneSide)) => {
            Some(format!(
                "put back what was changed in the configuration since the baseline and run `taster post --run {run}` again; or, if \
                 you know that the data is right, {accept}; or `taster baseline drop --reason \"…\"`: the next `taster pre` takes a \
                 new baseline"
            ))
        }
        (_, Some(_)) => Some(format!(
            "if you know that the data are right, {accept}: the next `taster pre` takes a new baseline; or raise \
             `maxBaselineAge` and run `taster post --run {run}` again"
        )),
        (Verdict::Different, None) => Some(format!(
            "restore what is missing and run `taster post --run {run}` again; or, if the change is right, {accept}"
        )),
        (Verdict::Unknown, None) => Some(format!(
            "mend what made it unknown and run `taster post --run {run}` again; or, if you know that the data is right, \
             {accept}"
        )),
    }
}
