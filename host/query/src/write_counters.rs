//! The write counters of one collection, which show whether it was written to during a scan.
//!
//! `latencyStats` would be the documented counter, but it misses updates in flight, TTL deletes and `$merge`. The storage
//! engine's cursor counters move with each of them, because every write goes through such a cursor.

use bson::Document;

use crate::bson_util::integer;

/// The five counters of `$collStats.storageStats.wiredTiger.cursor` that move when something is written: `insert calls`,
/// `update calls`, `modify`, `remove calls`, `truncate calls`. They are reset when the server restarts.
///
/// They move when a write begins, not when it becomes visible. So they are read twice before a scan, with a quiet period in
/// between in which earlier writes finish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WriteCounters([i64; 5]);

const COUNTERS: [&str; 5] = ["insert calls", "update calls", "modify", "remove calls", "truncate calls"];

impl WriteCounters {
    /// Reads `storageStats`. `None` where the storage engine is not WiredTiger.
    pub(crate) fn from_storage_stats(storage: &Document) -> Option<Self> {
        let cursor = storage.get_document("wiredTiger").and_then(|engine| engine.get_document("cursor")).ok()?;
        let mut counters = [0; 5];
        for (counter, name) in counters.iter_mut().zip(COUNTERS) {
            *counter = integer(cursor.get(name))?;
        }
        Some(Self(counters))
    }

    /// The sum over several shards.
    pub(crate) fn plus(self, other: Self) -> Self {
        let mut sum = self;
        for (counter, more) in sum.0.iter_mut().zip(other.0) {
            *counter = counter.wrapping_add(more);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn all_five_counters_are_required() {
        let mut cursor =
            doc! {"insert calls": 1, "update calls": 2_i64, "modify": 3.0, "remove calls": 4, "truncate calls": 5};
        let storage = |cursor: &Document| doc! {"wiredTiger": {"cursor": cursor.clone()}};
        assert_eq!(WriteCounters::from_storage_stats(&storage(&cursor)), Some(WriteCounters([1, 2, 3, 4, 5])));
        cursor.remove("modify");
        assert_eq!(WriteCounters::from_storage_stats(&storage(&cursor)), None);
        assert_eq!(WriteCounters::from_storage_stats(&doc! {}), None);
        assert_eq!(WriteCounters([1, 2, 3, 4, 5]).plus(WriteCounters([1, 0, 0, 0, 1])), WriteCounters([2, 2, 3, 4, 6]));
    }
}
