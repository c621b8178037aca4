//! The ways to read a whole collection that are compared.

use std::time::{Duration, Instant};

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;
use mongodb::Client;
use taster_census::CensusKey;
use taster_demo::Mongod;
use taster_engine::Probe;
use taster_model::CollectionGrant;
use taster_query::{CensusRequest, Connection, ConnectionOptions, Database, FindOptions, Grant, Limits, Snapshot};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Outcome, Size, census, data,
    guests::{self, GuestProbes},
};

/// The empty document.
const EVERYTHING: [u8; 5] = [5, 0, 0, 0, 0];

/// One way to read everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    /// The driver's cursor of bytes.
    Raw,
    /// The driver's cursor, without owning the documents.
    Advance,
    /// The driver's cursor of parsed documents.
    Parsed,
    /// The server, for itself.
    DbHash,
    /// The host: raw batches, the next one fetched ahead, one hash a document.
    Hash,
    /// A guest that does the same through the interface.
    Guest,
    /// A census: digests, shapes, sums of every path, sorted and written.
    Census,
    /// The standard probe that looks into every document.
    Shape,
}

impl Contestant {
    /// All of them, in the order of each round.
    pub(crate) const ALL: [Self; 8] =
        [Self::Raw, Self::Advance, Self::Parsed, Self::DbHash, Self::Hash, Self::Census, Self::Guest, Self::Shape];

    /// What somebody would write by hand with the driver: a stream of documents, as bytes or parsed.
    ///
    /// `Advance` lends each document for one turn of the loop. It is shown, and not counted as plain.
    pub(crate) const PLAIN: [Self; 2] = [Self::Raw, Self::Parsed];

    /// Name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "plain find({}) loop, RawDocumentBuf",
            Self::Advance => "find({}) with advance() and current(), nothing owned",
            Self::Parsed => "plain find({}) loop, Document",
            Self::DbHash => "the server's own dbHash",
            Self::Hash => "raw batches, prefetch, one XXH3 a document",
            Self::Census => "full census: fields, paths, sorted, compressed",
            Self::Guest => "Rust guest, one XXH3 a document (probes/bench-scan)",
            Self::Shape => "Rust guest, every path and type (schema-shape)",
        }
    }
}

/// Everything that a scan needs.
pub(crate) struct Stage {
    client: Client,
    connection: Connection,
    snapshot: Snapshot,
    pub(crate) guests: GuestProbes,
    pub(crate) size: Size,
    key: CensusKey,
}

impl Stage {
    pub(crate) async fn open(mongod: &Mongod, client: Client, guests: GuestProbes, size: Size) -> Outcome<Self> {
        let options = ConnectionOptions {
            uri: mongod.uri().parse()?,
            database: data::DATABASE.to_owned(),
            comment: "taster/bench".to_owned(),
            server_selection_timeout: Duration::from_secs(30),
            command_events: None,
        };
        let connection = Connection::connect(options).await?;
        let snapshot = connection.initial_snapshot();
        Ok(Self { client, connection, snapshot, guests, size, key: CensusKey::random()? })
    }

    pub(crate) async fn close(self) {
        self.connection.close().await;
    }

    /// The capability over some collections.
    pub(crate) fn database(&self, collections: &[&str]) -> Database {
        let grant = |name: &&str| CollectionGrant { name: (*name).to_owned(), role: "collections".to_owned() };
        let grant = Grant {
            probe: "bench".to_owned(),
            collections: collections.iter().map(grant).collect(),
            limits: Limits::default(),
            setting: "limits".to_owned(),
        };
        self.snapshot.database_with_census(grant, census::env(self.key.clone()))
    }

    /// How long a scan of the large collection takes.
    pub(crate) async fn time(&self, contestant: Contestant) -> Outcome<Duration> {
        let begun = Instant::now();
        let read = self.scan(contestant, data::LARGE).await?;
        let took = begun.elapsed();
        if read == self.size.documents { Ok(took) } else { Err(format!("read {read} documents").into()) }
    }

    /// Reads a collection; how many documents there were.
    pub(crate) async fn scan(&self, contestant: Contestant, collection: &str) -> Outcome<u64> {
        let database = self.client.database(data::DATABASE);
        let mut documents = 0;
        match contestant {
            Contestant::Raw => {
                let mut cursor = database.collection::<RawDocumentBuf>(collection).find(doc! {}).await?;
                while let Some(document) = cursor.try_next().await? {
                    documents += u64::from(!document.is_empty());
                }
            }
            Contestant::Advance => {
                let mut cursor = database.collection::<RawDocumentBuf>(collection).find(doc! {}).await?;
                while cursor.advance().await? {
                    documents += u64::from(!cursor.current().is_empty());
                }
            }
            Contestant::Parsed => {
                let mut cursor = database.collection::<Document>(collection).find(doc! {}).await?;
                while let Some(document) = cursor.try_next().await? {
                    documents += u64::from(!document.is_empty());
                }
            }
            Contestant::DbHash => {
                database.run_command(doc! {"dbHash": 1, "collections": [collection]}).await?;
                documents = database.collection::<Document>(collection).estimated_document_count().await?;
            }
            Contestant::Hash => documents = self.hash(collection).await?,
            Contestant::Census => documents = self.census(collection).await?,
            Contestant::Guest => documents = self.guest(&self.guests.scan, collection).await?,
            Contestant::Shape => documents = self.guest(&self.guests.shape, collection).await?,
        }
        Ok(documents)
    }

    async fn census(&self, collection: &str) -> Outcome<u64> {
        let database = self.database(&[collection]);
        let census = database.census(collection, CensusRequest::default()).await.map_err(|e| e.to_string())?;
        Ok(census.documents)
    }

    async fn hash(&self, collection: &str) -> Outcome<u64> {
        let database = self.database(&[collection]);
        let mut cursor =
            database.find(collection, &EVERYTHING, FindOptions::default()).await.map_err(|e| e.to_string())?;
        let (mut documents, mut sum) = (0, 0_u64);
        while let Some(batch) = cursor.next().await.map_err(|e| e.to_string())? {
            let mut rest = &batch[..];
            while let Some(length) = rest.first_chunk::<4>() {
                let (document, after) = rest.split_at(u32::from_le_bytes(*length) as usize);
                sum = sum.wrapping_add(xxh3_64(document));
                documents += 1;
                rest = after;
            }
        }
        std::hint::black_box(sum);
        Ok(documents)
    }

    async fn guest(&self, probe: &Probe, collection: &str) -> Outcome<u64> {
        let report = guests::run(probe, self.database(&[collection]), "null".to_owned()).await?;
        Ok(report.usage.documents)
    }
}
