//! Counts duplicates along an index: equal values are adjacent, so the server needs no memory and the probe that of one value.

use std::collections::BTreeMap;

use taster_probe::{
    Cursor, Database, Document, Failure, Kind, Malformed, RawDocument, RawValue,
    group::{key_text, value_at},
};

use crate::{
    settings::Key,
    tally::{self, Tally},
};

/// The host's error code for a sort that ran out of the server's memory: the index was not used for the order.
const MEMORY: &str = "T0218";

/// An index that orders the values of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IndexOrder {
    index: String,
    /// The fields of the declared key, with the order and directions of the index.
    sort: Document,
}

/// The index that begins with the paths of `key`, in any order.
pub(crate) fn order(indexes: &[Document], key: &Key) -> Result<Option<IndexOrder>, Malformed> {
    // with a collation, different texts are equal: the server can group them, but comparing neighbours cannot
    for index in indexes {
        if index.as_raw().get("collation")?.is_some() && text_field(index, "name")? == Some("_id_") {
            return Ok(None);
        }
    }
    for index in indexes {
        if let Some(order) = index_order(index, key)? {
            return Ok(Some(order));
        }
    }
    Ok(None)
}

fn index_order(index: &Document, key: &Key) -> Result<Option<IndexOrder>, Malformed> {
    // a sparse index is suitable: the documents that it omits do not have the key
    for without in ["partialFilterExpression", "collation", "hidden"] {
        if index.as_raw().get(without)?.is_some() {
            return Ok(None);
        }
    }
    let Some(keys) = index.as_raw().get("key")?.and_then(|element| element.value.as_document()) else {
        return Ok(None);
    };
    let mut sort = Document::new();
    let mut fields = keys.elements();
    for _ in key.paths() {
        let Some(field) = fields.next().transpose()? else { return Ok(None) };
        let is_of_key = key.paths().iter().any(|path| path.as_bytes() == field.name);
        // `hashed`, `text` and other kinds are not ordered by value
        if !is_of_key || field.value.kind == Kind::STRING {
            return Ok(None);
        }
        sort.push(field.name, field.value);
    }
    Ok(text_field(index, "name")?.map(|name| IndexOrder { index: name.to_owned(), sort }))
}

fn text_field<'a>(index: &'a Document, name: &str) -> Result<Option<&'a str>, Malformed> {
    Ok(index.as_raw().get(name)?.and_then(|element| element.value.as_str()))
}

/// Returns `None` if a document has an array or a document at a path of the key: an index has an entry for each element of an
/// array, and equality of documents has more rules than are compared here.
pub(crate) fn count(
    db: &Database<'_>,
    collection: &str,
    key: &Key,
    order: &IndexOrder,
    examples: usize,
) -> Result<Option<Tally>, Failure> {
    // with `_id`, which is not in the index: an index answers alone with null for missing fields
    let mut projection = Document::new();
    for path in key.paths() {
        projection.push(path, 1);
    }
    let find = db.find(collection).projection(projection).sort(order.sort.clone()).hint(&order.index);
    match find.run().and_then(|cursor| walk(cursor, key, examples)) {
        Err(failure) if failure.code.as_deref() == Some(MEMORY) => Ok(None),
        outcome => outcome,
    }
}

fn walk(mut cursor: Cursor, key: &Key, examples: usize) -> Result<Option<Tally>, Failure> {
    let mut neighbours = Neighbours::new(examples);
    while let Some(batch) = cursor.next_batch()? {
        for document in batch.documents() {
            if !neighbours.add(document?, key)? {
                return Ok(None);
            }
        }
        taster_probe::progress(neighbours.tally.documents, None);
    }
    Ok(Some(neighbours.end()))
}

/// Adjacent entries with the same value in the index.
struct Neighbours {
    tally: Tally,
    /// The text of the current value, with null for missing fields, as in the index.
    value: Vec<String>,
    /// How many documents have it, by their missing fields. Each combination is a value of its own, and the index does not order
    /// them.
    lacking: BTreeMap<u32, MissingFields>,
}

struct MissingFields {
    documents: u64,
    text: String,
}

impl Neighbours {
    fn new(examples: usize) -> Self {
        Self { tally: Tally::new(examples), value: Vec::new(), lacking: BTreeMap::new() }
    }

    /// Returns `false` if the document has a value that cannot be compared here.
    fn add(&mut self, document: RawDocument<'_>, key: &Key) -> Result<bool, Failure> {
        let parts: Vec<Option<RawValue<'_>>> =
            key.paths().iter().map(|path| value_at(document, path)).collect::<Result<_, _>>()?;
        if !parts.iter().flatten().all(is_scalar) {
            return Ok(false);
        }
        if parts.iter().all(Option::is_none) {
            return Ok(true);
        }
        self.tally.documents += 1;
        let value: Vec<String> =
            parts.iter().map(|part| part.map_or_else(|| "null".to_owned(), |value| key_text(Some(value)))).collect();
        if value != self.value {
            self.close();
            self.value = value;
        }
        // an index has at most 32 fields
        let lacks = parts.iter().fold(0, |lacks, part| lacks << 1 | u32::from(part.is_none()));
        let lacking = self.lacking.entry(lacks);
        lacking.or_insert_with(|| MissingFields { documents: 0, text: tally::text(parts) }).documents += 1;
        Ok(true)
    }

    fn close(&mut self) {
        for MissingFields { documents, text } in std::mem::take(&mut self.lacking).into_values() {
            self.tally.add(documents, || text);
        }
    }

    fn end(mut self) -> Tally {
        self.close();
        self.tally
    }
}

/// Whether the index and the probe agree on equality of the value.
fn is_scalar(value: &RawValue<'_>) -> bool {
    matches!(
        value.kind,
        Kind::DOUBLE
            | Kind::STRING
            | Kind::BINARY
            | Kind::OBJECT_ID
            | Kind::BOOLEAN
            | Kind::DATE
            | Kind::NULL
            | Kind::INT32
            | Kind::TIMESTAMP
            | Kind::INT64
            | Kind::DECIMAL128
            | Kind::MIN_KEY
            | Kind::MAX_KEY
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use taster_probe::extjson::to_document;

    use super::*;

    fn key(paths: &[&str]) -> Key {
        Key::new(paths.iter().map(|path| (*path).to_owned()).collect(), "keys").unwrap()
    }

    #[test]
    fn a_suitable_index_begins_with_the_paths_and_orders_all_values() {
        let order = |index: Json| {
            let indexes = [to_document(&index, "index").unwrap()];
            order(&indexes, &key(&["email", "event"])).unwrap().map(|order| format!("{} {:?}", order.index, order.sort))
        };
        let plain = order(json!({"v": 2, "key": {"email": 1, "event": 1}, "name": "a"}));
        insta::assert_snapshot!(plain.unwrap(), @r#"a {"email": {"$numberInt": "1"}, "event": {"$numberInt": "1"}}"#);
        let other_way = order(json!({"v": 2, "key": {"event": -1, "email": 1, "at": 1}, "name": "b", "sparse": true}));
        insta::assert_snapshot!(other_way.unwrap(), @r#"b {"event": {"$numberInt": "-1"}, "email": {"$numberInt": "1"}}"#);
        for unfit in [
            json!({"v": 2, "key": {"email": 1}, "name": "c"}),
            json!({"v": 2, "key": {"email": 1, "at": 1, "event": 1}, "name": "d"}),
            json!({"v": 2, "key": {"email": 1, "event": "hashed"}, "name": "e"}),
            json!({"v": 2, "key": {"email": 1, "event": 1}, "name": "f", "partialFilterExpression": {"at": 1}}),
            json!({"v": 2, "key": {"email": 1, "event": 1}, "name": "g", "hidden": true}),
            json!({"v": 2, "key": {"email": 1, "event": 1}, "name": "h", "collation": {"locale": "de"}}),
        ] {
            assert_eq!(order(unfit), None);
        }
        let collated = [
            json!({"v": 2, "key": {"_id": 1}, "name": "_id_", "collation": {"locale": "de"}}),
            json!({"v": 2, "key": {"email": 1, "event": 1}, "name": "a"}),
        ]
        .map(|json| to_document(&json, "index").unwrap());
        assert_eq!(super::order(&collated, &key(&["email", "event"])).unwrap(), None);
    }

    /// The result for documents in the order of the index; `None` if they cannot be compared.
    fn counted(paths: &[&str], documents: &[Json]) -> Option<String> {
        let mut neighbours = Neighbours::new(5);
        for json in documents {
            if !neighbours.add(to_document(json, "document").unwrap().as_raw(), &key(paths)).unwrap() {
                return None;
            }
        }
        let Tally { groups, surplus, documents, examples } = neighbours.end();
        Some(format!("{groups} groups, {surplus} more of {documents}: {}", examples.into_texts().join(" | ")))
    }

    #[test]
    fn neighbours_with_the_same_value_are_duplicates() {
        let numbers = [json!({"n": 1}), json!({"n": 1.0}), json!({"n": {"$numberDecimal": "1.00"}}), json!({"n": 2})];
        assert_eq!(counted(&["n"], &numbers).unwrap(), "1 groups, 2 more of 4: 1");
        let pairs = [json!({"a": "x", "b": "1"}), json!({"a": "x", "b": "2"}), json!({"a": "x", "b": "2"})];
        assert_eq!(counted(&["a", "b"], &pairs).unwrap(), "1 groups, 1 more of 3: x, \"2\"");
        assert_eq!(counted(&["a"], &[]).unwrap(), "0 groups, 0 more of 0: ");
    }

    #[test]
    fn missing_fields_are_ordered_like_null_but_differ_from_it() {
        let mixed = [
            json!({"b": 1}),
            json!({"a": null, "b": 1}),
            json!({"b": 1}),
            json!({"a": null, "b": 1}),
            json!({"b": 1}),
            json!({"a": "null", "b": 1}),
        ];
        assert_eq!(counted(&["a", "b"], &mixed).unwrap(), "2 groups, 3 more of 6: (missing), 1 | null, 1");
        // without any part there is no key
        assert_eq!(counted(&["a"], &[json!({}), json!({}), json!({"a": 1})]).unwrap(), "0 groups, 0 more of 1: ");
    }

    #[test]
    fn arrays_and_documents_are_left_to_the_server() {
        assert_eq!(counted(&["a"], &[json!({"a": 1}), json!({"a": [1]})]), None);
        assert_eq!(counted(&["a.b"], &[json!({"a": [{"b": 1}]})]), None);
        assert_eq!(counted(&["a"], &[json!({"a": {"b": 1}})]), None);
    }
}
