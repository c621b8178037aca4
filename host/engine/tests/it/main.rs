//! Hostile and honest guests against the sandbox. One module an attack; each guest is a small module in text, and each
//! ending is a text in a snapshot, so that a worse message is a failing test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cache;
mod census;
mod component;
mod deadline;
mod determinism;
mod files;
mod fixtures;
mod handles;
mod interface;
mod log_and_progress;
mod memory;
mod methods;
mod reading;
mod results;
mod server;
mod trap;
mod wrong_world;
