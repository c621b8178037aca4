//! The sandbox: WebAssembly components that can reach nothing but one read-only capability, within limits that are all
//! named when they are met.
//!
//! [`Engine`] loads a component into a [`Probe`]; [`Probe::run`] hands it a database and gives back a [`RunReport`]. A
//! guest's traps, deadlines and spent budgets are [`taster_model::Failure`]s in that report, never errors of the host.
//! What can go wrong before a run is an [`EngineError`].

mod active;
mod bindings;
mod cache;
pub mod capability;
mod codes;
mod deadline;
mod document;
mod engine;
mod error;
mod host;
mod inspect;
mod limits;
mod live;
mod log;
mod manifest;
mod meter;
mod names;
mod probe;
mod result;
mod state;
mod ticker;
mod trap;
mod trusted;
mod wasi;

pub use engine::{Engine, EngineOptions};
pub use error::EngineError;
pub use limits::Limits;
pub use log::{LogLevel, LogLine};
pub use probe::{Probe, RunInput, RunReport};
pub use state::{Progress, TellProgress};
