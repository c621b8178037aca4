//! Loads precompiled code. This is the only unsafe code of the host.

use std::path::Path;

use wasmtime::component::Component;

/// Maps a file of compiled code into memory.
///
/// Only for files of the cache and for precompiled files of the host: their code runs without checks.
#[expect(unsafe_code, reason = "compiled code cannot be checked")]
pub(crate) fn load(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `path` is in the cache or in the folder of precompiled code, and the caller has just checked that folder and
    // file belong to this user (or to root, like the host's own binary) and that nobody else can write to them. Such a file is
    // the output of `Component::serialize` or of `Engine::precompile`, renamed into place when it was complete. Files are
    // replaced, never changed, so the mapping stays valid. wasmtime refuses code of another version or for other settings.
    unsafe { Component::deserialize_file(engine, path) }
}
