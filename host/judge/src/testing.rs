//! Fixtures of this crate's tests: small captures, made from their metrics.

use taster_model::{
    Capture, CensusDifference, CensusFacts, CensusProblem, CollectionFacts, CollectionGrant, DeclaredChange,
    Differences, DocumentSet, Documents, Expectation, Failure, Finding, Labels, Member, Merge, Metric,
    MetricDeclaration, Outcome, ProbeRecord, Real, Rule, ServerFacts, Side, Usage, Value,
};
use taster_testkit::captures;

use crate::{Input, Judgement, judge};

pub(crate) fn metric(name: &str, value: Value) -> Metric {
    Metric { name: name.to_owned(), labels: Labels::new(), value, unit: "1".to_owned() }
}

pub(crate) fn labelled(name: &str, labels: &[(&str, &str)], value: Value) -> Metric {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Metric { labels, ..metric(name, value) }
}

pub(crate) fn integer(n: i64) -> Value {
    Value::Integer(n)
}

pub(crate) fn real(x: f64) -> Value {
    Value::Real(Real(x))
}

pub(crate) fn decimal(text: &str) -> Value {
    Value::Decimal(text.to_owned())
}

pub(crate) fn set(items: &[&str]) -> Value {
    Value::Set(items.iter().map(|item| (*item).to_owned()).collect())
}

pub(crate) fn probe(name: &str, outcome: Outcome) -> ProbeRecord {
    ProbeRecord {
        sha256: "9f86d081884c7d65".to_owned(),
        options_sha256: "60303ae22b998861".to_owned(),
        collections: vec![CollectionGrant { name: "orders".to_owned(), role: "orders".to_owned() }],
        usage: Usage { collections: vec!["orders".to_owned()], ..Usage::default() },
        ..captures::probe(name, outcome)
    }
}

pub(crate) fn shop(metrics: Vec<Metric>) -> ProbeRecord {
    probe("shop", Outcome::Metrics(metrics))
}

pub(crate) fn failed(name: &str, failure: Failure) -> ProbeRecord {
    probe(name, Outcome::Failed(failure))
}

pub(crate) fn collection(name: &str) -> CollectionFacts {
    CollectionFacts { name: name.to_owned(), ..CollectionFacts::default() }
}

pub(crate) fn capture(probes: Vec<ProbeRecord>) -> Capture {
    let server = ServerFacts {
        process_id: Some("p1".to_owned()),
        members: vec![Member { host: None, process_id: Some("p1".to_owned()), startups: vec!["stage-1".to_owned()] }],
        ..captures::server()
    };
    Capture {
        attempt: "01JZ0000000000000000000000".to_owned().try_into().unwrap(),
        started: jiff::Timestamp::UNIX_EPOCH,
        finished: jiff::Timestamp::UNIX_EPOCH,
        probe_clock: jiff::Timestamp::UNIX_EPOCH,
        probe_seed: "00".to_owned(),
        server,
        collections: vec![collection("orders")],
        probes,
        ..captures::empty("1764000000", Side::Pre)
    }
}

/// An expectation about `metric`.
pub(crate) fn expect(metric: &str, rule: &str) -> Expectation {
    Expectation {
        probe: None,
        metric: metric.parse().unwrap(),
        labels: Labels::new(),
        rule: rule.parse().unwrap(),
        severity: None,
        muted: false,
        reason: None,
    }
}

/// The probe's own expectation about `metric`.
pub(crate) fn declare(metric: &str, value: &Value, expect: Option<&str>) -> MetricDeclaration {
    MetricDeclaration {
        name: metric.parse().unwrap(),
        summary: String::new(),
        kind: value.kind(),
        unit: "1".to_owned(),
        labels: Vec::new(),
        expect: expect.map(|rule| rule.parse::<Rule>().unwrap()),
        merge: Merge::Never,
    }
}

pub(crate) fn judged(before: &Capture, after: &Capture, expectations: &[Expectation]) -> Judgement {
    judge(&Input { expectations, ..Input::of(Some(before), after) })
}

/// Judges two lists of metrics of one probe.
pub(crate) fn judged_metrics(before: Vec<Metric>, after: Vec<Metric>, expectations: &[Expectation]) -> Judgement {
    judged(&capture(vec![shop(before)]), &capture(vec![shop(after)]), expectations)
}

/// The finding of one metric whose value changed, under `rule`.
pub(crate) fn one(before: Value, after: Value, rule: Option<&str>) -> Finding {
    let expectations: Vec<Expectation> = rule.map(|rule| expect("orders.revenue", rule)).into_iter().collect();
    let judgement =
        judged_metrics(vec![metric("orders.revenue", before)], vec![metric("orders.revenue", after)], &expectations);
    judgement.findings.into_iter().find(|finding| finding.metric.is_some()).unwrap()
}

/// `outcome code: reason`, a line for each finding, with what it is about.
pub(crate) fn told(judgement: &Judgement) -> String {
    let mut lines = vec![judgement.verdict.to_string()];
    for finding in &judgement.findings {
        let about: Vec<String> = [finding.probe.clone(), finding.metric.clone()]
            .into_iter()
            .flatten()
            .chain(finding.labels.iter().map(|(key, value)| format!("{key}={value}")))
            .collect();
        let gate = if finding.gates() { "" } else { " (not gating)" };
        lines.push(format!(
            "{}{gate} {} [{}]: {}",
            finding.outcome,
            finding.code.as_str(),
            about.join(" "),
            finding.reason
        ));
    }
    lines.join("\n")
}

/// A declared change as a configuration writes it.
pub(crate) fn change(written: serde_json::Value) -> DeclaredChange {
    serde_json::from_value(written).unwrap()
}

pub(crate) fn of_label(collection: &str) -> Labels {
    Labels::from([("collection".to_owned(), collection.to_owned())])
}

/// A capture with the census of `orders`, 100 documents, by the probe `documents`.
pub(crate) fn census_side() -> Capture {
    let metric = Metric {
        unit: "{document}".to_owned(),
        ..labelled("documents", &[("collection", "orders")], Value::Census("c0".to_owned()))
    };
    let census = CensusFacts {
        probe: "documents".to_owned(),
        id: "c0".to_owned(),
        collection: "orders".to_owned(),
        object: "pre/01/pxbbq.orders.census".to_owned(),
        documents: 100,
        bytes: 1000,
        options: serde_json::json!({}),
        sum: "00".to_owned(),
    };
    Capture { censuses: vec![census], ..capture(vec![probe("documents", Outcome::Metrics(vec![metric]))]) }
}

/// What was found of censuses, as a list.
pub(crate) type Found = Vec<((String, String, Labels), Result<CensusDifference, CensusProblem>)>;

/// What was found of the census of [`census_side`].
pub(crate) fn orders(found: Result<CensusDifference, CensusProblem>) -> Found {
    vec![(("documents".to_owned(), "documents".to_owned(), of_label("orders")), found)]
}

pub(crate) fn set_of(count: u64) -> DocumentSet {
    DocumentSet { count, ..DocumentSet::default() }
}

/// So many documents, each as it was.
pub(crate) fn clean(documents: u64) -> CensusDifference {
    CensusDifference { before: documents, after: documents, ..CensusDifference::default() }
}

/// A hundred documents, and what nobody declared of them.
pub(crate) fn differing(missing: u64, extra: u64, changed: u64) -> CensusDifference {
    let documents = Documents { missing: set_of(missing), extra: set_of(extra), changed: set_of(changed) };
    CensusDifference { documents, after: 100 - missing.min(100) + extra, ..clean(100) }
}

/// Judges with censuses and declared changes.
pub(crate) fn censused(
    before: &Capture,
    after: &Capture,
    found: &Found,
    changes: &[DeclaredChange],
    expectations: &[Expectation],
) -> Judgement {
    let differences: Differences = found.iter().cloned().collect();
    judge(&Input { expectations, changes, differences: &differences, ..Input::of(Some(before), after) })
}
