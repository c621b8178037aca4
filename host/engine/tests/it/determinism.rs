//! A probe cannot tell the two sides of a sync apart: everything it sees through WASI comes from the capture.

use insta::assert_snapshot;
use jiff::Timestamp;
use taster_engine::Limits;
use taster_model::{Metric, Value as Found};

use crate::{
    component::{Answer, Guest, Value},
    fixtures::{FakeDatabase, failure, input, load, run},
};

const WASI: &[&str] = &[
    "package wasi:random@0.2.6; interface random { get-random-u64: func() -> u64; }
     interface insecure { get-insecure-random-u64: func() -> u64; }",
    "package wasi:clocks@0.2.6; interface monotonic-clock { now: func() -> u64; }
     interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
    "package wasi:io@0.2.6; interface error { resource error; }
     interface streams { use error.{error}; variant stream-error { last-operation-failed(error), closed }
       resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; } }",
    "package wasi:cli@0.2.6; interface stderr { use wasi:io/streams@0.2.6.{output-stream}; get-stderr: func() -> output-stream; }
     interface environment { get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; }
     interface exit { exit: func(status: result); }",
    "package wasi:filesystem@0.2.6; interface types { resource descriptor; }
     interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }",
];

const IMPORTS: &str = "import wasi:random/random@0.2.6; import wasi:random/insecure@0.2.6; \
    import wasi:clocks/monotonic-clock@0.2.6; import wasi:clocks/wall-clock@0.2.6; import wasi:cli/stderr@0.2.6; \
    import wasi:cli/environment@0.2.6; import wasi:cli/exit@0.2.6; import wasi:filesystem/preopens@0.2.6;";

/// Imports, and `$put`: writes a number into the n-th metric of the answer.
const ITEMS: &str = r#"
    (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
    (import "wasi:random/insecure@0.2.6" "get-insecure-random-u64" (func $insecure (result i64)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $ticks (result i64)))
    (import "wasi:clocks/wall-clock@0.2.6" "now" (func $now (param i32)))
    (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
    (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/environment@0.2.6" "get-arguments" (func $arguments (param i32)))
    (import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
    (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
    (data (i32.const 256) "Traceback\nValueError: no orders\n")
    (func $put (param $which i32) (param $number i64)
        (i64.store
            (i32.add (i32.load offset=4 (global.get $answer)) (i32.add (i32.const 24) (i32.mul (local.get $which) (i32.const 40))))
            (local.get $number)))"#;

fn guest(run: &str) -> Guest {
    let names = ["a.count", "b.count", "c.count", "d.count", "e.count", "f.count", "g.count", "h.count"];
    Guest {
        items: ITEMS,
        run: run.to_owned(),
        answer: Answer::Metrics(names.map(|name| (name, Value::Integer(-1))).into()),
        wit: (WASI, IMPORTS),
        ..Guest::default()
    }
}

fn numbers(metrics: &[Metric]) -> Vec<i64> {
    let number = |metric: &Metric| match metric.value {
        Found::Integer(number) => number,
        _ => panic!("{metric:?}"),
    };
    metrics.iter().map(number).collect()
}

const READ_EVERYTHING: &str = "
    (call $put (i32.const 0) (call $random))
    (call $put (i32.const 1) (call $random))
    (call $put (i32.const 2) (call $insecure))
    (call $put (i32.const 3) (call $ticks))
    (call $put (i32.const 4) (call $ticks))
    (call $now (i32.const 600)) (call $put (i32.const 5) (i64.load (i32.const 600)))
    (call $environment (i32.const 600)) (call $put (i32.const 6) (i64.load32_u (i32.const 604)))
    (call $directories (i32.const 600)) (call $arguments (i32.const 608))
    (call $put (i32.const 7) (i64.add (i64.load32_u (i32.const 604)) (i64.load32_u (i32.const 612))))";

#[tokio::test]
async fn invariant_1_same_inputs_same_bytes_out() {
    let probe = load(&guest(READ_EVERYTHING).build()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(numbers(&probe.run(input(Limits::default(), FakeDatabase::default())).await.outcome.unwrap()));
        // every real clock has moved on by the second run
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(seen[0], seen[1]);
    let [random, again, insecure, ticks, later, wall, environment, files] = seen[0][..] else { panic!("{seen:?}") };
    assert!(random != again && random != insecure);
    assert_eq!((ticks, later), (0, 1000));
    assert_eq!(Timestamp::from_second(wall).unwrap().to_string(), "2026-11-23T06:00:00Z");
    assert_eq!((environment, files), (0, 0), "no environment, no folders, no arguments");

    let mut other = input(Limits::default(), FakeDatabase::default());
    other.seed = [8; 32];
    assert_ne!(numbers(&probe.run(other).await.outcome.unwrap())[0], random);
}

const WRITE: &str = "(call $write (call $stderr) (i32.const 256) (i32.const 32) (i32.const 600))";

#[tokio::test]
async fn standard_error_is_logged_even_before_a_trap() {
    let report = run(&guest(&format!("{WRITE} unreachable")), Limits::default()).await;
    let messages: Vec<_> = report.log.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(messages, ["Traceback", "ValueError: no orders"]);
    assert_snapshot!(failure(&report), @"T0320: the probe trapped: wasm `unreachable` instruction executed, in run; its last log line: `ValueError: no orders`");
}

#[tokio::test]
async fn exiting_the_process() {
    assert_snapshot!(failure(&run(&guest("(call $exit (i32.const 1))"), Limits::default()).await), @"T0332: the probe exited with code 1 instead of returning");
}
