//! The time that a future computes, without the time that it waits.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Sums the time spent inside `poll`.
pub(crate) struct TimedPoll<'a, F> {
    future: F,
    spent: &'a mut Duration,
}

impl<'a, F> TimedPoll<'a, F> {
    /// Adds the time that `future` is polled to `spent`, also if it is dropped before its end.
    pub(crate) fn new(future: F, spent: &'a mut Duration) -> Self {
        Self { future, spent }
    }
}

impl<F: Future + Unpin> Future for TimedPoll<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let begun = Instant::now();
        let polled = Pin::new(&mut self.future).poll(context);
        *self.spent += begun.elapsed();
        polled
    }
}
