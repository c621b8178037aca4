//! A compiled component, with what is known of it before it is described.

use wasmtime::component::Component;

use crate::inspect::ComponentInterface;

/// A compiled component.
pub(crate) struct CompiledComponent {
    pub(crate) component: Component,
    pub(crate) interface: ComponentInterface,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
    /// Bytes of the file: the component, or the core module that it was made of.
    pub(crate) size: u64,
    /// Whether the code came from the cache or was precompiled.
    pub(crate) from_cache: bool,
}
