//! The cursor that hands documents to a probe in batches.

use std::sync::Arc;

use bytes::Bytes;
use taster_model::Failure;
use tracing::Instrument;

use crate::{
    metered_connection::{MeteredConnection, bad_reply},
    prefetch::{PrefetchStream, Scan},
    query_span::QuerySpan,
    reply::{Batch, BatchLimits, Reply},
};

/// Hands out the documents of a query. Dropping it closes the server's cursor; so does closing the connection.
pub struct Cursor {
    connection: Arc<MeteredConnection>,
    operation: String,
    state: State,
    /// Whether it counts against the limit of open cursors.
    counts_as_open: bool,
    query: QuerySpan,
}

enum State {
    /// A reply is being handed out.
    Open { reply: Reply, replies: PrefetchStream },
    /// Everything was handed out.
    Ended,
    /// It failed. Later calls return the same failure, because an end would look like a complete result.
    Failed(Failure),
}

impl Cursor {
    /// A cursor without documents.
    pub(crate) fn empty(connection: Arc<MeteredConnection>, query: QuerySpan) -> Self {
        Self { connection, operation: String::new(), state: State::Ended, counts_as_open: false, query }
    }

    /// Sends the first command and waits for its first reply.
    pub(crate) async fn open(
        connection: Arc<MeteredConnection>,
        scan: Scan,
        operation: String,
        query: QuerySpan,
    ) -> Result<Self, Failure> {
        connection.budget.take_cursor()?;
        // from here on, dropping it gives the cursor back
        let mut cursor = Self { connection, operation, state: State::Ended, counts_as_open: true, query };
        let open = PrefetchStream::open(&cursor.connection, scan, &cursor.operation);
        let opened = open.instrument(cursor.query.span().clone()).await;
        let mut replies = opened.inspect_err(|failure| cursor.connection.budget.record_failure(failure))?;
        // sends nothing: this is the reply that opened the cursor
        if let Some(reply) = replies.next().await? {
            cursor.state = State::Open { reply, replies };
        }
        cursor.release_if_done();
        Ok(cursor)
    }

    /// The next batch: documents back to back, never empty, at most [`crate::Limits::batch`] bytes unless one document is
    /// larger. `None` at the end, and on every later call. A failure is returned on every later call, too.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.connection.budget.count_call();
        let next = self.next_batch().await;
        match &next {
            Ok(_) => self.release_if_done(),
            Err(failure) => {
                self.state = State::Failed(failure.clone());
                self.release();
                self.connection.budget.record_failure(failure);
            }
        }
        next
    }

    async fn next_batch(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let (reply, replies) = match &mut self.state {
                State::Open { reply, replies } => (reply, replies),
                State::Ended => return Ok(None),
                State::Failed(failure) => return Err(failure.clone()),
            };
            let budget = &self.connection.budget;
            let remaining = budget.remaining();
            let limits = BatchLimits {
                target_bytes: budget.limits().batch,
                max_bytes: remaining.bytes,
                max_documents: remaining.documents,
            };
            let batch = reply.next_batch(limits).map_err(|_| bad_reply(&self.operation, "the reply is malformed"))?;
            match batch {
                Batch::Documents { bytes, documents } => {
                    budget.spend_documents(documents, bytes.len() as u64);
                    self.query.add(documents, bytes.len() as u64);
                    return Ok(Some(bytes));
                }
                Batch::LimitReached(length) => return Err(budget.document_refused(length)),
                Batch::Exhausted => {}
            }
            // the last reply may be empty: the server notices the end only when it is asked for more
            let Some(next) = replies.next().await? else {
                self.state = State::Ended;
                return Ok(None);
            };
            *reply = next;
        }
    }

    /// A cursor counts as open until its last batch was handed over. This depends on what the probe has received, not on how
    /// far the host has read ahead, which would differ from run to run.
    fn release_if_done(&mut self) {
        let done = match &self.state {
            State::Open { reply, .. } => reply.last && reply.is_exhausted(),
            State::Ended | State::Failed(_) => true,
        };
        if done {
            self.state = State::Ended;
            self.release();
        }
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.counts_as_open) {
            self.connection.budget.release_cursor();
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // the replies are dropped with the state; their task notices, and the driver kills the server's cursor
        self.release();
    }
}
