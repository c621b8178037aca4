//! Groups of documents: their paths, their labels, and the text of a group's key.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::{Config, Decimal, Failure, Kind, Malformed, RawDocument, RawValue, extjson, label_key};

/// The text of a group's key if a document does not have the path.
pub const MISSING: &str = "(missing)";

/// `groupBy` in a configuration: `["status"]`, or `{"country": "customer.address.country"}` with other label names.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected paths such as [\"status\"], or labels with paths such as {\"state\": \"status\"}"
)]
pub enum GroupBy {
    /// Paths, from which the label keys are made.
    Paths(Vec<String>),
    /// Labels with their paths.
    Labels(Map<String, Json>),
}

impl Default for GroupBy {
    fn default() -> Self {
        Self::Paths(Vec::new())
    }
}

impl GroupBy {
    /// Checked labels and paths. `key` is the path in the configuration; `taken` are the labels that the metrics have anyway.
    pub fn labels(&self, key: &str, taken: &[&str]) -> Result<Vec<(String, String)>, Failure> {
        let pairs: Vec<(String, String)> = match self {
            Self::Paths(paths) => paths.iter().map(|path| (label_key(path), path.clone())).collect(),
            Self::Labels(labels) => labels
                .iter()
                .map(|(label, path)| match path {
                    Json::String(path) => Ok((label.clone(), path.clone())),
                    other => {
                        Err(Config::invalid(&format!("{key}.{label}"), &format!("expected a path, found {other}")))
                    }
                })
                .collect::<Result<_, _>>()?,
        };
        for (index, (label, path)) in pairs.iter().enumerate() {
            if label_key(label) != *label {
                return Err(Config::invalid(&format!("{key}.{label}"), "a label is made of a-z, 0-9, `_` and `.`"));
            }
            check_path(path, key)?;
            if taken.contains(&label.as_str()) || pairs[..index].iter().any(|(other, _)| other == label) {
                let hint = format!(
                    "the label `{label}` is reserved: choose another one for `{path}`, such as {{\"other_{label}\": \"{path}\"}}"
                );
                return Err(Config::invalid(key, &hint));
            }
        }
        Ok(pairs)
    }
}

/// Checks that the server accepts `path`: it has no empty segment and no operator.
pub fn check_path(path: &str, key: &str) -> Result<(), Failure> {
    if path.split('.').any(|segment| segment.is_empty() || segment.starts_with('$') || segment.contains('\0')) {
        return Err(Config::invalid(key, &format!("`{path}` is not a path such as `customer.country`")));
    }
    Ok(())
}

/// The value at a dotted path. If there is an array on the path, the array.
pub fn value_at<'a>(document: RawDocument<'a>, path: &str) -> Result<Option<RawValue<'a>>, Malformed> {
    let mut document = document;
    let mut segments = path.split('.').peekable();
    while let Some(segment) = segments.next() {
        let Some(element) = document.get(segment)? else { return Ok(None) };
        let value = element.value;
        match value.as_document() {
            Some(inner) if value.kind == Kind::DOCUMENT && segments.peek().is_some() => document = inner,
            _ if segments.peek().is_none() || value.kind == Kind::ARRAY => return Ok(Some(value)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Calls `take` with every value at a dotted path, through arrays on the path and at its end: `items.price` is each item's price.
pub fn each_value_at<'a>(
    document: RawDocument<'a>,
    path: &str,
    found: &mut impl FnMut(RawValue<'a>),
) -> Result<(), Malformed> {
    let (segment, rest) = match path.split_once('.') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    };
    match document.get(segment)? {
        Some(element) => descend(element.value, rest, found),
        None => Ok(()),
    }
}

fn descend<'a>(value: RawValue<'a>, rest: Option<&str>, found: &mut impl FnMut(RawValue<'a>)) -> Result<(), Malformed> {
    match (value.kind, value.as_document(), rest) {
        (Kind::ARRAY, Some(items), _) => items.elements().try_for_each(|item| descend(item?.value, rest, found)),
        (Kind::DOCUMENT, Some(inner), Some(rest)) => each_value_at(inner, rest, found),
        (_, _, None) => {
            found(value);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The text of a group's key. Equal numbers have the same text, and other values have different texts. A string that looks like
/// another value is quoted: `null` is null, `"null"` is the string.
#[must_use]
pub fn key_text(value: Option<RawValue<'_>>) -> String {
    let Some(value) = value else { return MISSING.to_owned() };
    if let Some(number) = number(value) {
        return number.normalized().to_string();
    }
    match (value.kind, value.as_str()) {
        (Kind::STRING, Some(text)) if !reads_like_another(text) => text.to_owned(),
        _ => extjson::value_text(value),
    }
}

fn reads_like_another(text: &str) -> bool {
    text.trim() != text
        || text.starts_with(['(', '{', '[', '"'])
        || ["", "null", "true", "false"].contains(&text)
        || Decimal::parse(text).is_some()
}

/// A number of any type.
#[must_use]
pub fn number(value: RawValue<'_>) -> Option<Decimal> {
    match value.kind {
        Kind::INT32 | Kind::INT64 => value.as_i64().map(Decimal::from),
        Kind::DOUBLE => value.as_f64().map(Decimal::from_double),
        Kind::DECIMAL128 => value.as_decimal(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Document;

    fn document(json: &Json) -> Document {
        extjson::to_document(json, "test").unwrap()
    }

    #[test]
    fn equal_numbers_share_a_key_and_nothing_else_does() {
        let keys = document(&json!({"a": 1, "b": {"$numberLong": "1"}, "c": 1.0, "d": {"$numberDecimal": "1.00"},
            "e": "1", "f": "open", "g": null, "h": "null", "i": true, "j": "", "k": " x", "l": {"$oid": "65f0c0ffee65f0c0ffee1234"},
            "m": {"a": [1]}, "n": 0.1, "o": {"b": {"$oid": "x", "y": 1}}}));
        let texts: Vec<String> =
            keys.as_raw().elements().map(|element| key_text(Some(element.unwrap().value))).collect();
        assert_eq!(
            texts,
            [
                "1",
                "1",
                "1",
                "1",
                "\"1\"",
                "open",
                "null",
                "\"null\"",
                "true",
                "\"\"",
                "\" x\"",
                r#"{"$oid": "65f0c0ffee65f0c0ffee1234"}"#,
                r#"{"a": [{"$numberInt": "1"}]}"#,
                "0.1",
                r#"{"b": {"\$oid": "x", "y": {"$numberInt": "1"}}}"#
            ]
        );
        assert_eq!(key_text(None), "(missing)");
    }

    #[test]
    fn paths_go_through_documents_and_arrays() {
        let shop = document(
            &json!({"customer": {"country": "de"}, "items": [{"price": 1}, {"price": [2, 3]}, {"sku": "x"}], "n": 5}),
        );
        let key = |path| key_text(value_at(shop.as_raw(), path).unwrap());
        assert_eq!(key("customer.country"), "de");
        assert_eq!(key("customer.city"), MISSING);
        assert_eq!(key("n.x"), MISSING);
        let mut prices = Vec::new();
        each_value_at(shop.as_raw(), "items.price", &mut |value| prices.push(value.as_i64())).unwrap();
        assert_eq!(prices, [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn labels_are_checked() {
        let labels = |json| serde_json::from_value::<GroupBy>(json).unwrap().labels("groupBy", &["collection"]);
        assert_eq!(labels(json!(["orderStatus"])).unwrap(), [("order_status".to_owned(), "orderStatus".to_owned())]);
        let wrong = |json| labels(json).unwrap_err().message;
        insta::assert_snapshot!(wrong(json!({"Status": "status"})), @"probes[…].config.groupBy.Status: a label is made of a-z, 0-9, `_` and `.`");
        insta::assert_snapshot!(wrong(json!(["collection"])), @r#"probes[…].config.groupBy: the label `collection` is reserved: choose another one for `collection`, such as {"other_collection": "collection"}"#);
        insta::assert_snapshot!(wrong(json!(["a..b"])), @"probes[…].config.groupBy: `a..b` is not a path such as `customer.country`");
        insta::assert_snapshot!(wrong(json!({"a": 1})), @"probes[…].config.groupBy.a: expected a path, found 1");
        insta::assert_snapshot!(serde_json::from_value::<GroupBy>(json!(3)).unwrap_err(), @r#"expected paths such as ["status"], or labels with paths such as {"state": "status"}"#);
    }
}
