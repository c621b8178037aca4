//! Steps of a change, told to whoever listens: tests end the process between any two of them.

use std::sync::OnceLock;

static LISTENER: OnceLock<fn(&'static str)> = OnceLock::new();

/// From here on `listener` hears of every step. The first one stays.
pub fn on_step(listener: fn(&'static str)) {
    // one that comes later is a test of the same process, with the same listener
    let _ = LISTENER.set(listener);
}

/// A step is done.
pub(crate) fn step(name: &'static str) {
    if let Some(listener) = LISTENER.get() {
        listener(name);
    }
}
