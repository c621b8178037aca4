//! A request for the lock, and what to do when another process holds it.

use std::time::Duration;

use taster_model::RunId;

/// How long a holder may go without a renewal before its lock is taken over.
pub const LEASE_DURATION: Duration = Duration::from_secs(30);

/// What to do when another process holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLocked {
    /// Wait for it at most this long, then fail.
    Wait(Duration),
    /// Fail at once.
    Fail,
    /// Take it over from a process of the same run; wait at most this long for any other process.
    TakeOver(Duration),
}

impl WhenLocked {
    /// How long to wait for a process that the lock is not taken over from.
    pub(super) fn wait_limit(self) -> Duration {
        match self {
            Self::Wait(limit) | Self::TakeOver(limit) => limit,
            Self::Fail => Duration::ZERO,
        }
    }
}

/// A request for the lock.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// The run, where it is known.
    pub run: Option<RunId>,
    /// The command, shown to processes that find the lock held: `pre`, `post`, `restore`.
    pub command: &'static str,
    /// What to do when another process holds the lock.
    pub when_locked: WhenLocked,
    /// How long this process may go without a renewal before its lock is taken over, in whole seconds: [`LEASE_DURATION`].
    /// The lock is renewed three times in this period.
    pub lease_duration: Duration,
}
