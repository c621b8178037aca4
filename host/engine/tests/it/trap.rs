//! Wasm guests that trap: the error names the functions.

use insta::assert_snapshot;
use taster_engine::Limits;

use crate::{
    component::Guest,
    fixtures::{failure, run},
};

#[tokio::test]
async fn a_trap_names_the_functions() {
    let guest = Guest {
        items: "(func $sum_of_orders unreachable) (func $_ZN4evil6orders17h0123456789abcdefE (call $sum_of_orders))",
        run: "(call $_ZN4evil6orders17h0123456789abcdefE)".to_owned(),
        ..Guest::default()
    };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0320: the probe trapped: wasm `unreachable` instruction executed, in sum_of_orders < evil::orders < run");
}

#[tokio::test]
async fn deep_recursion() {
    let guest = Guest {
        items: "(func $deeper (param i64) (result i64) (i64.add (call $deeper (local.get 0)) (i64.const 1)))",
        run: "(drop (call $deeper (i64.const 1)))".to_owned(),
        ..Guest::default()
    };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0331: the probe overflowed its stack, in deeper < deeper < deeper < deeper < deeper < 27 more (allowed: 1 MiB of stack)");
}

#[tokio::test]
async fn reading_outside_of_memory() {
    let guest = Guest { run: "(drop (i32.load (i32.const -8)))".to_owned(), ..Guest::default() };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0320: the probe trapped: out of bounds memory access, in run");
}

#[tokio::test]
async fn keeping_the_database_handle_after_the_run() {
    let guest = Guest { run: "(return (global.get $answer))".to_owned(), ..Guest::default() };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0333: the probe kept its database handle: `run` must drop it before it returns");
}

#[tokio::test]
async fn using_an_invalid_handle() {
    let guest = Guest { run: "(call $drop_database (i32.const 77))".to_owned(), ..Guest::default() };
    assert_snapshot!(failure(&run(&guest, Limits::default()).await), @"T0320: the probe trapped: unknown handle index 77, in run");
}
