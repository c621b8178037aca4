//! The read-only capability, and the host's side of a guest's handles.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use taster_model::Failure;

pub use crate::bindings::taster::probe::mongo::{
    AggregateOptions, CensusDetail, CensusExtras, CensusOptions, CensusSummary, CollectionInfo, CollectionKind,
    FindOptions,
};

/// A call of the capability. It may take a while and may be refused.
pub type Call<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// The read-only capability of a guest, with the types of the interface.
///
/// [`taster_query::Database`] implements it with a server; tests implement it without one. A call allocates once here, and not
/// once a document.
pub trait Mongo: Send + Sync + 'static {
    /// The granted collections, sorted by name.
    fn list_collections(&self) -> Call<'_, Vec<CollectionInfo>>;
    /// Options of one collection, canonical.
    fn collection_options<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<u8>>;
    /// Index specifications sorted by name, canonical.
    fn list_indexes<'a>(&'a self, collection: &'a str) -> Call<'a, Vec<Vec<u8>>>;
    /// Documents that match a filter.
    fn find<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Box<dyn Batches>>;
    /// The results of a pipeline.
    fn aggregate<'a>(
        &'a self,
        collection: &'a str,
        stages: &'a [Vec<u8>],
        options: AggregateOptions,
    ) -> Call<'a, Box<dyn Batches>>;
    /// The exact number of documents that match a filter.
    fn count<'a>(&'a self, collection: &'a str, filter: &'a [u8]) -> Call<'a, u64>;
    /// Documents `{v: VALUE}`, each value once.
    fn distinct<'a>(&'a self, collection: &'a str, path: &'a str, filter: &'a [u8]) -> Call<'a, Box<dyn Batches>>;
    /// The query plan of `find`.
    fn explain<'a>(&'a self, collection: &'a str, filter: &'a [u8], options: FindOptions) -> Call<'a, Vec<u8>>;
    /// Records every document of a collection. The probe's deadline is paused meanwhile, so the implementation must limit the
    /// time that all censuses of a run take together.
    fn census<'a>(
        &'a self,
        collection: &'a str,
        options: CensusOptions,
        extras: CensusExtras,
    ) -> Call<'a, CensusSummary>;
    /// What the guest has read so far.
    fn usage(&self) -> MongoUsage;
}

/// An open cursor. Dropping it closes the cursor on the server.
pub trait Batches: Send + 'static {
    /// The next batch, whole documents back to back; `None` at the end.
    fn next(&mut self) -> Call<'_, Option<Bytes>>;
}

/// What a guest has read.
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

/// The host's side of a guest's `database`.
pub struct DatabaseHandle(pub(crate) Arc<dyn Mongo>);

/// The host's side of a guest's `cursor`.
pub struct CursorHandle(pub(crate) Box<dyn Batches>);
