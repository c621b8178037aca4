//! Guests that log and report progress, in moderation and too much.

use std::sync::{Arc, Mutex};

use insta::assert_snapshot;
use taster_engine::{Limits, LogLevel, Progress};

use crate::{
    component::Guest,
    fixtures::{FakeDatabase, failure, input, load, run},
};

const LOG: &str = r#"
    (import "taster:probe/host@1.0.0" "log" (func $log (param i32 i32 i32)))
    (import "taster:probe/host@1.0.0" "progress" (func $progress (param i64 i32 i64)))
    (data (i32.const 256) "hello")
    (func $times (param $count i32) (param $length i32)
        (loop $more
            (call $log (i32.const 1) (i32.const 256) (local.get $length))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br_if $more (local.get $count))))"#;

fn logging_guest(run: &str) -> Guest {
    Guest { items: LOG, run: run.to_owned(), ..Guest::default() }
}

#[tokio::test]
async fn a_line() {
    let report = run(&logging_guest("(call $times (i32.const 1) (i32.const 5))"), Limits::default()).await;
    assert_eq!(report.log.len(), 1);
    assert_eq!((report.log[0].level, report.log[0].message.as_str()), (LogLevel::Info, "hello"));
}

#[tokio::test]
async fn a_hundred_thousand_lines() {
    let report = run(&logging_guest("(call $times (i32.const 100000) (i32.const 5))"), Limits::default()).await;
    assert!(report.outcome.is_ok());
    assert!(report.usage.log_bytes <= 64 << 10, "{:?}", report.usage);
    assert_eq!(report.usage.host_calls, 100_000);
    assert_snapshot!(report.log.last().unwrap().message, @"the rest of the log was dropped past 64 KiB (probes[orders].limits.logBytes raises it)");
}

#[tokio::test]
async fn a_million_empty_lines() {
    let report = run(&logging_guest("(call $times (i32.const 1000000) (i32.const 0))"), Limits::default()).await;
    assert!(report.log.len() <= 4097, "{}", report.log.len());
}

#[tokio::test]
async fn one_huge_line() {
    let guest = Guest { pages: 300, ..logging_guest("(call $log (i32.const 1) (i32.const 0) (i32.const 16777216))") };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0324: one call of the host carries too much, in run (asked: more than 8 MiB; allowed: 8 MiB; setting: probes[orders].limits.hostcallBytes)");
}

#[tokio::test]
async fn a_line_that_is_not_text() {
    let guest = Guest {
        run: "(i32.store8 (i32.const 256) (i32.const 255)) (call $times (i32.const 1) (i32.const 5))".to_owned(),
        ..logging_guest("")
    };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0320: the probe trapped: invalid utf-8 sequence of 1 bytes from index 0, in times < run");
}

#[tokio::test]
async fn progress_is_told_now_and_then_and_at_the_end() {
    let guest = logging_guest(
        "(local.set $config (i32.const 0)) (loop $more
            (local.set $config (i32.add (local.get $config) (i32.const 1)))
            (call $progress (i64.extend_i32_u (local.get $config)) (i32.const 1) (i64.const 100000))
            (br_if $more (i32.lt_u (local.get $config) (i32.const 100000))))
         (call $progress (i64.const 100000) (i32.const 1) (i64.const 100000))",
    );
    let probe = load(&guest.build()).await.unwrap();
    let reported = Arc::new(Mutex::new(Vec::new()));
    let mut input = input(Limits::default(), FakeDatabase::default());
    let heard = Arc::clone(&reported);
    input.progress = Some(Arc::new(move |progress: Progress| heard.lock().unwrap().push(progress)));
    assert!(probe.run(input).await.outcome.is_ok());
    let reported = reported.lock().unwrap();
    assert_eq!(reported[0], Progress { done: 1, total: Some(100_000) });
    assert!(reported.len() < 20, "{}", reported.len());
}
