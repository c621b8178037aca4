//! The epoch ticker, which interrupts computing guests.

use std::{thread, time::Duration};

use crate::error::EngineError;

/// How often a computing guest yields. A deadline is noticed this late at most.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Starts the thread that increments the epoch. It holds the engine weakly, and ends when its last engine, component and store
/// are dropped.
///
/// It is a thread because a task would not run while guests occupy all workers, which is when it is needed.
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
        .map_err(|error| EngineError::Setup(format!("cannot start the ticker thread: {error}")))
}
