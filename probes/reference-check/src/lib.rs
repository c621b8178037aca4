//! Finds broken references: `orders.customerId` without a customer.
//!
//! ```yaml
//! collections: {parent: customers, child: [orders, invoices]}
//! config:
//!   field: customerId                     # path of the reference in the child; in arrays, each element is a reference
//!   key: _id                              # path of the referenced value in the parent
//!   examples: 20                          # name this many of the missing keys
//!   allowUnindexed: false                 # true: look up without an index on `key`, which reads the parent for each reference
//! ```
//!
//! References are compared like in the server's `$lookup`: 5 refers to 5.0, `"5"` does not.

mod index;
mod settings;

use serde_json::{Value as Json, json};
use settings::Settings;
use taster_probe::{
    CollectionInfo, Config, Database, Document, Examples, Failure, Manifest, Merge, Metric, MetricDeclaration, Probe,
    Role, ValueKind, extjson, group::key_text, or_failed, progress,
};

struct ReferenceCheck;

const UNIT: &str = "{reference}";
const PARENT: &str = "parent";
const CHILD: &str = "child";
/// The host's error code for an aggregation that ran out of the server's memory.
const MEMORY: &str = "T0218";

impl Probe for ReferenceCheck {
    fn manifest() -> Manifest {
        let declare = |name, kind, summary| {
            MetricDeclaration::new(name, kind, summary).unit(UNIT).labels(["collection", "field"])
        };
        Manifest::new("reference-check", env!("CARGO_PKG_VERSION"), "references to missing documents")
            .results(1)
            .role(Role::one(PARENT, "the collection that references point to"))
            .role(Role::many(CHILD, "the collections with the references"))
            .calls("aggregate")
            .calls("list-indexes")
            .metric(declare("orphans", ValueKind::Integer, "references to missing documents").expect("never-increases"))
            // for people: if there are more keys than examples, other ones may be named afterwards
            .metric(declare("orphans.keys", ValueKind::Set, "the first of the keys that are missing").expect("ignore"))
            // no expectation, so that no references before and after are `unknown`
            .metric(declare("references", ValueKind::Integer, "all references").merge(Merge::Sum))
            .metric(
                declare("unset", ValueKind::Integer, "unset references: missing, null, an empty array")
                    .expect("never-increases"),
            )
            .metric(MetricDeclaration::failed())
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        let settings = Settings::read(&config)?;
        let granted = db.collections()?;
        let playing = |role| granted.iter().filter(move |info| info.role == role);
        let parent = playing(PARENT).next().ok_or_else(|| Failure::new("no collection plays the role `parent`"))?;
        if !settings.allow_unindexed {
            index::require(db, parent, &settings.key)?;
        }
        let children: Vec<&CollectionInfo> = playing(CHILD).collect();
        let mut found = Vec::new();
        for (done, child) in children.iter().enumerate() {
            progress(done as u64, Some(children.len() as u64));
            found.extend(or_failed(&child.name, check(db, &child.name, &parent.name, &settings))?);
        }
        Ok(found)
    }
}

fn check(db: &Database<'_>, child: &str, parent: &str, settings: &Settings) -> Result<Vec<Metric>, Failure> {
    let labelled = |metric: Metric| metric.unit(UNIT).label("collection", child).label("field", &settings.field);
    let (references, unset) = count(db, child, &settings.field)?;
    let (orphans, examples) = orphans(db, child, parent, settings)?;
    Ok(vec![
        labelled(Metric::count("references", references)),
        labelled(Metric::count("unset", unset)),
        labelled(Metric::count("orphans", orphans)),
        labelled(Metric::set("orphans.keys", examples.into_texts())),
    ])
}

/// The number of broken references, and examples of the missing keys.
fn orphans(db: &Database<'_>, child: &str, parent: &str, settings: &Settings) -> Result<(u64, Examples), Failure> {
    let read = |strategy| {
        let mut orphans = 0;
        let mut examples = Examples::at_most(settings.examples);
        let mut cursor = db.aggregate(child, &orphan_stages(parent, settings, strategy))?;
        while let Some(orphan) = cursor.next_document()? {
            let number = orphan.get("n")?.and_then(|number| number.value.as_i64()).unwrap_or_default();
            orphans += number.unsigned_abs();
            if let Some(reference) = orphan.get("_id")? {
                examples.add(key_text(Some(reference.value)));
            }
        }
        Ok((orphans, examples))
    };
    match read(LookupStrategy::EachKey) {
        Err(Failure { code: Some(code), .. }) if code == MEMORY => read(LookupStrategy::EachReference),
        outcome => outcome,
    }
}

/// The numbers of references and of unset references.
fn count(db: &Database<'_>, child: &str, field: &str) -> Result<(u64, u64), Failure> {
    let mut cursor = db.aggregate(child, &count_stages(field))?;
    // an empty collection has no group
    let Some(counted) = cursor.next_document()? else { return Ok((0, 0)) };
    let number = |name| {
        let number = counted.get(name)?.and_then(|element| element.value.as_i64()).unwrap_or_default();
        Ok::<_, Failure>(number.unsigned_abs())
    };
    Ok((number("references")?, number("unset")?))
}

/// Stages that return the references, one a document; null or missing for an unset one.
///
/// `$lookup` matches an array if any of its elements matches, so each element is looked up by itself. Every segment of the path
/// may have an array, and each adds another array around the values. A filter on the documents would be shorter, but
/// `{$ne: null}` rejects an array with one null in it.
fn reference_stages(field: &str) -> Vec<Document> {
    let mut stages = vec![stage(&json!({"$project": {"_id": 0, "r": format!("${field}")}}))];
    let unwind = stage(&json!({"$unwind": {"path": "$r", "preserveNullAndEmptyArrays": true}}));
    stages.extend(field.split('.').map(|_| unwind.clone()));
    stages
}

/// Whether there is a reference: missing sorts before null, and null before every value.
fn is_set() -> Json {
    json!({"$gt": ["$r", null]})
}

fn count_stages(field: &str) -> Vec<Document> {
    let mut stages = reference_stages(field);
    stages.push(stage(&json!({"$group": {
        "_id": null,
        "references": {"$sum": {"$cond": [is_set(), 1, 0]}},
        "unset": {"$sum": {"$cond": [is_set(), 0, 1]}},
    }})));
    stages
}

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LookupStrategy {
    /// Each different key once: several times as fast if many references are the same. The server keeps the keys in memory.
    EachKey,
    /// Each reference.
    EachReference,
}

/// Stages that return the broken references as `{_id: KEY, n: REFERENCES}`. Of a parent that exists, only the `_id` is read.
fn orphan_stages(parent: &str, settings: &Settings, strategy: LookupStrategy) -> Vec<Document> {
    let mut stages = reference_stages(&settings.field);
    stages.extend([
        // `$lookup` treats a missing value as null, which matches missing and null values in the parent
        stage(&json!({"$match": {"$expr": is_set()}})),
        stage(&match strategy {
            LookupStrategy::EachKey => json!({"$group": {"_id": "$r", "n": {"$sum": 1}}}),
            LookupStrategy::EachReference => json!({"$project": {"_id": "$r", "n": {"$literal": 1}}}),
        }),
        stage(&json!({"$lookup": {
            "from": parent, "localField": "_id", "foreignField": settings.key, "as": "parents",
            "pipeline": [{"$limit": 1}, {"$project": {"_id": 1}}],
        }})),
        stage(&json!({"$match": {"parents": {"$size": 0}}})),
        stage(&json!({"$project": {"n": 1}})),
    ]);
    stages
}

fn stage(json: &Json) -> Document {
    extjson::to_document(json, "stage").expect("all stages here are valid Extended JSON")
}

taster_probe::export!(ReferenceCheck);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_unwound_from_every_array_on_the_path() {
        let settings = Settings::read(&Config::new(r#"{"field": "items.sku", "key": "sku"}"#)).unwrap();
        insta::assert_snapshot!(format!("{:#?}", count_stages("customerId")), @r#"
            [
                {"\$project": {"_id": {"$numberInt": "0"}, "r": "$customerId"}},
                {"\$unwind": {"path": "$r", "preserveNullAndEmptyArrays": true}},
                {"\$group": {"_id": null, "references": {"\$sum": {"\$cond": [{"\$gt": ["$r", null]}, {"$numberInt": "1"}, {"$numberInt": "0"}]}}, "unset": {"\$sum": {"\$cond": [{"\$gt": ["$r", null]}, {"$numberInt": "0"}, {"$numberInt": "1"}]}}}},
            ]
        "#);
        insta::assert_snapshot!(format!("{:#?}", orphan_stages("menu", &settings, LookupStrategy::EachKey)), @r#"
            [
                {"\$project": {"_id": {"$numberInt": "0"}, "r": "$items.sku"}},
                {"\$unwind": {"path": "$r", "preserveNullAndEmptyArrays": true}},
                {"\$unwind": {"path": "$r", "preserveNullAndEmptyArrays": true}},
                {"\$match": {"\$expr": {"\$gt": ["$r", null]}}},
                {"\$group": {"_id": "$r", "n": {"\$sum": {"$numberInt": "1"}}}},
                {"\$lookup": {"from": "menu", "localField": "_id", "foreignField": "sku", "as": "parents", "pipeline": [{"\$limit": {"$numberInt": "1"}}, {"\$project": {"_id": {"$numberInt": "1"}}}]}},
                {"\$match": {"parents": {"\$size": {"$numberInt": "0"}}}},
                {"\$project": {"n": {"$numberInt": "1"}}},
            ]
        "#);
    }

    #[test]
    fn references_that_cannot_be_grouped_are_looked_up_one_by_one() {
        let settings = Settings::read(&Config::new(r#"{"field": "customerId"}"#)).unwrap();
        let [each_key, each_reference] = [LookupStrategy::EachKey, LookupStrategy::EachReference]
            .map(|strategy| orphan_stages("customers", &settings, strategy));
        let differ: Vec<_> = each_key.iter().zip(&each_reference).filter(|(one, other)| one != other).collect();
        insta::assert_snapshot!(format!("{differ:#?}"), @r#"
            [
                (
                    {"\$group": {"_id": "$r", "n": {"\$sum": {"$numberInt": "1"}}}},
                    {"\$project": {"_id": "$r", "n": {"\$literal": {"$numberInt": "1"}}}},
                ),
            ]
        "#);
    }
}
