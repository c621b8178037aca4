//! The finding about one metric: both values, compared under the rule that applies.

use serde_json::Value as Json;
use taster_model::{
    CensusComparisonError, CensusDifference, DataKind, DifferingDocuments, Finding, Metric, ProbeRecord, ReasonCode,
    Rule, Value,
};

use crate::{
    capture_pair::{CaptureIndex, CapturePair},
    census::{self, Expiry},
    compare::{self, Comparison, RuleOrigin},
    expectations::{self, AppliedRule},
    explanation,
    pairing::Pair,
    ttl, verdict,
};

/// The unit of a number of documents.
const DOCUMENTS: &str = "{document}";

/// The finding about one metric of `record`.
pub(crate) fn finding(captures: &CapturePair<'_>, record: &ProbeRecord, pair: &Pair<'_, Metric>) -> Finding {
    let metric = pair.newest();
    let applied = expectations::applied_rule(&captures.expectations, record, metric);
    let MetricComparison { mut comparison, documents, before, after } =
        compare_metric(captures, record, pair, &applied);
    let mut declared = applied.reason.map(ToOwned::to_owned);
    if let Some(explained) = explanation::explain(captures, record, pair, applied.rule, &comparison) {
        comparison = explained.comparison;
        declared = explained.reason.map(ToOwned::to_owned).or(declared);
    }
    let Comparison { outcome, code, reason } = comparison;
    Finding {
        probe: Some(record.name.clone()),
        metric: Some(metric.name.clone()),
        labels: metric.labels.clone(),
        unit: Some(metric.unit.clone()),
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

/// The comparison of one metric, with both values as findings show them.
struct MetricComparison {
    comparison: Comparison,
    documents: Option<DifferingDocuments>,
    before: Option<Json>,
    after: Option<Json>,
}

fn compare_metric(
    captures: &CapturePair<'_>,
    record: &ProbeRecord,
    pair: &Pair<'_, Metric>,
    applied: &AppliedRule<'_>,
) -> MetricComparison {
    let (old, new) = pair.sides();
    let before = old.map(|metric| plain_value(&captures.before, record, metric));
    let after = new.map(|metric| plain_value(&captures.after, record, metric));
    if let Some(difference) = census_difference(captures, record, pair) {
        return match difference {
            Ok(difference) => {
                // the collection is taken from the capture: labels are chosen by the probe and are not trusted
                let census = captures.after.census(&record.name, pair.newest());
                let expiry = match census {
                    Some(census) if ttl::still_applies(captures, &census.collection) => Expiry::Proven,
                    _ => Expiry::Unproven,
                };
                let judgement = census::judge(difference, captures.after.capture.data, applied, expiry);
                MetricComparison {
                    comparison: judgement.comparison,
                    documents: judgement.documents,
                    before: Some(difference.before.into()),
                    after: Some(difference.after.into()),
                }
            }
            Err(error) => {
                let comparison = Comparison::unknown(error.code, taster_text::escape_hidden(&error.reason));
                MetricComparison { comparison, documents: None, before, after }
            }
        };
    }
    if let Some(failure) = collection_failure(record, pair, applied) {
        return MetricComparison { comparison: failure, documents: None, before, after };
    }
    let comparison = live_growth(captures.after.capture.data, pair, applied)
        .unwrap_or_else(|| compare_values(captures, record, pair, applied));
    MetricComparison { comparison, documents: None, before, after }
}

/// A metric that says why nothing is known of a collection is `unknown`, also where it is the same before and after the sync.
fn collection_failure(record: &ProbeRecord, pair: &Pair<'_, Metric>, applied: &AppliedRule<'_>) -> Option<Comparison> {
    let is_failure = *applied.rule == Rule::Absent || record.is_failure(pair.newest());
    if !is_failure || *applied.rule == Rule::Ignore {
        return None;
    }
    let (code, when) = match pair {
        Pair::OnlyBefore(_) => (ReasonCode::FailedBefore, "before the sync"),
        Pair::OnlyAfter(_) => (ReasonCode::FailedAfter, "after the sync"),
        Pair::Both(..) | Pair::Ambiguous(_) => (ReasonCode::FailedAfter, "before and after the sync"),
    };
    let why = compare::format_value(&pair.newest().value);
    Some(Comparison::unknown(code, format!("nothing is known of it {when}: {why}")))
}

/// The comparison of two censuses, if the metric refers to one in both captures and they were compared.
fn census_difference<'a>(
    captures: &CapturePair<'a>,
    record: &ProbeRecord,
    pair: &Pair<'_, Metric>,
) -> Option<&'a Result<CensusDifference, CensusComparisonError>> {
    let Pair::Both(old, new) = pair else { return None };
    let are_censuses = matches!((&old.value, &new.value), (Value::Census(_), Value::Census(_)));
    if !are_censuses || old.unit != new.unit {
        return None;
    }
    captures.differences.get(&(record.name.clone(), new.name.clone(), new.labels.clone()))
}

/// The value as findings show it; of a census its number of documents instead of its id.
fn plain_value(capture: &CaptureIndex<'_>, record: &ProbeRecord, metric: &Metric) -> Json {
    capture.census_documents(&record.name, metric).map_or_else(|| metric.value.plain(), Json::from)
}

/// Live data grow: more documents than before are allowed unless an expectation forbids it.
fn live_growth(data: DataKind, pair: &Pair<'_, Metric>, applied: &AppliedRule<'_>) -> Option<Comparison> {
    let Pair::Both(old, new) = pair else { return None };
    let (Value::Integer(before), Value::Integer(after)) = (&old.value, &new.value) else { return None };
    let counts_documents = old.unit == DOCUMENTS && new.unit == DOCUMENTS;
    let may_grow = data == DataKind::Live && applied.origin == RuleOrigin::Default;
    (may_grow && counts_documents && after > before)
        .then(|| taster_text::grouped(after.abs_diff(*before)))
        .map(|more| Comparison::allowed(format!("{more} more; allowed because the data are live")))
}

fn compare_values(
    captures: &CapturePair<'_>,
    record: &ProbeRecord,
    pair: &Pair<'_, Metric>,
    applied: &AppliedRule<'_>,
) -> Comparison {
    let one_sided = |code, when, capture: &CaptureIndex<'_>, metric: &Metric| {
        let value = match capture.census_documents(&record.name, metric) {
            Some(documents) => taster_text::counted(documents, "document"),
            None => compare::format_value(&metric.value),
        };
        let reason = format!("only {when} the sync: {value}");
        match applied.rule {
            Rule::Ignore => Comparison::allowed(reason),
            _ => Comparison::unknown(code, reason),
        }
    };
    match pair {
        Pair::Both(old, new) => compare::compare(old, new, applied.rule, applied.origin),
        Pair::OnlyBefore(old) => one_sided(ReasonCode::OnlyBefore, "before", &captures.before, old),
        Pair::OnlyAfter(new) => one_sided(ReasonCode::OnlyAfter, "after", &captures.after, new),
        Pair::Ambiguous(_) => Comparison::unknown(
            ReasonCode::NotComparable,
            "reported more than once with the same name and labels in one capture",
        ),
    }
}
