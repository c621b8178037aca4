//! The clock by which guests are interrupted.

use std::{thread, time::Duration};

use crate::EngineError;

/// How often a computing guest gives way, and how late a deadline may be noticed.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Starts the thread that moves the epoch. It holds the engine weakly and ends when the last engine, component and
/// store of it are gone.
///
/// A thread and not a task: a task would not run while guests occupy all workers, which is when it is needed.
pub(crate) fn start(engine: &wasmtime::Engine) -> Result<(), EngineError> {
    let weak = engine.weak();
    let tick = move || {
        loop {
            thread::sleep(TICK);
            let Some(engine) = weak.upgrade() else { return };
            engine.increment_epoch();
        }
    };
    thread::Builder::new()
        .name("taster-ticker".to_owned())
        .spawn(tick)
        .map(drop)
        .map_err(|error| EngineError::Setup(format!("no thread for the ticker: {error}")))
}
