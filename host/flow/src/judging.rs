//! From two captures to the document behind every report.

use std::time::Duration;

use taster_config::{Config, Period, Report};
use taster_diagnostics::CliError;
use taster_judge::Input;
use taster_model::{
    Capture, DeclaredChange, Differences, Expectation, Outcome, ProbeRecord, ProbeSummary, ReasonCode, RunId,
    SideSummary, Verdict, VerdictDocument, schema,
};
use taster_store::AppStore;

use super::differences::{self, Kept};

/// The run whose capture `run` was judged against, where it was.
pub async fn judged_against(store: &AppStore, run: &RunId) -> Result<Option<RunId>, CliError> {
    let verdict = store.run(run).verdict().await?;
    Ok(verdict.and_then(|verdict| verdict.into_inner().before).map(|before| before.run))
}

/// What the operator says of what may change, and of how old a baseline may be.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The operator's word.
    pub expectations: &'a [Expectation],
    /// What the migration was meant to do.
    pub changes: &'a [DeclaredChange],
    /// So many ids are named of each kind of difference between documents.
    pub most_ids: usize,
    /// The greatest age.
    pub max_baseline_age: Option<Duration>,
}

fn most_ids(report: &Report) -> usize {
    usize::try_from(report.max_ids).unwrap_or(usize::MAX)
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Self { expectations: &[], changes: &[], most_ids: most_ids(&Report::default()), max_baseline_age: None }
    }
}

impl<'a> From<&'a Config> for Rules<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            expectations: &config.expect,
            changes: &config.changes,
            most_ids: most_ids(&config.report),
            max_baseline_age: config.max_baseline_age.map(Period::get),
        }
    }
}

/// Judges `after` against `before`, their censuses document by document.
pub async fn verdict_document(before: Option<Kept<'_>>, after: Kept<'_>, rules: Rules<'_>) -> VerdictDocument {
    let differences = match before {
        Some(before) => differences::between(before, after, rules).await,
        None => Differences::new(),
    };
    let (before, after) = (before.map(|before| before.capture), after.capture);
    let Rules { expectations, changes, max_baseline_age, .. } = rules;
    let judgement = taster_judge::judge(&Input {
        before,
        after,
        expectations,
        changes,
        differences: &differences,
        max_baseline_age,
    });
    let copy = [ReasonCode::CopyReplaced, ReasonCode::CopyUnwitnessed, ReasonCode::BaselineTooOld];
    let reasons = judgement.findings.iter().find(|f| f.gates() && copy.contains(&f.code)).map(|f| f.code);
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
        Outcome::Metrics(metrics) => (Some(metrics.len() as u64), None),
        Outcome::Failed(failure) => (None, Some(failure.to_string())),
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

/// The command that gets one unstuck. `baseline` is what is wrong with the baseline, if that is it.
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
