//! The server's replies to one scan, with the next one fetched while the last one is processed.

use std::sync::Arc;

use bson::RawDocumentBuf;
use futures_util::StreamExt;
use mongodb::raw_batch_cursor::RawBatchCursor;
use taster_model::{Failure, failure};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

use crate::{
    error::QueryError,
    metered_connection::{MeteredConnection, bad_reply},
    range_scan::RangeScan,
    reply::Reply,
};

/// The commands of a scan.
pub(crate) enum Scan {
    /// One command.
    Command(RawDocumentBuf),
    /// One command per range.
    Ranges(RangeScan),
}

/// The replies to a scan.
///
/// A task of the connection fetches one reply ahead. It ends after the last reply, when this is dropped, and when the
/// connection is closed. In each case the server's cursor is closed, by the server itself or by `killCursors`.
pub(crate) struct PrefetchStream {
    first: Option<Reply>,
    /// `None`: the server has no more replies.
    prefetched: Option<mpsc::Receiver<Result<Reply, Failure>>>,
}

impl PrefetchStream {
    /// Sends the first command and waits for its first reply.
    pub(crate) async fn open(
        connection: &Arc<MeteredConnection>,
        scan: Scan,
        operation: &str,
    ) -> Result<Self, Failure> {
        // A task, so that a caller that is dropped does not interrupt the command: its cursor may be open already, and
        // its id would be lost.
        let (sender, receiver) = oneshot::channel();
        let (opening, task) = (Arc::clone(connection), operation.to_owned());
        connection.connection.tasks.spawn(
            async move {
                // if the receiver is gone, the cursor comes back in the error and is killed when it is dropped
                let _ = sender.send(open_scan(&opening, scan, &task).await);
            }
            .in_current_span(),
        );
        let (reply, batches, ranges) = receiver.await.map_err(|_| QueryError::Closed.failure())??;
        let prefetched = (!reply.last).then(|| {
            let connection = Arc::clone(connection);
            Prefetcher { connection, operation: operation.to_owned(), batches, ranges }.spawn()
        });
        Ok(Self { first: Some(reply), prefetched })
    }

    /// The next reply; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Reply>, Failure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(prefetched) = &mut self.prefetched else { return Ok(None) };
        // the task sends until the last reply; if it ended before, the connection was closed
        let reply = prefetched.recv().await.ok_or_else(|| QueryError::Closed.failure())??;
        if reply.last {
            self.prefetched = None;
        }
        Ok(Some(reply))
    }
}

/// Sends the first command of a scan. A reply of a range is never the last one of the scan.
async fn open_scan(
    connection: &MeteredConnection,
    scan: Scan,
    operation: &str,
) -> Result<(Reply, RawBatchCursor, Option<RangeScan>), Failure> {
    match scan {
        Scan::Command(command) => {
            let (reply, batches) = connection.open_cursor(command, operation).await?;
            Ok((reply, batches, None))
        }
        Scan::Ranges(mut ranges) => {
            let opened = ranges.open_next(connection, operation).await?;
            let (mut reply, batches) = opened.ok_or_else(|| bad_reply(operation, "there is no first range"))?;
            ranges.record(&mut reply);
            Ok((reply, batches, Some(ranges)))
        }
    }
}

/// Fetches the replies after the first one.
struct Prefetcher {
    connection: Arc<MeteredConnection>,
    operation: String,
    batches: RawBatchCursor,
    /// Set if the scan goes range by range.
    ranges: Option<RangeScan>,
}

impl Prefetcher {
    /// Starts the task that fetches the replies.
    fn spawn(mut self) -> mpsc::Receiver<Result<Reply, Failure>> {
        let (sender, receiver) = mpsc::channel(1);
        let connection = Arc::clone(&self.connection);
        let tasks = connection.connection.tasks.clone();
        let task = async move {
            loop {
                // a slot first, then the reply: at most one reply is fetched ahead
                let slot = tokio::select! {
                    biased;
                    () = connection.connection.closed.cancelled() => break,
                    slot = sender.reserve() => slot,
                };
                let Ok(slot) = slot else { break };
                let reply = tokio::select! {
                    biased;
                    // The receiver was dropped. Dropping the batches sends `killCursors`, which also interrupts a
                    // `getMore` in progress.
                    () = sender.closed() => break,
                    reply = self.fetch() => reply,
                };
                let last = reply.as_ref().map_or(true, |reply| reply.last);
                slot.send(reply);
                if last {
                    break;
                }
            }
        };
        tasks.spawn(task.in_current_span());
        receiver
    }

    async fn fetch(&mut self) -> Result<Reply, Failure> {
        let Self { connection, operation, batches, ranges } = self;
        let Some(ranges) = ranges else { return next_reply(connection, operation, batches).await };
        let opened = if ranges.is_exhausted() {
            ranges.open_next(connection, operation).await?
        } else {
            match next_reply(connection, operation, batches).await {
                Ok(mut reply) => {
                    ranges.record(&mut reply);
                    return Ok(reply);
                }
                Err(failure) if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST) => {
                    Some(ranges.reopen(connection, operation).await?.ok_or(failure)?)
                }
                Err(failure) => return Err(failure),
            }
        };
        let Some((mut reply, next)) = opened else { return Ok(Reply::end()) };
        *batches = next;
        ranges.record(&mut reply);
        Ok(reply)
    }
}

/// The next reply of a cursor. The server refuses `maxTimeMS` on `getMore`, so the host limits the time.
async fn next_reply(
    connection: &MeteredConnection,
    operation: &str,
    batches: &mut RawBatchCursor,
) -> Result<Reply, Failure> {
    let next = async { batches.next().await.transpose() };
    let batch = connection.run(operation, next).await?;
    let batch = batch.ok_or_else(|| bad_reply(operation, "the cursor ended without a last reply"))?;
    Reply::new(batch).map_err(|_| bad_reply(operation, "the reply is not a cursor batch"))
}
