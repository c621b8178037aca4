//! A long scan in ranges of `_id`, each at a cluster time of its own: no cursor outlives the server's history.
//!
//! The ranges are cut by `min` and `max` on the `_id` index. These are positions in the index, across all types, where
//! `{_id: {$gt: 5}}` would see numbers only; every document lies in exactly one range, wherever they are cut.

use bson::{RawBson, RawDocumentBuf, raw::CString, rawdoc};
use mongodb::raw_batch_cursor::RawBatchCursor;
use taster_model::Failure;

use crate::{
    batch::Reply,
    command::{self, Manner},
    reader::{Reader, broken},
    replies,
};

/// A find of a whole collection that is sent range by range.
pub(crate) struct Ranges {
    collection: String,
    /// Without bounds and without a point in time.
    find: RawDocumentBuf,
    /// Documents of the collection in a range, about.
    step: u64,
    /// Where the current range begins. `None`: at the beginning.
    from: Option<RawBson>,
    /// Where it ends. `None`: at the end.
    to: Option<RawBson>,
    /// Documents that the current range has brought.
    seen: u64,
    /// What it had brought when it was opened last.
    opened_at: u64,
    begun: bool,
    /// Whether the server has closed the cursor of the current range.
    exhausted: bool,
}

impl Ranges {
    pub(crate) fn new(collection: &str, find: RawDocumentBuf, step: u64) -> Self {
        Self {
            collection: collection.to_owned(),
            find,
            step,
            from: None,
            to: None,
            seen: 0,
            opened_at: 0,
            begun: false,
            exhausted: false,
        }
    }

    /// Opens the next range; `None` behind the last one.
    pub(crate) async fn next(
        &mut self,
        reader: &Reader,
        doing: &str,
    ) -> Result<Option<(Reply, RawBatchCursor)>, Failure> {
        if self.begun {
            let Some(end) = self.to.take() else { return Ok(None) };
            self.from = Some(end);
        }
        self.begun = true;
        self.to = cut(reader, &self.collection, self.from.as_ref(), self.step, doing).await?;
        (self.seen, self.opened_at) = (0, 0);
        self.open(reader, doing).await.map(Some)
    }

    /// Takes note of a reply of the current range. It is not the last one of the scan, even where it is of the range.
    pub(crate) fn take(&mut self, reply: &mut Reply) {
        self.seen += reply.documents();
        self.exhausted = std::mem::replace(&mut reply.last, false);
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Opens the current range again, behind what it has brought: its moment left the server's history because the probe
    /// took its time. `None`: it brought nothing since it was opened last, and would not now.
    pub(crate) async fn again(
        &mut self,
        reader: &Reader,
        doing: &str,
    ) -> Result<Option<(Reply, RawBatchCursor)>, Failure> {
        if self.seen == self.opened_at {
            return Ok(None);
        }
        self.opened_at = self.seen;
        tracing::debug!(collection = self.collection, behind = self.seen, "opening a range again");
        self.open(reader, doing).await.map(Some)
    }

    async fn open(&self, reader: &Reader, doing: &str) -> Result<(Reply, RawBatchCursor), Failure> {
        let mut find = self.find.clone();
        self.bound(&mut find);
        if self.seen > 0 {
            find.append(c("skip"), i64::try_from(self.seen).unwrap_or(i64::MAX));
        }
        let time = reader.session.time_of_primary().await.map_err(|error| error.failure())?;
        let manner = Manner { comment: &reader.session.comment, time: reader.budget.time_left()?, read_at: Some(time) };
        manner.add_to(&mut find);
        replies::send(reader, find, doing).await
    }

    fn bound(&self, find: &mut RawDocumentBuf) {
        bound(find, self.from.as_ref(), self.to.as_ref());
    }
}

/// Makes a find one of a range: the documents from an id on, up to another one.
pub(crate) fn bound(find: &mut RawDocumentBuf, from: Option<&RawBson>, to: Option<&RawBson>) {
    find.append(c("hint"), rawdoc! { "_id": 1 });
    for (name, bound) in [("min", from), ("max", to)] {
        if let Some(id) = bound {
            find.append(c(name), rawdoc! { "_id": id.clone() });
        }
    }
}

/// Where a range that begins at `from` ends: `step` keys further in the index; `None`: with the last document.
async fn cut(
    reader: &Reader,
    collection: &str,
    from: Option<&RawBson>,
    step: u64,
    doing: &str,
) -> Result<Option<RawBson>, Failure> {
    let mut find = rawdoc! {
        "find": collection,
        "projection": { "_id": 1 },
        "skip": i64::try_from(step).unwrap_or(i64::MAX),
        "limit": 1_i64,
        "singleBatch": true,
    };
    bound(&mut find, from, None);
    let manner = Manner { comment: &reader.session.comment, time: reader.budget.time_left()?, read_at: None };
    manner.add_to(&mut find);
    let found = reader.ask(doing, reader.session.raw_documents(find)).await?;
    let Some(found) = found.first() else { return Ok(None) };
    let id = found.get("_id").ok().flatten().ok_or_else(|| broken(doing, "a document has no _id"))?;
    Ok(Some(id.into()))
}

/// Ids that cut a collection into `parts` ranges of about as many documents each. They are positions in the index, which
/// part the documents of every moment, not only of the present one.
pub(crate) async fn bounds(
    reader: &Reader,
    collection: &str,
    documents: u64,
    parts: u32,
) -> Result<Vec<RawBson>, Failure> {
    let step = documents.div_ceil(u64::from(parts.max(1))).max(1);
    let doing = format!("cut `{collection}` into ranges");
    let mut bounds: Vec<RawBson> = Vec::new();
    for _ in 1..parts {
        match cut(reader, collection, bounds.last(), step, &doing).await? {
            Some(bound) => bounds.push(bound),
            None => break,
        }
    }
    Ok(bounds)
}

/// Whether there is a document with the greatest id that there can be, which a range without an end does not reach.
/// Nobody has one; where somebody has, one cursor must do.
pub(crate) async fn has_greatest(reader: &Reader, collection: &str) -> Result<bool, Failure> {
    let manner = Manner { comment: &reader.session.comment, time: reader.budget.time_left()?, read_at: None };
    let greatest = command::with_id(collection, RawBson::MaxKey, manner);
    let doing = format!("look for the greatest id of `{collection}`");
    let found = reader.ask(&doing, reader.session.raw_documents(greatest)).await?;
    Ok(!found.is_empty())
}

fn c(name: &'static str) -> CString {
    command::c(name)
}
