//! How long a future was computing rather than waiting.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Sums the time spent inside `poll`.
pub(crate) struct Active<'a, F> {
    future: F,
    spent: &'a mut Duration,
}

impl<'a, F> Active<'a, F> {
    /// Adds the time of `future` to `spent`, also when it is dropped before its end.
    pub(crate) fn new(future: F, spent: &'a mut Duration) -> Self {
        Self { future, spent }
    }
}

impl<F: Future + Unpin> Future for Active<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let begun = Instant::now();
        let polled = Pin::new(&mut self.future).poll(context);
        *self.spent += begun.elapsed();
        polled
    }
}
