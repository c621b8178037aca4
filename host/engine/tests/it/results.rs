//! Results with too many metrics, too many bytes or invalid metrics.

use insta::assert_snapshot;
use taster_engine::Limits;
use taster_model::Value as Found;

use crate::{
    component::{Answer, Guest, Kind, Value},
    fixtures::{failure, run},
};

/// Returns `count` metrics that all lie at the same place of an enlarged memory.
fn flood(count: u32) -> Guest {
    let bytes = count * 40;
    let pages = bytes.div_ceil(65536) + 4;
    Guest {
        pages,
        run: format!(
            "(i32.store8 (i32.const 600) (i32.const 0)) (i32.store (i32.const 604) (i32.const 131072)) \
             (i32.store (i32.const 608) (i32.const {count})) (call $drop_database (local.get $db)) (return (i32.const 600))"
        ),
        ..Guest::default()
    }
}

#[tokio::test]
async fn a_million_metrics() {
    let report = run(&flood(1_000_000), Limits::default()).await;
    assert_snapshot!(failure(&report), @"T0326: the result is too large (asked: more than 10 000 metrics or 1 MiB of text and documents; allowed: 10 000 metrics, 1 MiB; setting: probes[orders].limits.metrics and probes[orders].limits.resultBytes)");
}

#[tokio::test]
async fn more_metrics_than_allowed() {
    let report = run(&flood(10_001), Limits::default()).await;
    assert_snapshot!(failure(&report), @"T0326: the result has too many metrics (asked: 10 001 metrics; allowed: 10 000 metrics; setting: probes[orders].limits.metrics)");
}

#[tokio::test]
async fn a_text_as_long_as_the_memory() {
    let run_ = "(i32.store8 (i32.const 600) (i32.const 1)) (i32.store (i32.const 604) (i32.const 0)) \
                (i32.store (i32.const 608) (i32.const 67108864)) (call $drop_database (local.get $db)) (return (i32.const 600))";
    let report = run(&Guest { pages: 1100, run: run_.to_owned(), ..Guest::default() }, Limits::default()).await;
    assert_snapshot!(failure(&report), @"T0326: the result is too large (asked: more than 10 000 metrics or 1 MiB of text and documents; allowed: 10 000 metrics, 1 MiB; setting: probes[orders].limits.metrics and probes[orders].limits.resultBytes)");
}

#[tokio::test]
async fn a_list_outside_of_memory() {
    let run_ = "(i32.store (i32.const 604) (i32.const -8)) (i32.store (i32.const 608) (i32.const 1)) \
                (call $drop_database (local.get $db)) (return (i32.const 600))";
    let report = run(&Guest { run: run_.to_owned(), ..Guest::default() }, Limits::default()).await;
    assert_snapshot!(failure(&report), @"T0333: the probe violates the rules of the component model: list pointer/length out of bounds of memory");
}

#[tokio::test]
async fn a_metric_that_the_manifest_does_not_declare() {
    let answer = Answer::Metrics(vec![("orders.sum", Value::Integer(1))]);
    let report = run(&Guest { answer, ..Guest::default() }, Limits::default()).await;
    assert_snapshot!(failure(&report), @"T0329: the probe returns the metric `orders.sum`, which its manifest does not declare (asked: orders.sum; allowed: *.count)");
}

#[tokio::test]
async fn documents_keep_the_order_of_their_keys() {
    let document = bson::rawdoc! {"z": 1, "a": {"k": [true]}}.into_bytes();
    let guest = Guest {
        metrics: vec![("spec", Kind::Document)],
        answer: Answer::Metrics(vec![("spec", Value::Document(document))]),
        ..Guest::default()
    };
    let metrics = run(&guest, Limits::default()).await.outcome.unwrap();
    let Found::Document(found) = &metrics[0].value else { panic!("{metrics:?}") };
    assert_snapshot!(found, @r#"{"z":{"$numberInt":"1"},"a":{"k":[true]}}"#);
}

#[tokio::test]
async fn an_invalid_document() {
    let guest = Guest {
        metrics: vec![("spec", Kind::Document)],
        answer: Answer::Metrics(vec![("spec", Value::Document(b"\x0c\0\0\0\x02a\0\xff\0\0\0\0".to_vec()))]),
        ..Guest::default()
    };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @r#"T0328: the metric `spec`: its document is not one BSON document: BSON error at key "a". Kind: Malformed BSON bytes. Message: expected buffer to contain at least 259 bytes, but it only has 5."#);
}
