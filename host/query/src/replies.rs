//! The server's replies to one scan, each fetched while somebody works on the one before.

use std::sync::Arc;

use bson::{Bson, RawDocumentBuf};
use futures_util::StreamExt;
use mongodb::raw_batch_cursor::RawBatchCursor;
use taster_model::{Failure, failure};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use crate::{
    QueryError,
    batch::Reply,
    command::REPLY_DOCUMENTS,
    cursor::GRACE,
    ranges::Ranges,
    reader::{Reader, broken},
};

/// What is sent.
pub(crate) enum Scan {
    /// One command.
    Whole(RawDocumentBuf),
    /// One command a range.
    Ranges(Ranges),
}

/// Replies still to come.
///
/// A task of the session fetches one reply ahead. It ends with the last reply, when this is dropped and when the session
/// is closed; on every one of these ways the server's cursor is closed, by the server itself or by `killCursors`.
pub(crate) struct Replies {
    first: Option<Reply>,
    /// Where the server has more.
    ahead: Option<mpsc::Receiver<Result<Reply, Failure>>>,
}

impl Replies {
    /// Sends the first command and waits for its first reply.
    pub(crate) async fn open(reader: &Arc<Reader>, scan: Scan, doing: &str) -> Result<Self, Failure> {
        // A task, so that a caller who goes away does not break off the command: its cursor may be open already, and
        // nobody would know its number.
        let (sender, receiver) = oneshot::channel();
        let (opening, task) = (Arc::clone(reader), doing.to_owned());
        reader.session.tasks.spawn(async move {
            // where nobody waits any more, the cursor comes back in the error and is killed with it
            let _ = sender.send(begin(&opening, scan, &task).await);
        });
        let (reply, batches, ranges) = receiver.await.map_err(|_| QueryError::Closed.failure())??;
        let ahead = (!reply.last)
            .then(|| fetch_ahead(Ahead { reader: Arc::clone(reader), doing: doing.to_owned(), batches, ranges }));
        Ok(Self { first: Some(reply), ahead })
    }

    /// The next reply; `None` behind the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Reply>, Failure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(ahead) = &mut self.ahead else { return Ok(None) };
        // the task sends until the last reply; that it is gone before means that the session was closed
        let reply = ahead.recv().await.ok_or_else(|| QueryError::Closed.failure())??;
        if reply.last {
            self.ahead = None;
        }
        Ok(Some(reply))
    }
}

/// Sends the first command of a scan. A reply is the last one only when no range comes after it.
async fn begin(reader: &Reader, scan: Scan, doing: &str) -> Result<(Reply, RawBatchCursor, Option<Ranges>), Failure> {
    match scan {
        Scan::Whole(command) => {
            let (reply, batches) = send(reader, command, doing).await?;
            Ok((reply, batches, None))
        }
        Scan::Ranges(mut ranges) => {
            let opened = ranges.next(reader, doing).await?;
            let (mut reply, batches) = opened.ok_or_else(|| broken(doing, "there is no first range"))?;
            ranges.take(&mut reply);
            Ok((reply, batches, Some(ranges)))
        }
    }
}

/// Sends a command; its first reply, and the cursor for the others.
pub(crate) async fn send(
    reader: &Reader,
    command: RawDocumentBuf,
    doing: &str,
) -> Result<(Reply, RawBatchCursor), Failure> {
    let session = &reader.session;
    let call = session
        .database
        .run_raw_cursor_command(command)
        .batch_size(REPLY_DOCUMENTS)
        .comment(Bson::String(session.comment.clone()))
        .batch();
    let closed_for_long = async {
        session.closed.cancelled().await;
        sleep(GRACE).await;
    };
    let mut batches = reader.ask_until(closed_for_long, doing, call).await?;
    // no call to the server: the reply that opened the cursor
    let reply = batches.next().await.transpose().map_err(|error| reader.failure(&error, doing))?;
    let reply = reply.ok_or_else(|| broken(doing, "there is no reply"))?;
    Ok((Reply::new(reply).map_err(|_| broken(doing, "a reply is no batch"))?, batches))
}

/// The replies after the first.
struct Ahead {
    reader: Arc<Reader>,
    doing: String,
    batches: RawBatchCursor,
    /// Where the scan goes range by range.
    ranges: Option<Ranges>,
}

/// Starts to fetch the replies after the first.
fn fetch_ahead(mut ahead: Ahead) -> mpsc::Receiver<Result<Reply, Failure>> {
    let (sender, receiver) = mpsc::channel(1);
    let reader = Arc::clone(&ahead.reader);
    let tasks = reader.session.tasks.clone();
    tasks.spawn(async move {
        loop {
            // a place first, then the reply: there is never more than one ahead
            let place = tokio::select! {
                biased;
                () = reader.session.closed.cancelled() => break,
                place = sender.reserve() => place,
            };
            let Ok(place) = place else { break };
            let reply = tokio::select! {
                biased;
                // The reply is no longer wanted. Dropping the batches sends `killCursors`, which also interrupts a
                // `getMore` that is under way.
                () = sender.closed() => break,
                reply = ahead.fetch() => reply,
            };
            let last = reply.as_ref().map_or(true, |reply| reply.last);
            place.send(reply);
            if last {
                break;
            }
        }
    });
    receiver
}

impl Ahead {
    async fn fetch(&mut self) -> Result<Reply, Failure> {
        let Self { reader, doing, batches, ranges } = self;
        let Some(ranges) = ranges else { return fetch(reader, doing, batches).await };
        let opened = if ranges.is_exhausted() {
            ranges.next(reader, doing).await?
        } else {
            match fetch(reader, doing, batches).await {
                Ok(mut reply) => {
                    ranges.take(&mut reply);
                    return Ok(reply);
                }
                Err(failure) if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST) => {
                    Some(ranges.again(reader, doing).await?.ok_or(failure)?)
                }
                Err(failure) => return Err(failure),
            }
        };
        let Some((mut reply, next)) = opened else { return Ok(Reply::end()) };
        *batches = next;
        ranges.take(&mut reply);
        Ok(reply)
    }
}

/// The next reply. The server refuses `maxTimeMS` on `getMore`, so the host watches the clock.
async fn fetch(reader: &Reader, doing: &str, batches: &mut RawBatchCursor) -> Result<Reply, Failure> {
    let next = async { batches.next().await.transpose() };
    let batch = reader.ask(doing, next).await?.ok_or_else(|| broken(doing, "the cursor ended without an end"))?;
    Reply::new(batch).map_err(|_| broken(doing, "a reply is no batch"))
}
