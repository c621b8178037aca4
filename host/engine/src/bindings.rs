//! The interface as Rust types, generated from `wit/` at compile time.

#![expect(
    missing_docs,
    reason = "what the interface documents becomes the documentation here; cases of enums have none"
)]

wasmtime::component::bindgen!({
    world: "probe",
    path: "../../wit/v1",
    imports: {
        "taster:probe/mongo": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: { "taster:probe/types.failure" => crate::host::CallError },
    with: {
        "taster:probe/mongo.database": crate::capability::DatabaseHandle,
        "taster:probe/mongo.cursor": crate::capability::CursorHandle,
    },
});
