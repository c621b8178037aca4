//! Wasm guests that call `census`: arguments, results, refusals and the deadline.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use taster_engine::{Limits, RunReport, capability::CensusDetail};
use taster_model::Value as Found;

use crate::{
    component::{Answer, Guest, Kind, Value},
    fixtures::{FakeDatabase, brief, failure, run_on},
};

/// Imports, `$census` of a collection by number (0 `orders`, 1 `denied`) that leaves its result at 512, and `$hand_on`,
/// which brings a failure at 512 into the form in which `run` returns it, at 600.
const CENSUS: &str = r#"
    (import "taster:probe/mongo@1.0.0" "[method]database.census"
        (func $take (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "taster:probe/mongo@1.0.0" "[method]database.find" (func $find (param i32 i32)))
    (data (i32.const 256) "orders\00\00denied\00\00slow")
    (data (i32.const 300) "\05\00\00\00\00")
    (data (i32.const 320) "total")
    (data (i32.const 336) "\40\01\00\00\05\00\00\00")
    (func $census (param $database i32) (param $which i32)
        (call $take (local.get $database)
            (i32.add (i32.const 256) (i32.mul (local.get $which) (i32.const 8))) (i32.const 6)
            (i32.const 1) (i32.const 300) (i32.const 5)
            (i32.const 336) (i32.const 1)
            (i32.const 1)
            (i32.const 3)
            (i32.const 512)))
    (func $wait (param $database i32)
        (i32.store (i32.const 1024) (local.get $database))
        (i32.store (i32.const 1028) (i32.const 272))
        (i32.store (i32.const 1032) (i32.const 4))
        (i32.store (i32.const 1036) (i32.const 300))
        (i32.store (i32.const 1040) (i32.const 5))
        (call $find (i32.const 1024) (i32.const 512)))
    (func $hand_on (result i32)
        (i32.store8 (i32.const 600) (i32.const 1))
        (memory.copy (i32.const 604) (i32.const 520) (i32.const 60))
        (i32.const 600))"#;

/// Records a census of `orders`.
const TAKE: &str = "(call $census (local.get $db) (i32.const 0)) (if (i32.load8_u (i32.const 512)) (then unreachable))";

fn guest(steps: &str, answer: Answer) -> Guest {
    Guest {
        methods: vec!["census", "find"],
        metrics: vec![("*.seen", Kind::Census)],
        items: CENSUS,
        run: steps.to_owned(),
        answer,
        ..Guest::default()
    }
}

fn seen(ids: &[&'static str]) -> Answer {
    let names = ["a.seen", "b.seen"];
    Answer::Metrics(names.into_iter().zip(ids).map(|(name, id)| (name, Value::Census(id))).collect())
}

/// Runs with a deadline of 300 ms and a census that takes three times as long.
async fn run_with_a_long_census(steps: &str) -> (RunReport, Duration) {
    let database = FakeDatabase { census: 3 * brief().deadline, ..FakeDatabase::default() };
    let begun = Instant::now();
    (run_on(&guest(steps, seen(&["c1"])), brief(), database).await, begun.elapsed())
}

#[tokio::test]
async fn recorded_censuses_may_be_metrics() {
    let database = FakeDatabase::default();
    let report = run_on(&guest(&TAKE.repeat(2), seen(&["c2", "c1"])), Limits::default(), database.clone()).await;
    let values: Vec<_> = report.outcome.unwrap().into_iter().map(|metric| metric.value).collect();
    assert_eq!(values, ["c2", "c1"].map(|id| Found::Census(id.to_owned())));
    let asked = database.censuses.lock().unwrap();
    assert_eq!((asked.len(), asked[0].filter.as_deref()), (2, Some(&[5, 0, 0, 0, 0][..])));
    assert_eq!((&*asked[0].ignored, asked[0].sample), (&["total".to_owned()][..], 3));
    assert!(matches!(asked[0].detail, CensusDetail::Fields));
}

#[tokio::test]
async fn the_guest_gets_the_complete_census_summary() {
    let look = format!(
        "{TAKE} (if (i32.or (i64.ne (i64.load (i32.const 528)) (i64.const 7))
                            (i64.ne (i64.load (i32.const 536)) (i64.const 700))) (then unreachable))
         (if (i32.ne (i32.load16_u (i32.load (i32.const 520))) (i32.const 0x3163)) (then unreachable))"
    );
    let report = run_on(&guest(&look, seen(&["c1"])), Limits::default(), FakeDatabase::default()).await;
    assert!(report.outcome.is_ok(), "{report:?}");
}

#[tokio::test]
async fn census_ids_that_were_not_recorded_in_this_run() {
    let report = run_on(&guest("", seen(&["c1"])), Limits::default(), FakeDatabase::default()).await;
    assert_snapshot!(failure(&report), @"T0328: the metric `a.seen`: it names the census `c1`, which was not recorded in this run");
    let report = run_on(&guest(TAKE, seen(&["c1", "c1"])), Limits::default(), FakeDatabase::default()).await;
    assert_snapshot!(failure(&report), @"T0328: the metrics `a.seen` and `b.seen` name the same census `c1`");
}

#[tokio::test]
async fn an_undeclared_census_call_is_refused() {
    let steps =
        "(call $census (local.get $db) (i32.const 0)) (call $drop_database (local.get $db)) (return (call $hand_on))";
    let guest = Guest { methods: vec!["find"], ..guest(steps, seen(&[])) };
    let database = FakeDatabase::default();
    let report = run_on(&guest, Limits::default(), database.clone()).await;
    assert_snapshot!(failure(&report), @"T0330: the probe calls `census`, which its manifest does not declare (asked: census; allowed: find)");
    assert!(database.censuses.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_census_is_reported_completely() {
    let steps =
        "(call $census (local.get $db) (i32.const 1)) (call $drop_database (local.get $db)) (return (call $hand_on))";
    let report = run_on(&guest(steps, seen(&[])), Limits::default(), FakeDatabase::default()).await;
    assert_snapshot!(failure(&report), @"T0312: this host records no census");
}

#[tokio::test]
async fn a_census_does_not_count_against_the_deadline_of_the_probe() {
    let (report, took) = run_with_a_long_census(TAKE).await;
    assert!(report.outcome.is_ok(), "{report:?}");
    assert!(took >= 3 * brief().deadline, "{took:?}");
}

#[tokio::test]
async fn spinning_after_a_census() {
    let (report, took) = run_with_a_long_census(&format!("{TAKE} (loop $again (br $again))")).await;
    assert_snapshot!(failure(&report), @"T0321: the deadline passed while the probe was computing (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)");
    assert!(took >= 3 * brief().deadline && took < 15 * brief().deadline, "{took:?}");
}

#[tokio::test]
async fn waiting_without_end_after_a_census() {
    let (report, took) = run_with_a_long_census(&format!("{TAKE} (call $wait (local.get $db))")).await;
    assert_snapshot!(failure(&report), @"T0321: the deadline passed while the probe waited for `find` (asked: more than 300ms; allowed: 300ms; setting: probes[orders].limits.deadline)");
    assert!(took >= 3 * brief().deadline && took < 15 * brief().deadline, "{took:?}");
}
