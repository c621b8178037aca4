//! The sandbox: runs WebAssembly components that can only use one read-only capability, within limits. A failure names the
//! limit that was reached and its setting.
//!
//! [`Engine::load`] makes a [`Probe`] from a component; [`Probe::run`] runs it on a database and returns a [`RunReport`]. Traps,
//! deadlines and exceeded budgets of the guest are [`taster_model::Failure`]s in that report, never errors of the host. Errors
//! before a run are [`EngineError`]s.
//!
//! Compiling a component can take minutes and gigabytes, so give the engine a [`Compiler::Child`]: a program that calls
//! [`compile_child`], such as the running one. [`Compiler::InProcess`] has no limits; it is for tests and trusted components.

mod bindings;
mod cache;
pub mod capability;
mod codes;
mod compile_child;
mod compile_limits;
mod compile_protocol;
mod compiled;
mod compiler;
mod componentize;
mod database;
mod deadline;
mod document;
mod engine;
mod error;
mod host;
mod inspect;
mod limits;
mod log;
mod manifest;
mod memory_limiter;
mod names;
mod no_data;
mod precompiled;
mod probe;
mod result;
mod state;
mod ticker;
mod timed_poll;
mod trap;
mod wasi;

pub use compile_child::compile_child;
pub use compiler::{Compiler, CompilerCommand};
pub use engine::{Engine, EngineOptions, LoadPhase};
pub use error::EngineError;
pub use limits::Limits;
pub use log::{LogLevel, LogLine};
pub use no_data::NoData;
pub use probe::{Probe, RunInput, RunReport};
pub use state::{Progress, ProgressCallback};
