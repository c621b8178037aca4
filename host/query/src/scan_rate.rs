//! How fast the server can be read, and how long it keeps history: whether a scan fits into one snapshot.

use std::time::{Duration, Instant};

use bson::doc;
use futures_util::StreamExt;
use taster_model::CollectionKind;

use crate::{
    bson_util::integer, collection::Collection, command, connection::Inner, error::QueryError, hello::PRIMARY,
};

/// How long the server keeps history if it does not say: the server's default.
const DEFAULT_HISTORY: Duration = Duration::from_mins(5);
/// A range of a long scan may take this fraction of the server's history at the measured rate. The probe's own work comes
/// on top of it.
const HISTORY_PER_RANGE: u32 = 8;

/// How fast the server can be read, and how long it keeps history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScanRate {
    bytes_per_second: u64,
    pub(crate) history: Duration,
}

impl ScanRate {
    /// Reads one reply of the largest of these collections and measures the time. They are collections that are going to be
    /// read: the user may not be allowed to read others. A view has no size, and may take any time or fail.
    pub(crate) async fn measure(
        inner: &Inner,
        collections: impl Iterator<Item = &Collection>,
    ) -> Result<Self, QueryError> {
        let history = seconds_parameter(inner, "minSnapshotHistoryWindowInSeconds").await.unwrap_or(DEFAULT_HISTORY);
        let stored = collections.filter(|collection| collection.kind != CollectionKind::View);
        let largest = stored.max_by_key(|collection| collection.stats.bytes);
        let Some(largest) = largest else { return Ok(Self { bytes_per_second: u64::MAX, history }) };
        let operation = format!("read the beginning of `{}`", largest.name);
        let find = command::find_first_reply(&largest.name, inner.command_options());
        let first_reply = async {
            let mut replies = inner.database.run_raw_cursor_command(find).batch().await?;
            // sends nothing: this is the reply that opened the cursor
            replies.next().await.transpose()
        };
        let started = Instant::now();
        let reply = inner.caller().run(&operation, first_reply).await?;
        let micros = started.elapsed().as_micros().max(1);
        let bytes = reply.map_or(0, |reply| reply.as_raw_document().as_bytes().len() as u128);
        let rate = u64::try_from(bytes * 1_000_000 / micros).unwrap_or(u64::MAX);
        Ok(Self { bytes_per_second: rate.max(1), history })
    }

    /// How long a scan of this many bytes takes.
    pub(crate) fn scan_time(self, bytes: u64) -> Duration {
        let micros = u128::from(bytes) * 1_000_000 / u128::from(self.bytes_per_second.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Documents per range of a collection that one range cannot cover. `None`: one range is enough, or the number of
    /// documents is unknown.
    pub(crate) fn documents_per_range(self, collection: &Collection) -> Option<u64> {
        let whole = self.scan_time(collection.stats.bytes);
        let range = self.history / HISTORY_PER_RANGE;
        let documents = collection.stats.documents?;
        if whole <= range {
            return None;
        }
        let documents = u128::from(documents) * range.as_micros() / whole.as_micros();
        Some(u64::try_from(documents).unwrap_or(u64::MAX).max(1))
    }
}

/// A server parameter in seconds; `None` where the user cannot read it.
pub(crate) async fn seconds_parameter(inner: &Inner, name: &str) -> Option<Duration> {
    let command = doc! { "getParameter": 1, name: 1, "comment": inner.comment.as_str() };
    let admin = inner.client.database("admin");
    let call = admin.run_command(command).selection_criteria(PRIMARY);
    let reply = inner.caller().run("report its parameters", call).await;
    let seconds = integer(reply.ok()?.get(name))?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::collection::StorageStats;

    #[test]
    fn a_long_collection_is_split_so_that_each_range_ends_in_time() {
        let rate = ScanRate { bytes_per_second: 1000, history: Duration::from_secs(80) };
        let mut collection =
            Collection::from_entry(&rawdoc! {"name": "orders", "type": "collection"}).unwrap().unwrap();
        let mut range = |bytes, documents| {
            collection.stats = StorageStats { documents, bytes, writes: None };
            rate.documents_per_range(&collection)
        };
        assert_eq!(range(10_000, Some(100)), None, "ten seconds of eighty");
        assert_eq!(range(100_000, Some(1000)), Some(100), "a hundred seconds, in tens");
        assert_eq!(range(1_000_000, Some(5)), Some(1), "at least one document");
        assert_eq!(range(1_000_000, None), None, "unknown number of documents");
        assert_eq!(rate.scan_time(2500), Duration::from_millis(2500));
    }
}
