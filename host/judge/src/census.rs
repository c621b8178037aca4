//! Judges the difference of two censuses under a rule.

use taster_model::{CensusDifference, DataKind, DifferingDocuments, FindingOutcome, ReasonCode, Rule, ValueKind};

use crate::{
    compare::{self, Comparison, RuleOrigin},
    expectations::AppliedRule,
};

/// The comparison of two censuses, with the differing documents.
#[derive(Debug)]
pub(crate) struct CensusJudgement {
    pub(crate) comparison: Comparison,
    pub(crate) documents: Option<DifferingDocuments>,
}

/// Whether missing documents that were due to expire are excused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The rules by which they expire still apply.
    Proven,
    /// A rule is gone or altered.
    Unproven,
}

/// Judges `difference` under the rule that applies.
pub(crate) fn judge(
    difference: &CensusDifference,
    data: DataKind,
    applied: &AppliedRule<'_>,
    expiry: Expiry,
) -> CensusJudgement {
    if let Some(misfit) = compare::rule_misfit(applied.rule, ValueKind::Census) {
        return CensusJudgement { comparison: misfit, documents: None };
    }
    let mut documents = difference.documents.clone();
    if documents.changed.paths.is_empty() {
        documents.changed.paths.clone_from(&difference.paths);
    }
    CensusJudgement { comparison: compare_documents(difference, data, applied, expiry), documents: Some(documents) }
}

fn compare_documents(
    difference: &CensusDifference,
    data: DataKind,
    applied: &AppliedRule<'_>,
    expiry: Expiry,
) -> Comparison {
    let allowed = AllowedDifferences::new(data, applied);
    let DifferingDocuments { missing, extra, changed } = &difference.documents;
    let undeclared = [
        (missing.count, "missing", allowed.missing),
        (extra.count, allowed.extra_label, allowed.extra),
        (changed.count, "changed", allowed.changed),
    ];
    let counts: Vec<String> = undeclared
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, label, _)| format!("{} {label}", taster_text::grouped(*count)))
        .collect();
    if undeclared.iter().any(|(count, _, is_allowed)| *count > 0 && !is_allowed) {
        return Comparison::new(FindingOutcome::Different, ReasonCode::Changed, counts.join(", "));
    }
    if let Some(inconclusive) = inconclusive(difference) {
        return inconclusive;
    }
    if difference.expired.count > 0 && expiry == Expiry::Unproven && !allowed.missing {
        let reason = format!(
            "{} missing that were due to expire, but a TTL index of before the sync is gone or altered: nothing shows that \
             they expired",
            taster_text::counted(difference.expired.count, "document")
        );
        return Comparison::unknown(ReasonCode::ChangeUnproven, reason);
    }
    if !counts.is_empty() {
        return Comparison::allowed(counts.join(", "));
    }
    without_undeclared_differences(difference, applied.origin)
}

/// The outcome if every difference was declared, or if there is none.
fn without_undeclared_differences(difference: &CensusDifference, origin: RuleOrigin) -> Comparison {
    let expired = difference.expired.count;
    let happened = difference.changes.iter().any(|outcome| outcome.happened > 0);
    if happened || expired > 0 {
        let documents = taster_text::counted(difference.after, "document");
        let expired = if expired > 0 { format!("; {} expired", taster_text::grouped(expired)) } else { String::new() };
        let reason = format!("{documents} unchanged except as declared{expired}");
        return Comparison::new(FindingOutcome::Expected, ReasonCode::DeclaredChange, reason);
    }
    if difference.before == 0 {
        return compare::both_empty(
            "no document",
            origin,
            format!("{} unchanged", taster_text::counted(0, "document")),
        );
    }
    Comparison::unchanged(format!("{} unchanged", taster_text::counted(difference.after, "document")))
}

/// Why the comparison is inconclusive although no document is known to differ.
fn inconclusive(difference: &CensusDifference) -> Option<Comparison> {
    for outcome in &difference.changes {
        if let Some(why) = &outcome.unproven_reason {
            let reason = format!(
                "{}: {}",
                taster_text::escape_hidden(&outcome.change.to_string()),
                taster_text::escape_hidden(why)
            );
            return Some(Comparison::unknown(ReasonCode::ChangeUnproven, reason));
        }
    }
    // counts that contradict the listed documents prove nothing
    let happened = difference.changes.iter().any(|outcome| outcome.happened > 0);
    let explained = happened || difference.expired.count > 0 || !difference.is_clean();
    (!explained && difference.before != difference.after).then(|| {
        let (before, after) = (taster_text::grouped(difference.before), taster_text::grouped(difference.after));
        let reason = format!("{before} → {after} documents, but the censuses list no missing or extra document");
        Comparison::unknown(ReasonCode::CensusUnreadable, reason)
    })
}

/// Differences that need no declaration.
#[derive(Debug)]
struct AllowedDifferences {
    missing: bool,
    extra: bool,
    changed: bool,
    /// How findings name extra documents.
    extra_label: &'static str,
}

impl AllowedDifferences {
    fn new(data: DataKind, applied: &AppliedRule<'_>) -> Self {
        let any = *applied.rule == Rule::Ignore;
        // live data grow; an explicit expectation overrides that
        let may_grow = data == DataKind::Live && applied.origin == RuleOrigin::Default && *applied.rule == Rule::Equal;
        Self {
            missing: any || matches!(applied.rule, Rule::Subset | Rule::NeverIncreases),
            extra: any || may_grow || matches!(applied.rule, Rule::Superset | Rule::NeverDecreases),
            changed: any,
            extra_label: if may_grow { "newer than the baseline" } else { "extra" },
        }
    }
}
