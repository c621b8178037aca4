//! From findings to the verdict, and the order in which they are told.

use taster_model::{ChangeKind, DeclaredChange, Finding, FindingOutcome, Labels, ReasonCode, Rule, Severity, Verdict};

use crate::case::COLLECTION;

/// A gating finding about nothing in particular yet.
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

/// There is nothing to compare with.
pub(crate) fn no_baseline() -> Finding {
    finding(FindingOutcome::Unknown, ReasonCode::NoBaseline, "there is no capture from before the sync to compare with")
}

/// The verdict. Adds a finding of its own where nothing that gates was judged.
pub(crate) fn decide(findings: &mut Vec<Finding>, changes: &[DeclaredChange]) -> Verdict {
    let gating = |outcome| findings.iter().any(|finding| finding.gates() && finding.outcome == outcome);
    if gating(FindingOutcome::Different) {
        return Verdict::Different;
    }
    if gating(FindingOutcome::Unknown) {
        return Verdict::Unknown;
    }
    if findings.iter().any(|finding| is_evidence(finding, changes)) {
        return Verdict::Same;
    }
    findings.push(finding(
        FindingOutcome::Unknown,
        ReasonCode::NothingGating,
        "nothing that gates was judged: every finding is a warning, muted or ignored, or there is none",
    ));
    Verdict::Unknown
}

/// Whether a finding speaks for `same`: that values, or documents, are what they should be. What may change in any way
/// speaks for nothing, what is said of a collection that has only one side neither, and that a change happened does not
/// say that anything else survived it.
fn is_evidence(finding: &Finding, changes: &[DeclaredChange]) -> bool {
    let comes_or_goes = |change: &DeclaredChange| {
        matches!(change.kind, ChangeKind::AddedCollection | ChangeKind::RemovedCollection)
            && finding.labels.get(COLLECTION) == Some(&change.collection)
    };
    finding.gates()
        && finding.metric.is_some()
        && matches!(finding.outcome, FindingOutcome::Same | FindingOutcome::Expected)
        && !changes.iter().any(comes_or_goes)
        && finding.rule.as_deref() != Some(&*Rule::Ignore.to_string())
}

/// Sorts findings as reports tell them.
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
