//! Which runs `gc` may remove.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Whether `gc` removes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcMode {
    /// Reports what would be removed.
    DryRun,
    /// Removes it.
    Remove,
}

/// How long runs are kept. With both limits, a run is removed when it is beyond both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// This many of the newest runs are kept.
    pub keep: Option<u32>,
    /// Runs that are no older are kept.
    pub max_age: Option<Duration>,
}

impl Retention {
    /// Whether a run is kept for its age or for its rank among the newest, counted from 0.
    pub(crate) fn keeps(self, rank: usize, at: Timestamp, now: Timestamp) -> bool {
        let by_rank = self.keep.is_some_and(|keep| rank < usize::try_from(keep).unwrap_or(usize::MAX));
        let by_age = self.max_age.is_some_and(|max_age| {
            SignedDuration::try_from(max_age).is_ok_and(|max_age| now.duration_since(at) <= max_age)
        });
        // without limits, nothing is removed
        by_rank || by_age || (self.keep.is_none() && self.max_age.is_none())
    }
}
