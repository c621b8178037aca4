//! Log lines and progress of guests, also more than is allowed.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

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

fn guest(run: &str) -> Guest {
    Guest { items: LOG, run: run.to_owned(), ..Guest::default() }
}

#[tokio::test]
async fn one_log_line() {
    let report = run(&guest("(call $times (i32.const 1) (i32.const 5))"), Limits::default()).await;
    assert_eq!(report.log.len(), 1);
    assert_eq!((report.log[0].level, report.log[0].message.as_str()), (LogLevel::Info, "hello"));
}

#[tokio::test]
async fn a_hundred_thousand_log_lines() {
    let report = run(&guest("(call $times (i32.const 100000) (i32.const 5))"), Limits::default()).await;
    assert!(report.outcome.is_ok());
    assert!(report.usage.log_bytes <= 64 << 10, "{:?}", report.usage);
    assert_eq!(report.usage.host_calls, 100_000);
    assert_snapshot!(report.log.last().unwrap().message, @"the log was cut off after 64 KiB (setting: probes[orders].limits.logBytes)");
}

#[tokio::test]
async fn a_million_empty_log_lines() {
    let report = run(&guest("(call $times (i32.const 1000000) (i32.const 0))"), Limits::default()).await;
    assert!(report.log.len() <= 4097, "{}", report.log.len());
}

#[tokio::test]
async fn one_huge_log_line() {
    let guest = Guest { pages: 300, ..guest("(call $log (i32.const 1) (i32.const 0) (i32.const 16777216))") };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0324: one host call passes too many bytes, in run (asked: more than 8 MiB; allowed: 8 MiB; setting: probes[orders].limits.hostcallBytes)");
}

#[tokio::test]
async fn a_log_line_that_is_not_utf8() {
    let guest = Guest {
        run: "(i32.store8 (i32.const 256) (i32.const 255)) (call $times (i32.const 1) (i32.const 5))".to_owned(),
        ..guest("")
    };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0320: the probe trapped: invalid utf-8 sequence of 1 bytes from index 0, in times < run");
}

/// One of each kind: control characters, soft hyphen, marks of direction, characters without width, line and paragraph
/// separators, byte order mark, tags.
const HIDDEN: [char; 24] = [
    '\0',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{feff}',
    '\u{fff9}',
    '\u{ffff}',
    '\u{e0041}',
];

#[tokio::test]
async fn hidden_characters_of_log_lines_are_replaced() {
    // each line has 16 bytes of memory
    let (mut items, mut steps) = (LOG.to_owned(), String::new());
    for (index, character) in HIDDEN.iter().enumerate() {
        let (line, at) = (format!("a{character}b"), 512 + 16 * index);
        let bytes = line.bytes().fold(String::new(), |text, byte| format!("{text}\\{byte:02x}"));
        writeln!(items, "(data (i32.const {at}) \"{bytes}\")").unwrap();
        writeln!(steps, "(call $log (i32.const 1) (i32.const {at}) (i32.const {}))", line.len()).unwrap();
    }
    let guest = Guest { items: items.leak(), run: steps, ..Guest::default() };
    let report = run(&guest, Limits::default()).await;
    assert_eq!(report.log.len(), HIDDEN.len());
    for (character, line) in HIDDEN.iter().zip(report.log) {
        assert_eq!(line.message, "a\u{fffd}b", "{character:?}");
    }
}

#[tokio::test]
async fn progress_is_reported_at_intervals_and_at_the_end() {
    let guest = guest(
        "(local.set $config (i32.const 0)) (loop $more
            (local.set $config (i32.add (local.get $config) (i32.const 1)))
            (call $progress (i64.extend_i32_u (local.get $config)) (i32.const 1) (i64.const 100000))
            (br_if $more (i32.lt_u (local.get $config) (i32.const 100000))))
         (call $progress (i64.const 100000) (i32.const 1) (i64.const 100000))",
    );
    let probe = load(&guest.build()).await.unwrap();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let mut input = input(Limits::default(), FakeDatabase::default());
    let recorded = Arc::clone(&reports);
    input.progress = Some(Arc::new(move |progress: Progress| recorded.lock().unwrap().push(progress)));
    assert!(probe.run(input).await.outcome.is_ok());
    let reports = reports.lock().unwrap();
    assert_eq!(reports[0], Progress { done: 1, total: Some(100_000) });
    assert!(reports.len() < 20, "{}", reports.len());
}
