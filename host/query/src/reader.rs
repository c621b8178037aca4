//! Who asks the server, and on whose account.

use std::{sync::Arc, time::Instant};

use mongodb::error::Error;
use taster_model::Failure;
use tokio::time::timeout;

use crate::{QueryError, budget::Budget, cursor::GRACE, session::Inner};

/// A connection together with the budget that everything read over it counts against: the probe's own, or that of one
/// census.
pub(crate) struct Reader {
    pub(crate) session: Arc<Inner>,
    pub(crate) budget: Budget,
}

impl Reader {
    /// Waits for the server, within the time that is left, until the session is closed.
    pub(crate) async fn ask<T>(&self, doing: &str, call: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        self.ask_until(self.session.closed.cancelled(), doing, call).await
    }

    /// Waits for the server, within the time that is left, until somebody says stop.
    pub(crate) async fn ask_until<T>(
        &self,
        stop: impl Future<Output = ()>,
        doing: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let left = self.budget.time_left()?;
        let started = Instant::now();
        let answer = tokio::select! {
            biased;
            () = stop => return Err(QueryError::Closed.failure()),
            // the server itself stops at `maxTimeMS`, and its word is better than silence
            answer = timeout(left + GRACE, call) => answer,
        };
        self.budget.spend_time(started.elapsed());
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failure(&error, doing)),
            Err(_) => Err(self.budget.out_of_time()),
        }
    }

    pub(crate) fn failure(&self, error: &Error, doing: &str) -> Failure {
        match self.session.error(error, doing) {
            QueryError::Slow { .. } => self.budget.out_of_time(),
            error => error.failure(),
        }
    }
}

/// What arrived is no answer.
pub(crate) fn broken(doing: &str, detail: &str) -> Failure {
    QueryError::Broken { doing: doing.to_owned(), detail: detail.to_owned() }.failure()
}
