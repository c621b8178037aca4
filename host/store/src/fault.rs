//! Places where a test kills the process, to see what the next one makes of what is left.
//!
//! Only in builds with debug assertions, and only where `TASTER_FAULT` holds a number: the process kills itself, as
//! `kill -9` would, when it passes that many places. A release has none of it.

/// A place where a process may die.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static LAST: OnceLock<Option<u64>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let last = LAST.get_or_init(|| std::env::var("TASTER_FAULT").ok()?.parse().ok());
    if *last == Some(PASSED.fetch_add(1, Ordering::SeqCst) + 1) {
        // a line for whoever reads the test's output
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("killed at: {name}\n").as_bytes());
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// A place where a process may die.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_name: &str) {}
