//! What a file is, before anything of it is compiled: a component of the right world, or what else.

use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::{EngineError, wasi};

/// The interfaces that a probe may import, beside WASI.
const INTERFACES: [&str; 3] = ["host", "mongo", "types"];
/// The functions that it must export.
const EXPORTS: [&str; 2] = ["describe", "run"];

/// Names at the outer border of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Border {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// The proposals that guests of the four languages need, and no other. The engine is set to the same.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::BULK_MEMORY_OPT
        | WasmFeatures::FLOATS
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
}

/// Refuses everything that is not a component.
pub(crate) fn kind(bytes: &[u8]) -> Result<(), EngineError> {
    let (what, help) = if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        ("code compiled ahead of time", "give the component itself: native code from elsewhere is never run")
    } else if Parser::is_component(bytes) {
        return Ok(());
    } else if Parser::is_core_wasm(bytes) {
        ("a core module", "make it a component: `wasm-tools component new`")
    } else if bytes.is_empty() {
        ("an empty file", "build the component again")
    } else if bytes.trim_ascii_start().starts_with(b"(") || bytes.trim_ascii_start().starts_with(b";;") {
        ("WebAssembly in text form", "make it binary: `wasm-tools parse`")
    } else {
        ("something else", "give a component, a `.wasm` file that begins with the bytes 00 61 73 6d 0d 00 01 00")
    };
    Err(EngineError::NotAComponent { what, help })
}

/// Refuses components that break the rules of WebAssembly, and those of another world.
pub(crate) fn validate(bytes: &[u8]) -> Result<Border, EngineError> {
    Validator::new_with_features(features())
        .validate_all(bytes)
        .map_err(|error| EngineError::Invalid(error.to_string()))?;
    let border = border(bytes).map_err(|error| EngineError::Invalid(error.to_string()))?;
    border.imports.iter().try_for_each(|import| offered(import))?;
    for export in EXPORTS {
        if !border.exports.iter().any(|found| found == export) {
            let found = match border.exports.as_slice() {
                [] => "nothing".to_owned(),
                found => format!("`{}`", found.join("`, `")),
            };
            return Err(EngineError::MissingExport { export, found });
        }
    }
    Ok(border)
}

/// The names at the outer border.
pub(crate) fn border(bytes: &[u8]) -> wasmparser::Result<Border> {
    let mut border = Border::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Component | Encoding::Module, .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let import = import?;
                    // `use types.{failure}` in a world imports the type: nothing that could be called
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        border.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    border.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(border)
}

fn offered(import: &str) -> Result<(), EngineError> {
    let refused = |help: String| Err(EngineError::UnknownImport { import: import.to_owned(), help });
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == "taster:probe" {
        if !version.starts_with("1.") {
            return refused(
                "this host speaks taster:probe@1.0.0: build the probe for it, or use another Taster".to_owned(),
            );
        }
        if INTERFACES.contains(&interface) {
            return Ok(());
        }
        return refused(format!("taster:probe@1.0.0 has the interfaces {}", INTERFACES.join(", ")));
    }
    if wasi::PACKAGES.contains(&package) && version.starts_with("0.2") {
        return Ok(());
    }
    if package == "wasi:http" {
        let help =
            "probes have no network: build it without, for componentize-js `disableFeatures: ['http', 'fetch-event']`";
        return refused(help.to_owned());
    }
    if package.starts_with("wasi:") {
        return refused(format!(
            "of WASI, probes are offered version 0.2 of {}, with nothing behind it: build it without this part",
            wasi::PACKAGES.join(", ")
        ));
    }
    refused("a probe may import taster:probe@1.0.0 and parts of WASI 0.2, nothing else".to_owned())
}

#[cfg(test)]
mod tests {
    use taster_model::Diagnostic;

    use super::*;

    #[test]
    fn what_is_offered() {
        for import in
            ["taster:probe/mongo@1.0.0", "taster:probe/types@1.3.0", "wasi:cli/stderr@0.2.6", "wasi:io/poll@0.2.0"]
        {
            offered(import).unwrap();
        }
    }

    #[test]
    fn other_imports_are_named() {
        let texts = [
            "taster:probe/mongo@2.0.0",
            "taster:probe/files@1.0.0",
            "wasi:http/types@0.2.6",
            "wasi:cli/stderr@0.3.0",
            "acme:log/log",
        ]
        .map(|import| {
            let error = offered(import).unwrap_err();
            format!("{} {error}\n  {}", error.code(), error.help().unwrap())
        });
        insta::assert_snapshot!(texts.join("\n"), @r"
        T0305 the component imports `taster:probe/mongo@2.0.0`, which probes are not offered
          this host speaks taster:probe@1.0.0: build the probe for it, or use another Taster
        T0305 the component imports `taster:probe/files@1.0.0`, which probes are not offered
          taster:probe@1.0.0 has the interfaces host, mongo, types
        T0305 the component imports `wasi:http/types@0.2.6`, which probes are not offered
          probes have no network: build it without, for componentize-js `disableFeatures: ['http', 'fetch-event']`
        T0305 the component imports `wasi:cli/stderr@0.3.0`, which probes are not offered
          of WASI, probes are offered version 0.2 of wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random, wasi:sockets, with nothing behind it: build it without this part
        T0305 the component imports `acme:log/log`, which probes are not offered
          a probe may import taster:probe@1.0.0 and parts of WASI 0.2, nothing else
        ");
    }
}
