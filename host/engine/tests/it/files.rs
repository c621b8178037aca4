//! Files that are not components, and components that are not valid.

use insta::assert_snapshot;
use sha2::{Digest, Sha256};
use taster_engine::{Limits, Probe};

use crate::{
    component::{Guest, embed},
    fixtures::{FakeDatabase, describe_error, input, load, load_within},
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
    assert_snapshot!(refused(&wat::parse_str("(module)").unwrap()).await, @"
    T0303: not a WebAssembly component: the file is a core module without the section `component-type`
    help: build it with bindings for the world `probe` of taster:probe@1.0.0, such as the Rust SDK, and do not strip its custom sections; or make a component of it: `wasm-tools component embed` and `wasm-tools component new`
    ");
}

#[tokio::test]
async fn a_core_module_that_carries_its_interface() {
    let guest = Guest::default();
    let (module, component) = (guest.module(), load(&guest.build()).await.unwrap());
    let probe = load(&module).await.unwrap();
    // what is pinned and recorded is the file that was given
    assert_eq!(probe.sha256(), hex::encode(Sha256::digest(&module)));
    assert_eq!(probe.size(), module.len() as u64);
    assert_eq!(probe.manifest(), component.manifest());
    assert_eq!((probe.imports(), probe.exports()), (component.imports(), component.exports()));
    let run = async |probe: &Probe| probe.run(input(Limits::default(), FakeDatabase::default())).await.outcome;
    let metrics = run(&probe).await.unwrap();
    assert_eq!(metrics.len(), 1);
    assert_eq!(Ok(metrics), run(&component).await);
}

#[tokio::test]
async fn a_core_module_that_no_component_can_be_made_of() {
    let wasi =
        Guest { items: r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#, ..Guest::default() };
    let wasi = refused(&wasi.module()).await;
    assert!(wasi.starts_with("T0317: the core module cannot be made a component: "), "{wasi}");
    assert!(wasi.contains("module requires an import interface named `wasi_snapshot_preview1`"), "{wasi}");
    assert!(wasi.contains("help: build it without WASI"), "{wasi}");

    let mut module = wat::parse_str("(module)").unwrap();
    // an identifier, the length of the rest, and a name; then text, where an encoded interface is expected
    module.extend_from_slice(b"\0\x13\x0ecomponent-typetext");
    let damaged = refused(&module).await;
    assert!(damaged.starts_with("T0317: the core module cannot be made a component: "), "{damaged}");
    assert!(damaged.contains("help: build it with current bindings"), "{damaged}");
}

#[tokio::test]
async fn a_core_module_of_another_world() {
    assert_snapshot!(refused(&embed("(module)", &[], "")).await, @"
    T0306: the component does not export `describe`; it exports nothing
    help: build it for the world `probe` of taster:probe@1.0.0
    ");
}

#[tokio::test]
async fn a_core_module_that_is_not_valid() {
    let module = Guest::default().module();
    let truncated = refused(&module[..module.len() / 2]).await;
    assert!(truncated.starts_with("T0304: invalid component: "), "{truncated}");
    let simd = Guest { items: "(func (drop (v128.const i64x2 0 0)))", ..Guest::default() };
    let simd = refused(&simd.module()).await;
    assert!(simd.starts_with("T0304: invalid component: SIMD support is not enabled"), "{simd}");
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
