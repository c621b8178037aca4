//! Taster tastes a database before and after an upgrade and says whether it still tastes the same.
//!
//! This crate is the binary's inside: command line, flows, renderers and the demo. `main` only calls [`main`], so that
//! tests reach every part.

pub mod cli;
pub mod command;
pub mod component;
pub mod config;
pub mod demo;
pub mod exit;
pub mod flow;
pub mod notify;
pub mod output;
pub mod progress;
pub mod render;
pub mod secrets;
pub mod serve;
pub mod standard;
pub mod termination;

pub use cli::main;

/// Version of this host, as it stands in everything that it writes.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
