//! Wasm guests that use too much memory: by growing, with initial memories and tables, and with several memories.

use insta::assert_snapshot;
use taster_engine::Limits;

use crate::{
    component::{Guest, with_module},
    fixtures::{describe_error, failure, load_within, run},
};

fn small() -> Limits {
    Limits { memory: 1 << 20, ..Limits::default() }
}

#[tokio::test]
async fn growing_memory_without_end() {
    let run_ = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable".to_owned();
    let report = run(&Guest { run: run_, ..Guest::default() }, small()).await;
    assert_snapshot!(failure(&report), @"T0322: the probe ran out of memory: wasm `unreachable` instruction executed, in run (asked: 1 088 KiB in all memories and tables; allowed: 1 MiB; setting: probes[orders].limits.memory)");
    assert_eq!(report.usage.memory_peak, 1 << 20);
}

#[tokio::test]
async fn a_guest_may_go_on_after_memory_grow_failed() {
    let run_ = "(drop (memory.grow (i32.const 10000)))".to_owned();
    let report = run(&Guest { run: run_, ..Guest::default() }, small()).await;
    assert!(report.outcome.is_ok(), "{report:?}");
}

#[tokio::test]
async fn an_initial_memory_beyond_the_limit() {
    let guest = Guest { pages: 2000, ..Guest::default() };
    assert_snapshot!(describe_error(&load_within(&guest.build(), &small()).await.unwrap_err()), @r"
    T0309: the component's `describe` failed: T0322: the probe ran out of memory: memory minimum size of 2000 pages exceeds memory limits (asked: 125 MiB in all memories and tables; allowed: 1 MiB; setting: probes[orders].limits.memory)
    help: raise probes[orders].limits.memory, or fix the probe's `describe`
    ");
}

#[tokio::test]
async fn two_memories_beyond_the_limit_together() {
    let component = with_module(Guest { pages: 12, ..Guest::default() }.build(), "(module (memory 12))");
    assert_snapshot!(describe_error(&load_within(&component, &small()).await.unwrap_err()), @r"
    T0309: the component's `describe` failed: T0322: the probe ran out of memory: memory minimum size of 12 pages exceeds memory limits (asked: 1 536 KiB in all memories and tables; allowed: 1 MiB; setting: probes[orders].limits.memory)
    help: raise probes[orders].limits.memory, or fix the probe's `describe`
    ");
    let both = Limits { memory: 2 << 20, ..Limits::default() };
    assert!(load_within(&component, &both).await.is_ok());
}

#[tokio::test]
async fn a_table() {
    let run_ = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 1000000)) (i32.const -1)) (then unreachable))"
        .to_owned();
    let report = run(&Guest { items: "(table $t 1 funcref)", run: run_, ..Guest::default() }, small()).await;
    assert_snapshot!(failure(&report), @"T0322: the probe ran out of memory: wasm `unreachable` instruction executed, in run (asked: 8 131 080 bytes in all memories and tables; allowed: 1 MiB; setting: probes[orders].limits.memory)");
}

#[tokio::test]
async fn an_initial_table_beyond_the_limit() {
    let guest = Guest { items: "(table $t 9000000 funcref)", ..Guest::default() };
    assert_snapshot!(describe_error(&load_within(&guest.build(), &small()).await.unwrap_err()), @r"
    T0309: the component's `describe` failed: T0322: the probe ran out of memory: table minimum size of 9000000 elements exceeds table limits (asked: 72 131 072 bytes in all memories and tables; allowed: 1 MiB; setting: probes[orders].limits.memory)
    help: raise probes[orders].limits.memory, or fix the probe's `describe`
    ");
}

#[tokio::test]
async fn many_small_memories() {
    let component =
        (0..40).fold(Guest::default().build(), |component, _| with_module(component, "(module (memory 0))"));
    assert_snapshot!(describe_error(&load_within(&component, &small()).await.unwrap_err()), @r"
    T0309: the component's `describe` failed: T0323: the component has too many instances, tables or memories: resource limit exceeded: memory count too high at 33
    help: fix the probe's `describe`: it fails before it reads any data
    ");
}
