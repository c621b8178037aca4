//! Captures, probes and metrics that cannot be compared, and the reason given.

use std::num::NonZeroU32;

use insta::assert_snapshot;
use taster_model::{
    Capture, CollectionFacts, DataKind, Failure, Merge, Metric, MetricDeclaration, ProbeOutcome, ReasonCode, Refusal,
    ReplicaMember, ResultsVersion, Rule, Severity, ValueKind, Verdict,
};

use crate::{JudgementInput, fixtures::*, judge};

fn spent() -> Failure {
    Failure::refused(Refusal::Budget, "T0213", "the probe has reached its document limit")
        .asked("10 000 001 documents")
        .allowed("10 000 000 documents")
        .setting("probes[shop].limits.documents")
}

#[test]
fn a_finding_contains_the_whole_failure() {
    let sound = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    let broken = capture(vec![failed("shop", spent())]);
    assert_snapshot!(summarize(&judge_captures(&sound, &broken, &[])), @r"
    unknown
    unknown failed-after [shop]: failed after the sync: T0213: the probe has reached its document limit (asked: 10 000 001 documents; allowed: 10 000 000 documents; setting: probes[shop].limits.documents)
    ");
    assert_snapshot!(summarize(&judge_captures(&broken, &sound, &[])), @r"
    unknown
    unknown failed-before [shop]: failed before the sync: T0213: the probe has reached its document limit (asked: 10 000 001 documents; allowed: 10 000 000 documents; setting: probes[shop].limits.documents)
    ");
    assert_snapshot!(summarize(&judge_captures(&broken, &broken, &[])), @r"
    unknown
    unknown failed-after [shop]: failed before and after the sync: T0213: the probe has reached its document limit (asked: 10 000 001 documents; allowed: 10 000 000 documents; setting: probes[shop].limits.documents)
    ");
    let otherwise = capture(vec![failed("shop", Failure::from_probe("no orders"))]);
    assert_snapshot!(summarize(&judge_captures(&broken, &otherwise, &[])), @r"
    unknown
    unknown failed-before [shop]: failed before the sync: T0213: the probe has reached its document limit (asked: 10 000 001 documents; allowed: 10 000 000 documents; setting: probes[shop].limits.documents)
    unknown failed-after [shop]: failed after the sync: no orders
    ");
}

#[test]
fn the_failure_of_a_warning_does_not_gate() {
    let side = |outcome| {
        let mut extra = probe("extra", outcome);
        extra.severity = Severity::Warn;
        capture(vec![shop_probe(vec![metric("a", integer(1))]), extra])
    };
    let sound = side(ProbeOutcome::Metrics(vec![metric("a", integer(1))]));
    assert_snapshot!(summarize(&judge_captures(&sound, &side(ProbeOutcome::Failed(Failure::from_probe("no orders"))), &[])), @r"
    same
    unknown (not gating) failed-after [extra]: failed after the sync: no orders
    same unchanged [shop a]: unchanged
    ");
}

#[test]
fn a_changed_component_or_changed_options_are_not_compared() {
    let sound = capture(vec![shop_probe(vec![metric("a", integer(1)), metric("b", integer(1))])]);
    let summary_after = |alter: &dyn Fn(&mut taster_model::ProbeRecord)| {
        let mut capture = sound.clone();
        alter(&mut capture.probes[0]);
        summarize(&judge_captures(&sound, &capture, &[]))
    };
    assert_snapshot!(summary_after(&|probe| { probe.sha256 = "0123456789".into(); probe.version = "1.1.0".into(); }), @r"
    unknown
    unknown component-changed [shop]: the component changed: 1.0.0 (9f86d081) → 1.1.0 (01234567); its 2 metrics were not compared
    ");
    assert_snapshot!(summary_after(&|probe| probe.options_sha256 = "other".into()), @r"
    unknown
    unknown options-changed [shop]: its configured options or collections changed; its 2 metrics were not compared
    ");
    assert_snapshot!(summary_after(&|probe| probe.name = "renamed".into()), @r"
    unknown
    unknown probe-on-one-side [renamed]: ran only after the sync; its 2 metrics were not compared
    unknown probe-on-one-side [shop]: ran only before the sync; its 2 metrics were not compared
    ");
}

#[test]
fn duplicate_metrics_and_probes_are_not_compared() {
    let twice = vec![metric("a", integer(1)), metric("a", integer(2))];
    assert_snapshot!(summarize(&judge_metrics(vec![metric("a", integer(2))], twice, &[])), @r"
    unknown
    unknown not-comparable [shop a]: reported more than once with the same name and labels in one capture
    ");
    let one = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    let two = capture(vec![shop_probe(vec![metric("a", integer(1))]), shop_probe(vec![metric("a", integer(9))])]);
    assert_snapshot!(summarize(&judge_captures(&one, &two, &[])), @r"
    unknown
    unknown not-comparable [shop]: several probes of one capture have this name; their metrics were not compared
    ");
}

fn add_declaration(probe: &mut taster_model::ProbeRecord, name: &str) {
    let added =
        MetricDeclaration { name: name.parse().unwrap(), expect: Some(Rule::Ignore), ..probe.declarations[0].clone() };
    probe.declarations.push(added);
}

/// How two builds of one component differ, and whether they are compared.
type Build = (fn(&mut taster_model::ProbeRecord), Verdict);

#[test]
fn another_build_with_the_same_results_is_compared() {
    let declared = MetricDeclaration {
        name: "a".parse().unwrap(),
        summary: "as it was".to_owned(),
        kind: ValueKind::Integer,
        unit: "1".to_owned(),
        labels: Vec::new(),
        expect: None,
        merge: Merge::Sum,
    };
    let results =
        |version| NonZeroU32::new(version).map(|version| ResultsVersion { probe: "shop".to_owned(), version });
    let mut before = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    before.probes[0].results = results(3);
    before.probes[0].declarations = vec![declared];
    let verdict_after = |before: &Capture, alter: fn(&mut taster_model::ProbeRecord)| {
        let mut after = before.clone();
        after.probes[0].sha256 = "0123456789".to_owned();
        after.probes[0].version = "1.1.0".to_owned();
        alter(&mut after.probes[0]);
        judge_captures(before, &after, &[])
    };
    let builds: [Build; 9] = [
        (|_| {}, Verdict::Same),
        (|probe| probe.declarations[0].summary.clear(), Verdict::Same),
        (|probe| probe.results.as_mut().unwrap().version = NonZeroU32::new(4).unwrap(), Verdict::Unknown),
        (|probe| probe.results.as_mut().unwrap().probe.push('s'), Verdict::Unknown),
        (|probe| probe.results = None, Verdict::Unknown),
        // what it would have found is expected now
        (|probe| probe.declarations[0].expect = Some(Rule::Ignore), Verdict::Unknown),
        (|probe| probe.declarations.clear(), Verdict::Unknown),
        // a new metric, and a pattern that the old one fits, too
        (|probe| add_declaration(probe, "b"), Verdict::Same),
        (|probe| add_declaration(probe, "*"), Verdict::Unknown),
    ];
    for (number, (alter, verdict)) in builds.into_iter().enumerate() {
        assert_eq!(verdict_after(&before, alter).verdict, verdict, "build {number}");
    }
    // no version of results before the sync
    let mut silent = before.clone();
    silent.probes[0].results = None;
    assert_eq!(verdict_after(&silent, |_| {}).verdict, Verdict::Unknown);
    // a standard probe of another release
    before.probes[0].component = "shop".to_owned();
    let other =
        |probe: &mut taster_model::ProbeRecord| probe.results.as_mut().unwrap().version = NonZeroU32::new(4).unwrap();
    assert_snapshot!(summarize(&verdict_after(&before, other)), @r"
    unknown
    unknown component-changed [shop]: the component changed: 1.0.0 (9f86d081, results 3) → 1.1.0 (01234567, results 4); its 1 metric was not compared; Taster 0.1.0 recorded the baseline, and this release has other results of `shop`: a release with the same results can still judge it (the changelog lists them), or take a new baseline with this one
    ");
    // a file that calls itself like a standard probe
    assert_eq!(verdict_after(&before, |probe| probe.component = "./shop.wasm".to_owned()).verdict, Verdict::Unknown);
}

#[test]
fn a_metric_of_one_capture_is_unknown_unless_ignored() {
    let group = |status: &str, n| labelled("orders.count", &[("status", status)], integer(n));
    let before = vec![group("open", 5), group("paid", 7)];
    let after = vec![group("open", 5), group("void", 2)];
    assert_snapshot!(summarize(&judge_metrics(before.clone(), after.clone(), &[])), @r"
    unknown
    unknown only-before [shop orders.count status=paid]: only before the sync: 7
    unknown only-after [shop orders.count status=void]: only after the sync: 2
    same unchanged [shop orders.count status=open]: unchanged
    ");
    let mut ignored = expectation("orders.count", "ignore");
    ignored.labels.insert("status".to_owned(), "void".to_owned());
    assert_snapshot!(summarize(&judge_metrics(before, after, &[ignored, expectation("*", "never-decreases")])), @r"
    unknown
    unknown only-before [shop orders.count status=paid]: only before the sync: 7
    expected allowed [shop orders.count status=void]: only after the sync: 2
    same unchanged [shop orders.count status=open]: unchanged
    ");
}

fn restarted(capture: &Capture, process: &str, startups: &[&str]) -> Capture {
    let mut later = capture.clone();
    later.server.process_id = Some(process.to_owned());
    later.server.members[0] = ReplicaMember {
        host: None,
        process_id: Some(process.to_owned()),
        startups: startups.iter().map(|&startup| startup.to_owned()).collect(),
    };
    later
}

#[test]
fn a_different_copy_is_never_compared() {
    let before = capture(vec![shop_probe(vec![metric("orders.count", integer(5))])]);
    let same_copy = restarted(&before, "p2", &["stage-1", "stage-2"]);
    assert_eq!(judge_captures(&before, &same_copy, &[]).verdict, Verdict::Same);
    let replaced = restarted(&before, "p2", &["production-1", "stage-2"]);
    assert_snapshot!(summarize(&judge_captures(&before, &replaced, &[])), @r"
    unknown
    unknown copy-replaced []: the copy was replaced between the two captures: `local.startup_log` does not list the start of the server that was read before
    ");
    let mut lossy = restarted(&before, "p2", &[]);
    lossy.probes = vec![shop_probe(vec![metric("orders.count", integer(4))])];
    assert_snapshot!(summarize(&judge_captures(&before, &lossy, &[])), @r"
    unknown
    unknown copy-unwitnessed []: the server was restarted, and it is unknown whether it holds the same copy of the data: its list of starts (`local.startup_log`) could not be read in both captures
    different (not gating) changed [shop orders.count]: 1 fewer
    ");
    let live = |side: &Capture| Capture { data: DataKind::Live, ..side.clone() };
    assert_eq!(judge_captures(&live(&before), &live(&same_copy), &[]).verdict, Verdict::Same);
    assert_snapshot!(summarize(&judge_captures(&live(&before), &live(&replaced), &[])), @r"
    unknown
    unknown server-changed []: the live data were read from another server, or nothing shows that it is the same one: `unknown hosts` before, `unknown hosts` after; it is the same one if it still runs, or if it has the same hosts and `local.startup_log` lists its earlier start
    same (not gating) unchanged [shop orders.count]: unchanged
    ");
    // the setting was changed between the two captures
    assert_eq!(judge_captures(&before, &live(&replaced), &[]).verdict, Verdict::Unknown);
}

#[test]
fn a_baseline_that_is_too_old_is_unknown() {
    let before = capture(vec![shop_probe(vec![metric("orders.count", integer(5))])]);
    let after = Capture { started: before.started + jiff::SignedDuration::from_hours(50), ..before.clone() };
    let aged = |hours: u64| {
        let max_baseline_age = Some(std::time::Duration::from_hours(hours));
        judge(&JudgementInput { max_baseline_age, ..JudgementInput::new(Some(&before), &after) })
    };
    assert_eq!(aged(51).verdict, Verdict::Same);
    assert_snapshot!(summarize(&aged(49)), @r"
    unknown
    unknown baseline-too-old []: the baseline is 2d 2h old; `maxBaselineAge` allows 2d 1h
    same (not gating) unchanged [shop orders.count]: unchanged
    ");
}

#[test]
fn a_capture_that_is_not_of_one_point_in_time_is_unknown() {
    let sound = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
    let mut unstable = sound.clone();
    unstable.consistency.unstable = vec!["carts".to_owned()];
    for (before, after) in [(&sound, &unstable), (&unstable, &sound)] {
        assert_eq!(judge_captures(before, after, &[]).verdict, Verdict::Unknown);
    }
    for (code, reason) in [
        ("T0211", "snapshot-lost"),
        ("T0219", "snapshot-not-reached"),
        ("T0621", "not-deterministic"),
        ("T0622", "unstable"),
        ("T0623", "unstable"),
    ] {
        let failure = Failure::refused(Refusal::Unavailable, code, "no");
        let judgement = judge_captures(&sound, &capture(vec![failed("shop", failure)]), &[]);
        assert_eq!((judgement.verdict, judgement.findings[0].code.as_str()), (Verdict::Unknown, reason));
    }
}

#[test]
fn changes_of_uncovered_collections_are_reported() {
    let mut before = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
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
    assert_snapshot!(summarize(&judge_captures(&before, &after, &[])), @r"
    different
    different definition-changed [collection=carts]: no probe covers `carts`, and its indexes changed
    different (not gating) collection-recreated [collection=carts]: `carts` was dropped and created again
    different (not gating) uncovered-changed [collection=carts]: no probe covers `carts`, and its estimated document count changed from 1 041 to 7
    same unchanged [shop a]: unchanged
    ");
}

#[test]
fn stored_functions_that_one_side_could_not_read_are_unknown() {
    let side = |functions: Option<&[&str]>| {
        let hashes = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "ab".repeat(32))).collect();
        let mut side = capture(vec![shop_probe(vec![metric("a", integer(1))])]);
        side.collections.push(CollectionFacts { functions: functions.map(hashes), ..collection("system.js") });
        side
    };
    let judged = |before, after| summarize(&judge_captures(&side(before), &side(after), &[]));
    let both = Some(&["discount", "vat"][..]);
    let unreadable = |before, after, when: &str| {
        let expected =
            format!("\nunknown not-comparable [collection=system.js]: the functions in `system.js` {when}\n");
        let found = judged(before, after);
        assert!(found.starts_with("unknown\n") && found.contains(&expected), "{found}");
    };
    unreadable(both, None, "can no longer be read");
    unreadable(None, both, "could not be read before the sync");
    assert!(judged(both, both).starts_with("same\n"));
    assert!(judged(both, Some(&["vat"])).starts_with("different\n"));
    // nobody compares them, which the evidence says
    assert!(judged(None, None).starts_with("same\n"));
}

#[test]
fn live_data_may_grow() {
    let side = |count: i64, unit: &str| {
        let metric = Metric { unit: unit.to_owned(), ..metric("orders.count", integer(count)) };
        Capture { data: DataKind::Live, ..capture(vec![shop_probe(vec![metric])]) }
    };
    let verdict =
        |before: i64, after: i64, unit: &str| judge_captures(&side(before, unit), &side(after, unit), &[]).verdict;
    assert_eq!(verdict(5, 9, "{document}"), Verdict::Same);
    assert_eq!(verdict(5, 4, "{document}"), Verdict::Different);
    assert_eq!(verdict(5, 9, "{index}"), Verdict::Different, "only documents can be newer than the baseline");
    let strict =
        judge_captures(&side(5, "{document}"), &side(9, "{document}"), &[expectation("orders.count", "equal")]);
    assert_eq!(strict.verdict, Verdict::Different, "the operator's expectation applies");
}

#[test]
fn the_finding_names_the_new_volume_or_copy() {
    let on = |process: &str, volume: &str, item: &str| {
        let mut capture = restarted(&capture(vec![]), process, &[]);
        capture.server.volumes = vec![format!("data-mongo-0={volume}")];
        capture.server.copied = vec![item.to_owned()];
        capture
    };
    let replaced_reason = |before: &Capture, after: &Capture| {
        let judgement = judge(&JudgementInput::new(Some(before), after));
        judgement.findings.into_iter().find(|f| f.code == ReasonCode::CopyReplaced).map(|finding| finding.reason)
    };
    let before = on("p1", "pv-1", "item-1");
    let moved = replaced_reason(&before, &on("p2", "pv-2", "item-1")).unwrap();
    assert!(moved.ends_with("the data are on other volumes (data-mongo-0=pv-2, before: data-mongo-0=pv-1)"), "{moved}");
    let copied = replaced_reason(&before, &on("p2", "pv-1", "item-2")).unwrap();
    assert!(copied.ends_with("the replication system names another copy (item-2, before: item-1)"), "{copied}");
    assert_eq!(replaced_reason(&before, &on("p2", "pv-1", "item-1")), None, "the same volume, and no newer copy");
    assert_eq!(replaced_reason(&before, &on("p1", "pv-2", "item-2")), None, "the same process");
}
