//! Until when a guest may run: a moment that moves on while the host works for it on an account of its own.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};

/// The moment at which a run ends, known to the guest's interruptions and to the timer around the run. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    /// So long after now.
    pub(crate) fn after(duration: Duration) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(now.checked_add(duration).unwrap_or_else(|| far(now)))))
    }

    fn moment(&self) -> MutexGuard<'_, Instant> {
        // it is written at once
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= *self.moment()
    }

    /// Stops the clock until the value is dropped; then as much time is left as before.
    pub(crate) fn stand_still(&self) -> Standing {
        let begun = Instant::now();
        let until = std::mem::replace(&mut *self.moment(), far(begun));
        Standing { deadline: self.clone(), left: until.saturating_duration_since(begun) }
    }
}

/// A deadline that stands still.
pub(crate) struct Standing {
    deadline: Deadline,
    left: Duration,
}

impl Drop for Standing {
    fn drop(&mut self) {
        let now = Instant::now();
        *self.deadline.moment() = now.checked_add(self.left).unwrap_or_else(|| far(now));
    }
}

/// A deadline that does not fit the clock is none; thirty years are enough.
fn far(now: Instant) -> Instant {
    now + Duration::from_hours(24 * 365 * 30)
}

/// A future that ends at its deadline, `None`, wherever that moves.
///
/// The deadline moves only while the future within is polled, so looking at it after each poll is soon enough.
pub(crate) struct Within<F> {
    future: F,
    deadline: Deadline,
    timer: Pin<Box<Sleep>>,
}

impl<F> Within<F> {
    pub(crate) fn new(future: F, deadline: Deadline) -> Self {
        let timer = Box::pin(sleep_until((*deadline.moment()).into()));
        Self { future, deadline, timer }
    }
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(context) {
            return Poll::Ready(Some(output));
        }
        let moment = (*self.deadline.moment()).into();
        if self.timer.deadline() != moment {
            self.timer.as_mut().reset(moment);
        }
        self.timer.as_mut().poll(context).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_stands_still_does_not_count() {
        let deadline = Deadline::after(Duration::from_millis(200));
        let begun = Instant::now();
        let work = {
            let deadline = deadline.clone();
            async move {
                {
                    let _standing = deadline.stand_still();
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    assert!(!deadline.has_passed());
                }
                std::future::pending::<()>().await;
            }
        };
        assert_eq!(Within::new(Box::pin(work), deadline.clone()).await, None);
        assert!(deadline.has_passed());
        assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_deadline_that_does_not_fit_the_clock_is_none() {
        let deadline = Deadline::after(Duration::MAX);
        assert!(!deadline.has_passed());
        drop(deadline.stand_still());
        assert!(!deadline.has_passed());
        assert_eq!(Within::new(Box::pin(async { 5 }), deadline).await, Some(5));
    }
}
