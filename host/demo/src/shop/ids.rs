//! Creation times of documents, and the object ids that contain them.

use bson::{DateTime, oid::ObjectId};

use crate::rng::Rng;

/// The day the shop opened: 2025-04-01T09:00:00Z, in milliseconds since 1970.
const OPENED: i64 = 1_743_498_000_000;

/// The creation time of the document with that index: document `index` is created at a random moment of the interval
/// number `index`, and each interval takes `pace` seconds.
pub(super) fn created(rng: &mut Rng, pace: u32, index: u64) -> DateTime {
    let pace = i64::from(pace) * 1000;
    let moment = i64::from(rng.below(u32::MAX)) * pace / i64::from(u32::MAX);
    DateTime::from_millis(OPENED + pace * index.cast_signed() + moment)
}

/// An `ObjectId` as a driver makes it: seconds since 1970, the process, a counter.
pub(super) fn object_id(created: DateTime, process: [u8; 5], index: u64) -> ObjectId {
    let [.., a, b, c] = index.to_be_bytes();
    let seconds = created.timestamp_millis() / 1000;
    ObjectId::from_parts(seconds.cast_unsigned() as u32, process, [a, b, c])
}
