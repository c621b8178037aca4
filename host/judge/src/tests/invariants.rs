//! Invariants of every judgement, one test each.

use insta::assert_snapshot;
use taster_model::{CollectionFacts, CollectionKind, Failure, FindingOutcome, Refusal, Severity, Value, Verdict};

use crate::{JudgementInput, fixtures::*, judge};

#[test]
fn unknown_is_never_same() {
    // each way of being inconclusive, beside an unchanged metric
    let fine = metric("orders.count", integer(5));
    let sound = || capture(vec![shop_probe(vec![fine.clone()])]);
    let altered = |alter: &dyn Fn(&mut taster_model::ProbeRecord)| {
        let mut record = probe("other", taster_model::ProbeOutcome::Metrics(vec![fine.clone()]));
        alter(&mut record);
        capture(vec![shop_probe(vec![fine.clone()]), record])
    };
    let unchanged = altered(&|_| {});
    let cases = [
        (sound(), unchanged.clone()),
        (unchanged.clone(), sound()),
        (unchanged.clone(), altered(&|r| r.outcome = taster_model::ProbeOutcome::Failed(Failure::from_probe("no")))),
        (altered(&|r| r.outcome = taster_model::ProbeOutcome::Failed(Failure::from_probe("no"))), unchanged.clone()),
        (unchanged.clone(), altered(&|r| r.sha256 = "other".to_owned())),
        (unchanged.clone(), altered(&|r| r.version = "2.0.0".to_owned())),
        (unchanged.clone(), altered(&|r| r.options_sha256 = "other".to_owned())),
        (unchanged.clone(), altered(&|r| r.outcome = taster_model::ProbeOutcome::Metrics(vec![]))),
        (
            unchanged.clone(),
            altered(&|r| r.outcome = taster_model::ProbeOutcome::Metrics(vec![fine.clone(), fine.clone()])),
        ),
        (
            unchanged.clone(),
            altered(&|r| {
                r.outcome = taster_model::ProbeOutcome::Metrics(vec![metric("orders.count", real(5.0))]);
            }),
        ),
    ];
    assert_eq!(judge_captures(&unchanged, &unchanged, &[]).verdict, Verdict::Same);
    for (before, after) in &cases {
        let judgement = judge_captures(before, after, &[]);
        assert_eq!(judgement.verdict, Verdict::Unknown, "{}", summarize(&judgement));
    }
}

#[test]
fn without_a_baseline_nothing_is_same() {
    let after = capture(vec![
        shop_probe(vec![metric("orders.count", integer(5))]),
        failed("broken", Failure::refused(Refusal::Deadline, "T0303", "the probe ran out of time")),
    ]);
    let judgement = judge(&JudgementInput::new(None, &after));
    assert_snapshot!(summarize(&judgement), @r"
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
            let mut record = shop_probe(vec![metric("orders.count", zero.clone()), metric("z", integer(1))]);
            record.declarations = vec![declaration("*.count", &zero, expect)];
            capture(vec![record])
        };
        let undeclared = judge_captures(&side(None), &side(None), &[]);
        assert_eq!(undeclared.verdict, Verdict::Unknown, "{zero:?}");
        assert_eq!(undeclared.findings[0].code.as_str(), "zero-against-zero");
        let by_probe = judge_captures(&side(Some("equal")), &side(Some("equal")), &[]);
        assert_eq!(by_probe.verdict, Verdict::Same, "{zero:?}");
        let by_operator = judge_captures(&side(None), &side(None), &[expectation("orders.*", "equal")]);
        assert_eq!(by_operator.verdict, Verdict::Same, "{zero:?}");
    }
    assert_snapshot!(changed_metric_finding(integer(0), integer(0), None).reason, @"0 before and after the sync, and no expectation says that this is correct");
    assert_snapshot!(changed_metric_finding(set(&[]), set(&[]), None).reason, @"an empty set before and after the sync, and no expectation says that this is correct");
}

#[test]
fn no_metrics_in_both_captures_is_unknown() {
    assert_snapshot!(summarize(&judge_metrics(vec![], vec![], &[])), @r"
    unknown
    unknown zero-against-zero [shop]: returned no metrics before and after the sync
    ");
}

#[test]
fn nothing_gating_is_unknown() {
    let muted = |muted, severity| {
        let mut record = shop_probe(vec![metric("orders.count", integer(5))]);
        record.muted = muted;
        record.severity = severity;
        capture(vec![record])
    };
    let same = muted(false, Severity::Fail);
    assert_eq!(judge_captures(&same, &same, &[]).verdict, Verdict::Same);
    for side in [muted(true, Severity::Fail), muted(false, Severity::Warn), capture(vec![])] {
        let judgement = judge_captures(&side, &side, &[]);
        assert_eq!(judgement.verdict, Verdict::Unknown);
        assert_eq!(judgement.findings[0].code.as_str(), "nothing-gating");
    }
    // a metric under `ignore` is no evidence
    let ignored = judge_captures(&same, &same, &[expectation("*", "ignore")]);
    assert_snapshot!(summarize(&ignored), @r"
    unknown
    unknown nothing-gating []: no finding can decide the verdict: all findings are warnings, muted or ignored, or there are none
    same unchanged [shop orders.count]: unchanged
    ");
}

#[test]
fn nothing_that_exists_goes_unmentioned() {
    let mut before = capture(vec![shop_probe(vec![metric("orders.count", integer(5))])]);
    let mut after = before.clone();
    before.collections.extend([collection("carts"), collection("archive"), collection("system.views")]);
    after.collections.extend([
        CollectionFacts { kind: CollectionKind::View, ..collection("archive") },
        collection("fresh"),
        CollectionFacts { kind: CollectionKind::Absent, ..collection("ghost") },
    ]);
    let judgement = judge_captures(&before, &after, &[]);
    assert_eq!(judgement.uncovered, ["archive", "carts", "fresh"]);
    assert_snapshot!(summarize(&judgement), @r"
    different
    different collection-gone [collection=archive]: collection `archive` is now a view
    different collection-gone [collection=carts]: collection `carts` is gone
    same unchanged [shop orders.count]: unchanged
    ");
}

#[test]
fn a_collection_that_was_granted_and_never_read_is_not_covered() {
    let mut record = shop_probe(vec![metric("orders.count", integer(5))]);
    record.usage.collections.clear();
    let both = capture(vec![record]);
    assert_eq!(judge_captures(&both, &both, &[]).uncovered, ["orders"]);
}

#[test]
fn a_granted_collection_that_never_existed_is_unknown() {
    let mut both = capture(vec![shop_probe(vec![metric("indexes", integer(5))])]);
    both.collections.clear();
    assert_snapshot!(summarize(&judge_captures(&both, &both, &[])), @r#"
    unknown
    unknown zero-against-zero [shop collection=orders]: `orders` is granted to the probe and exists neither before nor after the sync
    same unchanged [shop indexes]: unchanged
    "#);
}

#[test]
fn captures_of_different_databases_are_not_compared() {
    let before = capture(vec![shop_probe(vec![metric("orders.count", integer(5))])]);
    let mut after = before.clone();
    after.server.database = "backup".to_owned();
    assert_snapshot!(summarize(&judge_captures(&before, &after, &[])), @r#"
    unknown
    unknown not-comparable []: the captures are of different databases: `pxbbq` before, `backup` after
    "#);
}

#[test]
fn a_lost_collection_decides_although_its_probe_is_muted() {
    let mut record = shop_probe(vec![metric("orders.count", integer(5))]);
    record.muted = true;
    let before = capture(vec![record]);
    let after = taster_model::Capture { collections: vec![], ..before.clone() };
    let judgement = judge_captures(&before, &after, &[]);
    assert_eq!(judgement.verdict, Verdict::Different);
    assert_eq!(judgement.findings[0].labels["collection"], "orders");
}

#[test]
fn an_expectation_that_matches_nothing_is_a_finding() {
    let metrics = || vec![labelled("orders.count", &[("status", "open")], integer(5))];
    let mut labels = expectation("orders.count", "ignore");
    labels.labels.insert("status".to_owned(), "opened".to_owned());
    let mut elsewhere = expectation("orders.count", "never-decreases");
    elsewhere.probe = Some("shpo".to_owned());
    let mut warned = expectation("order.count", "equal");
    warned.severity = Some(Severity::Warn);
    let judgement = judge_metrics(metrics(), metrics(), &[labels, elsewhere, warned]);
    assert_snapshot!(summarize(&judgement), @r"
    unknown
    unknown expectation-unmatched [orders.count status=opened]: the expectation matched no metric: metrics of this name exist, but none with these labels
    unknown expectation-unmatched [shpo orders.count]: the expectation matched no metric: probe `shpo` returned none
    unknown (not gating) expectation-unmatched [order.count]: the expectation matched no metric
    same unchanged [shop orders.count status=open]: unchanged
    ");
}

#[test]
fn an_expectation_that_matches_one_capture_is_matched() {
    let judgement = judge_metrics(
        vec![metric("a", integer(1)), metric("b", integer(1))],
        vec![metric("a", integer(1))],
        &[expectation("b", "equal")],
    );
    assert_snapshot!(summarize(&judgement), @r"
    unknown
    unknown only-before [shop b]: only before the sync: 1
    same unchanged [shop a]: unchanged
    ");
}

#[test]
fn different_outweighs_unknown_and_muted_findings_decide_nothing() {
    let before = vec![metric("a", integer(1)), metric("b", integer(1)), metric("c", integer(1))];
    let after = vec![metric("a", integer(2)), metric("b", integer(1))];
    assert_eq!(judge_metrics(before.clone(), after.clone(), &[]).verdict, Verdict::Different);
    let mut muted = expectation("a", "equal");
    muted.muted = true;
    let judgement = judge_metrics(before, after, &[muted]);
    assert_snapshot!(summarize(&judgement), @r"
    unknown
    unknown only-before [shop c]: only before the sync: 1
    different (not gating) changed [shop a]: 1 more
    same unchanged [shop b]: unchanged
    ");
}

#[test]
fn a_finding_carries_both_values_and_the_rule() {
    let mut warned = expectation("orders.revenue", "{within: 1%}");
    warned.severity = Some(Severity::Warn);
    warned.reason = Some("prices were rounded".to_owned());
    let judgement = judge_metrics(
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
