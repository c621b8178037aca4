//! The difference of two documents as rows of a table, one per changed field. Equal fields are counted, not shown.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use taster_text::{JsonChange, JsonChangeKind, JsonDiff, is_bson_scalar, join_path, json_diff};

use super::text::Text;

/// How many changed fields of a document are shown.
const MAX_ROWS: usize = 60;
/// Longer values and paths are cut to this many characters.
const MAX_VALUE_CHARS: usize = 400;
/// How many equal characters of two long values are shown before and after the characters that differ.
const CONTEXT_CHARS: usize = 24;

/// The difference between two documents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diff {
    /// The fields that differ, in the order of the document before.
    pub(super) rows: Vec<Row>,
    /// How many more fields differ.
    pub(super) more: u64,
    /// How many fields are equal.
    pub(super) same: u64,
}

/// One field that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// `customer.email`, `items[2].price`; empty if the value itself differs.
    pub(super) path: Text,
    /// The value before. `None` if the field did not exist.
    pub(super) before: Option<Cell>,
    /// The value after. `None` if the field does not exist any more.
    pub(super) after: Option<Cell>,
}

impl Row {
    /// `changed`, `gone` or `new`.
    #[must_use]
    pub(super) fn kind(&self) -> &'static str {
        match (&self.before, &self.after) {
            (Some(_), None) => "gone",
            (None, _) => "new",
            _ => "changed",
        }
    }
}

/// One of two values, split into the part that differs and the equal parts around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The equal beginning of both values.
    pub(super) head: Text,
    /// The part that only this value has.
    pub(super) own: Text,
    /// The equal end of both values.
    pub(super) tail: Text,
}

impl Diff {
    /// The difference between two documents. `None` is compared like a document without fields.
    #[must_use]
    pub(super) fn between(before: Option<&Value>, after: Option<&Value>) -> Self {
        let mut diff = Self::default();
        let nothing = Value::Object(Map::new());
        match (before, after) {
            // an array of strings is a set: its order does not matter
            (Some(Value::Array(before)), Some(Value::Array(after))) if texts(before) && texts(after) => {
                diff.sets(before, after);
            }
            (Some(before), Some(after)) => diff.documents(before, after),
            // a document that exists on one side only: show each of its fields
            (Some(before @ Value::Object(fields)), None) if !is_bson_scalar(fields) => diff.documents(before, &nothing),
            (None, Some(after @ Value::Object(fields))) if !is_bson_scalar(fields) => diff.documents(&nothing, after),
            _ => diff.row("", before, after),
        }
        diff
    }

    fn documents(&mut self, before: &Value, after: &Value) {
        let JsonDiff { changes, equal } = json_diff(before, after);
        self.same = equal;
        for JsonChange { path, kind } in changes {
            let path = join_path(&path);
            match kind {
                JsonChangeKind::Removed(before) => self.row(&path, Some(before), None),
                JsonChangeKind::Added(after) => self.row(&path, None, Some(after)),
                JsonChangeKind::Changed(before, after) => self.row(&path, Some(before), Some(after)),
                JsonChangeKind::Reordered(before, after) => self.row(&path, Some(&before.into()), Some(&after.into())),
            }
        }
    }

    fn sets(&mut self, before: &[Value], after: &[Value]) {
        let set = |items: &[Value]| items.iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>();
        let (before, after) = (set(before), set(after));
        for gone in before.difference(&after) {
            self.row("", Some(&gone.as_str().into()), None);
        }
        for new in after.difference(&before) {
            self.row("", None, Some(&new.as_str().into()));
        }
        self.same += before.intersection(&after).count() as u64;
    }

    fn row(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.rows.len() == MAX_ROWS {
            self.more += 1;
            return;
        }
        let [before, after] = cells(before, after);
        self.rows.push(Row { path: Text::cut(path, MAX_VALUE_CHARS), before, after });
    }
}

fn texts(items: &[Value]) -> bool {
    items.iter().all(Value::is_string)
}

/// The type and the value of an Extended JSON wrapper such as `{"$numberLong": "7"}`, which is one value and not a document
/// with one field.
fn wrapped(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields = fields.iter();
    match (fields.next(), fields.next()) {
        (Some((kind, inside)), None) if kind.starts_with('$') => Some((kind, inside)),
        _ => None,
    }
}

/// Both values as text. The type is left out if both values have the same type.
fn cells(before: Option<&Value>, after: Option<&Value>) -> [Option<Cell>; 2] {
    let inside = |value: &Value| match value {
        Value::Object(fields) => {
            wrapped(fields).and_then(|(kind, inside)| Some((kind.to_owned(), inside.as_str()?.to_owned())))
        }
        _ => None,
    };
    let whole = |value: &Value| value.to_string();
    match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = match (inside(before), inside(after)) {
                (Some((kind, before)), Some((other, after))) if kind == other => (before, after),
                _ => (whole(before), whole(after)),
            };
            pair(&before, &after).map(Some)
        }
        (one, other) => [one, other].map(|value| {
            let text = value.map(|value| match inside(value) {
                Some((kind, inside)) if kind.starts_with("$number") => inside,
                _ => whole(value),
            })?;
            Some(Cell { head: Text::of(""), own: Text::cut(&text, MAX_VALUE_CHARS), tail: Text::of("") })
        }),
    }
}

/// Splits two texts into their equal beginning, the part that differs, and their equal end. Of long texts only the part
/// that differs and some characters around it are shown: cut at its end, a long text could hide the difference.
fn pair(before: &str, after: &str) -> [Cell; 2] {
    let head: usize = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    let (rest_before, rest_after) = (&before[head..], &after[head..]);
    let tail: usize = rest_before
        .chars()
        .rev()
        .zip(rest_after.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let head = &before[..head];
    let long = before.len().max(after.len()) > MAX_VALUE_CHARS;
    let shown_head = match head.char_indices().rev().nth(CONTEXT_CHARS - 1) {
        Some((start, _)) if long && start > 0 => format!("…{}", &head[start..]),
        _ => head.to_owned(),
    };
    [rest_before, rest_after].map(|rest| Cell {
        head: Text::of(&shown_head),
        own: Text::cut(&rest[..rest.len() - tail], MAX_VALUE_CHARS),
        tail: Text::cut(&rest[rest.len() - tail..], if long { CONTEXT_CHARS } else { MAX_VALUE_CHARS }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `path: before → after`, with the part that differs in brackets.
    fn lines(diff: &Diff) -> Vec<String> {
        let cell = |cell: &Option<Cell>| match cell {
            Some(Cell { head, own, tail }) => format!("{head}[{own}]{tail}"),
            None => "-".to_owned(),
        };
        let rows = diff.rows.iter().map(|row| format!("{}: {} → {}", row.path, cell(&row.before), cell(&row.after)));
        rows.chain([format!("{} the same, {} more", diff.same, diff.more)]).collect()
    }

    fn between(before: &Value, after: &Value) -> Vec<String> {
        lines(&Diff::between(Some(before), Some(after)))
    }

    #[test]
    fn fields_are_compared_by_their_paths() {
        let before =
            json!({"_id": {"$oid": "65"}, "a": {"b": "tomato", "c": 1}, "items": [{"n": 1}, {"n": 2}], "old": true});
        let after = json!({"_id": {"$oid": "65"}, "a": {"b": "tornado", "c": 1}, "items": [{"n": 1}], "new": null});
        assert_eq!(
            between(&before, &after),
            [
                r#"a.b: "to[mat]o" → "to[rnad]o""#,
                r#"items[1]: [{"n":2}] → -"#,
                "old: [true] → -",
                "new: - → [null]",
                "3 the same, 0 more",
            ]
        );
    }

    #[test]
    fn a_number_of_another_type_is_another_value() {
        let long = json!({"$numberLong": "3000"});
        assert_eq!(
            between(&json!({"n": long}), &json!({"n": {"$numberLong": "2966"}})),
            ["n: [3000] → [2966]", "0 the same, 0 more",]
        );
        assert_eq!(
            between(&json!({"n": long}), &json!({"n": {"$numberInt": "3000"}}))[0],
            r#"n: {"$number[Long]":"3000"} → {"$number[Int]":"3000"}"#
        );
        assert_eq!(between(&json!({}), &json!({"n": long}))[0], "n: - → [3000]");
    }

    #[test]
    fn another_order_of_fields_is_a_difference() {
        let [before, after]: [Value; 2] = [r#"{"k": {"a": 1, "b": 1}}"#, r#"{"k": {"b": 1, "a": 1}}"#]
            .map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(before, after, "maps are compared without their order");
        assert_eq!(lines(&Diff::between(Some(&before), Some(&after)))[0], r#"k: ["[a","b]"] → ["[b","a]"]"#);
    }

    #[test]
    fn sets_are_compared_without_their_order() {
        assert_eq!(
            between(&json!(["a", "b", "c"]), &json!(["b", "c", "d"])),
            [r#": ["a"] → -"#, r#": - → ["d"]"#, "2 the same, 0 more",]
        );
    }

    #[test]
    fn long_values_are_cut_around_their_difference() {
        let text = |middle: &str| json!({"t": format!("{}{middle}{}", "x".repeat(1 << 20), "y".repeat(1 << 20))});
        let lines = between(&text("one"), &text("two"));
        assert!(lines[0].starts_with("t: …xxxxxxxxxxxxxxxxxxxxxxxx[one]yyyy"), "{}", lines[0]);
        assert!(lines[0].contains("[two]yyy") && lines[0].chars().count() < 200, "{}", lines[0]);
    }

    #[test]
    fn a_deep_or_wide_document_is_cut() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        let wide = |n: i32| Value::Object((0..5000).map(|key| (format!("k{key}"), json!(n))).collect());
        assert_eq!(between(&deep, &json!({"a": 2})).len(), 2);
        let diff = Diff::between(Some(&wide(1)), Some(&wide(2)));
        assert_eq!((diff.rows.len(), diff.more, diff.same), (MAX_ROWS, 4940, 0));
    }
}
