//! The deadline of a run, which is paused while the host records a census.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};

/// The deadline of a run. Epoch interruptions and the timer around the run share it; so do clones.
#[derive(Debug, Clone)]
pub(crate) struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    /// A deadline `duration` from now.
    pub(crate) fn after(duration: Duration) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(now.checked_add(duration).unwrap_or_else(|| far_future(now)))))
    }

    fn instant(&self) -> MutexGuard<'_, Instant> {
        // a panicking thread cannot leave it half written
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= *self.instant()
    }

    /// Pauses the deadline until the returned value is dropped. Then as much time is left as before.
    pub(crate) fn pause(&self) -> PausedDeadline {
        let begun = Instant::now();
        let until = std::mem::replace(&mut *self.instant(), far_future(begun));
        PausedDeadline { deadline: self.clone(), left: until.saturating_duration_since(begun) }
    }
}

/// Resumes its deadline when it is dropped.
pub(crate) struct PausedDeadline {
    deadline: Deadline,
    left: Duration,
}

impl Drop for PausedDeadline {
    fn drop(&mut self) {
        let now = Instant::now();
        *self.deadline.instant() = now.checked_add(self.left).unwrap_or_else(|| far_future(now));
    }
}

/// The latest deadline: one that does not fit the clock is thirty years away.
fn far_future(now: Instant) -> Instant {
    now + Duration::from_hours(24 * 365 * 30)
}

/// A future that returns `None` at its deadline, even if the deadline moves.
///
/// The deadline moves only while the inner future is polled, so checking it after each poll is enough.
pub(crate) struct WithDeadline<F> {
    future: F,
    deadline: Deadline,
    timer: Pin<Box<Sleep>>,
}

impl<F> WithDeadline<F> {
    pub(crate) fn new(future: F, deadline: Deadline) -> Self {
        let timer = Box::pin(sleep_until((*deadline.instant()).into()));
        Self { future, deadline, timer }
    }
}

impl<F: Future + Unpin> Future for WithDeadline<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(context) {
            return Poll::Ready(Some(output));
        }
        let instant = (*self.deadline.instant()).into();
        if self.timer.deadline() != instant {
            self.timer.as_mut().reset(instant);
        }
        self.timer.as_mut().poll(context).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn paused_time_does_not_count() {
        let deadline = Deadline::after(Duration::from_millis(200));
        let begun = Instant::now();
        let work = {
            let deadline = deadline.clone();
            async move {
                {
                    let _paused = deadline.pause();
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    assert!(!deadline.has_passed());
                }
                std::future::pending::<()>().await;
            }
        };
        assert_eq!(WithDeadline::new(Box::pin(work), deadline.clone()).await, None);
        assert!(deadline.has_passed());
        assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_deadline_that_does_not_fit_the_clock_never_passes() {
        let deadline = Deadline::after(Duration::MAX);
        assert!(!deadline.has_passed());
        drop(deadline.pause());
        assert!(!deadline.has_passed());
        assert_eq!(WithDeadline::new(Box::pin(async { 5 }), deadline).await, Some(5));
    }
}
