//! Every rule with every kind of value, and the reason that the finding gives.

use insta::assert_snapshot;
use serde_json::json;
use taster_model::{Labels, Metric, Value};

use crate::fixtures::*;

/// `outcome: reason`
fn outcome_under(rule: &str, before: Value, after: Value) -> String {
    let finding = changed_metric_finding(before, after, Some(rule));
    format!("{}: {}", finding.outcome, finding.reason)
}

#[test]
fn numbers() {
    let cases = [
        ("equal", integer(1041), integer(1007), "different: 34 fewer"),
        ("equal", integer(1007), integer(1041), "different: 34 more"),
        ("equal", integer(5), integer(5), "same: unchanged"),
        ("equal", integer(0), integer(0), "same: unchanged"),
        ("equal", integer(i64::MIN), integer(i64::MAX), "different: 18 446 744 073 709 551 615 more"),
        ("equal", decimal("1.0"), decimal("1.00"), "same: unchanged"),
        ("equal", decimal("112.50"), decimal("100.00"), "different: revenue 12.50 less"),
        ("equal", decimal("112345.50"), decimal("100000.00"), "different: revenue 12 345.50 less"),
        ("equal", decimal("-12345.50"), decimal("NaN"), "different: -12 345.50 → NaN"),
        ("equal", decimal("1E+400"), decimal("0"), "different: revenue 1e400 less"),
        ("equal", decimal("NaN"), decimal("NaN"), "same: unchanged"),
        ("equal", decimal("NaN"), decimal("1"), "different: NaN → 1"),
        ("equal", decimal("1"), decimal("Infinity"), "different: 1 → Infinity"),
        ("equal", decimal("abc"), decimal("abc"), "unknown: `abc` is not a decimal"),
        ("ignore", decimal("1"), decimal("1E+999999999"), "unknown: `1E+999999999` is not a decimal"),
        ("equal", real(0.3), real(0.1), "different: revenue 0.2 less"),
        ("equal", real(f64::NAN), real(f64::NAN), "same: unchanged"),
        ("equal", real(-0.0), real(0.0), "same: unchanged"),
        ("equal", real(1.0), real(1.0 + f64::EPSILON), "different: revenue 0.0000000000000002 more"),
        ("{within: 5}", integer(10), integer(15), "expected: 5 more (50.0 %)"),
        ("{within: 5}", integer(10), integer(16), "different: 6 more (60.0 %)"),
        ("{within: 0.1}", real(0.5), real(0.6), "expected: revenue 0.1 more (20.0 %)"),
        ("{within: 0.5}", decimal("1"), decimal("1.5"), "expected: revenue 0.5 more (50.0 %)"),
        ("{within: 1%}", integer(1041), integer(1007), "different: 34 fewer (3.3 %)"),
        ("{within: 1%}", integer(100_000), integer(99_999), "expected: 1 fewer (less than 0.1 %)"),
        ("{within: 1%}", integer(100), integer(101), "expected: 1 more (1.0 %)"),
        ("{within: 1%}", integer(-100), integer(-101), "expected: 1 fewer (1.0 %)"),
        ("{within: 50%}", integer(0), integer(1), "different: 1 more"),
        ("{within: 50%}", integer(0), integer(0), "same: unchanged"),
        ("{within: 1}", decimal("Infinity"), decimal("1"), "different: Infinity → 1"),
        ("{within: 1}", decimal("NaN"), decimal("NaN"), "same: unchanged"),
        ("{within: 1%}", integer(1), integer(90_000_000), "different: 89 999 999 more (89 999 999 times)"),
        ("never-decreases", integer(5), integer(6), "expected: 1 more"),
        ("never-decreases", integer(6), integer(5), "different: 1 fewer"),
        ("never-decreases", decimal("1"), decimal("Infinity"), "expected: 1 → Infinity"),
        ("never-decreases", real(1.0), real(f64::NAN), "different: 1 → NaN"),
        ("never-increases", integer(6), integer(5), "expected: 1 fewer"),
        ("never-increases", integer(5), integer(6), "different: 1 more"),
        ("{between: [0, 10]}", integer(3), integer(7), "expected: 4 more"),
        ("{between: [0, 10]}", integer(20), integer(10), "expected: 10 fewer"),
        ("{between: [0, 10]}", integer(12), integer(12), "different: 12 is not between 0 and 10"),
        ("{between: [0, 10]}", integer(0), integer(0), "same: unchanged"),
        ("{between: [1000, 2000]}", integer(5000), integer(5000), "different: 5 000 is not between 1 000 and 2 000"),
        ("{between: [0, 10]}", real(1.0), real(f64::NAN), "different: NaN is not between 0 and 10"),
        ("{between: [0.1, 1]}", real(0.1), real(0.1), "same: unchanged"),
        ("ignore", integer(5), integer(500), "expected: 495 more"),
        ("ignore", integer(5), integer(5), "same: unchanged"),
    ];
    for (rule, before, after, expected) in cases {
        assert_eq!(outcome_under(rule, before.clone(), after.clone()), expected, "{rule}: {before:?} → {after:?}");
    }
}

#[test]
fn texts_flags_and_sets() {
    let text = |text: &str| Value::Text(text.to_owned());
    let cases = [
        ("equal", text("open"), text("paid"), "different: `open` → `paid`"),
        ("equal", text(""), text(""), "same: unchanged"),
        (
            "equal",
            text(&"x".repeat(99)),
            text(&format!("{}y", "x".repeat(98))),
            "different: the text changed beyond the part that is shown",
        ),
        ("ignore", text("open"), text("paid"), "expected: `open` → `paid`"),
        ("equal", Value::Flag(true), Value::Flag(false), "different: true → false"),
        ("equal", Value::Flag(false), Value::Flag(false), "same: unchanged"),
        ("equal", set(&["open", "x"]), set(&["paid", "x"]), "different: removed `open`; added `paid`"),
        ("equal", set(&["a", "b", "c", "d", "e"]), set(&[]), "different: removed `a`, `b`, `c` and 2 more"),
        ("superset", set(&["a"]), set(&["a", "b"]), "expected: added `b`"),
        ("superset", set(&["a", "b"]), set(&["a", "c"]), "different: removed `b`; added `c`"),
        ("superset", set(&["a"]), set(&["a"]), "same: unchanged"),
        ("subset", set(&["a", "b"]), set(&["a"]), "expected: removed `b`"),
        ("subset", set(&["a"]), set(&["a", "b"]), "different: added `b`"),
        ("ignore", set(&["a"]), set(&["b"]), "expected: removed `a`; added `b`"),
    ];
    for (rule, before, after, expected) in cases {
        assert_eq!(outcome_under(rule, before.clone(), after.clone()), expected, "{rule}: {before:?} → {after:?}");
    }
}

#[test]
fn documents() {
    let indexes = |names: &[&str]| {
        Value::Document(names.iter().map(|name| ((*name).to_owned(), json!({"key": {*name: 1}}))).collect())
    };
    let changed = Value::Document(json!({"a": {"key": {"a": -1}}, "b": {"key": {"b": 1}}}));
    let cases = [
        ("equal", indexes(&["a", "b"]), indexes(&["a", "b"]), "same: unchanged"),
        ("equal", indexes(&["a", "b"]), indexes(&["a"]), "different: `b` is gone"),
        ("equal", indexes(&["a", "b"]), indexes(&["b", "a"]), "different: the document: order a, b → b, a"),
        ("superset", indexes(&["a"]), indexes(&["b", "a"]), "expected: `b` is new"),
        ("superset", indexes(&["a", "b"]), indexes(&["a"]), "different: `b` is gone"),
        ("superset", indexes(&["a"]), changed, "different: `a.key.a`: 1 → -1; `b` is new"),
        ("subset", indexes(&["a", "b"]), indexes(&["b"]), "expected: `a` is gone"),
        ("subset", indexes(&["a"]), indexes(&["a", "b"]), "different: `b` is new"),
        ("ignore", indexes(&["a"]), indexes(&[]), "expected: `a` is gone"),
    ];
    for (rule, before, after, expected) in cases {
        assert_eq!(outcome_under(rule, before.clone(), after.clone()), expected, "{rule}: {before:?} → {after:?}");
    }
}

#[test]
fn a_rule_that_does_not_apply_names_those_that_do() {
    let misfit = |rule, value: Value| outcome_under(rule, value.clone(), value);
    assert_snapshot!(misfit("superset", integer(1)), @"unknown: `superset` does not apply to an integer: use equal, within, never-decreases, never-increases, between or ignore");
    assert_snapshot!(misfit("{within: 1%}", set(&["a"])), @"unknown: `within {rel: 1%}` does not apply to a set: use equal, superset, subset or ignore");
    assert_snapshot!(misfit("never-decreases", Value::Text("a".into())), @"unknown: `never-decreases` does not apply to a text: use equal or ignore");
    assert_snapshot!(misfit("equal", Value::Census("c".into())), @"unknown: the censuses were not compared");
    // a rule that does not apply is no declaration that zero is correct
    assert_snapshot!(misfit("superset", integer(0)), @"unknown: `superset` does not apply to an integer: use equal, within, never-decreases, never-increases, between or ignore");
}

#[test]
fn a_changed_kind_or_unit_is_unknown() {
    assert_snapshot!(outcome_under("{within: 1%}", integer(1), decimal("1")), @"unknown: integer → decimal");
    assert_snapshot!(outcome_under("ignore", integer(1), decimal("1")), @"expected: integer → decimal");
    let size = |unit: &str| Metric { unit: unit.to_owned(), ..metric("orders.size", integer(5)) };
    let judgement = judge_metrics(vec![size("By")], vec![size("KiBy")], &[]);
    assert_snapshot!(judgement.findings[0].reason, @"unit `By` → `KiBy`");
}

#[test]
fn a_unit_is_shown_unless_the_metric_is_a_count() {
    let reason = |unit: &str, before, after| {
        let side = |value| vec![Metric { unit: unit.to_owned(), ..metric("orders.size", value) }];
        judge_metrics(side(before), side(after), &[]).findings[0].reason.clone()
    };
    assert_eq!(reason("By", integer(500), integer(380)), "120 By less");
    assert_eq!(reason("{order}", integer(500), integer(380)), "120 fewer");
    assert_eq!(reason("EUR", decimal("5"), decimal("6.50")), "size 1.50 EUR more");
}

#[test]
fn the_most_specific_expectation_applies() {
    // each one takes precedence over all before it
    let mut by_label = expectation("orders.count", "{within: 4}");
    by_label.labels = Labels::from([("status".to_owned(), "open".to_owned())]);
    let mut by_two_labels = expectation("orders.count", "{within: 5}");
    by_two_labels.labels =
        Labels::from([("status".to_owned(), "open".to_owned()), ("region".to_owned(), "eu".to_owned())]);
    let mut by_probe = expectation("*", "{within: 6}");
    by_probe.probe = Some("shop".to_owned());
    let mut by_probe_later = by_probe.clone();
    by_probe_later.rule = "{within: 7}".parse().unwrap();
    let by_precedence = [
        expectation("*", "{within: 1}"),
        expectation("*.count", "{within: 2}"),
        expectation("orders.count", "{within: 3}"),
        by_label,
        by_two_labels,
        by_probe,
        by_probe_later,
    ];
    let labels = [("status", "open"), ("region", "eu")];
    let side = |n| vec![labelled("orders.count", &labels, integer(n))];
    for count in 1..=by_precedence.len() {
        let rule = format!("within {{abs: {count}}}");
        let given = &by_precedence[..count];
        assert_eq!(judge_metrics(side(1), side(2), given).findings[0].rule, Some(rule.clone()));
        // the position in the file decides only among equals
        if count < by_precedence.len() {
            let backwards: Vec<_> = given.iter().rev().cloned().collect();
            assert_eq!(judge_metrics(side(1), side(2), &backwards).findings[0].rule, Some(rule));
        }
    }
}

#[test]
fn the_probes_own_expectation_applies_if_the_operator_has_none() {
    let side = |n| {
        let mut record = shop_probe(vec![metric("orders.count", integer(n))]);
        record.declarations = vec![
            declaration("*", &integer(1), Some("ignore")),
            declaration("*.count", &integer(1), Some("never-decreases")),
            declaration("orders.count", &decimal("1"), Some("equal")),
        ];
        capture(vec![record])
    };
    let own = judge_captures(&side(1), &side(2), &[]);
    assert_snapshot!(summarize(&own), @r"
    same
    expected allowed [shop orders.count]: 1 more
    ");
    assert_eq!(own.findings[0].rule.as_deref(), Some("never-decreases"));
    let operator = judge_captures(&side(1), &side(2), &[expectation("*", "equal")]);
    assert_eq!(operator.findings[0].rule.as_deref(), Some("equal"));
}
