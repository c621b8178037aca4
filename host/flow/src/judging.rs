//! Builds the verdict document from two captures.

use std::collections::BTreeSet;

use taster_diagnostics::CliError;
use taster_judge::{Judgement, JudgementInput};
use taster_model::{
    AddedProbe, Capture, CensusDifferences, DataKind, DifferingDocuments, Finding, FindingOutcome, ProbeOutcome,
    ProbeRecord, ProbeSummary, ReasonCode, RunId, SideSummary, Verdict, VerdictDocument, schema,
};
use taster_store::AppStore;

use crate::{
    added_probes,
    differences::{self, StoredCapture},
    rules::Rules,
};

/// The run with whose capture `run` was compared, if it has a verdict.
pub async fn judged_against(store: &AppStore, run: &RunId) -> Result<Option<RunId>, CliError> {
    Ok(compared_with(store, run).await?.map(|(run, _)| run))
}

/// The same, with the probes that were compared with a later capture.
pub async fn compared_with(store: &AppStore, run: &RunId) -> Result<Option<(RunId, Vec<AddedProbe>)>, CliError> {
    let verdict = store.run(run).verdict().await?.map(taster_store::Committed::into_inner);
    Ok(verdict.and_then(|verdict| Some((verdict.before?.run, verdict.added))))
}

/// Compares `after` with `before`, their censuses document by document.
pub async fn verdict_document(
    before: Option<StoredCapture<'_>>,
    after: StoredCapture<'_>,
    rules: Rules<'_>,
) -> VerdictDocument {
    verdict_with_added(before, &[], after, rules).await
}

/// The same; the probes of the captures `added` are compared with those instead.
pub async fn verdict_with_added(
    before: Option<StoredCapture<'_>>,
    added: &[StoredCapture<'_>],
    after: StoredCapture<'_>,
    rules: Rules<'_>,
) -> VerdictDocument {
    let judgement = if added.is_empty() || before.is_none() {
        judgement(before, after, rules).await
    } else {
        judgement_in_parts(before, added, after, rules).await
    };
    let added = if before.is_some() { added } else { &[] };
    let (before, after) = (before.map(|before| before.capture), after.capture);
    let remedy = remedy_for(&judgement, reason_of_baseline(&judgement), after);
    VerdictDocument {
        schema: schema::VERDICT.to_owned(),
        app: after.app.clone(),
        run: after.run.clone(),
        attempt: after.attempt.clone(),
        verdict: judgement.verdict,
        taster: taster_model::VERSION.to_owned(),
        before: before.map(side_summary),
        added: added.iter().flat_map(|part| added_by(part.capture)).collect(),
        after: side_summary(after),
        findings: judgement.findings,
        uncovered: judgement.uncovered,
        evidence: judgement.evidence,
        remedy,
    }
}

fn added_by(capture: &Capture) -> impl Iterator<Item = AddedProbe> {
    capture.probes.iter().map(|record| AddedProbe {
        probe: record.name.clone(),
        run: capture.run.clone(),
        attempt: capture.attempt.clone(),
    })
}

async fn judgement(before: Option<StoredCapture<'_>>, after: StoredCapture<'_>, rules: Rules<'_>) -> Judgement {
    let differences = match before {
        Some(before) => differences::between(before, after, rules).await,
        None => CensusDifferences::new(),
    };
    let Rules { expectations, changes, max_baseline_age, required_censuses, .. } = rules;
    taster_judge::judge(&JudgementInput {
        before: before.map(|before| before.capture),
        after: after.capture,
        expectations,
        changes,
        differences: &differences,
        max_baseline_age,
        required_censuses,
    })
}

/// Judges the probes of the baseline, and then each capture of added probes by itself.
async fn judgement_in_parts(
    before: Option<StoredCapture<'_>>,
    added: &[StoredCapture<'_>],
    after: StoredCapture<'_>,
    rules: Rules<'_>,
) -> Judgement {
    let names = |part: &StoredCapture<'_>| -> BTreeSet<String> {
        part.capture.probes.iter().map(|record| record.name.clone()).collect()
    };
    let later: BTreeSet<String> = added.iter().flat_map(names).collect();
    let rest = added_probes::with_probes(after.capture, |name| !later.contains(name));
    let rest = StoredCapture { capture: &rest, censuses: after.censuses };
    let mut whole = judgement(before, rest, rules).await;
    for part in added {
        let own = names(part);
        let capture = added_probes::with_probes(after.capture, |name| own.contains(name));
        let of_part =
            judgement(Some(*part), StoredCapture { capture: &capture, censuses: after.censuses }, rules).await;
        let since = format!(
            "; compared with run {} of {}, since the probe was added then",
            part.capture.run,
            part.capture.started.strftime("%Y-%m-%d %H:%M UTC")
        );
        whole.add_part(of_part, &own, &since);
    }
    whole
}

/// The reason of a deciding finding if the baseline itself cannot be used, or does not fit the configuration.
fn reason_of_baseline(judgement: &Judgement) -> Option<ReasonCode> {
    let copy =
        [ReasonCode::CopyReplaced, ReasonCode::CopyUnwitnessed, ReasonCode::ServerChanged, ReasonCode::BaselineTooOld];
    let configuration = [ReasonCode::OptionsChanged, ReasonCode::ComponentChanged, ReasonCode::ProbeOnOneSide];
    let deciding = |codes: &[ReasonCode]| {
        judgement.findings.iter().find(|f| f.gates() && codes.contains(&f.code)).map(|finding| finding.code)
    };
    match judgement.verdict {
        Verdict::Unknown => deciding(&copy).or_else(|| deciding(&configuration)),
        Verdict::Same | Verdict::Different => deciding(&copy),
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
        revision: capture.revision.clone(),
        documents: capture.documents_read(),
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

/// What would make the two sides the same again, by what differs.
fn correction(judgement: &Judgement, after: &Capture) -> &'static str {
    let deciding = || judgement.findings.iter().filter(|f| f.gates() && f.outcome == FindingOutcome::Different);
    let count = |of: fn(&DifferingDocuments) -> u64| -> u64 {
        deciding().filter_map(|finding| finding.documents.as_ref()).map(of).sum()
    };
    let (missing, changed, extra) = (count(|d| d.missing.count), count(|d| d.changed.count), count(|d| d.extra.count));
    if missing + changed == 0 && extra > 0 {
        return match after.data {
            DataKind::Copy => "stop whatever writes to the copy, remove the extra documents",
            DataKind::Live => "remove the extra documents",
        };
    }
    let number = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_i64);
    let is_fewer = |finding: &Finding| {
        number(finding.before.as_ref())
            .zip(number(finding.after.as_ref()))
            .is_some_and(|(before, after)| after < before)
    };
    match (missing, changed) {
        (0, 0) if !deciding().any(is_fewer) => "undo what changed",
        (0, 0) => "restore what is missing",
        (0, _) => "restore what changed",
        (_, 0) => "restore what is missing",
        _ => "restore what is missing and what changed",
    }
}

const DROP: &str = "`taster baseline drop --reason \"…\"`";

/// The way out where collections were made anew: a load by hand is seen as another copy only if it made all of them anew.
fn drop_after_reload(judgement: &Judgement) -> String {
    if judgement.findings.iter().any(|finding| finding.code == ReasonCode::CollectionRecreated) {
        format!("; or, if the database was loaded anew by hand, {DROP}")
    } else {
        String::new()
    }
}

/// What to do about the verdict. `baseline` is the reason if the baseline itself cannot be used.
#[must_use]
pub fn remedy_for(judgement: &Judgement, baseline: Option<ReasonCode>, after: &Capture) -> Option<String> {
    let verdict = judgement.verdict;
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
        (_, Some(ReasonCode::OptionsChanged | ReasonCode::ProbeOnOneSide)) => Some(format!(
            "restore what was changed in the configuration since the baseline and run `taster post --run {run}` again; or, if \
             you know that the data are right, {accept}; or {DROP}: the next `taster pre` takes a new baseline"
        )),
        // after an upgrade of Taster itself, nothing in the configuration changed
        (_, Some(ReasonCode::ComponentChanged)) => Some(format!(
            "run `taster post --run {run}` with the release of Taster that recorded the baseline, or put the earlier component \
             back and run it again; or, if you know that the data are right, {accept}; or {DROP}: the next `taster pre` takes a \
             new baseline"
        )),
        (_, Some(_)) => Some(format!(
            "if you know that the data are right, {accept}: the next `taster pre` takes a new baseline; or raise \
             `maxBaselineAge` and run `taster post --run {run}` again"
        )),
        (Verdict::Different, None) => Some(format!(
            "{} and run `taster post --run {run}` again; or, if the change is right, {accept}{}",
            correction(judgement, after),
            drop_after_reload(judgement)
        )),
        (Verdict::Unknown, None) => Some(format!(
            "correct what made it unknown and run `taster post --run {run}` again; or, if you know that the data are right, \
             {accept}; or, if the baseline is of no use, {DROP}"
        )),
    }
}

#[cfg(test)]
mod tests;
