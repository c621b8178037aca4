//! Files that are no components.

use insta::assert_snapshot;
use taster_engine::Limits;

use crate::{
    component::Guest,
    fixtures::{describe_error, load, load_within},
};

async fn refused(bytes: &[u8]) -> String {
    describe_error(&load(bytes).await.unwrap_err())
}

#[tokio::test]
async fn code_compiled_ahead_of_time() {
    let compiled = wasmtime::Engine::default().precompile_component(&Guest::default().build()).unwrap();
    assert_snapshot!(refused(&compiled).await, @r"
    T0303: this is not a WebAssembly component but code compiled ahead of time
    help: give the component itself: native code from elsewhere is never run
    ");
}

#[tokio::test]
async fn a_core_module() {
    assert_snapshot!(refused(&wat::parse_str("(module)").unwrap()).await, @r"
    T0303: this is not a WebAssembly component but a core module
    help: make it a component: `wasm-tools component new`
    ");
}

#[tokio::test]
async fn text() {
    assert_snapshot!(refused(b"\n(component)").await, @r"
    T0303: this is not a WebAssembly component but WebAssembly in text form
    help: make it binary: `wasm-tools parse`
    ");
}

#[tokio::test]
async fn something_else() {
    assert_snapshot!(refused(b"#!/bin/sh\n").await, @r"
    T0303: this is not a WebAssembly component but something else
    help: give a component, a `.wasm` file that begins with the bytes 00 61 73 6d 0d 00 01 00
    ");
    assert_snapshot!(refused(b"").await, @r"
    T0303: this is not a WebAssembly component but an empty file
    help: build the component again
    ");
}

#[tokio::test]
async fn half_a_component() {
    let component = Guest::default().build();
    assert_snapshot!(refused(&component[..component.len() / 2]).await, @r"
    T0304: the component is not valid: unexpected end-of-file (at offset 0x427)
    help: build it again, without WebAssembly proposals beyond bulk memory and extended constants
    ");
}

#[tokio::test]
async fn a_component_that_is_too_large() {
    let limits = Limits { component_size: 1000, ..Limits::default() };
    let mut component = Guest::default().build();
    component.resize(1001, 0);
    assert_snapshot!(describe_error(&load_within(&component, &limits).await.unwrap_err()), @r"
    T0302: the component has 1001 bytes and 1000 bytes are allowed (probes[orders].limits.componentSize)
    help: strip debug information from it, or raise probes[orders].limits.componentSize
    ");
}

#[tokio::test]
async fn proposals_that_are_off() {
    let proposals = [
        ("memory64", "(memory $wide i64 1)"),
        ("multi-memory", "(memory $second 1)"),
        ("threads", "(func (drop (i32.atomic.load (i32.const 0))))"),
        ("simd", "(func (drop (v128.const i64x2 0 0)))"),
        ("tail calls", "(func $f (return_call $f))"),
    ];
    let mut texts = Vec::new();
    for (name, items) in proposals {
        let items: &'static str = items;
        let guest = Guest { items, ..Guest::default() };
        // the encoder validates with everything on; what it refuses itself never reaches a host
        let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| guest.build()));
        let text = match built {
            Ok(component) => load(&component).await.unwrap_err().to_string(),
            Err(_) => "the tool chain refuses it".to_owned(),
        };
        texts.push(format!("{name}: {}", text.split(" (at offset").next().unwrap_or_default()));
    }
    assert_snapshot!(texts.join("\n"), @r"
    memory64: the tool chain refuses it
    multi-memory: the component is not valid: multiple memories
    threads: the component is not valid: threads support is not enabled
    simd: the component is not valid: SIMD support is not enabled
    tail calls: the component is not valid: tail calls support is not enabled
    ");
}
