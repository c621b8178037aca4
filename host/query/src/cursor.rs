//! Documents on their way to a probe, the next reply fetched while it works on the last one.

use std::{sync::Arc, time::Duration};

use bson::{Bson, RawDocumentBuf};
use bytes::Bytes;
use futures_util::StreamExt;
use mongodb::raw_batch_cursor::RawBatchCursor;
use taster_model::{Failure, failure};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use crate::{
    QueryError,
    batch::{Cut, Most, Reply},
    command::REPLY_DOCUMENTS,
    database::{Shared, broken},
    ranges::Ranges,
};

/// What a cursor sends.
pub(crate) enum Scan {
    /// One command.
    Whole(RawDocumentBuf),
    /// One command a range.
    Ranges(Ranges),
}

/// How much longer than the server the host waits, so that the server's own answer arrives.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Documents still to come.
///
/// A task of the session fetches one reply ahead. It ends with the last reply, when this is dropped and when the session
/// is closed; on every one of these ways the server's cursor is closed, by the server itself or by `killCursors`.
pub struct Cursor {
    shared: Arc<Shared>,
    doing: String,
    state: State,
    /// Whether it counts as open.
    counted: bool,
}

enum State {
    /// A reply is being handed out. Where the server has more, `ahead` brings it.
    Open { reply: Reply, ahead: Option<mpsc::Receiver<Result<Reply, Failure>>> },
    /// Everything was handed out.
    Ended,
    /// It broke. Whoever asks again hears it again: an end would look like all there is.
    Failed(Failure),
}

impl Cursor {
    /// Finds nothing.
    pub(crate) fn empty(shared: Arc<Shared>) -> Self {
        Self { shared, doing: String::new(), state: State::Ended, counted: false }
    }

    /// Sends the first command and waits for its first reply.
    pub(crate) async fn open(shared: Arc<Shared>, scan: Scan, doing: String) -> Result<Self, Failure> {
        shared.budget.take_cursor()?;
        // from here on the drop gives it back
        let mut cursor = Self { shared, doing, state: State::Ended, counted: true };
        // A task, so that a caller who goes away does not break off the command: its cursor may be open already, and
        // nobody would know its number.
        let (sender, receiver) = oneshot::channel();
        let (shared, doing) = (Arc::clone(&cursor.shared), cursor.doing.clone());
        cursor.shared.session.tasks.spawn(async move {
            // where nobody waits any more, the cursor comes back in the error and is killed with it
            let _ = sender.send(begin(&shared, scan, &doing).await);
        });
        let begun = receiver.await.map_err(|_| QueryError::Closed.failure())?;
        let begun = begun.inspect_err(|failure| cursor.shared.budget.note(failure));
        let (reply, batches, ranges) = begun?;
        let ahead = (!reply.last).then(|| {
            fetch_ahead(Ahead { shared: Arc::clone(&cursor.shared), doing: cursor.doing.clone(), batches, ranges })
        });
        cursor.state = State::Open { reply, ahead };
        cursor.settle();
        Ok(cursor)
    }

    /// The next batch, documents back to back, never empty, at most [`crate::Limits::batch`] bytes unless one document
    /// is larger. `None` at the end, again and again. A failure stays.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.shared.budget.call();
        let next = self.advance().await;
        match &next {
            Ok(_) => self.settle(),
            Err(failure) => {
                self.state = State::Failed(failure.clone());
                self.release();
                self.shared.budget.note(failure);
            }
        }
        next
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let (reply, ahead) = match &mut self.state {
                State::Open { reply, ahead } => (reply, ahead),
                State::Ended => return Ok(None),
                State::Failed(failure) => return Err(failure.clone()),
            };
            let budget = &self.shared.budget;
            let room = budget.room();
            let most = Most { comfortable: budget.limits().batch, bytes: room.bytes, documents: room.documents };
            match reply.cut(most).map_err(|_| broken(&self.doing, "a reply is not whole"))? {
                Cut::Documents { bytes, documents } => {
                    budget.hand_out(documents, bytes.len() as u64);
                    return Ok(Some(bytes));
                }
                Cut::TooLong(length) => return Err(budget.no_room(length)),
                Cut::Empty => {}
            }
            // a last reply may well be empty: the server noticed the end only when it was asked for more
            let Some(ahead) = ahead.as_mut().filter(|_| !reply.last) else {
                self.state = State::Ended;
                return Ok(None);
            };
            // the task sends until the last reply; that it is gone before means that the session was closed
            *reply = ahead.recv().await.ok_or_else(|| QueryError::Closed.failure())??;
        }
    }

    /// Counts as open until the last batch was handed over: by what the probe has seen, not by how far the host has
    /// read ahead, which would differ from run to run.
    fn settle(&mut self) {
        let done = match &self.state {
            State::Open { reply, .. } => reply.last && reply.is_empty(),
            State::Ended | State::Failed(_) => true,
        };
        if done {
            self.state = State::Ended;
            self.release();
        }
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.shared.budget.give_back();
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // the receiver goes with the state, the task sees it and lets the driver kill the server's cursor
        self.release();
    }
}

/// Sends the first command of a scan. A reply is the last one only when no range comes after it.
async fn begin(shared: &Shared, scan: Scan, doing: &str) -> Result<(Reply, RawBatchCursor, Option<Ranges>), Failure> {
    match scan {
        Scan::Whole(command) => {
            let (reply, batches) = send(shared, command, doing).await?;
            Ok((reply, batches, None))
        }
        Scan::Ranges(mut ranges) => {
            let opened = ranges.next(shared, doing).await?;
            let (mut reply, batches) = opened.ok_or_else(|| broken(doing, "there is no first range"))?;
            ranges.take(&mut reply);
            Ok((reply, batches, Some(ranges)))
        }
    }
}

/// Sends a command; its first reply, and the cursor for the others.
pub(crate) async fn send(
    shared: &Shared,
    command: RawDocumentBuf,
    doing: &str,
) -> Result<(Reply, RawBatchCursor), Failure> {
    let session = &shared.session;
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
    let mut batches = shared.ask_until(closed_for_long, doing, call).await?;
    // no call to the server: the reply that opened the cursor
    let reply = batches.next().await.transpose().map_err(|error| shared.failure(&error, doing))?;
    let reply = reply.ok_or_else(|| broken(doing, "there is no reply"))?;
    Ok((Reply::new(reply).map_err(|_| broken(doing, "a reply is no batch"))?, batches))
}

/// The replies after the first.
struct Ahead {
    shared: Arc<Shared>,
    doing: String,
    batches: RawBatchCursor,
    /// Where the scan goes range by range.
    ranges: Option<Ranges>,
}

/// Starts to fetch the replies after the first.
fn fetch_ahead(mut ahead: Ahead) -> mpsc::Receiver<Result<Reply, Failure>> {
    let (sender, receiver) = mpsc::channel(1);
    let shared = Arc::clone(&ahead.shared);
    let tasks = shared.session.tasks.clone();
    tasks.spawn(async move {
        loop {
            // a place first, then the reply: there is never more than one ahead
            let place = tokio::select! {
                biased;
                () = shared.session.closed.cancelled() => break,
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
        let Self { shared, doing, batches, ranges } = self;
        let Some(ranges) = ranges else { return fetch(shared, doing, batches).await };
        let opened = if ranges.is_exhausted() {
            ranges.next(shared, doing).await?
        } else {
            match fetch(shared, doing, batches).await {
                Ok(mut reply) => {
                    ranges.take(&mut reply);
                    return Ok(reply);
                }
                Err(failure) if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST) => {
                    Some(ranges.again(shared, doing).await?.ok_or(failure)?)
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
async fn fetch(shared: &Shared, doing: &str, batches: &mut RawBatchCursor) -> Result<Reply, Failure> {
    let next = async { batches.next().await.transpose() };
    let batch = shared.ask(doing, next).await?.ok_or_else(|| broken(doing, "the cursor ended without an end"))?;
    Reply::new(batch).map_err(|_| broken(doing, "a reply is no batch"))
}
