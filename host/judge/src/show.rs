//! Formats values for findings: short, on one line, without control characters.

use serde_json::{Map, Value as Json};
use taster_text::{escape_hidden, truncate_chars};

/// Longer texts are truncated to this many characters.
const MAX_CHARACTERS: usize = 49;

/// `text` on one line, truncated if it is long.
pub(crate) fn short(text: &str) -> String {
    escape_hidden(&truncate_chars(text, MAX_CHARACTERS))
}

/// `text` as a name: in backticks.
pub(crate) fn name(text: &str) -> String {
    format!("`{}`", short(text))
}

/// Some names of many: the first three, and how many more.
pub(crate) fn names<'a>(items: impl ExactSizeIterator<Item = &'a str>) -> String {
    const FIRST: usize = 3;
    let all = items.len();
    let mut shown: Vec<String> = items.take(FIRST).map(name).collect();
    if all > FIRST {
        let last = format!("{} more", taster_text::grouped((all - FIRST) as u64));
        return format!("{} and {last}", shown.join(", "));
    }
    match shown.pop() {
        Some(last) if shown.is_empty() => last,
        Some(last) => format!("{} and {last}", shown.join(", ")),
        None => String::new(),
    }
}

/// A value of canonical Extended JSON: `{"$numberInt": "1"}` is shown as `1`.
pub(crate) fn json(value: &Json) -> String {
    match value {
        Json::Object(object) => match scalar(object) {
            Some((_, text)) => short(&text),
            None => short(&plain(value).to_string()),
        },
        Json::String(text) => format!("\"{}\"", short(text)),
        Json::Array(_) => short(&plain(value).to_string()),
        other => short(&other.to_string()),
    }
}

/// The same, with the BSON type: for two values that look alike and are not.
pub(crate) fn json_with_type(value: &Json) -> String {
    let kind = match value {
        Json::Object(object) => scalar(object).map_or("object", |(kind, _)| kind),
        Json::Array(_) => "array",
        Json::String(_) => "string",
        Json::Bool(_) => "bool",
        Json::Null => "null",
        Json::Number(_) => "number",
    };
    format!("{} ({kind})", json(value))
}

/// BSON's name of the type, and the text of the value.
fn scalar(object: &Map<String, Json>) -> Option<(&'static str, String)> {
    let mut entries = object.iter();
    let (key, value) = entries.next()?;
    if entries.next().is_some() {
        return None;
    }
    let text = |kind| value.as_str().map(|text| (kind, text.to_owned()));
    match key.as_str() {
        "$numberInt" => text("int"),
        "$numberLong" => text("long"),
        "$numberDouble" => text("double"),
        "$numberDecimal" => text("decimal"),
        "$oid" => text("objectId"),
        "$symbol" => text("symbol"),
        "$uuid" => text("uuid"),
        "$date" => Some(("date", date(value))),
        "$timestamp" => {
            let part = |name| value.get(name).map(ToString::to_string);
            Some(("timestamp", format!("{}.{}", part("t")?, part("i")?)))
        }
        "$binary" => value.get("base64")?.as_str().map(|text| ("binData", format!("binary {text}"))),
        "$regularExpression" => {
            let part = |name| value.get(name)?.as_str();
            Some(("regex", format!("/{}/{}", part("pattern")?, part("options")?)))
        }
        "$minKey" => Some(("minKey", "MinKey".to_owned())),
        "$maxKey" => Some(("maxKey", "MaxKey".to_owned())),
        "$undefined" => Some(("undefined", "undefined".to_owned())),
        _ => None,
    }
}

fn date(value: &Json) -> String {
    let millis = value.get("$numberLong").and_then(Json::as_str).and_then(|text| text.parse().ok());
    match millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()) {
        Some(at) => at.to_string(),
        None => value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned),
    }
}

/// The value with its scalars unwrapped, for showing only.
fn plain(value: &Json) -> Json {
    match value {
        Json::Object(object) => match scalar(object) {
            // numbers beyond doubles stay text: shown, never compared
            Some(("int" | "long", text)) => text.parse::<i64>().map_or(Json::String(text), Json::from),
            Some(("double", text)) => match text.parse::<f64>() {
                Ok(x) if x.is_finite() => Json::from(x),
                _ => Json::String(text),
            },
            Some((_, text)) => Json::String(text),
            None => Json::Object(object.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
        },
        Json::Array(items) => Json::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as doc;

    use super::*;

    #[test]
    fn extended_json_is_shown_plain() {
        for (value, shown) in [
            (doc!({"$numberInt": "1"}), "1"),
            (doc!({"$numberDouble": "1.0"}), "1.0"),
            (doc!({"$numberDecimal": "12.50"}), "12.50"),
            (doc!({"$date": {"$numberLong": "1764000000000"}}), "2025-11-24T16:00:00Z"),
            (doc!({"$date": {"$numberLong": "9223372036854775807"}}), r#"{"$numberLong":"9223372036854775807"}"#),
            (doc!({"$oid": "65a000000000000000000001"}), "65a000000000000000000001"),
            (doc!({"$timestamp": {"t": 5, "i": 1}}), "5.1"),
            (doc!({"$regularExpression": {"pattern": "^a", "options": "i"}}), "/^a/i"),
            (doc!({"a": {"$numberInt": "1"}, "b": [{"$numberLong": "2"}]}), r#"{"a":1,"b":[2]}"#),
            (doc!({"$jsonSchema": {"type": "object"}}), r#"{"$jsonSchema":{"type":"object"}}"#),
            (doc!("open"), r#""open""#),
            (doc!(null), "null"),
            (doc!(true), "true"),
        ] {
            assert_eq!(json(&value), shown);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(short("a\u{1b}[2Jb\n\u{202e}c"), "a\\u{1b}[2Jb\\n\\u{202e}c");
        assert_eq!(short(&"x".repeat(100)).chars().count(), MAX_CHARACTERS);
    }

    #[test]
    fn more_than_three_names_are_counted() {
        let listed = |items: &[&str]| names(items.iter().copied());
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b"]), "`a` and `b`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
    }
}
