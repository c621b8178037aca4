//! Places where a test kills the process, to see what the next one makes of what is left.
//!
//! Only in builds with debug assertions, and only where `TASTER_FAULT` holds a number: once [`arm`] was called, the
//! process kills itself, as `kill -9` would, when it passes that many places. `TASTER_FAULT_SKIP` leaves out those whose
//! names begin so; `TASTER_FAULT_HOW=panic` panics there instead. A release has none of it.

#[cfg(debug_assertions)]
mod counted {
    use std::{
        io::Write,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    static LEFT: AtomicU64 = AtomicU64::new(0);
    /// What is left out, once it is known.
    static SKIPPED: OnceLock<Option<String>> = OnceLock::new();

    /// From here on places count. Whoever says so again changes nothing.
    pub fn arm() {
        SKIPPED.get_or_init(|| {
            read();
            std::env::var("TASTER_FAULT_SKIP").ok()
        });
    }

    fn read() {
        let places = std::env::var("TASTER_FAULT").ok().and_then(|number| number.parse().ok());
        LEFT.store(places.unwrap_or(0), Ordering::SeqCst);
    }

    /// A place where a process may die.
    pub fn point(name: &str) {
        if SKIPPED.get().is_some_and(|skipped| skipped.as_ref().is_some_and(|skipped| name.starts_with(skipped))) {
            return;
        }
        let passed = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if passed == Ok(1) {
            assert!(std::env::var_os("TASTER_FAULT_HOW").is_none_or(|how| how != "panic"), "asked to panic at: {name}");
            // a line for whoever reads the test's output
            let _ = std::io::stderr().write_all(format!("killed at: {name}\n").as_bytes());
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

#[cfg(not(debug_assertions))]
mod counted {
    /// From here on places count, in builds for tests.
    #[inline]
    pub fn arm() {}

    /// A place where a process may die, in builds for tests.
    #[inline]
    pub fn point(_name: &str) {}
}

pub use counted::{arm, point};
