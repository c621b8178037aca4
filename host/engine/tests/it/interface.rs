//! Changes of the interface are compatible with the published version.

use std::fmt::Write;

use wit_component::StringEncoding;
use wit_parser::{
    Function, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, WasmExport, WasmExportKind, WasmImport, WorldId,
    WorldItem, WorldKey,
    abi::{WasmSignature, WasmType},
};

use crate::component::make_component;

const PUBLISHED: &str = include_str!("../../../../wit/published/taster-probe-1.0.0.wit");
const CURRENT: &str = include_str!("../../../../wit/v1/probe.wit");

/// The names and the calling convention of functions in a core module.
const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;

/// Checks that components built for `published` run on a host that implements `current`: the largest component of the one world
/// fits the other.
///
/// `wit_component::semver_check` does the same. It is a feature, which would bring a parser of WebAssembly text into the binary
/// or compile what depends on that crate twice.
fn check(published: &str, current: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let published = world(&mut resolve, "published.wit", published);
    // one `Resolve` holds a package once a version
    let current = world(&mut resolve, "current.wit", &current.replace("@1.0.0;", "@1.999.0;"));
    // names are compared as they are
    for (_, package) in &mut resolve.packages {
        package.name.version = None;
    }
    let mut module = wat::parse_str(module_of(&resolve, published)).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, published, StringEncoding::UTF8).unwrap();
    wit_component::targets(&resolve, current, &make_component(&module)).map_err(|error| format!("{error:?}"))
}

/// A module that imports and exports everything of a world, in text.
fn module_of(resolve: &Resolve, world: WorldId) -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for (key, item) in &resolve.worlds[world].imports {
        match item {
            WorldItem::Function(func) => import(&mut imports, resolve, None, func),
            WorldItem::Interface { id, .. } => {
                let interface = &resolve.interfaces[*id];
                interface.functions.values().for_each(|func| import(&mut imports, resolve, Some(key), func));
                for resource in interface.types.values().copied() {
                    if matches!(resolve.types[resource].kind, TypeDefKind::Resource) {
                        let intrinsic = ResourceIntrinsic::ImportedDrop;
                        let imported = WasmImport::ResourceIntrinsic { interface: Some(key), resource, intrinsic };
                        let (module, name) = resolve.wasm_import_name(MANGLING, imported);
                        write!(imports, "(import {module:?} {name:?} (func (param i32)))").unwrap();
                    }
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    for item in resolve.worlds[world].exports.values() {
        let WorldItem::Function(func) = item else { panic!("probes export functions: {item:?}") };
        let export = WasmExport::Func { interface: None, func, kind: WasmExportKind::Normal };
        let name = resolve.wasm_export_name(MANGLING, export);
        let signature = signature(&resolve.wasm_signature(MANGLING.export_variant(), func));
        write!(exports, "(func (export {name:?}) {signature} unreachable)").unwrap();
    }
    let memory = resolve.wasm_export_name(MANGLING, WasmExport::Memory);
    let realloc = resolve.wasm_export_name(MANGLING, WasmExport::Realloc);
    format!(
        "(module {imports} (memory (export {memory:?}) 0)
            (func (export {realloc:?}) (param i32 i32 i32 i32) (result i32) unreachable) {exports})"
    )
}

fn import(imports: &mut String, resolve: &Resolve, interface: Option<&WorldKey>, func: &Function) {
    let (module, name) = resolve.wasm_import_name(MANGLING, WasmImport::Func { interface, func });
    let signature = signature(&resolve.wasm_signature(MANGLING.import_variant(), func));
    write!(imports, "(import {module:?} {name:?} (func {signature}))").unwrap();
}

fn signature(signature: &WasmSignature) -> String {
    let list = |types: &[WasmType]| types.iter().map(|ty| type_name(*ty)).collect::<Vec<_>>().join(" ");
    format!("(param {}) (result {})", list(&signature.params), list(&signature.results))
}

fn type_name(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

fn world(resolve: &mut Resolve, path: &str, text: &str) -> WorldId {
    let package = resolve.push_source(path, text).unwrap();
    resolve.select_world(&[package], Some("probe")).unwrap()
}

#[test]
fn components_of_the_published_version_run_on_this_host() {
    check(PUBLISHED, CURRENT).unwrap();
}

#[test]
fn an_added_function_is_compatible() {
    let grown = CURRENT.replace(
        "log: func(level: level, message: string);",
        "log: func(level: level, message: string);\n  shout: func(message: string);",
    );
    assert_ne!(grown, CURRENT);
    check(PUBLISHED, &grown).unwrap();
}

#[test]
fn an_altered_type_is_caught() {
    let cases = [
        ("record", "setting: option<string>,", "setting: option<string>,\n    more: option<string>,"),
        ("enum", "unavailable,", "unavailable,\n    tired,"),
        ("variant", "census(string),", "census(string),\n    nothing,"),
        ("function", "count: func(collection: string, filter: bson)", "count: func(collection: string)"),
        ("export", "export run: func(db: borrow<database>, config: string)", "export run: func(db: borrow<database>)"),
    ];
    for (what, from, to) in cases {
        let altered = CURRENT.replace(from, to);
        assert_ne!(altered, CURRENT, "{what}");
        assert!(check(PUBLISHED, &altered).is_err(), "{what}");
    }
}
