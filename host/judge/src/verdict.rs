//! Decides the verdict from the findings, and sorts the findings.

use std::collections::HashSet;

use taster_model::{ChangeKind, DeclaredChange, Finding, FindingOutcome, Labels, ReasonCode, Rule, Severity, Verdict};

use crate::capture_pair::COLLECTION;

/// A deciding finding that is not about a probe or metric yet.
pub(crate) fn finding(outcome: FindingOutcome, code: ReasonCode, reason: impl Into<String>) -> Finding {
    Finding {
        probe: None,
        metric: None,
        labels: Labels::new(),
        unit: None,
        before: None,
        after: None,
        outcome,
        severity: Severity::Fail,
        muted: false,
        rule: None,
        code,
        reason: reason.into(),
        declared: None,
        documents: None,
    }
}

/// There is no baseline.
pub(crate) fn no_baseline() -> Finding {
    finding(FindingOutcome::Unknown, ReasonCode::NoBaseline, "there is no capture from before the sync to compare with")
}

/// The verdict. Adds a finding if no finding can decide it.
pub(crate) fn decide(findings: &mut Vec<Finding>, changes: &[DeclaredChange]) -> Verdict {
    let has_deciding = |outcome| findings.iter().any(|finding| finding.gates() && finding.outcome == outcome);
    if has_deciding(FindingOutcome::Different) {
        return Verdict::Different;
    }
    if has_deciding(FindingOutcome::Unknown) {
        return Verdict::Unknown;
    }
    let created_or_dropped = changes
        .iter()
        .filter(|change| matches!(change.kind, ChangeKind::AddedCollection | ChangeKind::RemovedCollection))
        .map(|change| change.collection.as_str())
        .collect();
    if findings.iter().any(|finding| is_evidence(finding, &created_or_dropped)) {
        return Verdict::Same;
    }
    findings.push(finding(
        FindingOutcome::Unknown,
        ReasonCode::NothingGating,
        "no finding can decide the verdict: all findings are warnings, muted or ignored, or there are none",
    ));
    Verdict::Unknown
}

/// Whether a finding is evidence for `same`: that values or documents are as they should be. A metric under `ignore` is no
/// evidence, nor is a metric of a collection that was created or dropped, nor a declared change that happened: it does not
/// show that anything else is unchanged.
fn is_evidence(finding: &Finding, created_or_dropped: &HashSet<&str>) -> bool {
    finding.gates()
        && finding.metric.is_some()
        && matches!(finding.outcome, FindingOutcome::Same | FindingOutcome::Expected)
        && !finding.labels.get(COLLECTION).is_some_and(|name| created_or_dropped.contains(name.as_str()))
        && finding.rule.as_deref() != Some(&*Rule::Ignore.to_string())
}

/// Sorts findings in the order of reports.
pub(crate) fn sort(findings: &mut [Finding]) {
    let rank = |finding: &Finding| match (finding.outcome, finding.gates()) {
        (FindingOutcome::Different, true) => 0_u8,
        (FindingOutcome::Unknown, true) => 1,
        (FindingOutcome::Different | FindingOutcome::Unknown, false) => 2,
        (FindingOutcome::Expected, _) => 3,
        (FindingOutcome::Same, _) => 4,
    };
    findings.sort_by(|a, b| (rank(a), &a.probe, &a.metric, &a.labels).cmp(&(rank(b), &b.probe, &b.metric, &b.labels)));
}
