//! Components with imports and exports of another world.

use insta::assert_snapshot;

use crate::{
    component::{Guest, encode},
    fixtures::{describe_error, load},
};

async fn refused(component: &[u8]) -> String {
    describe_error(&load(component).await.unwrap_err())
}

#[tokio::test]
async fn an_unknown_import() {
    let guest = Guest {
        items: r#"(import "acme:telemetry/sink" "send" (func $send))"#,
        run: "(call $send)".to_owned(),
        wit: (&["package acme:telemetry; interface sink { send: func(); }"], "import acme:telemetry/sink;"),
        ..Guest::default()
    };
    assert_snapshot!(refused(&guest.build()).await, @r"
    T0305: the component imports `acme:telemetry/sink`, which is not available to probes
    help: a probe may import taster:probe@1.0.0 and parts of WASI 0.2, nothing else
    ");
}

#[tokio::test]
async fn a_wasi_import_that_is_not_available() {
    let guest = Guest {
        items: r#"(import "wasi:http/outgoing@0.2.6" "send" (func $send))"#,
        run: "(call $send)".to_owned(),
        wit: (&["package wasi:http@0.2.6; interface outgoing { send: func(); }"], "import wasi:http/outgoing@0.2.6;"),
        ..Guest::default()
    };
    assert_snapshot!(refused(&guest.build()).await, @r"
    T0305: the component imports `wasi:http/outgoing@0.2.6`, which is not available to probes
    help: probes have no network: build it without this import; componentize-js: `disableFeatures: ['http', 'fetch-event']`
    ");
}

#[tokio::test]
async fn no_run_export() {
    let component = encode(
        r#"(module (memory (export "memory") 1) (func (export "describe") (result i32) (i32.const 0)))"#,
        &[],
        "export describe: func() -> u32;",
    );
    assert_snapshot!(refused(&component).await, @r"
    T0306: the component does not export `run`; it exports `describe`
    help: build it for the world `probe` of taster:probe@1.0.0
    ");
}

#[tokio::test]
async fn no_exports() {
    assert_snapshot!(refused(&wat::parse_str("(component)").unwrap()).await, @r"
    T0306: the component does not export `describe`; it exports nothing
    help: build it for the world `probe` of taster:probe@1.0.0
    ");
}

#[tokio::test]
async fn exports_with_other_types() {
    let component = encode(
        r#"(module (memory (export "memory") 1) (func (export "describe") (result i32) (i32.const 0))
            (func (export "run") (result i32) (i32.const 0)))"#,
        &[],
        "export describe: func() -> u32; export run: func() -> u32;",
    );
    assert_snapshot!(refused(&component).await, @r"
    T0307: the component does not implement the interface taster:probe@1.0.0: type-checking export func `describe`: expected `record` found `u32`
    help: build it for the world `probe` of taster:probe@1.0.0
    ");
}

#[tokio::test]
async fn additional_exports_are_allowed() {
    // components of Python export an instance named `exports`
    let guest = Guest {
        items: r#"(func (export "test:extra/more#twice") (param i32) (result i32) (i32.const 2))"#,
        wit: (&["package test:extra; interface more { twice: func(n: u32) -> u32; }"], "export test:extra/more;"),
        ..Guest::default()
    };
    let probe = load(&guest.build()).await.unwrap();
    assert_eq!(probe.exports(), ["describe", "run", "test:extra/more"]);
    assert_eq!(probe.manifest().name, "evil");
}
