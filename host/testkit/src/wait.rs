//! Waiting for a condition, by polling and with a time limit.

use std::time::{Duration, Instant};

/// How long most conditions may take on a busy machine.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds. Panics with `what` when that takes longer than `timeout`.
pub async fn wait_until(what: &str, timeout: Duration, mut condition: impl AsyncFnMut() -> bool) {
    wait_for(what, timeout, async || condition().await.then_some(())).await;
}

/// Waits until `condition` holds, and blocks the thread meanwhile. Panics with `what` when that takes longer than `timeout`.
pub fn block_until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < timeout, "timed out after {timeout:?} waiting for {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Waits until `poll` returns a value, and returns it. Panics with `what` when that takes longer than `timeout`.
pub async fn wait_for<T>(what: &str, timeout: Duration, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = poll().await {
            return value;
        }
        assert!(started.elapsed() < timeout, "timed out after {timeout:?} waiting for {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
