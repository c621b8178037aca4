//! What must hold of every judgement, each by its name.

use insta::assert_snapshot;
use taster_model::{CollectionFacts, CollectionKind, Failure, FindingOutcome, Refusal, Severity, Value, Verdict};

use crate::{Input, judge, testing::*};

#[test]
fn unknown_is_never_same() {
    // one finding of each kind of not knowing, beside a metric that is the same
    let fine = metric("orders.count", integer(5));
    let sound = || capture(vec![shop(vec![fine.clone()])]);
    let other = |change: &dyn Fn(&mut taster_model::ProbeRecord)| {
        let mut record = probe("other", taster_model::Outcome::Metrics(vec![fine.clone()]));
        change(&mut record);
        capture(vec![shop(vec![fine.clone()]), record])
    };
    let unchanged = other(&|_| {});
    let cases = [
        (sound(), unchanged.clone()),
        (unchanged.clone(), sound()),
        (unchanged.clone(), other(&|r| r.outcome = taster_model::Outcome::Failed(Failure::own("no")))),
        (other(&|r| r.outcome = taster_model::Outcome::Failed(Failure::own("no"))), unchanged.clone()),
        (unchanged.clone(), other(&|r| r.sha256 = "other".to_owned())),
        (unchanged.clone(), other(&|r| r.version = "2.0.0".to_owned())),
        (unchanged.clone(), other(&|r| r.options_sha256 = "other".to_owned())),
        (unchanged.clone(), other(&|r| r.outcome = taster_model::Outcome::Metrics(vec![]))),
        (unchanged.clone(), other(&|r| r.outcome = taster_model::Outcome::Metrics(vec![fine.clone(), fine.clone()]))),
        (
            unchanged.clone(),
            other(&|r| {
                r.outcome = taster_model::Outcome::Metrics(vec![metric("orders.count", real(5.0))]);
            }),
        ),
    ];
    assert_eq!(judged(&unchanged, &unchanged, &[]).verdict, Verdict::Same);
    for (before, after) in &cases {
        let judgement = judged(before, after, &[]);
        assert_eq!(judgement.verdict, Verdict::Unknown, "{}", told(&judgement));
    }
}

#[test]
fn without_a_baseline_nothing_is_same() {
    let after = capture(vec![
        shop(vec![metric("orders.count", integer(5))]),
        failed("broken", Failure::refused(Refusal::Deadline, "T0303", "the probe ran out of time")),
    ]);
    let judgement = judge(&Input::of(None, &after));
    assert_snapshot!(told(&judgement), @r"
    unknown
    unknown no-baseline []: there is no capture from before the sync to compare with
    unknown failed-after [broken]: failed after the sync: T0303: the probe ran out of time
    ");
}

#[test]
fn zero_against_zero_is_unknown_unless_declared() {
    let zeros = [
        integer(0),
        real(0.0),
        real(-0.0),
        decimal("0"),
        decimal("-0.00"),
        decimal("0E+10"),
        set(&[]),
        Value::Document(serde_json::json!({})),
        Value::Document(serde_json::json!([])),
    ];
    for zero in zeros {
        let side = |expect: Option<&str>| {
            let mut record = shop(vec![metric("orders.count", zero.clone()), metric("z", integer(1))]);
            record.declarations = vec![declare("*.count", &zero, expect)];
            capture(vec![record])
        };
        let undeclared = judged(&side(None), &side(None), &[]);
        assert_eq!(undeclared.verdict, Verdict::Unknown, "{zero:?}");
        assert_eq!(undeclared.findings[0].code.as_str(), "zero-against-zero");
        let by_probe = judged(&side(Some("equal")), &side(Some("equal")), &[]);
        assert_eq!(by_probe.verdict, Verdict::Same, "{zero:?}");
        let by_operator = judged(&side(None), &side(None), &[expect("orders.*", "equal")]);
        assert_eq!(by_operator.verdict, Verdict::Same, "{zero:?}");
    }
    assert_snapshot!(one(integer(0), integer(0), None).reason, @"0 before and after; nobody declared that this is right");
    assert_snapshot!(one(set(&[]), set(&[]), None).reason, @"an empty set before and after; nobody declared that this is right");
}

#[test]
fn no_metric_against_no_metric_is_unknown() {
    assert_snapshot!(told(&judged_metrics(vec![], vec![], &[])), @r"
    unknown
    unknown zero-against-zero [shop]: returned no metric before and none after
    ");
}

#[test]
fn nothing_gating_is_unknown() {
    let muted = |muted, severity| {
        let mut record = shop(vec![metric("orders.count", integer(5))]);
        record.muted = muted;
        record.severity = severity;
        capture(vec![record])
    };
    let same = muted(false, Severity::Fail);
    assert_eq!(judged(&same, &same, &[]).verdict, Verdict::Same);
    for side in [muted(true, Severity::Fail), muted(false, Severity::Warn), capture(vec![])] {
        let judgement = judged(&side, &side, &[]);
        assert_eq!(judgement.verdict, Verdict::Unknown);
        assert_eq!(judgement.findings[0].code.as_str(), "nothing-gating");
    }
    // what may change in any way proves nothing
    let ignored = judged(&same, &same, &[expect("*", "ignore")]);
    assert_snapshot!(told(&ignored), @r"
    unknown
    unknown nothing-gating []: nothing that gates was judged: every finding is a warning, muted or ignored, or there is none
    same unchanged [shop orders.count]: unchanged
    ");
}

#[test]
fn nothing_that_exists_goes_unmentioned() {
    let mut before = capture(vec![shop(vec![metric("orders.count", integer(5))])]);
    let mut after = before.clone();
    before.collections.extend([collection("carts"), collection("archive"), collection("system.views")]);
    after.collections.extend([
        CollectionFacts { kind: CollectionKind::View, ..collection("archive") },
        collection("fresh"),
        CollectionFacts { kind: CollectionKind::Absent, ..collection("ghost") },
    ]);
    let judgement = judged(&before, &after, &[]);
    assert_eq!(judgement.uncovered, ["archive", "carts", "fresh"]);
    assert_snapshot!(told(&judgement), @r"
    different
    different collection-gone [collection=archive]: collection `archive` is a view now
    different collection-gone [collection=carts]: collection `carts` is gone
    same unchanged [shop orders.count]: unchanged
    ");
}

#[test]
fn a_collection_that_was_granted_and_never_read_is_not_covered() {
    let mut record = shop(vec![metric("orders.count", integer(5))]);
    record.usage.collections.clear();
    let both = capture(vec![record]);
    assert_eq!(judged(&both, &both, &[]).uncovered, ["orders"]);
}

#[test]
fn what_was_granted_and_is_on_neither_side_proves_nothing() {
    let mut both = capture(vec![shop(vec![metric("indexes", integer(5))])]);
    both.collections.clear();
    assert_snapshot!(told(&judged(&both, &both, &[])), @r#"
    unknown
    unknown zero-against-zero [shop collection=orders]: `orders` was granted, and is there neither before nor after
    same unchanged [shop indexes]: unchanged
    "#);
}

#[test]
fn two_databases_have_nothing_to_say_about_each_other() {
    let before = capture(vec![shop(vec![metric("orders.count", integer(5))])]);
    let mut after = before.clone();
    after.server.database = "backup".to_owned();
    assert_snapshot!(told(&judged(&before, &after, &[])), @r#"
    unknown
    unknown not-comparable []: another database: `pxbbq` before, `backup` after
    "#);
}

#[test]
fn a_collection_that_is_gone_gates_though_its_probe_is_muted() {
    let mut record = shop(vec![metric("orders.count", integer(5))]);
    record.muted = true;
    let before = capture(vec![record]);
    let after = taster_model::Capture { collections: vec![], ..before.clone() };
    let judgement = judged(&before, &after, &[]);
    assert_eq!(judgement.verdict, Verdict::Different);
    assert_eq!(judgement.findings[0].labels["collection"], "orders");
}

#[test]
fn an_expectation_that_matched_nothing_is_a_finding() {
    let metrics = || vec![labelled("orders.count", &[("status", "open")], integer(5))];
    let mut labels = expect("orders.count", "ignore");
    labels.labels.insert("status".to_owned(), "opened".to_owned());
    let mut elsewhere = expect("orders.count", "never-decreases");
    elsewhere.probe = Some("shpo".to_owned());
    let mut warned = expect("order.count", "equal");
    warned.severity = Some(Severity::Warn);
    let judgement = judged_metrics(metrics(), metrics(), &[labels, elsewhere, warned]);
    assert_snapshot!(told(&judgement), @r"
    unknown
    unknown expectation-unmatched [orders.count status=opened]: the expectation matched no metric: there are metrics of this name, but none with these labels
    unknown expectation-unmatched [shpo orders.count]: the expectation matched no metric: probe `shpo` returned none
    unknown (not gating) expectation-unmatched [order.count]: the expectation matched no metric
    same unchanged [shop orders.count status=open]: unchanged
    ");
}

#[test]
fn an_expectation_that_matched_one_side_is_matched() {
    let judgement = judged_metrics(
        vec![metric("a", integer(1)), metric("b", integer(1))],
        vec![metric("a", integer(1))],
        &[expect("b", "equal")],
    );
    assert_snapshot!(told(&judgement), @r"
    unknown
    unknown only-before [shop b]: only before the sync: 1
    same unchanged [shop a]: unchanged
    ");
}

#[test]
fn different_outweighs_unknown_and_muted_outweighs_nothing() {
    let before = vec![metric("a", integer(1)), metric("b", integer(1)), metric("c", integer(1))];
    let after = vec![metric("a", integer(2)), metric("b", integer(1))];
    assert_eq!(judged_metrics(before.clone(), after.clone(), &[]).verdict, Verdict::Different);
    let mut muted = expect("a", "equal");
    muted.muted = true;
    let judgement = judged_metrics(before, after, &[muted]);
    assert_snapshot!(told(&judgement), @r"
    unknown
    unknown only-before [shop c]: only before the sync: 1
    different (not gating) changed [shop a]: 1 more
    same unchanged [shop b]: unchanged
    ");
}

#[test]
fn a_finding_carries_both_values_and_the_rule() {
    let mut warned = expect("orders.revenue", "{within: 1%}");
    warned.severity = Some(Severity::Warn);
    warned.reason = Some("prices were rounded".to_owned());
    let judgement = judged_metrics(
        vec![metric("orders.revenue", decimal("100.00"))],
        vec![metric("orders.revenue", decimal("99.50"))],
        &[warned],
    );
    let finding = judgement.findings.iter().find(|f| f.metric.is_some()).unwrap();
    assert_eq!(finding.outcome, FindingOutcome::Expected);
    assert_eq!(finding.before, Some("100.00".into()));
    assert_eq!(finding.after, Some("99.50".into()));
    assert_eq!(finding.rule.as_deref(), Some("within {rel: 1%}"));
    assert_eq!(finding.declared.as_deref(), Some("prices were rounded"));
    assert_eq!(finding.severity, Severity::Warn);
}
