//! Retries with jittered exponential backoff: one policy for every request that may be made again.
//!
//! [`RetryPolicy`] holds the limits, [`Backoff`] counts the attempts of one request and waits between them, and [`retry`]
//! drives a request whose errors alone decide whether it is made again. A loop with state of its own (a lock that is
//! watched, several requests a round) uses [`Backoff`] directly. Nothing here outlives its future: to cancel, drop it.
//!
//! `backon` has no limit on the time that attempts themselves take, and its jitter only lengthens pauses.

use std::time::{Duration, Instant};

/// How often, how long apart and for how long a request is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest pause before the second attempt. The limit doubles with each further attempt.
    pub first_pause: Duration,
    /// The limit of a pause does not grow beyond this. A longer pause that the server asks for is kept all the same.
    pub max_pause: Duration,
    /// No attempt begins later than this after [`RetryPolicy::start`]. `None`: no limit of time.
    pub timeout: Option<Duration>,
    /// The first attempt included. `None`: any number.
    pub max_attempts: Option<u32>,
}

impl RetryPolicy {
    /// Doubling pauses from `first_pause` to `max_pause`, without a limit of time or attempts.
    #[must_use]
    pub const fn new(first_pause: Duration, max_pause: Duration) -> Self {
        Self { first_pause, max_pause, timeout: None, max_attempts: None }
    }

    /// Pauses of one length at most, without a limit of time or attempts.
    #[must_use]
    pub const fn constant(pause: Duration) -> Self {
        Self::new(pause, pause)
    }

    /// The same policy with a limit of time.
    #[must_use]
    pub const fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// The same policy with a limit of attempts, the first one included.
    #[must_use]
    pub const fn with_max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts: Some(max_attempts), ..self }
    }

    /// Begins the first attempt of a request now.
    #[must_use]
    pub fn start(self) -> Backoff {
        Backoff { policy: self, started: Instant::now(), deadline: None, failed: 0 }
    }

    /// The pause after `failed` failed attempts, `elapsed` after the first one began. `None`: give up. `share` of the limit
    /// is waited (0 to 1), but never less than `at_least`. The last pause ends at the deadline, where one more attempt is
    /// made.
    fn pause(&self, failed: u32, remaining: Option<Duration>, at_least: Duration, share: f64) -> Option<Duration> {
        if self.max_attempts.is_some_and(|max| failed >= max) {
            return None;
        }
        let limit = self.first_pause.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(self.max_pause);
        let pause = limit.mul_f64(share).max(at_least);
        match remaining {
            None => Some(pause),
            Some(remaining) if remaining.is_zero() || at_least > remaining => None,
            Some(remaining) => Some(pause.min(remaining)),
        }
    }
}

/// The attempts of one request.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: RetryPolicy,
    started: Instant,
    deadline: Option<Instant>,
    failed: u32,
}

/// A request that is not made again: the policy allows no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// How many attempts were made.
    pub attempts: u32,
    /// How long after the first attempt began the last one failed.
    pub elapsed: Duration,
}

impl Backoff {
    /// Counts a failed attempt and waits a random time. The wait is at least `at_least` long, as a server's `Retry-After`
    /// asks for; [`Duration::ZERO`] where nothing does.
    pub async fn wait(&mut self, at_least: Duration) -> Result<(), Exhausted> {
        let pause = self.next_pause(at_least)?;
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Counts a failed attempt and returns how long to wait before the next one.
    pub fn next_pause(&mut self, at_least: Duration) -> Result<Duration, Exhausted> {
        self.failed = self.failed.saturating_add(1);
        self.policy.pause(self.failed, self.remaining(), at_least, random_share()).ok_or_else(|| self.exhausted())
    }

    /// No further attempt begins after `deadline`, nor after the policy's own timeout. A later call replaces an earlier one.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// How long ago the first attempt began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How many attempts have failed.
    #[must_use]
    pub fn failed_attempts(&self) -> u32 {
        self.failed
    }

    fn remaining(&self) -> Option<Duration> {
        let of_policy = self.policy.timeout.map(|timeout| timeout.saturating_sub(self.elapsed()));
        let of_deadline = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        of_policy.into_iter().chain(of_deadline).min()
    }

    fn exhausted(&self) -> Exhausted {
        Exhausted { attempts: self.failed, elapsed: self.elapsed() }
    }
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Make the request again after a random pause.
    Retry,
    /// Make it again after at least this long.
    RetryAfter(Duration),
    /// Return the error: another attempt would fail the same way.
    Fail,
}

/// The last error of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryError<E> {
    /// The error of the last attempt.
    pub error: E,
    /// Set where the policy allowed no further attempt; `None` where the error was final.
    pub exhausted: Option<Exhausted>,
}

/// Makes a request until it succeeds, `decide` says that its error is final, or `policy` allows no further attempt. `decide`
/// sees each error, so it is also the place to log it.
pub async fn retry<T, E>(
    policy: RetryPolicy,
    mut request: impl AsyncFnMut() -> Result<T, E>,
    mut decide: impl FnMut(&E) -> Decision,
) -> Result<T, RetryError<E>> {
    let mut backoff = policy.start();
    loop {
        let error = match request().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let at_least = match decide(&error) {
            Decision::Retry => Duration::ZERO,
            Decision::RetryAfter(pause) => pause,
            Decision::Fail => return Err(RetryError { error, exhausted: None }),
        };
        if let Err(exhausted) = backoff.wait(at_least).await {
            return Err(RetryError { error, exhausted: Some(exhausted) });
        }
    }
}

/// A random number from 0 to 1: clients that failed at the same moment come back one by one.
fn random_share() -> f64 {
    // without entropy every pause is as long as its limit, which costs nothing but time
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
