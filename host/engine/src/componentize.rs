//! Makes a component of a core module that says which interface it was built for, as compilers leave it.

use std::borrow::Cow;

use wasmparser::{Parser, Payload, Validator};
use wit_component::ComponentEncoder;

use crate::{error::EngineError, inspect};

/// The beginning of the names of the custom sections in which bindings leave the interface. Several libraries in one module
/// leave one each, and the linker keeps them all.
const INTERFACE_SECTION: &str = "component-type";
/// The module that WASI preview 1 is imported from: the system interface that Go and C compile for.
const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// The component in a file: the file itself, or what is made of the core module in it.
///
/// Only for the process that compiles, and for trusted files: `wit-component` was not written for hostile ones, which can make it
/// panic or use much memory.
pub(crate) fn component_of(file: &[u8]) -> Result<Cow<'_, [u8]>, EngineError> {
    if !Parser::is_core_wasm(file) {
        return Ok(Cow::Borrowed(file));
    }
    // `wit-component` relies on a valid module; and here positions in errors are those in the file
    Validator::new_with_features(inspect::features())
        .validate_all(file)
        .map_err(|error| EngineError::Invalid(error.to_string()))?;
    if !has_interface(file) {
        return Err(EngineError::NotAComponent {
            what: format!("a core module without the section `{INTERFACE_SECTION}`"),
            help: "build it with bindings for the world `probe` of taster:probe@1.0.0, such as the Rust SDK, and do not strip its \
                   custom sections; or make a component of it: `wasm-tools component embed` and `wasm-tools component new`"
                .to_owned(),
        });
    }
    // not validated here: `inspect::validate` does it, with the features that guests have
    match ComponentEncoder::default().module(file).and_then(|mut encoder| encoder.encode()) {
        Ok(component) => Ok(Cow::Owned(component)),
        Err(error) => Err(refused(format!("{error:#}"))),
    }
}

/// Whether a valid module has the section that its interface is read from.
fn has_interface(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).any(|payload| {
        matches!(payload, Ok(Payload::CustomSection(section)) if section.name().starts_with(INTERFACE_SECTION))
    })
}

fn refused(why: String) -> EngineError {
    let help = if why.contains(PREVIEW_1) {
        "build it without WASI (Rust: `--target wasm32-unknown-unknown`), or make it a component with an adapter: \
         `wasm-tools component new --adapt`"
    } else {
        "build it with current bindings for the world `probe` of taster:probe@1.0.0"
    };
    EngineError::Componentize { why, help: help.to_owned() }
}
