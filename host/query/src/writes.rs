//! The stability witness of one collection: what its file has counted of writes.
//!
//! `latencyStats` would be the documented counter, and misses updates in flight, TTL deletes and `$merge`. The storage
//! engine's cursor counters move with every one of them, for whoever writes does so through such a cursor.

use bson::{Bson, Document};

/// The five counters of `$collStats.storageStats.wiredTiger.cursor` that move when something is written: `insert calls`,
/// `update calls`, `modify`, `remove calls`, `truncate calls`. They start anew with the process.
///
/// They move when a write begins, not when it becomes visible: so they are read twice before a scan, with a pause in
/// which what had begun before the first reading comes to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Writes([i64; 5]);

const COUNTERS: [&str; 5] = ["insert calls", "update calls", "modify", "remove calls", "truncate calls"];

impl Writes {
    /// Reads `storageStats`. `None` where another storage engine answers.
    pub(crate) fn of(storage: &Document) -> Option<Self> {
        let cursor = storage.get_document("wiredTiger").and_then(|engine| engine.get_document("cursor")).ok()?;
        let mut counted = [0; 5];
        for (counter, name) in counted.iter_mut().zip(COUNTERS) {
            *counter = whole(cursor.get(name))?;
        }
        Some(Self(counted))
    }

    /// Of several shards.
    pub(crate) fn and(self, other: Self) -> Self {
        let mut sum = self;
        for (counter, more) in sum.0.iter_mut().zip(other.0) {
            *counter = counter.wrapping_add(more);
        }
        sum
    }
}

/// A number that the server sends in whichever type is large enough.
pub(crate) fn whole(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn all_five_counters_must_be_there() {
        let mut cursor =
            doc! {"insert calls": 1, "update calls": 2_i64, "modify": 3.0, "remove calls": 4, "truncate calls": 5};
        let storage = |cursor: &Document| doc! {"wiredTiger": {"cursor": cursor.clone()}};
        assert_eq!(Writes::of(&storage(&cursor)), Some(Writes([1, 2, 3, 4, 5])));
        cursor.remove("modify");
        assert_eq!(Writes::of(&storage(&cursor)), None);
        assert_eq!(Writes::of(&doc! {}), None);
        assert_eq!(Writes([1, 2, 3, 4, 5]).and(Writes([1, 0, 0, 0, 1])), Writes([2, 2, 3, 4, 6]));
    }
}
