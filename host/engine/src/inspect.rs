//! Checks a file before it is compiled: whether it is WebAssembly, and a component of the right world.

use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, Validator, WasmFeatures};
use wasmtime::component::{Component, types::ComponentItem};

use crate::{error::EngineError, wasi};

/// The interfaces of `taster:probe` that a probe may import.
const INTERFACES: [&str; 3] = ["host", "mongo", "types"];
/// The functions that a probe must export.
const EXPORTS: [&str; 2] = ["describe", "run"];

/// The names of a component's imports and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ComponentInterface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// The WebAssembly features that guests of the four languages need. The engine enables the same ones.
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

/// Checks that a file begins like a component, or like a core module, which the compiler makes a component of.
pub(crate) fn check_format(bytes: &[u8]) -> Result<(), EngineError> {
    let (what, help) = if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        ("code compiled ahead of time", "give the component itself: Taster never runs native code from files")
    } else if Parser::is_component(bytes) || Parser::is_core_wasm(bytes) {
        return Ok(());
    } else if bytes.is_empty() {
        ("an empty file", "build the component again")
    } else if bytes.trim_ascii_start().starts_with(b"(") || bytes.trim_ascii_start().starts_with(b";;") {
        ("WebAssembly in text form", "make it binary: `wasm-tools parse`")
    } else {
        ("of an unknown format", "give a component, a `.wasm` file that begins with the bytes 00 61 73 6d 0d 00 01 00")
    };
    Err(EngineError::NotAComponent { what: what.to_owned(), help: help.to_owned() })
}

/// Checks that a component is valid and of the right world.
pub(crate) fn validate(bytes: &[u8]) -> Result<ComponentInterface, EngineError> {
    Validator::new_with_features(features())
        .validate_all(bytes)
        .map_err(|error| EngineError::Invalid(error.to_string()))?;
    let interface = read_interface(bytes).map_err(|error| EngineError::Invalid(error.to_string()))?;
    interface.imports.iter().try_for_each(|import| check_import(import))?;
    for export in EXPORTS {
        if !interface.exports.iter().any(|found| found == export) {
            let found = match interface.exports.as_slice() {
                [] => "nothing".to_owned(),
                found => format!("`{}`", found.join("`, `")),
            };
            return Err(EngineError::MissingExport { export: export.to_owned(), found });
        }
    }
    Ok(interface)
}

impl ComponentInterface {
    /// The interface of compiled code: the file may be a core module, whose component only the compiler has seen.
    pub(crate) fn of(component: &Component, engine: &wasmtime::Engine) -> Self {
        let ty = component.component_type();
        // as in `read_interface`
        let imports = ty
            .imports(engine)
            .filter(|(_, import)| !matches!(import.ty, ComponentItem::Type(_) | ComponentItem::Resource(_)))
            .map(|(name, _)| name.to_owned())
            .collect();
        let exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Self { imports, exports }
    }
}

/// Reads the names of a component's own imports and exports.
fn read_interface(bytes: &[u8]) -> wasmparser::Result<ComponentInterface> {
    let mut interface = ComponentInterface::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Component | Encoding::Module, .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let import = import?;
                    // `use types.{failure}` in a world imports a type, which cannot be called
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        interface.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    interface.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(interface)
}

fn check_import(import: &str) -> Result<(), EngineError> {
    let refused = |help: String| Err(EngineError::UnknownImport { import: import.to_owned(), help });
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == "taster:probe" {
        if !version.starts_with("1.") {
            return refused(
                "this host implements taster:probe@1.0.0: build the probe for it, or use a newer Taster".to_owned(),
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
        let help = "probes have no network: build it without this import; componentize-js: `disableFeatures: ['http', 'fetch-event']`";
        return refused(help.to_owned());
    }
    if package.starts_with("wasi:") {
        return refused(format!(
            "probes may import WASI 0.2 ({}), which gives access to nothing: build it without this import",
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
    fn allowed_imports() {
        for import in
            ["taster:probe/mongo@1.0.0", "taster:probe/types@1.3.0", "wasi:cli/stderr@0.2.6", "wasi:io/poll@0.2.0"]
        {
            check_import(import).unwrap();
        }
    }

    #[test]
    fn other_imports_are_errors_that_name_them() {
        let texts = [
            "taster:probe/mongo@2.0.0",
            "taster:probe/files@1.0.0",
            "wasi:http/types@0.2.6",
            "wasi:cli/stderr@0.3.0",
            "acme:log/log",
        ]
        .map(|import| {
            let error = check_import(import).unwrap_err();
            format!("{} {error}\n  {}", error.code(), error.help().unwrap())
        });
        insta::assert_snapshot!(texts.join("\n"), @r"
        T0305 the component imports `taster:probe/mongo@2.0.0`, which is not available to probes
          this host implements taster:probe@1.0.0: build the probe for it, or use a newer Taster
        T0305 the component imports `taster:probe/files@1.0.0`, which is not available to probes
          taster:probe@1.0.0 has the interfaces host, mongo, types
        T0305 the component imports `wasi:http/types@0.2.6`, which is not available to probes
          probes have no network: build it without this import; componentize-js: `disableFeatures: ['http', 'fetch-event']`
        T0305 the component imports `wasi:cli/stderr@0.3.0`, which is not available to probes
          probes may import WASI 0.2 (wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random, wasi:sockets), which gives access to nothing: build it without this import
        T0305 the component imports `acme:log/log`, which is not available to probes
          a probe may import taster:probe@1.0.0 and parts of WASI 0.2, nothing else
        ");
    }
}
