//! One metric of both sides: what it was, what it is, and what that means under the rule that counts.

use serde_json::Value as Json;
use taster_model::{
    Capture, CensusDifference, CensusProblem, DataKind, Documents, Finding, Metric, ProbeRecord, ReasonCode, Rule,
    Value,
};

use crate::{
    case::{self, Case},
    census,
    compare::{self, Comparison, Declared},
    declared,
    expect::{self, Applied},
    show,
    sides::Pair,
    verdict,
};

/// The unit of a number of documents.
const DOCUMENTS: &str = "{document}";

/// The finding of one metric of `record`.
pub(crate) fn finding(case: &Case<'_>, record: &ProbeRecord, pair: &Pair<'_, Metric>) -> Finding {
    let one = pair.one();
    let applied = expect::choose(case.expectations, record, one);
    let Seen { mut comparison, documents, before, after } = seen(case, record, pair, &applied);
    let mut declared = applied.reason.map(ToOwned::to_owned);
    if let Some(explained) = declared::explained(case, record, pair, applied.rule, &comparison) {
        comparison = explained.comparison;
        declared = explained.reason.map(ToOwned::to_owned).or(declared);
    }
    let Comparison { outcome, code, reason } = comparison;
    Finding {
        probe: Some(record.name.clone()),
        metric: Some(one.name.clone()),
        labels: one.labels.clone(),
        unit: Some(one.unit.clone()),
        before,
        after,
        severity: applied.severity,
        muted: applied.muted,
        rule: Some(applied.rule.to_string()),
        declared,
        documents,
        ..verdict::finding(outcome, code, reason)
    }
}

/// What the two sides of a metric say to each other.
struct Seen {
    comparison: Comparison,
    documents: Option<Documents>,
    before: Option<Json>,
    after: Option<Json>,
}

fn seen(case: &Case<'_>, record: &ProbeRecord, pair: &Pair<'_, Metric>, applied: &Applied<'_>) -> Seen {
    let (old, new) = pair.both();
    let before = old.map(|metric| plain(case.before, record, metric));
    let after = new.map(|metric| plain(case.after, record, metric));
    if let Some(difference) = difference(case, record, pair) {
        return match difference {
            Ok(difference) => {
                let census::Judged { comparison, documents } = census::judged(difference, case.after.data, applied);
                let (before, after) = (Some(difference.before.into()), Some(difference.after.into()));
                Seen { comparison, documents, before, after }
            }
            Err(problem) => {
                let comparison = Comparison::unknown(problem.code, show::whole(&problem.reason));
                Seen { comparison, documents: None, before, after }
            }
        };
    }
    let comparison = grown(case.after.data, pair, applied).unwrap_or_else(|| judged(case, record, pair, applied));
    Seen { comparison, documents: None, before, after }
}

/// What was found of two censuses, where the metric names one on both sides and somebody compared them.
fn difference<'a>(
    case: &Case<'a>,
    record: &ProbeRecord,
    pair: &Pair<'_, Metric>,
) -> Option<&'a Result<CensusDifference, CensusProblem>> {
    let Pair::Both(old, new) = pair else { return None };
    let censuses = matches!((&old.value, &new.value), (Value::Census(_), Value::Census(_)));
    if !censuses || old.unit != new.unit {
        return None;
    }
    case.differences.get(&(record.name.clone(), new.name.clone(), new.labels.clone()))
}

/// The value as findings show it: of a census its number of documents, for its id says nothing to anybody.
fn plain(capture: &Capture, record: &ProbeRecord, metric: &Metric) -> Json {
    case::census_documents(capture, &record.name, metric).map_or_else(|| metric.value.plain(), Json::from)
}

/// Live data go on living: more documents than before are newer ones, unless somebody said that there must not be any.
fn grown(data: DataKind, pair: &Pair<'_, Metric>, applied: &Applied<'_>) -> Option<Comparison> {
    let Pair::Both(old, new) = pair else { return None };
    let (Value::Integer(before), Value::Integer(after)) = (&old.value, &new.value) else { return None };
    let counts = old.unit == DOCUMENTS && new.unit == DOCUMENTS;
    let live = data == DataKind::Live && applied.declared == Declared::No;
    (live && counts && after > before)
        .then(|| Comparison::allowed(format!("{} more; the data are live", after.abs_diff(*before))))
}

fn judged(case: &Case<'_>, record: &ProbeRecord, pair: &Pair<'_, Metric>, applied: &Applied<'_>) -> Comparison {
    let one_sided = |code, when, capture, metric: &Metric| {
        let shown = match case::census_documents(capture, &record.name, metric) {
            Some(n) => show::count(n, "document"),
            None => compare::shown(&metric.value),
        };
        let reason = format!("only {when} the sync: {shown}");
        match applied.rule {
            Rule::Ignore => Comparison::allowed(reason),
            _ => Comparison::unknown(code, reason),
        }
    };
    match pair {
        Pair::Both(old, new) => compare::compare(old, new, applied.rule, applied.declared),
        Pair::OnlyBefore(old) => one_sided(ReasonCode::OnlyBefore, "before", case.before, old),
        Pair::OnlyAfter(new) => one_sided(ReasonCode::OnlyAfter, "after", case.after, new),
        Pair::Ambiguous(_) => Comparison::unknown(
            ReasonCode::NotComparable,
            "reported more than once with the same name and labels on one side",
        ),
    }
}
