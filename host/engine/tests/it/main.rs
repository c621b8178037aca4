//! Hostile and honest guests in the sandbox, one module for each kind of attack. Each guest is a small module in WebAssembly
//! text. Error texts are snapshots, so that a changed message fails a test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cache;
mod census;
mod compiler;
mod component;
mod deadline;
mod determinism;
mod files;
mod fixtures;
mod handles;
mod interface;
mod log;
mod memory;
mod methods;
mod reading;
mod results;
mod server;
mod trap;
mod wrong_world;
