//! One census against another: what the documents of a collection became.

use taster_model::{CensusDifference, DataKind, Documents, FindingOutcome, ReasonCode, Rule, ValueKind};

use crate::{
    compare::{self, Comparison, Declared},
    expect::Applied,
    show,
};

/// The comparison of two censuses, with the documents that it is about.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) comparison: Comparison,
    pub(crate) documents: Option<Documents>,
}

/// What `difference` means under the rule that counts.
pub(crate) fn judged(difference: &CensusDifference, data: DataKind, applied: &Applied<'_>) -> Judged {
    if let Some(misfit) = compare::misfit(applied.rule, ValueKind::Census) {
        return Judged { comparison: misfit, documents: None };
    }
    let mut documents = difference.documents.clone();
    if documents.changed.paths.is_empty() {
        documents.changed.paths.clone_from(&difference.paths);
    }
    Judged { comparison: comparison(difference, data, applied), documents: Some(documents) }
}

fn comparison(difference: &CensusDifference, data: DataKind, applied: &Applied<'_>) -> Comparison {
    let allowance = Allowance::of(data, applied);
    let Documents { missing, extra, changed } = &difference.documents;
    let undeclared = [
        (missing.count, "missing", allowance.missing),
        (extra.count, allowance.called, allowance.extra),
        (changed.count, "changed", allowance.changed),
    ];
    let told: Vec<String> =
        undeclared.iter().filter(|(n, ..)| *n > 0).map(|(n, what, _)| format!("{} {what}", show::number(*n))).collect();
    if undeclared.iter().any(|(n, _, allowed)| *n > 0 && !allowed) {
        return Comparison::new(FindingOutcome::Different, ReasonCode::Changed, told.join(", "));
    }
    if let Some(doubt) = doubt(difference) {
        return doubt;
    }
    if !told.is_empty() {
        return Comparison::allowed(told.join(", "));
    }
    undisturbed(difference, applied.declared)
}

/// Nothing differs but what was declared, or nothing at all.
fn undisturbed(difference: &CensusDifference, declared: Declared) -> Comparison {
    let expired = difference.expired.count;
    let happened = difference.changes.iter().any(|outcome| outcome.happened > 0);
    if happened || expired > 0 {
        let rest = show::count(difference.after, "document");
        let expired = if expired > 0 { format!("; {} expired", show::number(expired)) } else { String::new() };
        let reason = format!("{rest}, each as it was but for what is declared{expired}");
        return Comparison::new(FindingOutcome::Expected, ReasonCode::DeclaredChange, reason);
    }
    let unchanged = compare::unchanged(difference.before == 0, "no document", declared);
    match unchanged.outcome {
        FindingOutcome::Same => {
            Comparison { reason: format!("{}, each as it was", show::count(difference.after, "document")), ..unchanged }
        }
        _ => unchanged,
    }
}

/// Why nobody can tell although no document is known to differ.
fn doubt(difference: &CensusDifference) -> Option<Comparison> {
    if let Some(outcome) = difference.changes.iter().find(|outcome| outcome.unproven.is_some()) {
        let why = outcome.unproven.as_deref().unwrap_or_default();
        let reason = format!("{}: {}", show::whole(&outcome.change.to_string()), show::whole(why));
        return Some(Comparison::unknown(ReasonCode::ChangeUnproven, reason));
    }
    // numbers that contradict each other are no ground for anything
    let happened = difference.changes.iter().any(|outcome| outcome.happened > 0);
    let moved = happened || difference.expired.count > 0 || !difference.is_clean();
    (!moved && difference.before != difference.after).then(|| {
        let (before, after) = (show::number(difference.before), show::number(difference.after));
        let reason = format!("{before} → {after} documents, and the censuses name none that is missing or extra");
        Comparison::unknown(ReasonCode::CensusUnreadable, reason)
    })
}

/// Which differences nobody needs to declare.
#[derive(Debug)]
struct Allowance {
    missing: bool,
    extra: bool,
    changed: bool,
    /// What extra documents are called.
    called: &'static str,
}

impl Allowance {
    fn of(data: DataKind, applied: &Applied<'_>) -> Self {
        let any = *applied.rule == Rule::Ignore;
        // live data go on living, unless somebody said that they must not
        let live = data == DataKind::Live && applied.declared == Declared::No && *applied.rule == Rule::Equal;
        Self {
            missing: any || matches!(applied.rule, Rule::Subset | Rule::NeverIncreases),
            extra: any || live || matches!(applied.rule, Rule::Superset | Rule::NeverDecreases),
            changed: any,
            called: if live { "newer than the baseline" } else { "extra" },
        }
    }
}
