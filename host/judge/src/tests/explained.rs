//! Differences that standard probes report and that declared changes explain.

use insta::assert_snapshot;
use serde_json::json;
use taster_model::{
    Capture, CensusDifference, DeclaredChange, FindingOutcome, Metric, ProbeOutcome, ProbeRecord, Severity, Value,
};

use super::changes::{archived, outcome};
use crate::fixtures::*;

/// The finding of a standard probe about `orders` with declared changes.
fn standard_probe_finding(
    component: &str,
    metric: &str,
    (before, after): (Value, Value),
    changes: &[DeclaredChange],
    difference: Option<CensusDifference>,
) -> String {
    let side = |value| {
        let metric = Metric { labels: collection_label("orders"), ..self::metric(metric, value) };
        let record =
            ProbeRecord { component: component.to_owned(), ..probe("standard", ProbeOutcome::Metrics(vec![metric])) };
        let mut side = capture_with_census();
        side.probes.push(record);
        side
    };
    let differences = difference.map(|difference| orders_census(Ok(difference))).unwrap_or_default();
    let judgement = judge_with_censuses(&side(before), &side(after), &differences, changes, &[]);
    let finding = judgement.findings.iter().find(|f| f.probe.as_deref() == Some("standard")).unwrap();
    format!("{} {}: {}", finding.outcome, finding.code.as_str(), finding.reason)
}

#[test]
fn declared_changes_explain_standard_probes() {
    let shape = |extra: serde_json::Value| {
        let mut shape = json!({"_id": {"objectId": 5}, "items[].price": {"int": 9}, "total": {"int": 5}});
        shape.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Value::Document(shape)
    };
    let index = |names: &[&str]| {
        Value::Document(names.iter().map(|name| ((*name).to_owned(), json!({"key": {*name: 1}}))).collect())
    };
    let added = declared_change(json!({"collection": "orders", "addedIndex": "new_1"}));
    let archived = archived();
    let nested = declared_change(json!({"collection": "orders", "addedField": "audit", "type": "object"}));
    let retyped =
        declared_change(json!({"collection": "orders", "retypedField": "total", "from": "int", "to": "long"}));
    let elsewhere = declared_change(json!({"collection": "carts", "addedField": "archived", "type": "bool"}));
    let with = || shape(json!({"archived": {"bool": 5}}));
    let proven = |change: &DeclaredChange| {
        Some(CensusDifference { changes: vec![outcome(change, 100, document_count(0), 0)], ..unchanged_documents(100) })
    };
    let vat = declared_change(json!({"collection": "orders", "addedField": "items.vat", "type": "int"}));
    let of_shape = |after: Value, change: &DeclaredChange, difference: Option<CensusDifference>| {
        let values = (shape(json!({})), after);
        standard_probe_finding("schema-shape", "shape", values, std::slice::from_ref(change), difference)
    };
    let of_indexes = |before: &[&str]| {
        let values = (index(before), index(&["_id_", "new_1"]));
        standard_probe_finding("index-inventory", "indexes", values, std::slice::from_ref(&added), None)
    };
    let other_probe = (shape(json!({})), with());
    let two_fields = json!({"archived": {"bool": 5}, "archivedBy": {"string": 1}});
    let audit = json!({"audit": {"object": 5}, "audit.by": {"string": 5}, "audit.log[].at": {"date": 5}});
    let cases = [
        of_shape(with(), &archived, proven(&archived)),
        // no census proves it
        of_shape(with(), &archived, None),
        of_shape(shape(json!({"items[].vat": {"int": 9}})), &vat, proven(&vat)),
        of_shape(with(), &elsewhere, None),
        standard_probe_finding("group-report", "shape", other_probe, std::slice::from_ref(&archived), None),
        of_shape(shape(two_fields), &archived, proven(&archived)),
        of_shape(shape(audit), &nested, proven(&nested)),
        of_shape(shape(json!({"total": {"long": 5}})), &retyped, proven(&retyped)),
        of_indexes(&["_id_"]),
        of_indexes(&["_id_", "old_1"]),
    ];
    assert_snapshot!(cases.join("\n"), @"
        expected declared-change: as declared: `archived`
        different changed: `archived` is new
        expected declared-change: as declared: `items[].vat`
        different changed: `archived` is new
        different changed: `archived` is new
        different changed: `archivedBy` is new; as declared: `archived`
        expected declared-change: as declared: `audit`, `audit.by` and `audit.log[].at`
        expected declared-change: as declared: `total`
        expected declared-change: as declared: `new_1`
        different changed: `old_1` is gone; as declared: `new_1`
    ");
}

#[test]
fn a_count_that_a_census_explains_is_expected() {
    let gone = declared_change(json!({"collection": "orders", "removedDocuments": {"status": "void"}}));
    let proven = |left| CensusDifference {
        after: left,
        changes: vec![outcome(&gone, 7, document_count(0), 0)],
        expired: document_count(2),
        ..unchanged_documents(100)
    };
    let count = |after, difference| {
        let values = (integer(100), integer(after));
        standard_probe_finding("document-count", "documents", values, std::slice::from_ref(&gone), difference)
    };
    assert_snapshot!(count(91, Some(proven(91))), @"expected declared-change: 7 removed as declared, 2 expired");
    assert_snapshot!(count(90, Some(proven(91))), @"different changed: 10 fewer");
    assert_snapshot!(count(91, None), @"different changed: 9 fewer");
    let lossy = CensusDifference { documents: differing(1, 0, 0).documents, ..proven(91) };
    assert_snapshot!(count(91, Some(lossy)), @"different changed: 9 fewer");
}

/// Documents are paired whatever fields are ignored, so that a count is explained; what the fields hold is not.
#[test]
fn a_census_without_some_fields_explains_counts_alone() {
    let expired = CensusDifference { after: 97, expired: document_count(3), ..unchanged_documents(100) };
    let outcome_of = |(component, name): (&str, &str), options: serde_json::Value, value: fn(i64) -> Value| {
        let side = |documents| {
            let metric = Metric { labels: collection_label("orders"), ..metric(name, value(documents)) };
            let outcome = ProbeOutcome::Metrics(vec![metric]);
            let mut side = capture_with_census();
            side.censuses[0].options = options.clone();
            side.probes.push(ProbeRecord { component: component.to_owned(), ..probe("standard", outcome) });
            side
        };
        let judgement = judge_with_censuses(&side(100), &side(97), &orders_census(Ok(expired.clone())), &[], &[]);
        judgement.findings.iter().find(|f| f.probe.as_deref() == Some("standard")).unwrap().outcome
    };
    let (counts, shapes) = (("document-count", "documents"), ("schema-shape", "shape"));
    let count = |documents| Value::Integer(documents);
    let shape = |documents: i64| Value::Document(json!({"_id": {"int": documents}}));
    let (ignored, filter) = (json!({"ignored": ["total"]}), json!({"filter": {"status": "open"}}));
    assert_eq!(outcome_of(counts, ignored.clone(), count), FindingOutcome::Expected);
    assert_eq!(outcome_of(counts, filter, count), FindingOutcome::Different);
    assert_eq!(outcome_of(shapes, json!({}), shape), FindingOutcome::Expected);
    assert_eq!(outcome_of(shapes, ignored, shape), FindingOutcome::Different);
}

#[test]
fn a_shape_whose_numbers_a_census_explains_is_expected() {
    let gone = declared_change(json!({"collection": "orders", "removedDocuments": {"status": "void"}}));
    let proven = CensusDifference {
        after: 93,
        changes: vec![outcome(&gone, 7, document_count(0), 0)],
        ..unchanged_documents(100)
    };
    let shape = |n: i32, total: i32| {
        let long = |n: i32| json!({"$numberLong": n.to_string()});
        Value::Document(json!({"_id": {"objectId": long(n - 3), "int": long(3)}, "total": {"double": long(total)}}))
    };
    let finding_of = |values, difference: &CensusDifference| {
        standard_probe_finding("schema-shape", "shape", values, std::slice::from_ref(&gone), Some(difference.clone()))
    };
    assert_snapshot!(finding_of((shape(100, 100), shape(93, 93)), &proven), @"expected declared-change: 7 removed as declared");
    assert_snapshot!(finding_of((shape(100, 100), shape(92, 92)), &proven), @"different changed: `_id.objectId`: 97 → 89; `total.double`: 100 → 92");
    let lossy = CensusDifference { documents: differing(0, 0, 1).documents, ..proven };
    assert_snapshot!(finding_of((shape(100, 100), shape(93, 92)), &lossy), @"different changed: `_id.objectId`: 97 → 90; `total.double`: 100 → 92");
}

/// How both captures are altered, and the expected outcome.
type Case = (fn(&mut Capture), FindingOutcome);

#[test]
fn only_a_deciding_and_complete_census_explains_other_probes() {
    let retyped =
        declared_change(json!({"collection": "orders", "retypedField": "total", "from": "double", "to": "decimal"}));
    let difference =
        CensusDifference { changes: vec![outcome(&retyped, 100, document_count(0), 0)], ..unchanged_documents(100) };
    // the field is missing in documents that the census may not cover
    let side = |census: fn(&mut Capture), shape: serde_json::Value| {
        let metric = Metric { labels: collection_label("orders"), ..metric("shape", Value::Document(shape)) };
        let record = ProbeRecord {
            component: "schema-shape".to_owned(),
            ..probe("standard", ProbeOutcome::Metrics(vec![metric]))
        };
        let mut side = capture_with_census();
        census(&mut side);
        side.probes.push(record);
        side
    };
    let outcome_of = |census: fn(&mut Capture)| {
        let before = side(census, json!({"_id": {"int": 200}, "total": {"double": 200}}));
        let after = side(census, json!({"_id": {"int": 200}, "total": {"decimal": 100}}));
        let changes = std::slice::from_ref(&retyped);
        let judgement = judge_with_censuses(&before, &after, &orders_census(Ok(difference.clone())), changes, &[]);
        judgement.findings.iter().find(|f| f.probe.as_deref() == Some("standard")).unwrap().outcome
    };
    let cases: [Case; 5] = [
        (|_| {}, FindingOutcome::Expected),
        (|side| side.probes[0].severity = Severity::Warn, FindingOutcome::Different),
        (|side| side.probes[0].muted = true, FindingOutcome::Different),
        (|side| side.censuses[0].options = json!({"filter": {"status": "open"}}), FindingOutcome::Different),
        // a census of another collection, whatever its label says
        (|side| side.censuses[0].collection = "audit".to_owned(), FindingOutcome::Different),
    ];
    for (number, (census, expected)) in cases.into_iter().enumerate() {
        assert_eq!(outcome_of(census), expected, "case {number}");
    }
}
