//! Counts duplicates by grouping on the server, for keys without a suitable index.

use serde_json::{Map, Value as Json, json};
use taster_probe::{Database, Document, Failure, RawDocument, RawValue, extjson};

use crate::{
    settings::Key,
    tally::{self, Tally},
};

/// The host's error code for an aggregation that ran out of the server's memory.
const MEMORY: &str = "T0218";

pub(crate) fn count(db: &Database<'_>, collection: &str, key: &Key, examples: usize) -> Result<Tally, Failure> {
    let mut tally = Tally::new(examples);
    let mut counted = db.aggregate(collection, &count_stages(key))?;
    if let Some(all) = counted.next_document()? {
        tally.documents = number(all)?;
    }
    let mut cursor = db.aggregate(collection, &group_stages(key))?;
    while let Some(group) = cursor.next_document()? {
        let parts = parts(group, key.paths().len())?;
        tally.add(number(group)?, || tally::text(parts));
    }
    Ok(tally)
}

/// Why a key was not counted along an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoOrder {
    /// It has no suitable index.
    NoIndex,
    /// Some of its values are arrays or documents.
    NotScalar,
}

/// Adds the remedy to a failure of [`count`].
pub(crate) fn with_remedy(failure: Failure, collection: &str, key: &Key, reason: NoOrder) -> Failure {
    if failure.code.as_deref() != Some(MEMORY) {
        return failure;
    }
    let paths = key.paths().join(", ");
    let remedy = match reason {
        // an index has an entry for each element of an array, so it does not order arrays
        NoOrder::NotScalar => {
            "its index cannot be read in order because some values are arrays or documents; declare a key of scalar values"
                .to_owned()
        }
        NoOrder::NoIndex => format!("build an index on {paths}, which can be read in order"),
    };
    let message = format!(
        "{collection} has too many values of {paths} for the server to group in memory: {remedy} ({})",
        failure.message
    );
    Failure { message, asked: Some(paths), ..failure }
}

fn number(document: RawDocument<'_>) -> Result<u64, Failure> {
    Ok(document.get("n")?.and_then(|element| element.value.as_i64()).unwrap_or_default().unsigned_abs())
}

fn parts(group: RawDocument<'_>, number: usize) -> Result<Vec<Option<RawValue<'_>>>, Failure> {
    let key = group.get("_id")?.and_then(|key| key.value.as_document());
    let part = |name: String| Ok::<_, Failure>(key.map(|key| key.get(&name)).transpose()?.flatten());
    (0..number)
        .map(|index| {
            let there = part(format!("there{index}"))?.is_some_and(|element| element.value.bytes == [1]);
            Ok(part(format!("key{index}"))?.filter(|_| there).map(|element| element.value))
        })
        .collect()
}

/// Whether a document has the path, also with null.
fn has_path(path: &str) -> Json {
    json!({"$ne": [{"$type": format!("${path}")}, "missing"]})
}

fn match_stage(key: &Key) -> Document {
    let any: Vec<Json> = key.paths().iter().map(|path| has_path(path)).collect();
    stage(&json!({"$match": {"$expr": {"$or": any}}}))
}

fn count_stages(key: &Key) -> Vec<Document> {
    vec![match_stage(key), stage(&json!({"$count": "n"}))]
}

/// In a group key of several parts, the server does not distinguish a missing field from null, so each part has a flag.
fn group_stages(key: &Key) -> Vec<Document> {
    let mut parts = Map::new();
    for (index, path) in key.paths().iter().enumerate() {
        parts.insert(format!("key{index}"), json!(format!("${path}")));
        parts.insert(format!("there{index}"), has_path(path));
    }
    vec![
        match_stage(key),
        stage(&json!({"$group": {"_id": parts, "n": {"$sum": 1}}})),
        stage(&json!({"$match": {"n": {"$gt": 1}}})),
    ]
}

fn stage(json: &Json) -> Document {
    extjson::to_document(json, "stage").expect("all stages here are valid Extended JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(paths: &[&str]) -> Key {
        Key::new(paths.iter().map(|path| (*path).to_owned()).collect(), "keys").unwrap()
    }

    #[test]
    fn missing_fields_differ_from_null_and_documents_without_the_key_are_skipped() {
        let key = key(&["email", "event"]);
        insta::assert_snapshot!(format!("{:#?}", count_stages(&key)), @r#"
            [
                {"\$match": {"\$expr": {"\$or": [{"\$ne": [{"\$type": "$email"}, "missing"]}, {"\$ne": [{"\$type": "$event"}, "missing"]}]}}},
                {"\$count": "n"},
            ]
        "#);
        insta::assert_snapshot!(format!("{:#?}", group_stages(&key)), @r#"
            [
                {"\$match": {"\$expr": {"\$or": [{"\$ne": [{"\$type": "$email"}, "missing"]}, {"\$ne": [{"\$type": "$event"}, "missing"]}]}}},
                {"\$group": {"_id": {"key0": "$email", "there0": {"\$ne": [{"\$type": "$email"}, "missing"]}, "key1": "$event", "there1": {"\$ne": [{"\$type": "$event"}, "missing"]}}, "n": {"\$sum": {"$numberInt": "1"}}}},
                {"\$match": {"n": {"\$gt": {"$numberInt": "1"}}}},
            ]
        "#);
        let group = json!({"_id": {"key0": null, "there0": false, "key1": null, "there1": true}, "n": 3});
        let group = extjson::to_document(&group, "group").unwrap();
        assert_eq!(tally::text(parts(group.as_raw(), 2).unwrap()), "(missing), null");
    }

    #[test]
    fn too_many_groups_are_an_error_with_the_remedy() {
        let memory = || Failure {
            code: Some(MEMORY.to_owned()),
            ..Failure::new("the server ran out of memory to aggregate `orders`: Exceeded memory limit for $group")
        };
        let key = key(&["number"]);
        let message = |reason| with_remedy(memory(), "orders", &key, reason).message;
        insta::assert_snapshot!(message(NoOrder::NoIndex), @"orders has too many values of number for the server to group in memory: build an index on number, which can be read in order (the server ran out of memory to aggregate `orders`: Exceeded memory limit for $group)");
        insta::assert_snapshot!(message(NoOrder::NotScalar), @"orders has too many values of number for the server to group in memory: its index cannot be read in order because some values are arrays or documents; declare a key of scalar values (the server ran out of memory to aggregate `orders`: Exceeded memory limit for $group)");
        assert_eq!(with_remedy(Failure::new("gone"), "orders", &key, NoOrder::NoIndex).message, "gone");
    }
}
