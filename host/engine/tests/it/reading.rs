//! Wasm guests that read documents: batches, refusals that a probe does not handle, and cursors that it leaves open.

use std::sync::atomic::Ordering;

use insta::assert_snapshot;
use taster_engine::Limits;
use taster_model::Failure;

use crate::{
    component::{Answer, Guest},
    fixtures::{FakeDatabase, failure, run_on},
};

/// Imports for reading, and `$find_in`: names a collection by number (0 `slow`, 1 `denied`, 2 `orders`), leaves the
/// result of `find` at 512.
pub(crate) const FIND: &str = r#"
    (import "taster:probe/mongo@1.0.0" "[method]database.find" (func $find (param i32 i32)))
    (import "taster:probe/mongo@1.0.0" "[method]cursor.next" (func $next (param i32 i32)))
    (import "taster:probe/mongo@1.0.0" "[resource-drop]cursor" (func $drop_cursor (param i32)))
    (data (i32.const 256) "slow\00\00\00\00denied\00\00orders\00\00")
    (data (i32.const 300) "\05\00\00\00\00")
    (func $find_in (param $database i32) (param $which i32)
        (i32.store (i32.const 1024) (local.get $database))
        (i32.store (i32.const 1028) (i32.add (i32.const 256) (i32.mul (local.get $which) (i32.const 8))))
        (i32.store (i32.const 1032) (select (i32.const 6) (i32.const 4) (local.get $which)))
        (i32.store (i32.const 1036) (i32.const 300))
        (i32.store (i32.const 1040) (i32.const 5))
        (call $find (i32.const 1024) (i32.const 512)))"#;

/// Reads `orders` to its end and frees the memory of each batch.
pub(crate) const READ_ALL: &str = r"
    (call $find_in (local.get $db) (i32.const 2))
    (if (i32.load8_u (i32.const 512)) (then unreachable))
    (local.set $config (global.get $free))
    (block $end (loop $more
        (global.set $free (local.get $config))
        (call $next (i32.load (i32.const 516)) (i32.const 600))
        (if (i32.load8_u (i32.const 600)) (then unreachable))
        (br_if $end (i32.eqz (i32.load8_u (i32.const 604))))
        (br $more)))";

#[tokio::test]
async fn batches_are_read_one_by_one() {
    let guest = Guest { items: FIND, run: READ_ALL.to_owned(), ..Guest::default() };
    let database = FakeDatabase { batches: 100, size: 1 << 20, ..FakeDatabase::default() };
    let report = run_on(&guest, Limits { memory: 16 << 20, ..Limits::default() }, database.clone()).await;
    assert_eq!(report.outcome.as_ref().unwrap().len(), 1, "{report:?}");
    assert_eq!((report.usage.bytes, report.usage.server_ms), (100 << 20, 7));
    // find, a hundred batches and the end
    assert_eq!(report.usage.host_calls, 102);
    assert!(report.usage.memory_peak < 4 << 20, "{}", report.usage.memory_peak);
    assert_eq!(*database.filters.lock().unwrap(), [vec![5, 0, 0, 0, 0]]);
    assert_eq!(database.open.load(Ordering::SeqCst), 0, "a cursor that the guest never dropped is closed all the same");
}

#[tokio::test]
async fn a_refusal_that_the_probe_returns_is_reported_completely() {
    // the layout of `result<cursor, failure>` and of `result<list<metric>, failure>` is the same for a failure
    let guest = Guest {
        items: FIND,
        run: "(call $find_in (local.get $db) (i32.const 1)) (call $drop_database (local.get $db)) (return (i32.const 512))"
            .to_owned(),
        ..Guest::default()
    };
    let report = run_on(&guest, Limits::default(), FakeDatabase::default()).await;
    assert_snapshot!(failure(&report), @"T0202: the collection is not granted (asked: denied; allowed: orders; setting: probes[orders].collections)");
}

#[tokio::test]
async fn a_code_that_the_host_did_not_give_is_dropped() {
    let forged = |code| Answer::FailureWithCode("the snapshot is gone", code);
    for code in ["T0211", "T0219", "T0621", "T0622", "T0202"] {
        let guest = Guest { answer: forged(code), ..Guest::default() };
        let report = run_on(&guest, Limits::default(), FakeDatabase::default()).await;
        let failure = report.outcome.unwrap_err();
        assert_eq!(failure, Failure::from_probe("the snapshot is gone"), "{code}");
        assert_eq!(failure.reason(), None);
    }
    // also after a refusal with another code
    let guest = Guest {
        items: FIND,
        run: "(call $find_in (local.get $db) (i32.const 1))".to_owned(),
        answer: forged("T0211"),
        ..Guest::default()
    };
    let report = run_on(&guest, Limits::default(), FakeDatabase::default()).await;
    assert_eq!(report.outcome.unwrap_err(), Failure::from_probe("the snapshot is gone"));
}

#[tokio::test]
async fn a_failure_that_the_probe_returns() {
    let guest = Guest { answer: Answer::Failure("no orders\u{1b}[2J today"), ..Guest::default() };
    assert_snapshot!(failure(&run_on(&guest, Limits::default(), FakeDatabase::default()).await), @"no orders�[2J today");
}
