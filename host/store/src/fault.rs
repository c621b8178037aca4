//! Fault points: places where a test kills the process, to check how the next one recovers.
//!
//! They exist only in builds with debug assertions and act only if `TASTER_FAULT` is a number: after [`arm`] was called, the
//! process kills itself, as `kill -9` would, when it passes that many points. `TASTER_FAULT_SKIP` is a prefix of the names
//! of points that are not counted; with `TASTER_FAULT_HOW=panic` the process panics instead. Release builds have none of it.

#[cfg(debug_assertions)]
mod counting {
    use std::{
        io::Write,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    static LEFT: AtomicU64 = AtomicU64::new(0);
    /// The prefix of the names that are not counted; set by [`arm`].
    static SKIPPED: OnceLock<Option<String>> = OnceLock::new();

    /// Starts counting points. Further calls change nothing.
    pub fn arm() {
        SKIPPED.get_or_init(|| {
            read_count();
            std::env::var("TASTER_FAULT_SKIP").ok()
        });
    }

    fn read_count() {
        let points = std::env::var("TASTER_FAULT").ok().and_then(|number| number.parse().ok());
        LEFT.store(points.unwrap_or(0), Ordering::SeqCst);
    }

    /// A point where a test may kill the process.
    pub fn point(name: &str) {
        if SKIPPED.get().is_some_and(|skipped| skipped.as_ref().is_some_and(|skipped| name.starts_with(skipped))) {
            return;
        }
        let passed = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if passed == Ok(1) {
            assert!(std::env::var_os("TASTER_FAULT_HOW").is_none_or(|how| how != "panic"), "asked to panic at: {name}");
            // shown in the test's output
            let _ = std::io::stderr().write_all(format!("killed at: {name}\n").as_bytes());
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

#[cfg(not(debug_assertions))]
mod counting {
    /// Starts counting points, in test builds.
    #[inline]
    pub fn arm() {}

    /// A point where a test may kill the process, in test builds.
    #[inline]
    pub fn point(_name: &str) {}
}

pub use counting::{arm, point};
