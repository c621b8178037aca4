//! A hook that is called after each step of a change, so that tests can end the process between any two steps.

use std::sync::OnceLock;

static LISTENER: OnceLock<fn(&'static str)> = OnceLock::new();

/// Calls `listener` after each step from now on. Only the first listener is kept.
pub fn on_step(listener: fn(&'static str)) {
    // a second call comes from another test of the same process, with the same listener
    let _ = LISTENER.set(listener);
}

/// Reports that a step is done.
pub(crate) fn step_done(name: &'static str) {
    if let Some(listener) = LISTENER.get() {
        listener(name);
    }
}
