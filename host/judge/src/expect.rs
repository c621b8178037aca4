//! Which expectation counts for a metric, and which matched nothing.
//!
//! Of the operator's expectations that match, the most specific one counts: one that names the probe before one that
//! does not; then one that names the metric before a pattern; then more spelled-out segments of the name; then more
//! labels; then, of equals, the later one in the configuration. Where none matches, the probe's own declaration counts,
//! and where that says nothing, `equal`.

use std::cmp::Reverse;

use taster_model::{
    Capture, Expectation, Finding, FindingOutcome, Metric, MetricDeclaration, Outcome, ProbeRecord, ReasonCode, Rule,
    Severity,
};

use crate::{compare::Declared, show, verdict};

/// What counts for one metric.
#[derive(Debug, Clone)]
pub(crate) struct Applied<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) declared: Declared,
    pub(crate) severity: Severity,
    pub(crate) muted: bool,
    /// The operator's reason.
    pub(crate) reason: Option<&'a str>,
}

/// What counts for `metric` of `probe`.
pub(crate) fn choose<'a>(expectations: &'a [Expectation], probe: &'a ProbeRecord, metric: &Metric) -> Applied<'a> {
    let best = expectations
        .iter()
        .enumerate()
        .filter(|(_, expectation)| matches(expectation, &probe.name, metric))
        .max_by_key(|(place, expectation)| (specificity(expectation), *place))
        .map(|(_, expectation)| expectation);
    if let Some(expectation) = best {
        return Applied {
            rule: &expectation.rule,
            declared: Declared::Yes,
            severity: expectation.severity.unwrap_or(probe.severity),
            muted: expectation.muted || probe.muted,
            reason: expectation.reason.as_deref(),
        };
    }
    let own = declaration(&probe.declarations, metric).and_then(|declaration| declaration.expect.as_ref());
    Applied {
        rule: own.unwrap_or(&Rule::Equal),
        declared: if own.is_some() { Declared::Yes } else { Declared::No },
        severity: probe.severity,
        muted: probe.muted,
        reason: None,
    }
}

fn specificity(expectation: &Expectation) -> (bool, bool, usize, usize) {
    let metric = &expectation.metric;
    (expectation.probe.is_some(), metric.is_exact(), metric.literal_segments(), expectation.labels.len())
}

fn matches(expectation: &Expectation, probe: &str, metric: &Metric) -> bool {
    expectation.probe.as_deref().is_none_or(|name| name == probe)
        && expectation.metric.matches(&metric.name)
        && expectation.labels.iter().all(|(key, value)| metric.labels.get(key) == Some(value))
}

/// The declaration that speaks of `metric`: the most specific pattern of its kind, of equals the first.
fn declaration<'a>(declarations: &'a [MetricDeclaration], metric: &Metric) -> Option<&'a MetricDeclaration> {
    declarations
        .iter()
        .filter(|declaration| declaration.kind == metric.value.kind() && declaration.name.matches(&metric.name))
        .min_by_key(|declaration| Reverse((declaration.name.is_exact(), declaration.name.literal_segments())))
}

/// Expectations that matched no metric of either side: a typing error, or the thing that it speaks of is gone.
pub(crate) fn unmatched(before: &Capture, after: &Capture, expectations: &[Expectation]) -> Vec<Finding> {
    let metrics: Vec<(&str, &Metric)> =
        [before, after].into_iter().flat_map(|capture| &capture.probes).flat_map(metrics_of).collect();
    expectations
        .iter()
        .filter(|expectation| !metrics.iter().any(|(probe, metric)| matches(expectation, probe, metric)))
        .map(|expectation| {
            let probe = after.probes.iter().find(|record| Some(&record.name) == expectation.probe.as_ref());
            Finding {
                probe: expectation.probe.clone(),
                metric: Some(expectation.metric.to_string()),
                labels: expectation.labels.clone(),
                severity: expectation.severity.or(probe.map(|record| record.severity)).unwrap_or_default(),
                muted: expectation.muted || probe.is_some_and(|record| record.muted),
                rule: Some(expectation.rule.to_string()),
                declared: expectation.reason.clone(),
                ..verdict::finding(
                    FindingOutcome::Unknown,
                    ReasonCode::ExpectationUnmatched,
                    told_unmatched(expectation, &metrics),
                )
            }
        })
        .collect()
}

fn told_unmatched(expectation: &Expectation, metrics: &[(&str, &Metric)]) -> String {
    let of_probe = |probe: &str| expectation.probe.as_deref().is_none_or(|name| name == probe);
    let named = metrics.iter().any(|(probe, metric)| of_probe(probe) && expectation.metric.matches(&metric.name));
    if named {
        return "the expectation matched no metric: there are metrics of this name, but none with these labels"
            .to_owned();
    }
    match &expectation.probe {
        Some(probe) if !metrics.iter().any(|(name, _)| name == probe) => {
            format!("the expectation matched no metric: probe {} returned none", show::name(probe))
        }
        _ => "the expectation matched no metric".to_owned(),
    }
}

fn metrics_of(record: &ProbeRecord) -> Vec<(&str, &Metric)> {
    match &record.outcome {
        Outcome::Metrics(metrics) => metrics.iter().map(|metric| (record.name.as_str(), metric)).collect(),
        Outcome::Failed(_) => Vec::new(),
    }
}
