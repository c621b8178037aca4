//! What cannot be compared says why, whole.

use insta::assert_snapshot;
use taster_model::{Failure, Outcome, Refusal, Severity};

use crate::testing::*;

fn spent() -> Failure {
    Failure::refused(Refusal::Budget, "T0207", "the budget of documents is spent")
        .asked("10000001 documents")
        .allowed("10000000 documents")
        .setting("probes[shop].limits.documents")
}

#[test]
fn a_failure_reaches_the_operator_whole() {
    let sound = capture(vec![shop(vec![metric("a", integer(1))])]);
    let broken = capture(vec![failed("shop", spent())]);
    assert_snapshot!(told(&judged(&sound, &broken, &[])), @r"
    unknown
    unknown failed-after [shop]: failed after the sync: T0207: the budget of documents is spent (asked: 10000001 documents; allowed: 10000000 documents; setting: probes[shop].limits.documents)
    ");
    assert_snapshot!(told(&judged(&broken, &sound, &[])), @r"
    unknown
    unknown failed-before [shop]: failed before the sync: T0207: the budget of documents is spent (asked: 10000001 documents; allowed: 10000000 documents; setting: probes[shop].limits.documents)
    ");
    assert_snapshot!(told(&judged(&broken, &broken, &[])), @r"
    unknown
    unknown failed-after [shop]: failed before and after the sync: T0207: the budget of documents is spent (asked: 10000001 documents; allowed: 10000000 documents; setting: probes[shop].limits.documents)
    ");
    let otherwise = capture(vec![failed("shop", Failure::own("no orders"))]);
    assert_snapshot!(told(&judged(&broken, &otherwise, &[])), @r"
    unknown
    unknown failed-before [shop]: failed before the sync: T0207: the budget of documents is spent (asked: 10000001 documents; allowed: 10000000 documents; setting: probes[shop].limits.documents)
    unknown failed-after [shop]: failed after the sync: no orders
    ");
}

#[test]
fn the_failure_of_a_warning_does_not_gate() {
    let side = |outcome| {
        let mut extra = probe("extra", outcome);
        extra.severity = Severity::Warn;
        capture(vec![shop(vec![metric("a", integer(1))]), extra])
    };
    let sound = side(Outcome::Metrics(vec![metric("a", integer(1))]));
    assert_snapshot!(told(&judged(&sound, &side(Outcome::Failed(Failure::own("no orders"))), &[])), @r"
    same
    unknown (not gating) failed-after [extra]: failed after the sync: no orders
    same unchanged [shop a]: unchanged
    ");
}

#[test]
fn another_component_or_other_options_are_not_compared() {
    let sound = capture(vec![shop(vec![metric("a", integer(1)), metric("b", integer(1))])]);
    let changed = |change: &dyn Fn(&mut taster_model::ProbeRecord)| {
        let mut capture = sound.clone();
        change(&mut capture.probes[0]);
        told(&judged(&sound, &capture, &[]))
    };
    assert_snapshot!(changed(&|probe| { probe.sha256 = "0123456789".into(); probe.version = "1.1.0".into(); }), @r"
    unknown
    unknown component-changed [shop]: another component than before: 1.0.0 (9f86d081) → 1.1.0 (01234567); its 2 metrics were not compared
    ");
    assert_snapshot!(changed(&|probe| probe.options_sha256 = "other".into()), @r"
    unknown
    unknown options-changed [shop]: other options or collections are configured than before; its 2 metrics were not compared
    ");
    assert_snapshot!(changed(&|probe| probe.name = "renamed".into()), @r"
    unknown
    unknown probe-on-one-side [renamed]: ran only after the sync; its 2 metrics were not compared
    unknown probe-on-one-side [shop]: ran only before the sync; its 2 metrics were not compared
    ");
}

#[test]
fn what_is_reported_twice_is_not_compared() {
    let twice = vec![metric("a", integer(1)), metric("a", integer(2))];
    assert_snapshot!(told(&judged_metrics(vec![metric("a", integer(2))], twice, &[])), @r"
    unknown
    unknown not-comparable [shop a]: reported more than once with the same name and labels on one side
    ");
    let one = capture(vec![shop(vec![metric("a", integer(1))])]);
    let two = capture(vec![shop(vec![metric("a", integer(1))]), shop(vec![metric("a", integer(9))])]);
    assert_snapshot!(told(&judged(&one, &two, &[])), @r"
    unknown
    unknown not-comparable [shop]: there are several probes of this name on one side; their metrics were not compared
    ");
}

#[test]
fn a_metric_of_one_side_is_unknown_unless_ignored() {
    let group = |status: &str, n| labelled("orders.count", &[("status", status)], integer(n));
    let before = vec![group("open", 5), group("paid", 7)];
    let after = vec![group("open", 5), group("void", 2)];
    assert_snapshot!(told(&judged_metrics(before.clone(), after.clone(), &[])), @r"
    unknown
    unknown only-before [shop orders.count status=paid]: only before the sync: 7
    unknown only-after [shop orders.count status=void]: only after the sync: 2
    same unchanged [shop orders.count status=open]: unchanged
    ");
    let mut ignored = expect("orders.count", "ignore");
    ignored.labels.insert("status".to_owned(), "void".to_owned());
    assert_snapshot!(told(&judged_metrics(before, after, &[ignored, expect("*", "never-decreases")])), @r"
    unknown
    unknown only-before [shop orders.count status=paid]: only before the sync: 7
    expected allowed [shop orders.count status=void]: only after the sync: 2
    same unchanged [shop orders.count status=open]: unchanged
    ");
}
