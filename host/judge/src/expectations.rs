//! Which expectation applies to a metric, and which expectations match no metric.
//!
//! Of the operator's expectations that match, the most specific one applies: one with a probe before one without; then one
//! with the metric's name before one with a pattern; then one with more literal segments; then one with more labels; then,
//! among equals, the later one in the configuration. If none matches, the probe's own expectation applies, and `equal` if
//! it has none.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use taster_model::{
    Capture, Expectation, Finding, FindingOutcome, Metric, MetricDeclaration, ProbeOutcome, ProbeRecord, ReasonCode,
    Rule, Severity,
};

use crate::{compare::RuleOrigin, expectation_index::ExpectationIndex, show, verdict};

/// The rule that applies to one metric.
#[derive(Debug, Clone)]
pub(crate) struct AppliedRule<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) origin: RuleOrigin,
    pub(crate) severity: Severity,
    pub(crate) muted: bool,
    /// The reason that the operator's expectation gives.
    pub(crate) reason: Option<&'a str>,
}

/// The rule that applies to `metric` of `probe`.
pub(crate) fn applied_rule<'a>(
    expectations: &ExpectationIndex<'a>,
    probe: &'a ProbeRecord,
    metric: &Metric,
) -> AppliedRule<'a> {
    let most_specific = expectations
        .matching(&probe.name, metric)
        .max_by_key(|(position, expectation)| (specificity(expectation), *position))
        .map(|(_, expectation)| expectation);
    if let Some(expectation) = most_specific {
        return AppliedRule {
            rule: &expectation.rule,
            origin: RuleOrigin::Explicit,
            severity: expectation.severity.unwrap_or(probe.severity),
            muted: expectation.muted || probe.muted,
            reason: expectation.reason.as_deref(),
        };
    }
    let own = find_declaration(&probe.declarations, metric).and_then(|declaration| declaration.expect.as_ref());
    AppliedRule {
        rule: own.unwrap_or(&Rule::Equal),
        origin: if own.is_some() { RuleOrigin::Explicit } else { RuleOrigin::Default },
        severity: probe.severity,
        muted: probe.muted,
        reason: None,
    }
}

fn specificity(expectation: &Expectation) -> (bool, bool, usize, usize) {
    let metric = &expectation.metric;
    (expectation.probe.is_some(), metric.is_exact(), metric.literal_segments(), expectation.labels.len())
}

/// The probe's declaration of `metric`: the most specific pattern of the metric's kind; among equals the first.
fn find_declaration<'a>(declarations: &'a [MetricDeclaration], metric: &Metric) -> Option<&'a MetricDeclaration> {
    declarations
        .iter()
        .filter(|declaration| declaration.kind == metric.value.kind() && declaration.name.matches(&metric.name))
        .min_by_key(|declaration| Reverse((declaration.name.is_exact(), declaration.name.literal_segments())))
}

/// Expectations that keep a metric from deciding and did not do so before the sync: what is found now could not stop the
/// release.
pub(crate) fn newly_quiet(before: &Capture, after: &Capture, expectations: &ExpectationIndex<'_>) -> Vec<Finding> {
    // captures of earlier versions do not contain them
    let Some(known) = &before.quiet_expectations else { return Vec::new() };
    let scope = |expectation: &Expectation| {
        (expectation.probe.clone(), expectation.metric.as_str().to_owned(), expectation.labels.clone())
    };
    let known: BTreeSet<_> = known.iter().map(scope).collect();
    let mut quiet = BTreeMap::new();
    for record in after.probes.iter().filter(|record| record.severity == Severity::Fail && !record.muted) {
        let ProbeOutcome::Metrics(metrics) = &record.outcome else { continue };
        for metric in metrics {
            let matching = expectations.matching(&record.name, metric);
            quiet.extend(matching.filter(|(_, expectation)| expectation.is_quiet()));
        }
    }
    let newly = quiet.into_values().filter(|expectation| !known.contains(&scope(expectation)));
    newly
        .map(|expectation| {
            let now = if expectation.muted { "`muted`" } else { "`severity: warn`" };
            let reason = format!(
                "the expectation of {} is {now} after the sync and was not there before it: add it before `taster pre`",
                show::name(expectation.metric.as_str())
            );
            Finding {
                probe: expectation.probe.clone(),
                labels: expectation.labels.clone(),
                ..verdict::finding(FindingOutcome::Unknown, ReasonCode::OptionsChanged, reason)
            }
        })
        .collect()
}

/// Expectations that match no metric of either capture: mistyped, or the metric no longer exists.
pub(crate) fn unmatched(before: &Capture, after: &Capture, expectations: &ExpectationIndex<'_>) -> Vec<Finding> {
    let unmatched = expectations.unmatched(metrics_of_both(before, after));
    if unmatched.is_empty() {
        return Vec::new();
    }
    let names = MetricNames::of(before, after);
    unmatched
        .into_iter()
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
                    unmatched_reason(expectation, &names),
                )
            }
        })
        .collect()
}

fn unmatched_reason(expectation: &Expectation, names: &MetricNames<'_>) -> String {
    if names.has(expectation) {
        return "the expectation matched no metric: metrics of this name exist, but none with these labels".to_owned();
    }
    match &expectation.probe {
        Some(probe) if !names.by_probe.contains_key(probe.as_str()) => {
            format!("the expectation matched no metric: probe {} returned none", show::name(probe))
        }
        _ => "the expectation matched no metric".to_owned(),
    }
}

/// The names of all metrics of both captures.
struct MetricNames<'a> {
    all: HashSet<&'a str>,
    by_probe: HashMap<&'a str, HashSet<&'a str>>,
}

impl<'a> MetricNames<'a> {
    fn of(before: &'a Capture, after: &'a Capture) -> Self {
        let mut names = Self { all: HashSet::new(), by_probe: HashMap::new() };
        for (probe, metric) in metrics_of_both(before, after) {
            names.all.insert(&metric.name);
            names.by_probe.entry(probe).or_default().insert(&metric.name);
        }
        names
    }

    /// Whether a metric has the name that the expectation asks for, whatever its labels are.
    fn has(&self, expectation: &Expectation) -> bool {
        let (name, is_exact) = (expectation.metric.as_str(), expectation.metric.is_exact());
        let fits = |other: &&str| expectation.metric.matches(other);
        match &expectation.probe {
            None if is_exact => self.all.contains(name),
            None => self.all.iter().any(&fits),
            Some(probe) => self
                .by_probe
                .get(probe.as_str())
                .is_some_and(|names| if is_exact { names.contains(name) } else { names.iter().any(&fits) }),
        }
    }
}

fn metrics_of_both<'a>(before: &'a Capture, after: &'a Capture) -> impl Iterator<Item = (&'a str, &'a Metric)> {
    [before, after].into_iter().flat_map(|capture| &capture.probes).flat_map(metrics_of_probe)
}

fn metrics_of_probe(record: &ProbeRecord) -> impl Iterator<Item = (&str, &Metric)> {
    record.metrics().iter().map(|metric| (record.name.as_str(), metric))
}
