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
pub fn block_until(what: &str, timeout: Duration, condition: impl FnMut() -> bool) {
    let holds = holds_within(timeout, POLL_INTERVAL, condition);
    assert!(holds, "timed out after {timeout:?} waiting for {what}");
}

/// Whether `condition` comes to hold within `timeout`. Blocks the thread, and checks it every `interval`: for a condition that
/// is expensive to check, or a caller that can say more about a timeout.
pub(crate) fn holds_within(timeout: Duration, interval: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() >= timeout {
            return false;
        }
        std::thread::sleep(interval);
    }
    true
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
