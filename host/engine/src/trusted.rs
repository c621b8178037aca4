//! The only unsafe code of the host: mapping code that this host compiled itself.

use std::path::Path;

use wasmtime::component::Component;

/// Maps compiled code.
///
/// Only for files of the private cache, and for those that came with the host: what is in them is run as it is.
#[expect(unsafe_code, reason = "compiled code cannot be checked, only trusted")]
pub(crate) fn load(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `path` lies in the cache's folder, or in the one that came with the host, and the caller has just made sure
    // that folder and file belong to this user (or to root, as the host's own binary does) and that nobody else can write to
    // them. What was written there is the output of `Component::serialize` or of `Engine::precompile`, renamed into place
    // when it was complete. Files are replaced, never changed, so the mapping stays as it is. Code
    // of another wasmtime or for other settings is refused by wasmtime itself.
    unsafe { Component::deserialize_file(engine, path) }
}
