//! How a census reads: every document once, all at the same moment, by one cursor or several side by side.

use std::sync::Arc;

use bson::{RawBson, RawDocumentBuf};
use futures_util::future::try_join_all;
use taster_census::{CensusBuilder, CensusSpec, ScratchSpace};
use taster_model::{Failure, ReadMode};

use super::{
    Checked,
    hashing::Hashing,
    marks::{self, Mark, Part},
    refused::Refused,
};
use crate::{
    Database,
    collection::Collection,
    command::{self, CheckedFind, Manner},
    guard::CheckedFilter,
    ranges::{self, Ranges},
    reader::Reader,
    replies::{Replies, Scan},
};

/// Cursors of one census. Each holds some replies of at most 16 MiB and two threads' worth of work.
const MOST_CURSORS: u32 = 64;

/// Memory that each of them has at least: with less a builder spends its time writing.
const LEAST_MEMORY: usize = 4 << 20;

/// A census that is being taken.
pub(super) struct Taking<'a> {
    pub(super) database: &'a Database,
    pub(super) reader: &'a Arc<Reader>,
    pub(super) checked: &'a Checked<'a>,
}

impl Taking<'_> {
    /// Reads everything; what was hashed, in as many parts as there were cursors.
    pub(super) async fn read(&self, cursors: u32) -> Result<Vec<CensusBuilder>, Failure> {
        let Some(found) = self.checked.found else { return Ok(vec![self.builder(1)]) };
        let bounds = self.bounds(found, cursors.min(MOST_CURSORS)).await?;
        if bounds.is_empty() {
            return Ok(vec![self.in_parts(found).await?]);
        }
        let read_at = self.database.moment(self.checked.target.reads()).await?;
        let everything = CheckedFilter::all_of([]);
        let ends = bounds.iter().map(Some).chain([None]);
        let count = bounds.len() + 1;
        try_join_all([None].into_iter().chain(bounds.iter().map(Some)).zip(ends).map(|(from, to)| {
            let mut find = self.find(found, &everything);
            ranges::bound(&mut find, from, to);
            async move {
                self.manner(read_at)?.add_to(&mut find);
                self.feed(self.builder(count), Scan::Whole(find), 0).await
            }
        }))
        .await
    }

    /// Ids that cut the collection into ranges for several cursors; none where one cursor must do.
    async fn bounds(&self, found: &Collection, cursors: u32) -> Result<Vec<RawBson>, Failure> {
        let Checked { filter, marks, .. } = self.checked;
        let whole = filter.is_none() && marks.is_empty();
        let documents = found.storage.documents.unwrap_or(0);
        let in_ranges = self.database.look().reading == ReadMode::Ranges;
        if cursors < 2 || !whole || documents < 2 || in_ranges || !found.has_ranges() {
            return Ok(Vec::new());
        }
        if ranges::has_greatest(self.reader, &found.name).await? {
            return Ok(Vec::new());
        }
        ranges::bounds(self.reader, &found.name, documents, cursors).await
    }

    /// One part after the other: one guest on the database. All are read at the same moment, or the witness shows that
    /// it made no difference.
    async fn in_parts(&self, found: &Collection) -> Result<CensusBuilder, Failure> {
        let step = self.database.range(self.reader, found).await?;
        let read_at = match step {
            // each range has a moment of its own
            Some(_) => None,
            None => self.database.moment(self.checked.target.reads()).await?,
        };
        let mut builder = self.builder(1);
        for Part { filter, mark } in marks::parts(self.checked.filter.as_ref(), &self.checked.marks) {
            let mut find = self.find(found, &filter);
            let scan = match step {
                Some(step) => Scan::Ranges(Ranges::new(&found.name, find, step)),
                None => {
                    self.manner(read_at)?.add_to(&mut find);
                    Scan::Whole(find)
                }
            };
            builder = self.feed(builder, scan, mark).await.map_err(|failure| self.of_change(mark, failure))?;
        }
        Ok(builder)
    }

    /// One scan through one thread.
    async fn feed(&self, builder: CensusBuilder, scan: Scan, mark: u8) -> Result<CensusBuilder, Failure> {
        let doing = format!("take a census of `{}`", self.checked.target.name());
        let mut replies = Replies::open(self.reader, scan, &doing).await?;
        let hashing = Hashing::begin(Arc::clone(self.reader), builder, mark, doing);
        while let Some(reply) = replies.next().await? {
            if !hashing.take(reply).await {
                break;
            }
        }
        hashing.end().await
    }

    /// A builder for one of so many parts, which share the memory.
    fn builder(&self, parts: usize) -> CensusBuilder {
        let recording = &self.checked.recording;
        let whole = recording.scratch.memory;
        let memory = (whole / parts.max(1)).max(LEAST_MEMORY.min(whole));
        CensusBuilder::new(&CensusSpec {
            scratch: ScratchSpace { memory, ..recording.scratch.clone() },
            ..recording.clone()
        })
    }

    /// Without what makes it one that is run.
    fn find(&self, found: &Collection, filter: &CheckedFilter) -> RawDocumentBuf {
        command::find(&self.checked.target, filter, &CheckedFind::default(), self.database.pages(found))
    }

    fn manner(&self, read_at: Option<bson::Timestamp>) -> Result<Manner<'_>, Failure> {
        Ok(Manner { comment: &self.reader.session.comment, time: self.reader.budget.time_left()?, read_at })
    }

    /// The guard lets pass what the server may still refuse: then it is the operator who has to know, not the author of
    /// the probe, where that one sent no filter. The filters before this one were in the parts before.
    fn of_change(&self, mark: u8, failure: Failure) -> Failure {
        let Checked { marks, filter, .. } = self.checked;
        match usize::from(mark).checked_sub(1).and_then(|number| marks.get(number)) {
            Some(Mark { entry, .. }) if filter.is_none() && failure.code.as_deref() == Some("T0217") => {
                Refused::Change { entry: entry.clone(), why: failure.message }.failure()
            }
            _ => failure,
        }
    }
}
