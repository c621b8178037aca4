//! Files that are not components, and components that are not valid.

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
    T0303: not a WebAssembly component: the file is code compiled ahead of time
    help: give the component itself: Taster never runs native code from files
    ");
}

#[tokio::test]
async fn a_core_module() {
    assert_snapshot!(refused(&wat::parse_str("(module)").unwrap()).await, @r"
    T0303: not a WebAssembly component: the file is a core module
    help: make it a component: `wasm-tools component new`
    ");
}

#[tokio::test]
async fn a_text_file() {
    assert_snapshot!(refused(b"\n(component)").await, @r"
    T0303: not a WebAssembly component: the file is WebAssembly in text form
    help: make it binary: `wasm-tools parse`
    ");
}

#[tokio::test]
async fn a_file_of_an_unknown_format() {
    assert_snapshot!(refused(b"#!/bin/sh\n").await, @r"
    T0303: not a WebAssembly component: the file is of an unknown format
    help: give a component, a `.wasm` file that begins with the bytes 00 61 73 6d 0d 00 01 00
    ");
    assert_snapshot!(refused(b"").await, @r"
    T0303: not a WebAssembly component: the file is an empty file
    help: build the component again
    ");
}

#[tokio::test]
async fn a_truncated_component() {
    let component = Guest::default().build();
    assert_snapshot!(refused(&component[..component.len() / 2]).await, @r"
    T0304: invalid component: unexpected end-of-file (at offset 0x427)
    help: build it without WebAssembly proposals newer than bulk memory and extended constants
    ");
}

#[tokio::test]
async fn a_component_that_is_too_large() {
    let limits = Limits { component_size: 1000, ..Limits::default() };
    let mut component = Guest::default().build();
    component.resize(1001, 0);
    assert_snapshot!(describe_error(&load_within(&component, &limits).await.unwrap_err()), @r"
    T0302: the component is too large: 1 001 bytes (limit 1 000 bytes, setting probes[orders].limits.componentSize)
    help: strip debug information from it, or raise probes[orders].limits.componentSize
    ");
}

#[tokio::test]
async fn disabled_webassembly_proposals() {
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
        // the encoder validates with all features; a host never sees what it refuses
        let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| guest.build()));
        let text = match built {
            Ok(component) => load(&component).await.unwrap_err().to_string(),
            Err(_) => "refused by the tool chain".to_owned(),
        };
        texts.push(format!("{name}: {}", text.split(" (at offset").next().unwrap_or_default()));
    }
    assert_snapshot!(texts.join("\n"), @r"
    memory64: refused by the tool chain
    multi-memory: invalid component: multiple memories
    threads: invalid component: threads support is not enabled
    simd: invalid component: SIMD support is not enabled
    tail calls: invalid component: tail calls support is not enabled
    ");
}
