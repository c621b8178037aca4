//! Documents on their way to a probe, the next reply fetched while it works on the last one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use taster_model::Failure;

use crate::{
    batch::{Cut, Most, Reply},
    reader::{Reader, broken},
    replies::{Replies, Scan},
};

/// How much longer than the server the host waits, so that the server's own answer arrives.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Documents still to come. Dropping it closes the server's cursor; so does the end of the session.
pub struct Cursor {
    reader: Arc<Reader>,
    doing: String,
    state: State,
    /// Whether it counts as open.
    counted: bool,
}

enum State {
    /// A reply is being handed out.
    Open { reply: Reply, replies: Replies },
    /// Everything was handed out.
    Ended,
    /// It broke. Whoever asks again hears it again: an end would look like all there is.
    Failed(Failure),
}

impl Cursor {
    /// Finds nothing.
    pub(crate) fn empty(reader: Arc<Reader>) -> Self {
        Self { reader, doing: String::new(), state: State::Ended, counted: false }
    }

    /// Sends the first command and waits for its first reply.
    pub(crate) async fn open(reader: Arc<Reader>, scan: Scan, doing: String) -> Result<Self, Failure> {
        reader.budget.take_cursor()?;
        // from here on the drop gives it back
        let mut cursor = Self { reader, doing, state: State::Ended, counted: true };
        let opened = Replies::open(&cursor.reader, scan, &cursor.doing).await;
        let mut replies = opened.inspect_err(|failure| cursor.reader.budget.note(failure))?;
        // no call to the server: the reply that it was opened with
        if let Some(reply) = replies.next().await? {
            cursor.state = State::Open { reply, replies };
        }
        cursor.settle();
        Ok(cursor)
    }

    /// The next batch, documents back to back, never empty, at most [`crate::Limits::batch`] bytes unless one document
    /// is larger. `None` at the end, again and again. A failure stays.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.reader.budget.call();
        let next = self.advance().await;
        match &next {
            Ok(_) => self.settle(),
            Err(failure) => {
                self.state = State::Failed(failure.clone());
                self.release();
                self.reader.budget.note(failure);
            }
        }
        next
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let (reply, replies) = match &mut self.state {
                State::Open { reply, replies } => (reply, replies),
                State::Ended => return Ok(None),
                State::Failed(failure) => return Err(failure.clone()),
            };
            let budget = &self.reader.budget;
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
            let Some(next) = replies.next().await? else {
                self.state = State::Ended;
                return Ok(None);
            };
            *reply = next;
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
            self.reader.budget.give_back();
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // the replies go with the state, their task sees it and lets the driver kill the server's cursor
        self.release();
    }
}
