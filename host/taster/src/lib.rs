//! The `taster` binary: the command line, its commands and their exit codes.
//!
//! `main.rs` only calls [`main`], so that tests reach every part.

pub mod args;
pub mod cli;
pub mod command;
mod completion;
pub mod logging;
pub mod output;
pub mod termination;

pub use cli::main;
