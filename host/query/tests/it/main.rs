//! The capability against real servers.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod capability;
mod census;
mod consistency;
mod cursors;
mod errors;
mod guard;
mod mongod;
mod privileges;
mod server;
mod spans;
mod support;
