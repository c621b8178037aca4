//! Each probe of both sides: whether its metrics can be compared at all, then metric by metric.

use taster_model::{Capture, Failure, Finding, FindingOutcome, Outcome, ProbeRecord, ReasonCode};

use crate::{
    case::Case,
    metric, show,
    sides::{self, Pair},
    verdict,
};

/// Findings of every probe of both sides.
pub(crate) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for pair in sides::pair(&case.before.probes, &case.after.probes, |record| record.name.as_str()) {
        match pair {
            Pair::Both(old, new) => both(case, old, new, &mut findings),
            Pair::OnlyBefore(old) => findings.push(about(
                old,
                ReasonCode::ProbeOnOneSide,
                format!("ran only before the sync; {}", not_compared([old])),
            )),
            Pair::OnlyAfter(new) => findings.push(about(
                new,
                ReasonCode::ProbeOnOneSide,
                format!("ran only after the sync; {}", not_compared([new])),
            )),
            Pair::Ambiguous(record) => findings.push(about(
                record,
                ReasonCode::NotComparable,
                "there are several probes of this name on one side; their metrics were not compared",
            )),
        }
    }
    findings
}

/// Probes that did not end well after the sync, where there is no other side.
pub(crate) fn failures_after(after: &Capture) -> Vec<Finding> {
    after
        .probes
        .iter()
        .filter_map(|record| match &record.outcome {
            Outcome::Failed(failure) => Some(failed(record, ReasonCode::FailedAfter, "after the sync", failure)),
            Outcome::Metrics(_) => None,
        })
        .collect()
}

fn both(case: &Case<'_>, old: &ProbeRecord, new: &ProbeRecord, findings: &mut Vec<Finding>) {
    let (old_metrics, new_metrics) = match (&old.outcome, &new.outcome) {
        (Outcome::Metrics(old_metrics), Outcome::Metrics(new_metrics)) => (old_metrics, new_metrics),
        (Outcome::Failed(was), Outcome::Failed(is)) if was == is => {
            findings.push(failed(new, ReasonCode::FailedAfter, "before and after the sync", is));
            return;
        }
        (was, is) => {
            if let Outcome::Failed(failure) = was {
                findings.push(failed(new, ReasonCode::FailedBefore, "before the sync", failure));
            }
            if let Outcome::Failed(failure) = is {
                findings.push(failed(new, ReasonCode::FailedAfter, "after the sync", failure));
            }
            return;
        }
    };
    if let Some(finding) = incomparable(old, new) {
        findings.push(finding);
        return;
    }
    if old_metrics.is_empty() && new_metrics.is_empty() {
        findings.push(about(new, ReasonCode::ZeroAgainstZero, "returned no metric before and none after"));
        return;
    }
    for pair in sides::pair(old_metrics, new_metrics, |metric| (metric.name.as_str(), &metric.labels)) {
        findings.push(metric::finding(case, new, &pair));
    }
}

/// Why the metrics of two sides must not be compared, if so.
fn incomparable(old: &ProbeRecord, new: &ProbeRecord) -> Option<Finding> {
    let rest = not_compared([old, new]);
    if old.sha256 != new.sha256 || old.version != new.version {
        let (was, is) = (identity(old), identity(new));
        let reason = format!("another component than before: {was} → {is}; {rest}");
        return Some(about(new, ReasonCode::ComponentChanged, reason));
    }
    if old.options_sha256 != new.options_sha256 {
        let reason = format!("other options or collections are configured than before; {rest}");
        return Some(about(new, ReasonCode::OptionsChanged, reason));
    }
    None
}

/// `1.0.0 (9f86d081)`
fn identity(record: &ProbeRecord) -> String {
    let version = if record.version.is_empty() { "no version" } else { &record.version };
    let digest: String = record.sha256.chars().take(8).collect();
    format!("{} ({})", show::short(version), if digest.is_empty() { "no digest" } else { &digest })
}

/// How many metrics go unjudged.
fn not_compared<const N: usize>(records: [&ProbeRecord; N]) -> String {
    let count = |record: &ProbeRecord| match &record.outcome {
        Outcome::Metrics(metrics) => metrics.len(),
        Outcome::Failed(_) => 0,
    };
    match records.into_iter().map(count).max().unwrap_or_default() {
        0 => "it has no metrics to compare".to_owned(),
        1 => "its 1 metric was not compared".to_owned(),
        n => format!("its {n} metrics were not compared"),
    }
}

/// A failure that has a reason of its own keeps it; `otherwise` says on which side any other one was.
fn failed(record: &ProbeRecord, otherwise: ReasonCode, when: &str, failure: &Failure) -> Finding {
    about(record, failure.reason().unwrap_or(otherwise), format!("failed {when}: {failure}"))
}

/// An `unknown` about a whole probe.
fn about(record: &ProbeRecord, code: ReasonCode, reason: impl Into<String>) -> Finding {
    Finding {
        probe: Some(record.name.clone()),
        severity: record.severity,
        muted: record.muted,
        ..verdict::finding(FindingOutcome::Unknown, code, reason)
    }
}
