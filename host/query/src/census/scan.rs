//! Reads all documents of a census once, at one point in time, with one or several cursors.

use std::sync::Arc;

use bson::{RawDocumentBuf, Timestamp};
use futures_util::future::try_join_all;
use taster_census::{CensusBuilder, CensusSpec, DocumentMarks, ScratchSpace};
use taster_model::{Failure, ReadMode};

use super::{
    checked::CheckedCensus,
    hash_thread::HashThread,
    partition::{self, DeclaredFilter, Part},
    refusal::CensusRefusal,
};
use crate::{
    collection::Collection,
    command::{self, CheckedFind},
    command_options::CommandOptions,
    database::Database,
    guard::checked::CheckedFilter,
    metered_connection::MeteredConnection,
    prefetch::{PrefetchStream, Scan},
    range_scan::{self, RangeBound, RangeScan},
};

/// The most cursors of one census. Each needs memory for several replies of at most 16 MiB, and two threads.
const MAX_CURSORS: u32 = 64;

/// The least memory per cursor, in bytes. With less, a builder spends its time writing.
const MIN_CURSOR_MEMORY: usize = 4 << 20;

/// A census in progress.
pub(super) struct CensusScan<'a> {
    pub(super) database: &'a Database,
    pub(super) connection: &'a Arc<MeteredConnection>,
    pub(super) census: &'a CheckedCensus<'a>,
}

impl CensusScan<'_> {
    /// Reads everything; returns one builder per cursor.
    pub(super) async fn run(&self, cursors: u32) -> Result<Vec<CensusBuilder>, Failure> {
        let Some(collection) = self.census.collection else { return Ok(vec![self.builder(1)]) };
        let splits = self.split_ids(collection, cursors.min(MAX_CURSORS)).await?;
        if splits.is_empty() {
            return Ok(vec![self.scan_parts(collection).await?]);
        }
        let read_at = self.database.read_time(self.census.target.reads()).await?;
        let everything = CheckedFilter::all_of([]);
        let ends = splits.iter().map(Some).chain([None]);
        let cursors = splits.len() + 1;
        try_join_all([None].into_iter().chain(splits.iter().map(Some)).zip(ends).map(|(from, to)| {
            let mut find = self.find(collection, &everything);
            range_scan::append_bounds(&mut find, from, to);
            async move {
                self.options(read_at)?.append_to(&mut find);
                self.scan(self.builder(cursors), Scan::Command(find), DocumentMarks::default()).await
            }
        }))
        .await
    }

    /// Ids that split the collection into ranges for several cursors; none if one cursor must read it.
    async fn split_ids(&self, collection: &Collection, cursors: u32) -> Result<Vec<RangeBound>, Failure> {
        let CheckedCensus { filter, declared, expiry_filters, .. } = self.census;
        let is_whole = filter.is_none() && declared.is_empty() && expiry_filters.is_empty();
        let documents = collection.stats.documents.unwrap_or(0);
        let in_ranges = self.database.snapshot().reading() == ReadMode::Ranges;
        if cursors < 2 || !is_whole || documents < 2 || in_ranges || !collection.supports_ranges() {
            return Ok(Vec::new());
        }
        if range_scan::has_max_key_id(self.connection, &collection.name).await? {
            return Ok(Vec::new());
        }
        range_scan::split_ids(self.connection, &collection.name, documents, cursors).await
    }

    /// Reads one part after the other, with one cursor at a time. All parts are read at the same point in time; where they are
    /// not, the write counters show that nothing was written in between.
    async fn scan_parts(&self, collection: &Collection) -> Result<CensusBuilder, Failure> {
        let documents_per_range = self.database.documents_per_range(self.connection, collection).await?;
        let read_at = match documents_per_range {
            // each range has a point in time of its own
            Some(_) => None,
            None => self.database.read_time(self.census.target.reads()).await?,
        };
        let mut builder = self.builder(1);
        let CheckedCensus { filter, declared, expiry_filters, .. } = self.census;
        for Part { filter, marks } in partition::parts(filter.as_ref(), declared, expiry_filters) {
            let mut find = self.find(collection, &filter);
            let scan = match documents_per_range {
                Some(documents) => Scan::Ranges(RangeScan::new(&collection.name, find, documents)),
                None => {
                    self.options(read_at)?.append_to(&mut find);
                    Scan::Command(find)
                }
            };
            let scanned = self.scan(builder, scan, marks).await;
            builder = scanned.map_err(|failure| self.blame_declared_filter(marks.filter, failure))?;
        }
        Ok(builder)
    }

    /// One scan through one hash thread.
    async fn scan(&self, builder: CensusBuilder, scan: Scan, marks: DocumentMarks) -> Result<CensusBuilder, Failure> {
        let operation = format!("take a census of `{}`", self.census.target.name());
        let mut replies = PrefetchStream::open(self.connection, scan, &operation).await?;
        let thread = HashThread::start(Arc::clone(self.connection), builder, marks, operation);
        while let Some(reply) = replies.next().await? {
            if thread.send(reply).await.is_err() {
                break;
            }
        }
        thread.join().await
    }

    /// A builder for one of several cursors, which share the memory.
    fn builder(&self, cursors: usize) -> CensusBuilder {
        let recording = &self.census.recording;
        let whole = recording.scratch.memory;
        let memory = (whole / cursors.max(1)).max(MIN_CURSOR_MEMORY.min(whole));
        CensusBuilder::new(&CensusSpec {
            scratch: ScratchSpace { memory, ..recording.scratch.clone() },
            ..recording.clone()
        })
    }

    /// A find that lacks its [`CommandOptions`].
    fn find(&self, collection: &Collection, filter: &CheckedFilter) -> RawDocumentBuf {
        let caching = self.database.page_caching(collection);
        command::find(&self.census.target, filter, &CheckedFind::default(), caching)
    }

    fn options(&self, read_at: Option<Timestamp>) -> Result<CommandOptions<'_>, Failure> {
        Ok(CommandOptions { read_at, ..self.connection.command_options()? })
    }

    /// Names the declared change if the server rejects its filter, although the guard allowed it: then the operator must fix
    /// it, not the author of the probe. That holds only if the probe sent no filter of its own. The filters of the parts
    /// before this one were accepted.
    fn blame_declared_filter(&self, mark: u8, failure: Failure) -> Failure {
        let CheckedCensus { declared, filter, .. } = self.census;
        match usize::from(mark).checked_sub(1).and_then(|index| declared.get(index)) {
            Some(DeclaredFilter { entry, .. }) if filter.is_none() && failure.code.as_deref() == Some("T0217") => {
                CensusRefusal::DeclaredFilter { entry: entry.clone(), reason: failure.message }.failure()
            }
            _ => failure,
        }
    }
}
