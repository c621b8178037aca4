//! Describes the difference of two JSON documents in a finding.

use serde_json::Value as Json;
use taster_text::{JsonChange, JsonChangeKind as ChangeKind, is_bson_scalar, join_path, json_diff, json_equal};

use crate::show;

/// Number of changes that are described; the rest is counted.
const MAX_DESCRIBED: usize = 4;

/// Describes the difference of two documents that are not equal.
pub(crate) fn describe(before: &Json, after: &Json) -> String {
    let changes = json_diff(before, after).changes;
    let rest = changes.len().saturating_sub(MAX_DESCRIBED);
    let mut parts: Vec<String> = Vec::new();
    // changes below the same top-level key are grouped
    for group in changes[..changes.len() - rest].chunk_by(|a, b| a.path.first() == b.path.first()) {
        parts.push(describe_group(group));
    }
    let mut text = parts.join("; ");
    if rest > 0 {
        use std::fmt::Write;
        let _ = write!(text, " (+{} more)", taster_text::grouped(rest as u64));
    }
    text
}

fn describe_group(group: &[JsonChange<'_>]) -> String {
    if let [change] = group {
        return describe_change(change, &path_name(&change.path));
    }
    let Some(top) = group.first().and_then(|change| change.path.first()) else {
        return String::new();
    };
    let inner: Vec<String> = group.iter().map(|change| describe_below(change, &join_path(&change.path[1..]))).collect();
    format!("{}: {}", show::name(top), inner.join(", "))
}

/// With its full path.
fn describe_change(change: &JsonChange<'_>, name: &str) -> String {
    match &change.kind {
        ChangeKind::Removed(value) if change.path.len() == 1 && is_container(value) => format!("{name} is gone"),
        ChangeKind::Added(value) if change.path.len() == 1 && is_container(value) => format!("{name} is new"),
        _ => format!("{name}: {}", describe_values(&change.kind)),
    }
}

/// With the path below the group's key.
fn describe_below(change: &JsonChange<'_>, path: &str) -> String {
    let values = describe_values(&change.kind);
    if path.is_empty() { values } else { format!("{} {values}", show::short(path)) }
}

fn describe_values(kind: &ChangeKind<'_>) -> String {
    match kind {
        ChangeKind::Removed(value) => format!("{} → absent", show::json(value)),
        ChangeKind::Added(value) => format!("absent → {}", show::json(value)),
        ChangeKind::Changed(before, after) => {
            let (old, new) = (show::json(before), show::json(after));
            // an int 1 and a long 1 look alike
            if old == new {
                format!("{} → {}", show::json_with_type(before), show::json_with_type(after))
            } else {
                format!("{old} → {new}")
            }
        }
        ChangeKind::Reordered(before, after) => {
            format!("order {} → {}", show::short(&before.join(", ")), show::short(&after.join(", ")))
        }
    }
}

fn path_name(path: &[String]) -> String {
    if path.is_empty() { "the document".to_owned() } else { show::name(&join_path(path)) }
}

fn is_container(value: &Json) -> bool {
    match value {
        Json::Object(object) => !is_bson_scalar(object),
        Json::Array(_) => true,
        _ => false,
    }
}

/// Whether every top-level entry of `part`, key and value, is an entry of `whole`. Both must be objects.
pub(crate) fn entries_within(part: &Json, whole: &Json) -> bool {
    match (part.as_object(), whole.as_object()) {
        (Some(part), Some(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| json_equal(value, other)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_was_removed_or_added() {
        let before = json!({"_id_": {"key": {"_id": 1}}, "created_1": {"key": {"created": 1}}});
        let after = json!({"_id_": {"key": {"_id": 1}}});
        assert_snapshot!(describe(&before, &after), @"`created_1` is gone");
        assert_snapshot!(describe(&after, &before), @"`created_1` is new");
    }

    #[test]
    fn one_nested_change_is_named_by_its_path() {
        let before = json!({"status_1": {"key": {"status": {"$numberInt": "1"}}, "unique": true}});
        let after = json!({"status_1": {"key": {"status": {"$numberInt": "1"}}}});
        assert_snapshot!(describe(&before, &after), @"`status_1.unique`: true → absent");
    }

    #[test]
    fn changes_below_one_key_are_grouped() {
        let count = |n: &str| json!({"$numberLong": n});
        let before = json!({"total": {"decimal": count("200000")}, "a": count("1"), "b": count("2"), "c": count("3"), "d": count("4"), "e": count("5")});
        let after = json!({"total": {"string": count("200000")}, "a": count("2"), "b": count("3"), "c": count("4"), "d": count("5"), "e": count("6")});
        assert_snapshot!(describe(&before, &after), @"`total`: decimal 200000 → absent, string absent → 200000; `a`: 1 → 2; `b`: 2 → 3 (+3 more)");
    }

    #[test]
    fn the_order_of_keys_matters() {
        let index = |keys: Json| json!({"key": keys});
        let (before, after) = (index(json!({"a": 1, "b": 1})), index(json!({"b": 1, "a": 1})));
        assert!(!json_equal(&before, &after));
        assert_snapshot!(describe(&before, &after), @"`key`: order a, b → b, a");
        assert_snapshot!(describe(&before["key"], &after["key"]), @"the document: order a, b → b, a");
    }

    #[test]
    fn values_that_look_alike_are_shown_with_their_types() {
        let before = json!({"v": {"$numberInt": "1"}});
        let after = json!({"v": {"$numberLong": "1"}});
        assert_snapshot!(describe(&before, &after), @"`v`: 1 (int) → 1 (long)");
    }

    #[test]
    fn an_item_removed_in_the_middle_is_one_change() {
        let before = json!({"list": ["a", "b", "c", "d"]});
        let after = json!({"list": ["a", "c", "d"]});
        assert_snapshot!(describe(&before, &after), @r#"`list[1]`: "b" → absent"#);
    }

    #[test]
    fn scalars_at_the_top_show_their_values() {
        assert_snapshot!(describe(&json!({"v": "x"}), &json!({})), @r#"`v`: "x" → absent"#);
        assert_snapshot!(describe(&json!({"v": null}), &json!({"v": {"$date": {"$numberLong": "0"}}})), @"`v`: null → 1970-01-01T00:00:00Z");
    }
}
