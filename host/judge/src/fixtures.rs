//! Fixtures: small captures made from metrics, and one-line summaries of findings.

use taster_model::{
    Capture, CensusComparisonError, CensusDifference, CensusDifferences, CensusFacts, CollectionFacts, CollectionGrant,
    Consistency, DataKind, DeclaredChange, DifferingDocuments, DocumentSet, Expectation, Failure, Finding, Labels,
    Merge, Metric, MetricDeclaration, ProbeOutcome, ProbeRecord, Real, ReplicaMember, Rule, ServerFacts, Severity,
    Side, Topology, Usage, Value, schema,
};

use crate::{Judgement, JudgementInput, judge};

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

pub(crate) fn probe(name: &str, outcome: ProbeOutcome) -> ProbeRecord {
    ProbeRecord {
        name: name.to_owned(),
        component: "group-report".to_owned(),
        sha256: "9f86d081884c7d65".to_owned(),
        version: "1.0.0".to_owned(),
        results: None,
        options_sha256: "60303ae22b998861".to_owned(),
        collections: vec![CollectionGrant { name: "orders".to_owned(), role: "orders".to_owned() }],
        severity: Severity::Fail,
        muted: false,
        declarations: Vec::new(),
        outcome,
        usage: Usage { collections: vec!["orders".to_owned()], ..Usage::default() },
        limits: None,
    }
}

pub(crate) fn shop_probe(metrics: Vec<Metric>) -> ProbeRecord {
    probe("shop", ProbeOutcome::Metrics(metrics))
}

pub(crate) fn failed(name: &str, failure: Failure) -> ProbeRecord {
    probe(name, ProbeOutcome::Failed(failure))
}

pub(crate) fn collection(name: &str) -> CollectionFacts {
    CollectionFacts { name: name.to_owned(), ..CollectionFacts::default() }
}

pub(crate) fn capture(probes: Vec<ProbeRecord>) -> Capture {
    let attempt = "01JZ0000000000000000000000".to_owned().try_into().unwrap();
    Capture {
        schema: schema::CAPTURE.to_owned(),
        app: "pxbbq".parse().unwrap(),
        run: "1764000000".parse().unwrap(),
        side: Side::Pre,
        attempt,
        taster: "0.1.0".to_owned(),
        started: jiff::Timestamp::UNIX_EPOCH,
        finished: jiff::Timestamp::UNIX_EPOCH,
        probe_clock: jiff::Timestamp::UNIX_EPOCH,
        probe_seed: "00".to_owned(),
        server: ServerFacts {
            version: "6.0.5".to_owned(),
            topology: Topology::Standalone,
            replica_set: None,
            volumes: Vec::new(),
            copied: Vec::new(),
            process_id: Some("p1".to_owned()),
            database: "pxbbq".to_owned(),
            read_at: None,
            clock: None,
            hosts: None,
            members: vec![ReplicaMember {
                host: None,
                process_id: Some("p1".to_owned()),
                startups: vec!["stage-1".to_owned()],
            }],
        },
        data: DataKind::Copy,
        workloads: Vec::new(),
        consistency: Consistency::default(),
        collections: vec![collection("orders")],
        probes,
        censuses: Vec::new(),
        census_key: None,
        revision: None,
        changes: Vec::new(),
        quiet_expectations: None,
        objects: Vec::new(),
    }
}

/// An expectation about `metric`.
pub(crate) fn expectation(metric: &str, rule: &str) -> Expectation {
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
pub(crate) fn declaration(metric: &str, value: &Value, expect: Option<&str>) -> MetricDeclaration {
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

pub(crate) fn judge_captures(before: &Capture, after: &Capture, expectations: &[Expectation]) -> Judgement {
    judge(&JudgementInput { expectations, ..JudgementInput::new(Some(before), after) })
}

/// Judges the metrics of one probe.
pub(crate) fn judge_metrics(before: Vec<Metric>, after: Vec<Metric>, expectations: &[Expectation]) -> Judgement {
    judge_captures(&capture(vec![shop_probe(before)]), &capture(vec![shop_probe(after)]), expectations)
}

/// The finding about one metric whose value changed, under `rule`.
pub(crate) fn changed_metric_finding(before: Value, after: Value, rule: Option<&str>) -> Finding {
    let expectations: Vec<Expectation> = rule.map(|rule| expectation("orders.revenue", rule)).into_iter().collect();
    let judgement =
        judge_metrics(vec![metric("orders.revenue", before)], vec![metric("orders.revenue", after)], &expectations);
    judgement.findings.into_iter().find(|finding| finding.metric.is_some()).unwrap()
}

/// The verdict, and a line for each finding: `outcome code [subject]: reason`.
pub(crate) fn summarize(judgement: &Judgement) -> String {
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
pub(crate) fn declared_change(written: serde_json::Value) -> DeclaredChange {
    serde_json::from_value(written).unwrap()
}

pub(crate) fn collection_label(collection: &str) -> Labels {
    Labels::from([("collection".to_owned(), collection.to_owned())])
}

/// A capture with the census of `orders`, 100 documents, by the probe `documents`.
pub(crate) fn capture_with_census() -> Capture {
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
    Capture { censuses: vec![census], ..capture(vec![probe("documents", ProbeOutcome::Metrics(vec![metric]))]) }
}

/// Results of comparing censuses.
pub(crate) type CensusResults = Vec<((String, String, Labels), Result<CensusDifference, CensusComparisonError>)>;

/// The result of comparing the census of [`capture_with_census`].
pub(crate) fn orders_census(found: Result<CensusDifference, CensusComparisonError>) -> CensusResults {
    vec![(("documents".to_owned(), "documents".to_owned(), collection_label("orders")), found)]
}

pub(crate) fn document_count(count: u64) -> DocumentSet {
    DocumentSet { count, ..DocumentSet::default() }
}

/// This many documents, all unchanged.
pub(crate) fn unchanged_documents(documents: u64) -> CensusDifference {
    CensusDifference { before: documents, after: documents, ..CensusDifference::default() }
}

/// A hundred documents before the sync, with these undeclared differences.
pub(crate) fn differing(missing: u64, extra: u64, changed: u64) -> CensusDifference {
    let documents = DifferingDocuments {
        missing: document_count(missing),
        extra: document_count(extra),
        changed: document_count(changed),
    };
    CensusDifference { documents, after: 100 - missing.min(100) + extra, ..unchanged_documents(100) }
}

/// Judges two captures with censuses and declared changes.
pub(crate) fn judge_with_censuses(
    before: &Capture,
    after: &Capture,
    found: &CensusResults,
    changes: &[DeclaredChange],
    expectations: &[Expectation],
) -> Judgement {
    let differences: CensusDifferences = found.iter().cloned().collect();
    judge(&JudgementInput {
        expectations,
        changes,
        differences: &differences,
        ..JudgementInput::new(Some(before), after)
    })
}
