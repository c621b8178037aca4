//! The threads that hash the documents of a scan, and the one that writes the census.

use std::sync::Arc;

use taster_census::{CensusBuilder, CensusFile, CensusIdentity, DocumentMarks};
use taster_model::Failure;
use tokio::{sync::mpsc, task::JoinHandle};

use super::refusal::{recording_failed, thread_ended};
use crate::{
    metered_connection::{MeteredConnection, bad_reply},
    reply::Reply,
};

/// A thread that hashes replies. When this is dropped, the thread ends after the reply that it is working on.
pub(super) struct HashThread {
    /// Holds one reply while another one is hashed; sending a third one waits.
    replies: mpsc::Sender<Reply>,
    thread: JoinHandle<Result<CensusBuilder, Failure>>,
}

impl HashThread {
    /// Starts the thread. All documents that it receives get the same `marks`.
    pub(super) fn start(
        connection: Arc<MeteredConnection>,
        mut builder: CensusBuilder,
        marks: DocumentMarks,
        operation: String,
    ) -> Self {
        let (sender, mut replies) = mpsc::channel(1);
        // closing the connection waits for it
        let tasks = connection.connection.tasks.clone();
        let thread = tasks.spawn_blocking(move || {
            while let Some(reply) = replies.blocking_recv() {
                hash(&mut builder, &reply, marks, &connection, &operation)?;
            }
            Ok(builder)
        });
        Self { replies: sender, thread }
    }

    /// Hands a reply to the thread. An error means that the thread has ended; [`HashThread::join`] returns the reason.
    pub(super) async fn send(&self, reply: Reply) -> Result<(), ThreadEnded> {
        self.replies.send(reply).await.map_err(|_| ThreadEnded)
    }

    /// Waits until everything is hashed.
    pub(super) async fn join(self) -> Result<CensusBuilder, Failure> {
        drop(self.replies);
        self.thread.await.map_err(|error| thread_ended(&error.to_string()))?
    }
}

/// The thread has ended and takes no more replies.
pub(super) struct ThreadEnded;

/// Hashes each document in the reply's buffer, without copying it first.
fn hash(
    builder: &mut CensusBuilder,
    reply: &Reply,
    marks: DocumentMarks,
    connection: &MeteredConnection,
    operation: &str,
) -> Result<(), Failure> {
    let malformed = || bad_reply(operation, "the reply is malformed");
    let (mut documents, mut bytes) = (0, 0);
    for document in reply.documents().map_err(|_| malformed())? {
        let document = document.map_err(|_| malformed())?;
        builder.push_marked(document, marks).map_err(|error| recording_failed(&error))?;
        documents += 1;
        bytes += document.len() as u64;
    }
    connection.budget.spend_documents(documents, bytes);
    Ok(())
}

/// Merges the builders into one census: sorts, compresses and writes it, on a thread of its own.
pub(super) async fn finish(
    builders: Vec<CensusBuilder>,
    place: CensusIdentity,
    now: i64,
) -> Result<CensusFile, Failure> {
    let write = move || {
        let merged = builders.into_iter().reduce(|mut all, other| {
            all.absorb(other);
            all
        });
        merged.map(|builder| builder.finish(&place, now).map_err(|error| recording_failed(&error)))
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(|error| thread_ended(&error.to_string()))?;
    written.ok_or_else(|| thread_ended("no documents were hashed"))?
}
