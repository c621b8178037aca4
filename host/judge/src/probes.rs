//! Findings about the probes of both captures: whether their metrics can be compared, then one finding per metric.

use taster_model::{Capture, Failure, Finding, FindingOutcome, ProbeOutcome, ProbeRecord, ReasonCode, Severity};

use crate::{
    capture_pair::CapturePair,
    metric,
    pairing::{self, Pair},
    show, verdict,
};

/// Findings about every probe of both captures.
pub(crate) fn findings(captures: &CapturePair<'_>) -> Vec<Finding> {
    let (before, after) = (&captures.before.capture.probes, &captures.after.capture.probes);
    let mut findings = Vec::new();
    for pair in pairing::pair_by_key(before, after, |record| record.name.as_str()) {
        match pair {
            Pair::Both(old, new) => compare_probe(captures, old, new, &mut findings),
            Pair::OnlyBefore(old) => findings.push(unknown(
                old,
                ReasonCode::ProbeOnOneSide,
                format!("ran only before the sync; {}", uncompared_metrics([old])),
            )),
            Pair::OnlyAfter(new) => findings.push(unknown(
                new,
                ReasonCode::ProbeOnOneSide,
                format!("ran only after the sync; {}", uncompared_metrics([new])),
            )),
            Pair::Ambiguous(record) => findings.push(unknown(
                record,
                ReasonCode::NotComparable,
                "several probes of one capture have this name; their metrics were not compared",
            )),
        }
    }
    findings
}

/// Probes that failed after the sync, if there is no baseline to compare with.
pub(crate) fn failures_after(after: &Capture) -> Vec<Finding> {
    after
        .probes
        .iter()
        .filter_map(|record| match &record.outcome {
            ProbeOutcome::Failed(failure) => Some(failed(record, ReasonCode::FailedAfter, "after the sync", failure)),
            ProbeOutcome::Metrics(_) => None,
        })
        .collect()
}

fn compare_probe(captures: &CapturePair<'_>, old: &ProbeRecord, new: &ProbeRecord, findings: &mut Vec<Finding>) {
    findings.extend(lost_weight(old, new));
    let (old_metrics, new_metrics) = match (&old.outcome, &new.outcome) {
        (ProbeOutcome::Metrics(old_metrics), ProbeOutcome::Metrics(new_metrics)) => (old_metrics, new_metrics),
        (ProbeOutcome::Failed(before), ProbeOutcome::Failed(after)) if before == after => {
            findings.push(failed(new, ReasonCode::FailedAfter, "before and after the sync", after));
            return;
        }
        (before, after) => {
            if let ProbeOutcome::Failed(failure) = before {
                findings.push(failed(new, ReasonCode::FailedBefore, "before the sync", failure));
            }
            if let ProbeOutcome::Failed(failure) = after {
                findings.push(failed(new, ReasonCode::FailedAfter, "after the sync", failure));
            }
            return;
        }
    };
    if let Some(finding) = configuration_change(captures, old, new) {
        findings.push(finding);
        return;
    }
    if old_metrics.is_empty() && new_metrics.is_empty() {
        findings.push(unknown(new, ReasonCode::ZeroAgainstZero, "returned no metrics before and after the sync"));
        return;
    }
    for pair in pairing::pair_by_key(old_metrics, new_metrics, |metric| (metric.name.as_str(), &metric.labels)) {
        findings.push(metric::finding(captures, new, &pair));
    }
}

/// A probe that decided before the sync and does not decide after it: what it finds now could not stop the release.
fn lost_weight(old: &ProbeRecord, new: &ProbeRecord) -> Option<Finding> {
    let decides = |record: &ProbeRecord| record.severity == Severity::Fail && !record.muted;
    if !decides(old) || decides(new) {
        return None;
    }
    let now = if new.muted { "`muted`" } else { "`severity: warn`" };
    let reason = format!("it decided before the sync, and is {now} after it: change that before `taster pre`");
    let finding = verdict::finding(FindingOutcome::Unknown, ReasonCode::OptionsChanged, reason);
    Some(Finding { probe: Some(new.name.clone()), ..finding })
}

/// The metrics cannot be compared if the component, its options or its collections changed.
fn configuration_change(captures: &CapturePair<'_>, old: &ProbeRecord, new: &ProbeRecord) -> Option<Finding> {
    let uncompared = uncompared_metrics([old, new]);
    if !old.has_results_of(new) {
        let reason = format!("the component changed: {} → {}; {uncompared}", identity(old), identity(new));
        let release = show::short(&captures.before.capture.taster);
        let other = if old.is_standard() && new.is_standard() {
            format!(
                "; Taster {release} recorded the baseline, and this release has other results of `{}`: a release with the same \
                 results can still judge it (the changelog lists them), or take a new baseline with this one",
                show::short(&new.component)
            )
        } else {
            String::new()
        };
        return Some(unknown(new, ReasonCode::ComponentChanged, format!("{reason}{other}")));
    }
    if old.options_sha256 != new.options_sha256 {
        let removed: Vec<&str> = removed_collections(old, new).collect();
        let reason = match removed.len() {
            0 => format!("its configured options or collections changed; {uncompared}"),
            1 => format!("{} is no longer among its collections; {uncompared}", show::names(removed.into_iter())),
            _ => format!("{} are no longer among its collections; {uncompared}", show::names(removed.into_iter())),
        };
        return Some(unknown(new, ReasonCode::OptionsChanged, reason));
    }
    None
}

/// The collections that were granted before the sync and are not any more.
fn removed_collections<'a>(old: &'a ProbeRecord, new: &'a ProbeRecord) -> impl Iterator<Item = &'a str> {
    let names = old.collections.iter().map(|grant| grant.name.as_str());
    names.filter(|name| !new.collections.iter().any(|grant| grant.name == *name))
}

/// `1.0.0 (9f86d081, results 3)`
fn identity(record: &ProbeRecord) -> String {
    let version = if record.version.is_empty() { "no version" } else { &record.version };
    let digest: String = record.sha256.chars().take(8).collect();
    let results = record.results.as_ref().map(|results| format!(", results {}", results.version)).unwrap_or_default();
    format!("{} ({}{results})", show::short(version), if digest.is_empty() { "no digest" } else { &digest })
}

/// How many metrics were not compared.
fn uncompared_metrics<const N: usize>(records: [&ProbeRecord; N]) -> String {
    let count = |record: &ProbeRecord| match &record.outcome {
        ProbeOutcome::Metrics(metrics) => metrics.len(),
        ProbeOutcome::Failed(_) => 0,
    };
    match records.into_iter().map(count).max().unwrap_or_default() {
        0 => "it has no metrics to compare".to_owned(),
        1 => "its 1 metric was not compared".to_owned(),
        n => format!("its {} metrics were not compared", taster_text::grouped(n as u64)),
    }
}

/// A failure of the capture has its own reason code; `default_code` is that of a failure of the probe itself.
fn failed(record: &ProbeRecord, default_code: ReasonCode, when: &str, failure: &Failure) -> Finding {
    unknown(record, failure.reason().unwrap_or(default_code), format!("failed {when}: {failure}"))
}

/// An `unknown` about a whole probe.
fn unknown(record: &ProbeRecord, code: ReasonCode, reason: impl Into<String>) -> Finding {
    Finding {
        probe: Some(record.name.clone()),
        severity: record.severity,
        muted: record.muted,
        ..verdict::finding(FindingOutcome::Unknown, code, reason)
    }
}
