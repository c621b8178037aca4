//! The threads that hash what a scan brings, and the one that writes the census.

use std::sync::Arc;

use taster_census::{CensusBuilder, CensusFile, CensusIdentity};
use taster_model::Failure;
use tokio::{sync::mpsc, task::JoinHandle};

use super::refused::{broken_off, failed};
use crate::{
    batch::Reply,
    reader::{Reader, broken},
};

/// A thread that hashes replies. It ends when this is dropped, after the reply that it is at.
pub(super) struct Hashing {
    /// One waits while one is hashed; whoever brings a third one waits.
    replies: mpsc::Sender<Reply>,
    thread: JoinHandle<Result<CensusBuilder, Failure>>,
}

impl Hashing {
    /// Starts it. All documents that it is going to be brought carry `mark`.
    pub(super) fn begin(reader: Arc<Reader>, mut builder: CensusBuilder, mark: u8, doing: String) -> Self {
        let (sender, mut replies) = mpsc::channel(1);
        // the end of the session waits for it
        let tasks = reader.session.tasks.clone();
        let thread = tasks.spawn_blocking(move || {
            while let Some(reply) = replies.blocking_recv() {
                record(&mut builder, &reply, mark, &reader, &doing)?;
            }
            Ok(builder)
        });
        Self { replies: sender, thread }
    }

    /// Brings it a reply. `false`: it has ended, and [`Hashing::end`] says why.
    pub(super) async fn take(&self, reply: Reply) -> bool {
        self.replies.send(reply).await.is_ok()
    }

    /// Waits until it has hashed everything.
    pub(super) async fn end(self) -> Result<CensusBuilder, Failure> {
        drop(self.replies);
        self.thread.await.map_err(|error| broken_off(&error.to_string()))?
    }
}

/// Each document where the server put it: nothing is copied before it is hashed.
fn record(builder: &mut CensusBuilder, reply: &Reply, mark: u8, reader: &Reader, doing: &str) -> Result<(), Failure> {
    let not_whole = || broken(doing, "a reply is not whole");
    let (mut documents, mut bytes) = (0, 0);
    for document in reply.each().map_err(|_| not_whole())? {
        let document = document.map_err(|_| not_whole())?;
        builder.push(document, mark).map_err(|error| failed(&error))?;
        documents += 1;
        bytes += document.len() as u64;
    }
    reader.budget.hand_out(documents, bytes);
    Ok(())
}

/// Makes one census of what several builders were fed: sorts, compresses and writes it, on a thread of its own.
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
        merged.map(|builder| builder.finish(&place, now).map_err(|error| failed(&error)))
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(|error| broken_off(&error.to_string()))?;
    written.ok_or_else(|| broken_off("nothing was fed to it"))?
}
