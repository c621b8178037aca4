//! Wasm guests that open many cursors.

use std::sync::atomic::Ordering;

use insta::assert_snapshot;
use taster_engine::Limits;

use crate::{
    component::Guest,
    fixtures::{FakeDatabase, failure, run_on},
    reading::FIND,
};

#[tokio::test]
async fn more_open_cursors_than_allowed() {
    let guest = Guest {
        items: FIND,
        run: "(loop $more (call $find_in (local.get $db) (i32.const 2)) (br_if $more (i32.eqz (i32.load8_u (i32.const 512)))))
              (call $drop_database (local.get $db)) (return (i32.const 512))"
            .to_owned(),
        ..Guest::default()
    };
    let database = FakeDatabase::default();
    let report = run_on(&guest, Limits { handles: 100, ..Limits::default() }, database.clone()).await;
    assert_snapshot!(failure(&report), @"T0325: the probe has too many open cursors: it must drop those it has read (asked: 101 handles; allowed: 100 handles; setting: probes[orders].limits.handles)");
    assert_eq!(database.open.load(Ordering::SeqCst), 0, "all of them are closed");
}

#[tokio::test]
async fn dropped_cursors_do_not_count() {
    let guest = Guest {
        items: FIND,
        run: "(local.set $config (i32.const 1000)) (loop $more
                (call $find_in (local.get $db) (i32.const 2))
                (if (i32.load8_u (i32.const 512)) (then unreachable))
                (call $drop_cursor (i32.load (i32.const 516)))
                (local.set $config (i32.sub (local.get $config) (i32.const 1)))
                (br_if $more (local.get $config)))"
            .to_owned(),
        ..Guest::default()
    };
    let report = run_on(&guest, Limits { handles: 100, ..Limits::default() }, FakeDatabase::default()).await;
    assert!(report.outcome.is_ok(), "{report:?}");
}
