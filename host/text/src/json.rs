//! The difference of two JSON documents, by path. Documents of MongoDB are canonical Extended JSON: `{"$numberInt": "1"}` is one
//! value, and the order of keys counts, because an index on `{a: 1, b: 1}` differs from one on `{b: 1, a: 1}`.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The difference of two documents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JsonDiff<'a> {
    /// The changes, in the order of the document before.
    pub changes: Vec<JsonChange<'a>>,
    /// Number of values that are equal. A nested document that is equal as a whole counts once.
    pub equal: u64,
}

/// One change, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonChange<'a> {
    /// Keys and array indexes (`[2]`) from the top. Empty for the documents themselves.
    pub path: Vec<String>,
    /// What changed.
    pub kind: JsonChangeKind<'a>,
}

/// What changed at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonChangeKind<'a> {
    /// The value is only in the document before.
    Removed(&'a Value),
    /// The value is only in the document after.
    Added(&'a Value),
    /// The value before and after.
    Changed(&'a Value, &'a Value),
    /// The common keys of both documents, in the order of each.
    Reordered(Vec<&'a str>, Vec<&'a str>),
}

/// Compares two documents.
#[must_use]
pub fn json_diff<'a>(before: &'a Value, after: &'a Value) -> JsonDiff<'a> {
    let mut diff = JsonDiff::default();
    diff.compare(&mut Vec::new(), before, after);
    diff
}

/// Whether two documents are equal, the order of their keys included.
#[must_use]
pub fn json_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys()) && one.values().zip(other.values()).all(|(one, other)| json_equal(one, other))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| json_equal(one, other))
        }
        _ => one == other,
    }
}

/// `a.b[2].c`
#[must_use]
pub fn join_path(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if !text.is_empty() && !part.starts_with('[') {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// Whether an object is one BSON scalar in Extended JSON. `$jsonSchema`, `$and` and other operators are not.
#[must_use]
pub fn is_bson_scalar(object: &Map<String, Value>) -> bool {
    const KEYS: [&str; 14] = [
        "$numberInt",
        "$numberLong",
        "$numberDouble",
        "$numberDecimal",
        "$oid",
        "$symbol",
        "$uuid",
        "$date",
        "$timestamp",
        "$binary",
        "$regularExpression",
        "$minKey",
        "$maxKey",
        "$undefined",
    ];
    object.len() == 1 && object.keys().all(|key| KEYS.contains(&key.as_str()))
}

/// Names that make an object a value of Extended JSON, or an id that has no JSON.
const NAMES_OF_VALUES: [&str; 19] = [
    "binary",
    "bytes",
    "code",
    "date",
    "dbPointer",
    "maxKey",
    "minKey",
    "missing",
    "numberDecimal",
    "numberDouble",
    "numberInt",
    "numberLong",
    "oid",
    "redacted",
    "regularExpression",
    "symbol",
    "timestamp",
    "undefined",
    "uuid",
];

/// A field's name as documents that are stored as Extended JSON have it: the field `$oid` is written as `$$oid`, and `$$oid`
/// as `$$$oid`. Extended JSON itself cannot express such names: the document `{"$numberLong": "5"}` would be the number 5.
#[must_use]
pub fn escape_field_name(name: &str) -> Cow<'_, str> {
    if is_name_of_value(name) { Cow::Owned(format!("${name}")) } else { Cow::Borrowed(name) }
}

/// The field's name that [`escape_field_name`] has written.
#[must_use]
pub fn unescape_field_name(name: &str) -> &str {
    match name.strip_prefix('$') {
        Some(rest) if is_name_of_value(rest) => rest,
        _ => name,
    }
}

/// `$oid`, `$$oid` and so on.
fn is_name_of_value(name: &str) -> bool {
    let rest = name.trim_start_matches('$');
    rest.len() < name.len() && NAMES_OF_VALUES.contains(&rest)
}

impl<'a> JsonDiff<'a> {
    fn compare(&mut self, path: &mut Vec<String>, before: &'a Value, after: &'a Value) {
        match (before, after) {
            _ if json_equal(before, after) => self.equal += 1,
            (Value::Object(old), Value::Object(new)) if !is_bson_scalar(old) && !is_bson_scalar(new) => {
                self.compare_objects(path, old, new);
            }
            (Value::Array(old), Value::Array(new)) => self.compare_arrays(path, old, new),
            _ => self.push(path, JsonChangeKind::Changed(before, after)),
        }
    }

    fn compare_objects(
        &mut self,
        path: &mut Vec<String>,
        before: &'a Map<String, Value>,
        after: &'a Map<String, Value>,
    ) {
        let added = after.keys().filter(|key| !before.contains_key(*key));
        for key in before.keys().chain(added) {
            path.push(key.clone());
            self.compare_at(path, before.get(key), after.get(key));
            path.pop();
        }
        // equality of maps ignores the order of their keys
        let old: Vec<&str> = before.keys().map(String::as_str).filter(|key| after.contains_key(*key)).collect();
        let new: Vec<&str> = after.keys().map(String::as_str).filter(|key| before.contains_key(*key)).collect();
        if old != new {
            self.push(path, JsonChangeKind::Reordered(old, new));
        }
    }

    fn compare_arrays(&mut self, path: &mut Vec<String>, before: &'a [Value], after: &'a [Value]) {
        // equal items at both ends are skipped, so that an item removed in the middle does not look like a change of all
        // items after it
        let head = before.iter().zip(after).take_while(|(old, new)| json_equal(old, new)).count();
        let (old, new) = (&before[head..], &after[head..]);
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| json_equal(old, new)).count();
        self.equal += (head + tail) as u64;
        let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
        for n in 0..old.len().max(new.len()) {
            path.push(format!("[{}]", head + n));
            self.compare_at(path, old.get(n), new.get(n));
            path.pop();
        }
    }

    fn compare_at(&mut self, path: &mut Vec<String>, before: Option<&'a Value>, after: Option<&'a Value>) {
        match (before, after) {
            (Some(before), Some(after)) => self.compare(path, before, after),
            (Some(before), None) => self.push(path, JsonChangeKind::Removed(before)),
            (None, Some(after)) => self.push(path, JsonChangeKind::Added(after)),
            (None, None) => {}
        }
    }

    fn push(&mut self, path: &[String], kind: JsonChangeKind<'a>) {
        self.changes.push(JsonChange { path: path.to_vec(), kind });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed_paths(before: &Value, after: &Value) -> Vec<String> {
        json_diff(before, after).changes.iter().map(|change| join_path(&change.path)).collect()
    }

    #[test]
    fn equal_parts_are_counted_once_each() {
        let before = json!({"_id": {"$oid": "65"}, "a": {"b": 1, "c": 2}, "items": [1, 2, 3], "x": 1});
        let after = json!({"_id": {"$oid": "65"}, "a": {"b": 1, "c": 3}, "items": [1, 3], "y": 1});
        assert_eq!(changed_paths(&before, &after), ["a.c", "items[1]", "x", "y"]);
        assert_eq!(json_diff(&before, &after).equal, 4, "_id, a.b, items[0], items[2]");
    }

    #[test]
    fn names_of_extended_json_are_escaped_and_others_are_not() {
        for (name, escaped) in [
            ("$oid", "$$oid"),
            ("$$oid", "$$$oid"),
            ("$numberLong", "$$numberLong"),
            ("$redacted", "$$redacted"),
            ("oid", "oid"),
            ("$jsonSchema", "$jsonSchema"),
            ("$", "$"),
            ("", ""),
        ] {
            assert_eq!(escape_field_name(name), escaped);
            assert_eq!(unescape_field_name(escaped), name);
        }
        assert_eq!(unescape_field_name("$oid"), "$oid", "as documents were stored earlier");
    }

    #[test]
    fn a_scalar_of_extended_json_is_one_value_and_an_operator_is_not() {
        let number = |kind: &str| json!({"n": {kind: "1"}});
        assert_eq!(changed_paths(&number("$numberInt"), &number("$numberLong")), ["n"]);
        let schema = |kind: &str| json!({"$jsonSchema": {"bsonType": kind}});
        assert_eq!(changed_paths(&schema("object"), &schema("array")), ["$jsonSchema.bsonType"]);
    }

    #[test]
    fn another_order_of_keys_is_one_change() {
        let [before, after]: [Value; 2] = [r#"{"k": {"a": 1, "b": 1}}"#, r#"{"k": {"b": 1, "a": 1}}"#]
            .map(|text| serde_json::from_str(text).expect("JSON"));
        let diff = json_diff(&before, &after);
        assert_eq!((changed_paths(&before, &after), diff.equal), (vec!["k".to_owned()], 2));
        assert_eq!(diff.changes[0].kind, JsonChangeKind::Reordered(vec!["a", "b"], vec!["b", "a"]));
    }
}
