//! The interface of `wit/v1` as Rust types, generated.
#![expect(missing_docs, clippy::same_length_and_capacity, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit/v1",
    world: "probe",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "taster_probe::bindings",
});
