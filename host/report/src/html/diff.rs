//! The difference of two documents as rows of a table, one per changed field. Equal fields are counted, not shown.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use taster_text::{JsonChange, JsonChangeKind, JsonDiff, is_bson_scalar, join_path, json_diff};

use super::text::Text;

/// So many fields of a document are shown.
const MOST_ROWS: usize = 60;
/// So much of a value is shown.
const LONGEST: usize = 400;
/// So much of what two long values have in common is shown in front of where they part.
const LEAD: usize = 24;

/// What differs between two documents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diff {
    /// The fields that differ, in the order of the document before.
    pub(super) rows: Vec<Row>,
    /// How many more differ.
    pub(super) more: u64,
    /// How many are the same.
    pub(super) same: u64,
}

/// One field that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// `customer.email`, `items[2].price`; empty for the value itself.
    pub(super) path: Text,
    /// What it was. Absent where there was none.
    pub(super) before: Option<Cell>,
    /// What it is.
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

/// One value: what both have in common, what only this one has, and what they have in common again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// In common.
    pub(super) head: Text,
    /// Only here.
    pub(super) own: Text,
    /// In common.
    pub(super) tail: Text,
}

impl Diff {
    /// The difference between two documents; one that is absent has no field.
    #[must_use]
    pub(super) fn between(before: Option<&Value>, after: Option<&Value>) -> Self {
        let mut diff = Self::default();
        let nothing = Value::Object(Map::new());
        match (before, after) {
            // in sets the items count, not their order
            (Some(Value::Array(before)), Some(Value::Array(after))) if texts(before) && texts(after) => {
                diff.sets(before, after);
            }
            (Some(before), Some(after)) => diff.documents(before, after),
            // of a document on one side alone each field is shown
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
        let of = |items: &[Value]| items.iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>();
        let (before, after) = (of(before), of(after));
        for gone in before.difference(&after) {
            self.row("", Some(&gone.as_str().into()), None);
        }
        for new in after.difference(&before) {
            self.row("", None, Some(&new.as_str().into()));
        }
        self.same += before.intersection(&after).count() as u64;
    }

    fn row(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.rows.len() == MOST_ROWS {
            self.more += 1;
            return;
        }
        let [before, after] = cells(before, after);
        self.rows.push(Row { path: Text::cut(path, LONGEST), before, after });
    }
}

fn texts(items: &[Value]) -> bool {
    items.iter().all(Value::is_string)
}

/// The kind and the inside of a value such as `{"$numberLong": "7"}`: one value, not a document of one field.
fn wrapped(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields = fields.iter();
    match (fields.next(), fields.next()) {
        (Some((kind, inside)), None) if kind.starts_with('$') => Some((kind, inside)),
        _ => None,
    }
}

/// Both values as text. Where both are of a kind, the kind is not said.
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
            Some(Cell { head: Text::of(""), own: Text::cut(&text, LONGEST), tail: Text::of("") })
        }),
    }
}

/// Two texts, parted where they begin and where they cease to differ. Of long ones the piece around that is shown: two
/// that were cut at their ends might look alike.
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
    let long = before.len().max(after.len()) > LONGEST;
    let lead = match head.char_indices().rev().nth(LEAD - 1) {
        Some((start, _)) if long && start > 0 => format!("…{}", &head[start..]),
        _ => head.to_owned(),
    };
    [rest_before, rest_after].map(|rest| Cell {
        head: Text::of(&lead),
        own: Text::cut(&rest[..rest.len() - tail], LONGEST),
        tail: Text::cut(&rest[rest.len() - tail..], if long { LEAD } else { LONGEST }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `path: before → after`, with what differs in brackets.
    fn told(diff: &Diff) -> Vec<String> {
        let cell = |cell: &Option<Cell>| match cell {
            Some(Cell { head, own, tail }) => format!("{head}[{own}]{tail}"),
            None => "-".to_owned(),
        };
        let rows = diff.rows.iter().map(|row| format!("{}: {} → {}", row.path, cell(&row.before), cell(&row.after)));
        rows.chain([format!("{} the same, {} more", diff.same, diff.more)]).collect()
    }

    fn between(before: &Value, after: &Value) -> Vec<String> {
        told(&Diff::between(Some(before), Some(after)))
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
    fn a_number_of_another_kind_is_another_value() {
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
    fn the_order_of_fields_is_a_difference_of_its_own() {
        let [before, after]: [Value; 2] = [r#"{"k": {"a": 1, "b": 1}}"#, r#"{"k": {"b": 1, "a": 1}}"#]
            .map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(before, after, "maps are compared without their order");
        assert_eq!(told(&Diff::between(Some(&before), Some(&after)))[0], r#"k: ["[a","b]"] → ["[b","a]"]"#);
    }

    #[test]
    fn sets_are_compared_by_what_is_in_them() {
        assert_eq!(
            between(&json!(["a", "b", "c"]), &json!(["b", "c", "d"])),
            [r#": ["a"] → -"#, r#": - → ["d"]"#, "2 the same, 0 more",]
        );
    }

    #[test]
    fn of_long_values_the_piece_that_differs_is_shown() {
        let text = |middle: &str| json!({"t": format!("{}{middle}{}", "x".repeat(1 << 20), "y".repeat(1 << 20))});
        let told = between(&text("one"), &text("two"));
        assert!(told[0].starts_with("t: …xxxxxxxxxxxxxxxxxxxxxxxx[one]yyyy"), "{}", told[0]);
        assert!(told[0].contains("[two]yyy") && told[0].chars().count() < 200, "{}", told[0]);
    }

    #[test]
    fn a_document_of_enemies_ends() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        let wide = |n: i32| Value::Object((0..5000).map(|key| (format!("k{key}"), json!(n))).collect());
        assert_eq!(between(&deep, &json!({"a": 2})).len(), 2);
        let diff = Diff::between(Some(&wide(1)), Some(&wide(2)));
        assert_eq!((diff.rows.len(), diff.more, diff.same), (MOST_ROWS, 4940, 0));
    }
}
