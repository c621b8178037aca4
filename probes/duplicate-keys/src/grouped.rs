//! Counting in groups, on the server: for keys that no index has in order.

use serde_json::{Map, Value as Json, json};
use taster_probe::{Database, Document, Failure, RawDocument, RawValue, extjson};

use crate::{
    settings::Key,
    tally::{self, Tally},
};

/// The host's code for a group that outgrew the server's memory.
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
        tally.see(number(group)?, || tally::text(parts));
    }
    Ok(tally)
}

/// A failure of [`count`] with the way out of it.
pub(crate) fn told_what_to_do(failure: Failure, collection: &str, key: &Key, has_index: bool) -> Failure {
    if failure.code.as_deref() != Some(MEMORY) {
        return failure;
    }
    let paths = key.paths().join(", ");
    let way_out = if has_index {
        // an index has an entry for each element of an array, and so no order of arrays
        "its index cannot be read in order, for some of them are arrays or documents; declare a key of single values"
            .to_owned()
    } else {
        format!("build an index on {paths}, which can be read in order")
    };
    let message = format!(
        "{collection} has too many values of {paths} for the server to group in memory: {way_out} ({})",
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

/// Whether a document has something at the path, null included.
fn is_there(path: &str) -> Json {
    json!({"$ne": [{"$type": format!("${path}")}, "missing"]})
}

fn with_a_key(key: &Key) -> Document {
    let any: Vec<Json> = key.paths().iter().map(|path| is_there(path)).collect();
    stage(&json!({"$match": {"$expr": {"$or": any}}}))
}

fn count_stages(key: &Key) -> Vec<Document> {
    vec![with_a_key(key), stage(&json!({"$count": "n"}))]
}

/// The server takes a field that is not there for null in a key of several parts, so each has a flag beside it.
fn group_stages(key: &Key) -> Vec<Document> {
    let mut parts = Map::new();
    for (index, path) in key.paths().iter().enumerate() {
        parts.insert(format!("key{index}"), json!(format!("${path}")));
        parts.insert(format!("there{index}"), is_there(path));
    }
    vec![
        with_a_key(key),
        stage(&json!({"$group": {"_id": parts, "n": {"$sum": 1}}})),
        stage(&json!({"$match": {"n": {"$gt": 1}}})),
    ]
}

fn stage(json: &Json) -> Document {
    extjson::to_document(json, "stage").expect("no stage here has a value that Extended JSON could not say")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(paths: &[&str]) -> Key {
        Key::of(paths.iter().map(|path| (*path).to_owned()).collect(), "keys").unwrap()
    }

    #[test]
    fn what_is_missing_is_told_from_null_and_what_has_no_part_of_the_key_is_left_out() {
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
    fn too_many_groups_are_told_with_the_remedy() {
        let memory = || Failure {
            code: Some(MEMORY.to_owned()),
            ..Failure::new("the server ran out of memory to aggregate `orders`: Exceeded memory limit for $group")
        };
        let key = key(&["number"]);
        let told = |has_index| told_what_to_do(memory(), "orders", &key, has_index).message;
        insta::assert_snapshot!(told(false), @"orders has too many values of number for the server to group in memory: build an index on number, which can be read in order (the server ran out of memory to aggregate `orders`: Exceeded memory limit for $group)");
        insta::assert_snapshot!(told(true), @"orders has too many values of number for the server to group in memory: its index cannot be read in order, for some of them are arrays or documents; declare a key of single values (the server ran out of memory to aggregate `orders`: Exceeded memory limit for $group)");
        assert_eq!(told_what_to_do(Failure::new("gone"), "orders", &key, false).message, "gone");
    }
}
