//! Pairs of captures in which everything changed, as large as wanted: what judging, rendering and comparing cost is measured
//! with them.

use serde_json::{Value as Json, json};
use taster_model::{
    Capture, CensusDifference, CensusDifferences, CensusFacts, ChangeOutcome, CollectionFacts, CollectionGrant,
    DeclaredChange, DifferingDocuments, DocumentDetail, DocumentSet, Expectation, Labels, Metric, ObjectRef,
    ProbeOutcome, ProbeRecord, Side, Usage, Value,
};

use crate::captures;

/// Two captures, and what the operator says about them.
#[derive(Debug)]
pub struct ChangedCaptures {
    /// Before the sync.
    pub before: Capture,
    /// After it.
    pub after: Capture,
    /// The differences of their censuses.
    pub differences: CensusDifferences,
    /// The operator's expectations. Every second one matches no metric.
    pub expectations: Vec<Expectation>,
    /// The declared changes.
    pub changes: Vec<DeclaredChange>,
    /// Collections of which a census must decide.
    pub required: Vec<String>,
}

/// Documents of each collection before the sync.
const DOCUMENTS: u64 = 10;

fn labels(collection: &str) -> Labels {
    Labels::from([("collection".to_owned(), collection.to_owned())])
}

fn metric(name: &str, collection: &str, value: Value) -> Metric {
    Metric { name: name.to_owned(), labels: labels(collection), value, unit: "1".to_owned() }
}

fn declared(written: Json) -> DeclaredChange {
    serde_json::from_value(written).expect("a change as the configuration writes it")
}

fn expected(written: Json) -> Expectation {
    serde_json::from_value(written).expect("an expectation as the configuration writes it")
}

fn probe(component: &str, metrics: Vec<Metric>) -> ProbeRecord {
    let mut collections: Vec<String> =
        metrics.iter().filter_map(|metric| metric.labels.get("collection").cloned()).collect();
    collections.dedup();
    let grant = |name: &String| CollectionGrant { name: name.clone(), role: "collections".to_owned() };
    ProbeRecord {
        component: component.to_owned(),
        collections: collections.iter().map(grant).collect(),
        usage: Usage { collections, ..Usage::default() },
        ..captures::probe(component, ProbeOutcome::Metrics(metrics))
    }
}

/// One collection as each side finds it.
struct ChangedCollection {
    name: String,
    /// The id of its census.
    id: String,
    field: DeclaredChange,
    index: DeclaredChange,
}

impl ChangedCollection {
    fn new(number: usize) -> Self {
        let name = format!("collection{number}");
        Self {
            field: declared(json!({"collection": name, "addedField": "added", "type": "bool"})),
            index: declared(json!({"collection": name, "addedIndex": "added_1"})),
            id: format!("census{number}"),
            name,
        }
    }

    fn documents(side: Side) -> u64 {
        if side == Side::Pre { DOCUMENTS } else { DOCUMENTS - 1 }
    }

    fn indexes(side: Side) -> Vec<Json> {
        let index = |field: &str| json!({"name": format!("{field}_1"), "key": {field: {"$numberInt": "1"}}});
        let names: &[&str] = if side == Side::Pre { &["kept", "lost"] } else { &["added", "kept"] };
        names.iter().map(|name| index(name)).collect()
    }

    fn facts(&self, side: Side) -> CollectionFacts {
        CollectionFacts {
            name: self.name.clone(),
            uuid: Some(format!("{side}-{}", self.id)),
            options: json!({"capped": side == Side::Post}),
            indexes: Self::indexes(side),
            documents: Some(Self::documents(side)),
            ..CollectionFacts::default()
        }
    }

    fn shape(side: Side) -> Json {
        let count = json!({"$numberLong": Self::documents(side).to_string()});
        match side {
            Side::Pre => json!({"_id": {"objectId": count}, "lost": {"string": count}}),
            Side::Post => json!({"_id": {"objectId": count}, "added": {"bool": count}}),
        }
    }

    fn census(&self, side: Side, attempt: &str) -> CensusFacts {
        CensusFacts {
            probe: "census".to_owned(),
            id: self.id.clone(),
            collection: self.name.clone(),
            object: format!("{side}/{attempt}/pxbbq.{}.census", self.name),
            documents: Self::documents(side),
            bytes: 1000,
            options: json!({}),
            sum: String::new(),
        }
    }

    /// A document is missing, one changed, and the declared field was added to the others.
    fn difference(&self) -> CensusDifference {
        let outcome = ChangeOutcome {
            change: self.field.clone(),
            happened: DOCUMENTS - 2,
            readings: std::collections::BTreeMap::new(),
            not_happened: DocumentSet::default(),
            already_before: 0,
            unproven_reason: None,
        };
        let missing = DocumentSet { count: 1, ids: vec![object_id(0)], ..DocumentSet::default() };
        CensusDifference {
            before: Self::documents(Side::Pre),
            after: Self::documents(Side::Post),
            documents: DifferingDocuments { missing, changed: changed_documents(1), ..DifferingDocuments::default() },
            changes: vec![outcome],
            ..CensusDifference::default()
        }
    }
}

fn object_id(number: usize) -> Json {
    json!({"$oid": format!("{number:024x}")})
}

fn changed_documents(count: usize) -> DocumentSet {
    let document = |number: usize, status: &str| json!({"_id": object_id(number), "status": status, "items": [{"sku": "tomato", "quantity": {"$numberInt": "2"}}]});
    let detail = |number: usize| DocumentDetail {
        id: object_id(number),
        fields: vec!["status".to_owned()],
        values: std::collections::BTreeMap::new(),
        before: Some(document(number, "open")),
        after: Some(document(number, "eaten")),
    };
    DocumentSet {
        count: count as u64,
        ids: (0..count).map(object_id).collect(),
        fields: [("status".to_owned(), count as u64)].into(),
        details: (0..count).map(detail).collect(),
        ..DocumentSet::default()
    }
}

/// One side of a capture, of the same server as the other side.
fn capture(side: Side, collections: Vec<CollectionFacts>, probes: Vec<ProbeRecord>) -> Capture {
    let mut capture = captures::empty("one", side);
    capture.server.process_id = Some("p1".to_owned());
    Capture { collections, probes, ..capture }
}

/// So many collections, of each of which a document is missing, one changed, a field and an index were added as declared, an
/// index is gone, and the count and the shape differ. No probe covers every tenth.
#[must_use]
pub fn of_collections(count: usize) -> ChangedCaptures {
    let collections: Vec<ChangedCollection> = (0..count).map(ChangedCollection::new).collect();
    let covered = || collections.iter().enumerate().filter(|(number, _)| number % 10 != 9).map(|(_, one)| one);
    let side = |side: Side| {
        let metrics = |name: &str, value: &dyn Fn(&ChangedCollection) -> Value| -> Vec<Metric> {
            covered().map(|collection| metric(name, &collection.name, value(collection))).collect()
        };
        let indexes = Json::Object(
            ChangedCollection::indexes(side)
                .into_iter()
                .map(|index| (index["name"].as_str().unwrap_or_default().to_owned(), index))
                .collect(),
        );
        let documents = i64::try_from(ChangedCollection::documents(side)).expect("a small number");
        let probes = vec![
            probe("census", metrics("documents", &|collection| Value::Census(collection.id.clone()))),
            probe("document-count", metrics("documents", &|_| Value::Integer(documents))),
            probe("index-inventory", metrics("indexes", &|_| Value::Document(indexes.clone()))),
            probe("schema-shape", metrics("shape", &|_| Value::Document(ChangedCollection::shape(side)))),
        ];
        let facts = collections.iter().map(|collection| collection.facts(side)).collect();
        let mut capture = capture(side, facts, probes);
        let attempt = capture.attempt.to_string();
        capture.censuses = covered().map(|collection| collection.census(side, &attempt)).collect();
        let objects = capture.censuses.iter().map(|census| ObjectRef {
            key: census.object.clone(),
            length: 1,
            sha256: "ab".repeat(32),
        });
        capture.objects = objects.collect();
        capture
    };
    let key = |name: &str| ("census".to_owned(), "documents".to_owned(), labels(name));
    let expectation = |(number, collection): (usize, &ChangedCollection)| {
        let metric = if number % 2 == 0 { "documents" } else { "document" };
        expected(json!({"metric": metric, "labels": labels(&collection.name), "rule": "never-decreases"}))
    };
    ChangedCaptures {
        differences: covered().map(|collection| (key(&collection.name), Ok(collection.difference()))).collect(),
        expectations: collections.iter().enumerate().map(expectation).collect(),
        changes: collections.iter().flat_map(|one| [one.field.clone(), one.index.clone()]).collect(),
        required: collections.iter().map(|collection| collection.name.clone()).collect(),
        before: side(Side::Pre),
        after: side(Side::Post),
    }
}

/// So many metrics of one probe, each of which changed, with an expectation for each.
#[must_use]
pub fn of_metrics(count: usize) -> ChangedCaptures {
    let side = |side: Side, value: i64| {
        let metrics =
            (0..count).map(|number| metric(&format!("group{number}.orders"), "orders", Value::Integer(value)));
        let orders = CollectionFacts { name: "orders".to_owned(), ..CollectionFacts::default() };
        capture(side, vec![orders], vec![probe("group-report", metrics.collect())])
    };
    let expectation = |number: usize| {
        let name = if number.is_multiple_of(2) { "orders" } else { "order" };
        expected(json!({"metric": format!("group{number}.{name}"), "rule": "never-decreases"}))
    };
    ChangedCaptures {
        before: side(Side::Pre, 10),
        after: side(Side::Post, 9),
        differences: CensusDifferences::new(),
        expectations: (0..count).map(expectation).collect(),
        changes: Vec::new(),
        required: Vec::new(),
    }
}

/// One collection in which so many documents changed; the census kept each of them whole.
#[must_use]
pub fn of_documents(count: usize) -> ChangedCaptures {
    let mut pair = of_collections(1);
    for difference in pair.differences.values_mut().flatten() {
        difference.documents.changed = changed_documents(count);
    }
    pair
}

/// One collection of which so many fields were added as declared.
#[must_use]
pub fn of_fields(count: usize) -> ChangedCaptures {
    let mut pair = of_collections(1);
    let name = pair.required[0].clone();
    let added =
        |number: usize| declared(json!({"collection": name, "addedField": format!("field{number}"), "type": "bool"}));
    pair.changes.extend((0..count).map(added));
    let happened: Vec<ChangeOutcome> = pair
        .differences
        .values()
        .flatten()
        .flat_map(|difference| &difference.changes)
        .flat_map(|outcome| (0..count).map(move |number| ChangeOutcome { change: added(number), ..outcome.clone() }))
        .collect();
    for difference in pair.differences.values_mut().flatten() {
        difference.changes.extend(happened.clone());
    }
    let shapes = pair.after.probes.iter_mut().filter(|record| record.name == "schema-shape");
    for record in shapes {
        let ProbeOutcome::Metrics(metrics) = &mut record.outcome else { continue };
        for metric in metrics {
            let Value::Document(Json::Object(shape)) = &mut metric.value else { continue };
            let counts = shape["_id"]["objectId"].clone();
            shape.extend((0..count).map(|number| (format!("field{number}"), json!({"bool": counts}))));
        }
    }
    pair
}
