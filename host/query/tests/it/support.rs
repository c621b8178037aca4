//! Fixtures of the tests: a database for each test, and a connection to it.

use std::time::Duration;

use bson::{Document, RawDocumentBuf, doc};
use mongodb::{Client, error::ErrorKind};
use taster_model::{CollectionGrant, Failure};
use taster_query::{Connection, ConnectionOptions, Cursor, Database, Grant, Limits, Snapshot};
use taster_testkit::{WAIT_TIMEOUT, wait_until};

use crate::mongod::Mongod;

/// The server's code for a time that is no longer in its history.
const SNAPSHOT_TOO_OLD: i32 = 239;

/// A database that only one test uses.
pub(crate) struct Shop {
    pub(crate) server: &'static Mongod,
    pub(crate) name: &'static str,
    pub(crate) client: Client,
}

impl Shop {
    pub(crate) async fn new(server: &'static Mongod, name: &'static str) -> Self {
        let client = server.client().await;
        Self { server, name, client }
    }

    pub(crate) fn mongo(&self) -> mongodb::Database {
        self.client.database(self.name)
    }

    pub(crate) async fn fill(&self, collection: &str, documents: impl IntoIterator<Item = Document>) {
        self.mongo().collection::<Document>(collection).insert_many(documents).await.unwrap();
    }

    /// The comment of this shop's connections.
    pub(crate) fn comment(&self) -> String {
        format!("taster/{}/{}", self.name, self.server.is_replica_set())
    }

    /// Waits until the server reads further documents of a cursor of this shop.
    pub(crate) async fn wait_for_get_more(&self) {
        wait_until("a getMore", WAIT_TIMEOUT, async || {
            let traces = self.server.traces(&self.comment()).await;
            traces.iter().any(|op| op.get_document("command").is_ok_and(|command| command.contains_key("getMore")))
        })
        .await;
    }

    /// Writes until the server can no longer read `orders` as it is now: only writes move its history on.
    pub(crate) async fn outlive_history(&self) {
        let pong = self.mongo().run_command(doc! {"ping": 1}).await.unwrap();
        let now = pong.get_timestamp("operationTime").unwrap();
        let read = doc! {"find": "orders", "limit": 1, "readConcern": {"level": "snapshot", "atClusterTime": now}};
        wait_until("the end of the history", WAIT_TIMEOUT, async || {
            self.fill("noise", [doc! {}]).await;
            match self.mongo().run_command(read.clone()).await {
                Ok(_) => false,
                Err(error) => match *error.kind {
                    ErrorKind::Command(ref error) if error.code == SNAPSHOT_TOO_OLD => true,
                    _ => panic!("{error}"),
                },
            }
        })
        .await;
    }

    pub(crate) async fn connection(&self) -> Connection {
        let options = ConnectionOptions {
            uri: self.server.uri(self.name).parse().unwrap(),
            database: self.name.to_owned(),
            comment: self.comment(),
            server_selection_timeout: Duration::from_secs(10),
            command_events: None,
        };
        Connection::connect(options).await.unwrap()
    }
}

pub(crate) fn grant(collections: &[&str], limits: Limits) -> Grant {
    Grant {
        probe: "orders".to_owned(),
        collections: collections
            .iter()
            .map(|name| CollectionGrant { name: (*name).to_owned(), role: "any".to_owned() })
            .collect(),
        limits,
        setting: "probes[orders].limits".to_owned(),
    }
}

pub(crate) fn database(snapshot: &Snapshot, collections: &[&str]) -> Database {
    snapshot.database(grant(collections, Limits::default()))
}

pub(crate) fn raw(document: &Document) -> Vec<u8> {
    RawDocumentBuf::try_from(document).unwrap().into_bytes()
}

pub(crate) fn read(bytes: &[u8]) -> Document {
    Document::try_from(bson::RawDocument::from_bytes(bytes).unwrap()).unwrap()
}

/// Splits documents that follow each other without a gap.
pub(crate) fn split(mut batch: &[u8]) -> Vec<Document> {
    let mut documents = Vec::new();
    while let Some((length, _)) = batch.split_first_chunk::<4>() {
        let (document, rest) = batch.split_at(u32::from_le_bytes(*length) as usize);
        documents.push(read(document));
        batch = rest;
    }
    documents
}

/// All remaining documents.
pub(crate) async fn drain(cursor: &mut Cursor) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    while let Some(batch) = cursor.next().await? {
        assert!(!batch.is_empty());
        documents.extend(split(&batch));
    }
    Ok(documents)
}
