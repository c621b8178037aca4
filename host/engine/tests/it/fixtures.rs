//! Loading and running guests, and a fake database that needs no server.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use taster_engine::{
    Compiler, Engine, EngineError, EngineOptions, Limits, Probe, RunInput, RunReport,
    capability::{
        AggregateOptions, Batches, Call, CensusExtras, CensusOptions, CensusSummary, CollectionInfo, FindOptions,
        Mongo, MongoUsage,
    },
};
use taster_model::{Diagnostic, Failure, Refusal};

use crate::component::Guest;

pub(crate) const SETTING: &str = "probes[orders].limits";

pub(crate) fn engine() -> Engine {
    Engine::new(EngineOptions::new(Compiler::InProcess)).unwrap()
}

pub(crate) async fn load(bytes: &[u8]) -> Result<Probe, EngineError> {
    load_within(bytes, &Limits::default()).await
}

pub(crate) async fn load_within(bytes: &[u8], limits: &Limits) -> Result<Probe, EngineError> {
    engine().load(bytes, limits, SETTING).await
}

/// Code, text and help of an error, for snapshots.
pub(crate) fn describe_error(error: &EngineError) -> String {
    format!("{}: {error}\nhelp: {}", error.code(), error.help().unwrap_or_default())
}

/// Loads and runs a guest, with one second unless `limits` say otherwise.
pub(crate) async fn run(guest: &Guest, limits: Limits) -> RunReport {
    run_on(guest, limits, FakeDatabase::default()).await
}

pub(crate) async fn run_on(guest: &Guest, limits: Limits, database: FakeDatabase) -> RunReport {
    let probe = load(&guest.build()).await.unwrap_or_else(|error| panic!("{}", describe_error(&error)));
    probe.run(input(limits, database)).await
}

pub(crate) fn input(limits: Limits, database: FakeDatabase) -> RunInput<FakeDatabase> {
    RunInput {
        probe: "orders".to_owned(),
        database,
        config: "null".to_owned(),
        limits,
        setting: SETTING.to_owned(),
        clock: "2026-11-23T06:00:00Z".parse::<Timestamp>().unwrap(),
        seed: [7; 32],
        progress: None,
    }
}

/// Why a run failed.
pub(crate) fn failure(report: &RunReport) -> String {
    report.outcome.as_ref().unwrap_err().to_string()
}

/// Short enough for tests, long enough for a loaded machine.
pub(crate) fn brief() -> Limits {
    Limits { deadline: Duration::from_millis(300), ..Limits::default() }
}

/// A database of one collection: `batches` batches of `size` bytes. Reading `slow` never ends, `denied` is refused. A
/// census takes as long as it says.
#[derive(Clone)]
pub(crate) struct FakeDatabase {
    pub(crate) batches: u64,
    pub(crate) size: usize,
    pub(crate) open: Arc<AtomicU64>,
    pub(crate) filters: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(crate) bytes_read: Arc<AtomicU64>,
    pub(crate) census: Duration,
    pub(crate) censuses: Arc<Mutex<Vec<CensusOptions>>>,
}

impl Default for FakeDatabase {
    fn default() -> Self {
        Self {
            batches: 3,
            size: 1000,
            open: Arc::default(),
            filters: Arc::default(),
            bytes_read: Arc::default(),
            census: Duration::ZERO,
            censuses: Arc::default(),
        }
    }
}

pub(crate) struct FakeBatches {
    left: u64,
    batch: Bytes,
    open: Arc<AtomicU64>,
    bytes_read: Arc<AtomicU64>,
}

impl Drop for FakeBatches {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Batches for FakeBatches {
    fn next(&mut self) -> Call<'_, Option<Bytes>> {
        Box::pin(async move {
            let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
            self.left = left;
            self.bytes_read.fetch_add(self.batch.len() as u64, Ordering::SeqCst);
            Ok(Some(self.batch.clone()))
        })
    }
}

impl Mongo for FakeDatabase {
    fn list_collections(&self) -> Call<'_, Vec<CollectionInfo>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn collection_options<'a>(&'a self, _: &'a str) -> Call<'a, Vec<u8>> {
        Box::pin(async { Ok(vec![5, 0, 0, 0, 0]) })
    }

    fn list_indexes<'a>(&'a self, _: &'a str) -> Call<'a, Vec<Vec<u8>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn find<'a>(&'a self, collection: &'a str, filter: &'a [u8], _: FindOptions) -> Call<'a, Box<dyn Batches>> {
        Box::pin(async move {
            self.filters.lock().unwrap().push(filter.to_vec());
            match collection {
                "slow" => std::future::pending().await,
                "denied" => Err(Failure::refused(Refusal::Denied, "T0202", "the collection is not granted")
                    .asked(collection)
                    .allowed("orders")
                    .setting("probes[orders].collections")),
                _ => {
                    self.open.fetch_add(1, Ordering::SeqCst);
                    let (open, bytes_read) = (Arc::clone(&self.open), Arc::clone(&self.bytes_read));
                    let batches =
                        FakeBatches { left: self.batches, batch: Bytes::from(vec![b'x'; self.size]), open, bytes_read };
                    Ok(Box::new(batches) as Box<dyn Batches>)
                }
            }
        })
    }

    fn aggregate<'a>(&'a self, _: &'a str, _: &'a [Vec<u8>], _: AggregateOptions) -> Call<'a, Box<dyn Batches>> {
        Box::pin(async { Err(Failure::from_probe("the fake database does not offer this")) })
    }

    fn count<'a>(&'a self, _: &'a str, _: &'a [u8]) -> Call<'a, u64> {
        Box::pin(async { Ok(3) })
    }

    fn distinct<'a>(&'a self, _: &'a str, _: &'a str, _: &'a [u8]) -> Call<'a, Box<dyn Batches>> {
        Box::pin(async { Err(Failure::from_probe("the fake database does not offer this")) })
    }

    fn explain<'a>(&'a self, _: &'a str, _: &'a [u8], _: FindOptions) -> Call<'a, Vec<u8>> {
        Box::pin(async { Ok(vec![5, 0, 0, 0, 0]) })
    }

    fn census<'a>(&'a self, collection: &'a str, options: CensusOptions, _: CensusExtras) -> Call<'a, CensusSummary> {
        Box::pin(async move {
            if collection == "denied" {
                return Err(Failure::refused(Refusal::Unavailable, "T0312", "this host records no census"));
            }
            tokio::time::sleep(self.census).await;
            let mut censuses = self.censuses.lock().unwrap();
            censuses.push(options);
            Ok(CensusSummary { id: format!("c{}", censuses.len()), documents: 7, bytes: 700 })
        })
    }

    fn usage(&self) -> MongoUsage {
        let bytes = self.bytes_read.load(Ordering::SeqCst);
        MongoUsage { documents: bytes / 100, bytes, server_time: Duration::from_millis(7), collections: Vec::new() }
    }
}
