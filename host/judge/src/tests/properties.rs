//! Properties that hold for any input.

use proptest::{collection, prelude::*};
use taster_model::{
    CensusComparisonError, CensusDifference, ChangeOutcome, DeclaredChange, Expectation, FindingOutcome, Metric,
    ReasonCode, Severity, Value, Verdict,
};

use crate::fixtures::*;

fn value() -> impl Strategy<Value = Value> {
    let document = collection::vec(("[a-c]{1,2}", any::<i32>()), 1..4).prop_map(|entries| {
        let entry = |(key, n): (String, i32)| (key, serde_json::json!({"$numberInt": n.to_string()}));
        Value::Document(serde_json::Value::Object(entries.into_iter().map(entry).collect()))
    });
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-3_i64..3).prop_map(Value::Integer),
        any::<f64>().prop_map(real),
        "-?[0-9]{1,12}(\\.[0-9]{1,9})?(E[+-]?[0-9]{1,2})?".prop_map(Value::Decimal),
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Flag),
        collection::btree_set("[a-d]", 0..4).prop_map(Value::Set),
        document,
    ]
}

fn metrics() -> impl Strategy<Value = Vec<Metric>> {
    collection::btree_map(("[a-c](\\.[a-c])?", "[xy]"), value(), 1..6).prop_map(|all| {
        all.into_iter().map(|((name, label), value)| labelled(&name, &[("l", &label)], value)).collect()
    })
}

fn rule() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("equal"),
        Just("{within: 5}"),
        Just("{within: 10%}"),
        Just("never-decreases"),
        Just("never-increases"),
        Just("{between: [-100, 100]}"),
        Just("superset"),
        Just("subset"),
        Just("ignore"),
    ]
}

fn expectations() -> impl Strategy<Value = Vec<Expectation>> {
    let one = ("([a-c]|\\*)(\\.([a-c]|\\*))?", rule(), any::<bool>(), any::<bool>()).prop_map(
        |(metric, rule, muted, warn)| Expectation {
            muted,
            severity: warn.then_some(Severity::Warn),
            ..expectation(&metric, rule)
        },
    );
    collection::vec(one, 0..4)
}

fn changes() -> impl Strategy<Value = Vec<DeclaredChange>> {
    let one = prop_oneof![
        Just(serde_json::json!({"collection": "orders", "addedField": "archived", "type": "bool"})),
        Just(serde_json::json!({"collection": "orders", "removedField": "legacy"})),
        Just(serde_json::json!({"collection": "orders", "renamedField": "mail", "to": "email"})),
        Just(serde_json::json!({"collection": "orders", "removedDocuments": {"status": "void"}})),
        Just(serde_json::json!({"collection": "orders", "addedDocuments": {"seed": true}})),
        Just(serde_json::json!({"collection": "orders", "addedIndex": "a_1"})),
        Just(serde_json::json!({"addedCollection": "orders"})),
        Just(serde_json::json!({"removedCollection": "orders"})),
        Just(serde_json::json!({"removedCollection": "carts"})),
    ];
    collection::vec(one.prop_map(declared_change), 0..4)
}

/// Possible results of comparing two censuses, including none.
fn census_results() -> impl Strategy<Value = CensusResults> {
    let few = || 0_u64..3;
    let outcome =
        (changes(), few(), few(), few(), any::<bool>()).prop_map(|(changes, happened, not, already, late)| {
            changes.into_iter().next().filter(|change| change.kind.needs_census()).map(|change| ChangeOutcome {
                change,
                happened,
                readings: std::collections::BTreeMap::new(),
                not_happened: document_count(not),
                already_before: already,
                unproven_reason: late.then(|| "too late".to_owned()),
            })
        });
    let difference = (few(), few(), few(), few(), collection::vec(outcome, 0..3)).prop_map(
        |(missing, extra, changed, expired, changes)| CensusDifference {
            changes: changes.into_iter().flatten().collect(),
            expired: document_count(expired),
            ..differing(missing, extra, changed)
        },
    );
    prop_oneof![
        4 => difference.prop_map(|difference| orders_census(Ok(difference))),
        1 => Just(CensusResults::new()),
        1 => Just(orders_census(Err(CensusComparisonError { code: ReasonCode::CensusUnreadable, reason: "gone".to_owned() }))),
    ]
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Integer(_) | Value::Real(_) | Value::Decimal(_) => {
            crate::number::Number::from_value(value).unwrap().unwrap().is_zero()
        }
        Value::Set(items) => items.is_empty(),
        _ => false,
    }
}

/// Whether two values are the same under `equal`.
fn equal(a: &Value, b: &Value) -> bool {
    let (old, new) = (metric("m", a.clone()), metric("m", b.clone()));
    let compared =
        crate::compare::compare(&old, &new, &taster_model::Rule::Equal, crate::compare::RuleOrigin::Explicit);
    compared.outcome == FindingOutcome::Same
}

proptest! {
    #[test]
    fn anything_against_itself_is_same(metrics in metrics()) {
        prop_assume!(!metrics.iter().any(|metric| is_zero(&metric.value)));
        let judgement = judge_metrics(metrics.clone(), metrics, &[]);
        prop_assert_eq!(judgement.verdict, Verdict::Same, "{}", summarize(&judgement));
    }

    #[test]
    fn a_single_change_under_equal_is_never_same(metrics in metrics(), at in any::<prop::sample::Index>(), value in value()) {
        let mut after = metrics.clone();
        let at = at.index(after.len());
        prop_assume!(!equal(&after[at].value, &value));
        after[at].value = value;
        let judgement = judge_metrics(metrics, after, &[]);
        prop_assert_ne!(judgement.verdict, Verdict::Same, "{}", summarize(&judgement));
    }

    #[test]
    fn an_added_or_removed_metric_is_never_same(metrics in metrics(), at in any::<prop::sample::Index>(), rule in rule()) {
        prop_assume!(rule != "ignore");
        let mut fewer = metrics.clone();
        fewer.remove(at.index(fewer.len()));
        for (before, after) in [(metrics.clone(), fewer.clone()), (fewer, metrics)] {
            let judgement = judge_metrics(before, after, &[expectation("*", rule)]);
            prop_assert_ne!(judgement.verdict, Verdict::Same, "{}", summarize(&judgement));
        }
    }

    #[test]
    fn the_verdict_is_never_same_with_a_deciding_doubt(before in metrics(), after in metrics(), expectations in expectations()) {
        let judgement = judge_metrics(before, after, &expectations);
        let gating = |outcome| judgement.findings.iter().any(|f| f.gates() && f.outcome == outcome);
        let expected = match (gating(FindingOutcome::Different), gating(FindingOutcome::Unknown)) {
            (true, _) => Verdict::Different,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Same,
        };
        prop_assert_eq!(judgement.verdict, expected, "{}", summarize(&judgement));
    }

    #[test]
    fn the_order_of_metrics_does_not_matter(before in metrics(), after in metrics(), expectations in expectations()) {
        let backwards = |metrics: &[Metric]| metrics.iter().rev().cloned().collect::<Vec<_>>();
        let turned = judge_metrics(backwards(&before), backwards(&after), &expectations);
        prop_assert_eq!(judge_metrics(before, after, &expectations), turned);
    }

    #[test]
    fn every_metric_has_one_finding(before in metrics(), after in metrics(), expectations in expectations()) {
        let judgement = judge_metrics(before.clone(), after.clone(), &expectations);
        for metric in before.iter().chain(&after) {
            let findings = judgement.findings.iter().filter(|f| {
                f.probe.is_some() && f.metric.as_ref() == Some(&metric.name) && f.labels == metric.labels
            });
            prop_assert_eq!(findings.count(), 1);
        }
    }

    #[test]
    fn rules_mirror_each_other(a in value(), b in value()) {
        let outcome = |before: &Value, after: &Value, rule| changed_metric_finding(before.clone(), after.clone(), Some(rule)).outcome;
        prop_assert_eq!(outcome(&a, &b, "equal"), outcome(&b, &a, "equal"));
        prop_assert_eq!(outcome(&a, &b, "{within: 5}"), outcome(&b, &a, "{within: 5}"));
        prop_assert_eq!(outcome(&a, &b, "superset"), outcome(&b, &a, "subset"));
        prop_assert_eq!(outcome(&a, &b, "never-decreases"), outcome(&b, &a, "never-increases"));
        prop_assert_ne!(outcome(&a, &b, "ignore"), FindingOutcome::Different);
    }

    #[test]
    fn a_wider_tolerance_allows_no_less(a in any::<i32>(), b in any::<i32>(), bound in 0_u32..1000, more in 0_u32..1000) {
        let outcome = |bound: u32, suffix: &str| {
            changed_metric_finding(integer(a.into()), integer(b.into()), Some(&format!("{{within: {bound}{suffix}}}"))).outcome
        };
        for suffix in ["", "%"] {
            if outcome(bound, suffix) == FindingOutcome::Expected {
                prop_assert_eq!(outcome(bound + more, suffix), FindingOutcome::Expected);
            }
        }
    }

    #[test]
    fn a_declared_change_never_excuses_undeclared_differences(results in census_results(), declared in changes(), more in changes()) {
        let side = capture_with_census();
        let all: Vec<DeclaredChange> = declared.iter().chain(&more).cloned().collect();
        let [some, more] = [&declared, &all].map(|changes| judge_with_censuses(&side, &side, &results, changes, &[]));
        if some.verdict == Verdict::Different {
            prop_assert_ne!(more.verdict, Verdict::Same, "{}", summarize(&more));
        }
        if let Some((_, Ok(difference))) = results.first() && !difference.is_clean() {
            prop_assert_eq!(more.verdict, Verdict::Different, "{}", summarize(&more));
        }
    }

    #[test]
    fn an_unread_or_unproven_census_never_passes(results in census_results(), changes in changes(), rule in rule()) {
        let side = capture_with_census();
        let judgement = judge_with_censuses(&side, &side, &results, &changes, &[expectation("documents", rule)]);
        let unproven = |results: &CensusResults| results.iter().any(|(_, found)| match found {
            Ok(difference) => difference.changes.iter().any(|outcome| outcome.unproven_reason.is_some()),
            Err(_) => true,
        });
        if results.is_empty() || unproven(&results) {
            prop_assert_ne!(judgement.verdict, Verdict::Same, "{}", summarize(&judgement));
        }
        let gating = |outcome| judgement.findings.iter().any(|f| f.gates() && f.outcome == outcome);
        if gating(FindingOutcome::Different) || gating(FindingOutcome::Unknown) {
            prop_assert_ne!(judgement.verdict, Verdict::Same, "{}", summarize(&judgement));
        }
    }
}
