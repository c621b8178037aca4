//! [`NoData`]: a database whose collections are empty. It shows what a probe does with its options, without a server.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use taster_model::CollectionGrant;

use crate::capability::{
    AggregateOptions, Batches, Call, CensusExtras, CensusOptions, CensusSummary, CollectionInfo, CollectionKind,
    FindOptions, Mongo, MongoUsage,
};

/// The empty BSON document: its length and its end.
const EMPTY_DOCUMENT: [u8; 5] = [5, 0, 0, 0, 0];

/// A database whose collections are empty. Clones share what was asked of them.
#[derive(Debug, Clone, Default)]
pub struct NoData {
    granted: Arc<[CollectionGrant]>,
    listed: Arc<AtomicBool>,
    read: Arc<AtomicBool>,
}

impl NoData {
    /// A database in which the probe may read these collections.
    #[must_use]
    pub fn new(granted: &[CollectionGrant]) -> Self {
        Self { granted: granted.into(), ..Self::default() }
    }

    /// Whether the probe asked which collections it may read.
    #[must_use]
    pub fn was_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    /// Whether the probe read a collection.
    #[must_use]
    pub fn was_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    fn reply<'a, T: Send + 'a>(&'a self, value: T) -> Call<'a, T> {
        self.read.store(true, Ordering::Relaxed);
        Box::pin(async { Ok(value) })
    }
}

/// A cursor without documents.
struct NoBatches;

impl Batches for NoBatches {
    fn next(&mut self) -> Call<'_, Option<Bytes>> {
        Box::pin(async { Ok(None) })
    }
}

impl Mongo for NoData {
    fn list_collections(&self) -> Call<'_, Vec<CollectionInfo>> {
        self.listed.store(true, Ordering::Relaxed);
        let info = |grant: &CollectionGrant| CollectionInfo {
            name: grant.name.clone(),
            role: grant.role.clone(),
            kind: CollectionKind::Collection,
        };
        let infos = self.granted.iter().map(info).collect();
        Box::pin(async { Ok(infos) })
    }

    fn collection_options<'a>(&'a self, _: &'a str) -> Call<'a, Vec<u8>> {
        self.reply(EMPTY_DOCUMENT.to_vec())
    }

    fn list_indexes<'a>(&'a self, _: &'a str) -> Call<'a, Vec<Vec<u8>>> {
        self.reply(Vec::new())
    }

    fn find<'a>(&'a self, _: &'a str, _: &'a [u8], _: FindOptions) -> Call<'a, Box<dyn Batches>> {
        self.reply(Box::new(NoBatches))
    }

    fn aggregate<'a>(&'a self, _: &'a str, _: &'a [Vec<u8>], _: AggregateOptions) -> Call<'a, Box<dyn Batches>> {
        self.reply(Box::new(NoBatches))
    }

    fn count<'a>(&'a self, _: &'a str, _: &'a [u8]) -> Call<'a, u64> {
        self.reply(0)
    }

    fn distinct<'a>(&'a self, _: &'a str, _: &'a str, _: &'a [u8]) -> Call<'a, Box<dyn Batches>> {
        self.reply(Box::new(NoBatches))
    }

    fn explain<'a>(&'a self, _: &'a str, _: &'a [u8], _: FindOptions) -> Call<'a, Vec<u8>> {
        self.reply(EMPTY_DOCUMENT.to_vec())
    }

    fn census<'a>(&'a self, collection: &'a str, _: CensusOptions, _: CensusExtras) -> Call<'a, CensusSummary> {
        self.reply(CensusSummary { id: collection.to_owned(), documents: 0, bytes: 0 })
    }

    fn usage(&self) -> MongoUsage {
        MongoUsage::default()
    }
}
