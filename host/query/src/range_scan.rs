//! A long scan in ranges of `_id`, each at a cluster time of its own, so that no cursor outlives the server's history.
//!
//! The ranges are limited by `min` and `max` on the `_id` index. These are positions in the index, across all BSON types,
//! where `{_id: {$gt: 5}}` would match numbers only. Every document lies in exactly one range, wherever they begin and end.

use bson::{RawBson, RawDocumentBuf, rawdoc};
use mongodb::raw_batch_cursor::RawBatchCursor;
use taster_model::Failure;

use crate::{
    bson_util::key,
    command,
    command_options::CommandOptions,
    metered_connection::{MeteredConnection, bad_reply},
    reply::Reply,
};

/// Where a range begins or ends: a document that has only an `_id`, as the server sent it. It is sent back without being
/// parsed, because the server stores ids of invalid UTF-8.
#[derive(Debug, Clone)]
pub(crate) struct RangeBound(RawDocumentBuf);

/// A find over a whole collection that is sent range by range.
pub(crate) struct RangeScan {
    collection: String,
    /// The command without bounds and without [`CommandOptions`].
    find: RawDocumentBuf,
    /// Approximate number of documents per range.
    documents_per_range: u64,
    /// Where the current range begins. `None`: at the first document.
    from: Option<RangeBound>,
    /// Where the current range ends, exclusive. `None`: after the last document.
    to: Option<RangeBound>,
    /// Documents received from the current range.
    received: u64,
    /// The value of `received` when the range was opened last.
    opened_at: u64,
    begun: bool,
    /// Whether the server has closed the cursor of the current range.
    exhausted: bool,
}

impl RangeScan {
    pub(crate) fn new(collection: &str, find: RawDocumentBuf, documents_per_range: u64) -> Self {
        Self {
            collection: collection.to_owned(),
            find,
            documents_per_range,
            from: None,
            to: None,
            received: 0,
            opened_at: 0,
            begun: false,
            exhausted: false,
        }
    }

    /// Opens the next range; `None` after the last one.
    pub(crate) async fn open_next(
        &mut self,
        connection: &MeteredConnection,
        operation: &str,
    ) -> Result<Option<(Reply, RawBatchCursor)>, Failure> {
        if self.begun {
            let Some(end) = self.to.take() else { return Ok(None) };
            self.from = Some(end);
        }
        self.begun = true;
        let from = self.from.as_ref();
        self.to = range_end(connection, &self.collection, from, self.documents_per_range, operation).await?;
        (self.received, self.opened_at) = (0, 0);
        self.open(connection, operation).await.map(Some)
    }

    /// Counts a reply of the current range. It is not the last reply of the scan, even if it is the last one of the range.
    pub(crate) fn record(&mut self, reply: &mut Reply) {
        self.received += reply.count();
        self.exhausted = std::mem::replace(&mut reply.last, false);
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Reopens the current range after the documents that were received, when its point in time left the server's history
    /// because the probe was slow. `None`: nothing was received since it was opened last, so reopening would not help.
    pub(crate) async fn reopen(
        &mut self,
        connection: &MeteredConnection,
        operation: &str,
    ) -> Result<Option<(Reply, RawBatchCursor)>, Failure> {
        if self.received == self.opened_at {
            return Ok(None);
        }
        self.opened_at = self.received;
        tracing::debug!(collection = self.collection, received = self.received, "reopening a range");
        self.open(connection, operation).await.map(Some)
    }

    async fn open(&self, connection: &MeteredConnection, operation: &str) -> Result<(Reply, RawBatchCursor), Failure> {
        let mut find = self.find.clone();
        append_bounds(&mut find, self.from.as_ref(), self.to.as_ref());
        if self.received > 0 {
            find.append(key("skip"), i64::try_from(self.received).unwrap_or(i64::MAX));
        }
        let time = connection.connection.primary_time().await?;
        CommandOptions { read_at: Some(time), ..connection.command_options()? }.append_to(&mut find);
        connection.open_cursor(find, operation).await
    }
}

/// Limits a find to the documents from one id, inclusive, to another, exclusive.
pub(crate) fn append_bounds(find: &mut RawDocumentBuf, from: Option<&RangeBound>, to: Option<&RangeBound>) {
    find.append(key("hint"), rawdoc! { "_id": 1 });
    for (name, bound) in [("min", from), ("max", to)] {
        if let Some(RangeBound(id)) = bound {
            find.append(key(name), id.clone());
        }
    }
}

/// The end of a range that begins at `from`: `documents` keys further in the index. `None`: after the last document.
async fn range_end(
    connection: &MeteredConnection,
    collection: &str,
    from: Option<&RangeBound>,
    documents: u64,
    operation: &str,
) -> Result<Option<RangeBound>, Failure> {
    let mut find = rawdoc! {
        "find": collection,
        "projection": { "_id": 1 },
        "skip": i64::try_from(documents).unwrap_or(i64::MAX),
        "limit": 1_i64,
        "singleBatch": true,
    };
    append_bounds(&mut find, from, None);
    connection.command_options()?.append_to(&mut find);
    let found = connection.run(operation, connection.connection.raw_documents(find)).await?;
    let Some(id) = found.into_iter().next() else { return Ok(None) };
    if id.is_empty() {
        return Err(bad_reply(operation, "a document has no _id"));
    }
    Ok(Some(RangeBound(id)))
}

/// Ids that split a collection into `parts` ranges of about equal size. They are positions in the index, which split the
/// documents of any point in time, not only the present ones.
pub(crate) async fn split_ids(
    connection: &MeteredConnection,
    collection: &str,
    documents: u64,
    parts: u32,
) -> Result<Vec<RangeBound>, Failure> {
    let documents = documents.div_ceil(u64::from(parts.max(1))).max(1);
    let operation = format!("split `{collection}` into ranges");
    let mut ids: Vec<RangeBound> = Vec::new();
    for _ in 1..parts {
        match range_end(connection, collection, ids.last(), documents, &operation).await? {
            Some(id) => ids.push(id),
            None => break,
        }
    }
    Ok(ids)
}

/// Whether a document has the id `MaxKey`, the greatest possible one. A range without an upper bound does not include it, so
/// such a collection is read with one cursor. Real data do not have such an id.
pub(crate) async fn has_max_key_id(connection: &MeteredConnection, collection: &str) -> Result<bool, Failure> {
    let find = command::find_by_id(collection, RawBson::MaxKey, connection.command_options()?);
    let operation = format!("look for the greatest id of `{collection}`");
    let found = connection.run(&operation, connection.connection.raw_documents(find)).await?;
    Ok(!found.is_empty())
}
