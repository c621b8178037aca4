//! A connection with the budget that everything read over it counts against.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{Bson, RawDocumentBuf};
use futures_util::StreamExt;
use mongodb::{error::Error, raw_batch_cursor::RawBatchCursor};
use taster_model::Failure;
use tokio::time::{sleep, timeout};

use crate::{
    budget::Budget, command::REPLY_DOCUMENTS, command_options::CommandOptions, connection::Inner, error::QueryError,
    reply::Reply,
};

/// How much longer than the server the host waits, so that the server's own timeout error arrives.
const GRACE_PERIOD: Duration = Duration::from_secs(2);

/// A connection with the budget that everything read over it counts against: the probe's own, or that of one census.
pub(crate) struct MeteredConnection {
    pub(crate) connection: Arc<Inner>,
    pub(crate) budget: Budget,
}

impl MeteredConnection {
    /// Runs a call within the time that is left, until the connection is closed.
    pub(crate) async fn run<T>(
        &self,
        operation: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        self.run_until(self.connection.closed.cancelled(), operation, call).await
    }

    /// Runs a call within the time that is left, until `stop` completes.
    async fn run_until<T>(
        &self,
        stop: impl Future<Output = ()>,
        operation: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let left = self.budget.time_left()?;
        let started = Instant::now();
        let reply = tokio::select! {
            biased;
            () = stop => return Err(QueryError::Closed.failure()),
            // the server stops at `maxTimeMS` itself, and its error says more than a timeout here
            reply = timeout(left + GRACE_PERIOD, call) => reply,
        };
        self.budget.spend_time(started.elapsed());
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(self.failure(&error, operation)),
            Err(_) => Err(self.budget.time_exceeded()),
        }
    }

    /// Sends a command that opens a cursor; its first reply, and the cursor for the others.
    pub(crate) async fn open_cursor(
        &self,
        command: RawDocumentBuf,
        operation: &str,
    ) -> Result<(Reply, RawBatchCursor), Failure> {
        let connection = &self.connection;
        let call = connection
            .database
            .run_raw_cursor_command(command)
            .batch_size(REPLY_DOCUMENTS)
            .comment(Bson::String(connection.comment.clone()))
            .batch();
        // a cursor that opens just before the connection closes is still received, so that it can be killed
        let closed_and_waited = async {
            connection.closed.cancelled().await;
            sleep(GRACE_PERIOD).await;
        };
        let mut batches = self.run_until(closed_and_waited, operation, call).await?;
        // sends nothing: this is the reply that opened the cursor
        let reply = batches.next().await.transpose().map_err(|error| self.failure(&error, operation))?;
        let reply = reply.ok_or_else(|| bad_reply(operation, "the reply is missing"))?;
        Ok((Reply::new(reply).map_err(|_| bad_reply(operation, "the reply is not a cursor batch"))?, batches))
    }

    /// Options of a command, with the time that is left.
    pub(crate) fn command_options(&self) -> Result<CommandOptions<'_>, Failure> {
        Ok(CommandOptions { comment: &self.connection.comment, max_time: self.budget.time_left()?, read_at: None })
    }

    /// An error of the driver as the probe receives it.
    pub(crate) fn failure(&self, error: &Error, operation: &str) -> Failure {
        match self.connection.caller().error(error, operation) {
            QueryError::Timeout { .. } => self.budget.time_exceeded(),
            error => error.failure(),
        }
    }
}

/// A reply that is not what was asked for.
pub(crate) fn bad_reply(operation: &str, detail: &str) -> Failure {
    QueryError::BadReply { operation: operation.to_owned(), detail: detail.to_owned() }.failure()
}
