//! What a guest's handles stand for on the host.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use taster_model::Failure;

pub use crate::bindings::taster::probe::mongo::{
    AggregateOptions, CensusDetail, CensusOptions, CensusSummary, CollectionInfo, CollectionKind, FindOptions,
};

/// A call that may take a while and may be refused.
pub type Call<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// The read-only capability that a guest is handed, in the words of the interface.
///
/// [`taster_query::Database`] is the one that reads a server. It is a trait so that a recorded session can stand in for
/// it, and the hostile guests of the tests need no server. A call is one allocation here, never one a document.
pub trait Mongo: Send + Sync + 'static {
    /// The granted collections, sorted by name.
    fn list_collections(&self) -> Call<'_, Vec<CollectionInfo>>;
    /// Options of one collection, canonical.
    fn collection_options<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<u8>>;
    /// Index specifications sorted by name, canonical.
    fn list_indexes<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<Vec<u8>>>;
    /// Documents that fit a filter.
    fn find<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Box<dyn Batches>>;
    /// What comes out of a pipeline.
    fn aggregate<'a>(
        &'a self,
        collection: &'a str,
        stages: &'a [Vec<u8>],
        options: AggregateOptions,
    ) -> Call<'a, Box<dyn Batches>>;
    /// How many documents fit a filter, exactly.
    fn count<'a>(&'a self, collection: &'a str, filter: &'a [u8]) -> Call<'a, u64>;
    /// Documents `{v: VALUE}`, each value once.
    fn distinct<'a>(&'a self, collection: &'a str, path: &'a str, filter: &'a [u8]) -> Call<'a, Box<dyn Batches>>;
    /// The plan that `find` would take.
    fn explain<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Vec<u8>>;
    /// Records every document of a collection. The host's own work: the probe's deadline stands still meanwhile, so
    /// whoever implements this bounds the time that all censuses of a run take together.
    fn census<'a>(&'a self, collection: &'a str, options: CensusOptions) -> Call<'a, CensusSummary>;
    /// What was read so far.
    fn usage(&self) -> MongoUsage;
}

/// Documents still to come. Dropping it closes the cursor on the server.
pub trait Batches: Send + 'static {
    /// The next batch, whole documents back to back; `None` at the end.
    fn next(&mut self) -> Call<'_, Option<Bytes>>;
}

/// What a capability handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MongoUsage {
    /// Documents.
    pub documents: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Time spent waiting for the server.
    pub server_time: Duration,
    /// Collections that were read, sorted.
    pub collections: Vec<String>,
}

/// What a guest's `database` stands for.
pub struct DatabaseHandle(pub(crate) Arc<dyn Mongo>);

/// What a guest's `cursor` stands for.
pub struct CursorHandle(pub(crate) Box<dyn Batches>);
