//! What cannot be compared says why, whole.

use insta::assert_snapshot;
use taster_model::{
    Capture, CollectionFacts, DataKind, Failure, Member, Metric, Outcome, ReasonCode, Refusal, Severity, Verdict,
};

use crate::{Input, judge, testing::*};

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

fn started_again(capture: &Capture, process: &str, startups: &[&str]) -> Capture {
    let mut later = capture.clone();
    later.server.process_id = Some(process.to_owned());
    later.server.members[0] = Member {
        host: None,
        process_id: Some(process.to_owned()),
        startups: startups.iter().map(|&startup| startup.to_owned()).collect(),
    };
    later
}

#[test]
fn another_copy_is_never_compared() {
    let before = capture(vec![shop(vec![metric("orders.count", integer(5))])]);
    let same_copy = started_again(&before, "p2", &["stage-1", "stage-2"]);
    assert_eq!(judged(&before, &same_copy, &[]).verdict, Verdict::Same);
    let replaced = started_again(&before, "p2", &["production-1", "stage-2"]);
    assert_snapshot!(told(&judged(&before, &replaced, &[])), @r"
    unknown
    unknown copy-replaced []: the copy was replaced between the two captures: the server's data files do not list the start of the server that the first one was taken from
    ");
    let mut lossy = started_again(&before, "p2", &[]);
    lossy.probes = vec![shop(vec![metric("orders.count", integer(4))])];
    assert_snapshot!(told(&judged(&before, &lossy, &[])), @r"
    unknown
    unknown copy-unwitnessed []: the server was started again, and nobody can tell whether it holds the same copy: its list of starts (`local.startup_log`) could not be read on both sides
    different (not gating) changed [shop orders.count]: 1 fewer
    ");
    let live = |side: &Capture| Capture { data: DataKind::Live, ..side.clone() };
    assert_eq!(judged(&live(&before), &live(&replaced), &[]).verdict, Verdict::Same);
}

#[test]
fn a_baseline_of_long_ago_is_unknown() {
    let before = capture(vec![shop(vec![metric("orders.count", integer(5))])]);
    let after = Capture { started: before.started + jiff::SignedDuration::from_hours(50), ..before.clone() };
    let aged = |hours: u64| {
        let max_baseline_age = Some(std::time::Duration::from_hours(hours));
        judge(&Input { max_baseline_age, ..Input::of(Some(&before), &after) })
    };
    assert_eq!(aged(51).verdict, Verdict::Same);
    assert_snapshot!(told(&aged(49)), @r"
    unknown
    unknown baseline-too-old []: the baseline is 2d 2h old; `maxBaselineAge` allows 2d 1h
    same (not gating) unchanged [shop orders.count]: unchanged
    ");
}

#[test]
fn a_capture_that_is_not_of_one_moment_is_unknown() {
    let sound = capture(vec![shop(vec![metric("a", integer(1))])]);
    let mut torn = sound.clone();
    torn.consistency.unstable = vec!["carts".to_owned()];
    for (before, after) in [(&sound, &torn), (&torn, &sound)] {
        assert_eq!(judged(before, after, &[]).verdict, Verdict::Unknown);
    }
    for (code, reason) in [
        ("T0211", "snapshot-lost"),
        ("T0219", "snapshot-not-reached"),
        ("T0621", "not-deterministic"),
        ("T0622", "unstable"),
        ("T0623", "unstable"),
    ] {
        let failure = Failure::refused(Refusal::Unavailable, code, "no");
        let judgement = judged(&sound, &capture(vec![failed("shop", failure)]), &[]);
        assert_eq!((judgement.verdict, judgement.findings[0].code.as_str()), (Verdict::Unknown, reason));
    }
}

#[test]
fn what_nobody_covers_is_told_when_it_changes() {
    let mut before = capture(vec![shop(vec![metric("a", integer(1))])]);
    before.collections.push(CollectionFacts {
        documents: Some(1041),
        uuid: Some("u1".to_owned()),
        options: serde_json::json!({"kind": "collection"}),
        indexes: vec![serde_json::json!({"name": "_id_"}), serde_json::json!({"name": "status_1"})],
        ..collection("carts")
    });
    let mut after = before.clone();
    after.collections[1].documents = Some(7);
    after.collections[1].uuid = Some("u2".to_owned());
    after.collections[1].indexes.pop();
    assert_snapshot!(told(&judged(&before, &after, &[])), @r"
    same
    different (not gating) collection-recreated [collection=carts]: `carts` was dropped and made again
    different (not gating) uncovered-changed [collection=carts]: no probe covers `carts`, and the server's fast count went from 1041 to 7, its indexes changed
    same unchanged [shop a]: unchanged
    ");
}

#[test]
fn live_data_may_grow() {
    let side = |count: i64, unit: &str| {
        let metric = Metric { unit: unit.to_owned(), ..metric("orders.count", integer(count)) };
        Capture { data: DataKind::Live, ..capture(vec![shop(vec![metric])]) }
    };
    let verdict = |before: i64, after: i64, unit: &str| judged(&side(before, unit), &side(after, unit), &[]).verdict;
    assert_eq!(verdict(5, 9, "{document}"), Verdict::Same);
    assert_eq!(verdict(5, 4, "{document}"), Verdict::Different);
    assert_eq!(verdict(5, 9, "{index}"), Verdict::Different, "only documents are newer than others");
    let strict = judged(&side(5, "{document}"), &side(9, "{document}"), &[expect("orders.count", "equal")]);
    assert_eq!(strict.verdict, Verdict::Different, "the operator has the last word");
}

#[test]
fn another_volume_is_another_copy_and_the_finding_names_it() {
    let on = |process: &str, volume: &str, item: &str| {
        let mut capture = started_again(&capture(vec![]), process, &[]);
        capture.server.volumes = vec![format!("data-mongo-0={volume}")];
        capture.server.copied = vec![item.to_owned()];
        capture
    };
    let said = |before: &Capture, after: &Capture| {
        let judged = judge(&Input::of(Some(before), after));
        judged.findings.into_iter().find(|f| f.code == ReasonCode::CopyReplaced).map(|finding| finding.reason)
    };
    let before = on("p1", "pv-1", "item-1");
    let moved = said(&before, &on("p2", "pv-2", "item-1")).unwrap();
    assert!(moved.ends_with("the data lie on other volumes (data-mongo-0=pv-2, before data-mongo-0=pv-1)"), "{moved}");
    let copied = said(&before, &on("p2", "pv-1", "item-2")).unwrap();
    assert!(copied.ends_with("whoever copies the data names another copy (item-2, before item-1)"), "{copied}");
    assert_eq!(said(&before, &on("p2", "pv-1", "item-1")), None, "the same volume, and nothing was copied since");
    assert_eq!(said(&before, &on("p1", "pv-2", "item-2")), None, "the same process");
}
