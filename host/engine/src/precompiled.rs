//! Loads compiled code. This is the only unsafe code of the host.

use std::path::Path;

use wasmtime::component::Component;

use crate::compiler::ChildCode;

/// Maps a file of compiled code into memory.
///
/// Only for files of the cache and for precompiled files of the host: their code runs without checks.
#[expect(unsafe_code, reason = "compiled code cannot be checked")]
pub(crate) fn load(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `path` is in the cache or in the folder of precompiled code, and the caller has just checked that folder and
    // file belong to this user (or to root, like the host's own binary) and that nobody else can write to them. Such a file is
    // the output of `Component::serialize`, of a child process or of `Engine::precompile`, renamed into place when it was complete. Files are
    // replaced, never changed, so the mapping stays valid. wasmtime refuses code of another version or for other settings.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Loads code that a child process of this engine has compiled.
#[expect(unsafe_code, reason = "compiled code cannot be checked")]
pub(crate) fn load_from_child(engine: &wasmtime::Engine, code: &ChildCode) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what a process that this engine started sent over a pipe that only the two of them had, after the process
    // said that it had succeeded, and with the length that it announced. The process runs the operator's command, which is this
    // program itself: its answer is the output of `Engine::precompile_component`, as the compiler in this process would give it
    // for the same component. wasmtime refuses code of another version or for other settings.
    unsafe { Component::deserialize(engine, code.bytes()) }
}
