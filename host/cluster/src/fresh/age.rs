//! How old is too old.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Copied, FreshError};
use crate::words::brief;

/// How far two clocks may be apart before a time that lies ahead is a mistake and not a difference of clocks.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

impl Copied {
    /// How old the data are, by the clock of the cluster that was asked. `setting` is what the limit is called:
    /// `fresh[0].maxAge`.
    ///
    /// # Errors
    /// They are older than the limit, or from the future.
    pub fn age(&self, max_age: Duration, setting: &str) -> Result<Duration, FreshError> {
        let found = std::iter::once(&self.identity).chain(&self.notes).map(String::as_str).collect::<Vec<_>>();
        young_enough(self.at, self.asked, max_age, setting, &found.join("; "))
    }
}

/// How old something is that was made at `at`, when it is `now`. `found` says what it is.
///
/// # Errors
/// It is older than the limit, or more than five minutes ahead of the clock.
pub fn young_enough(
    at: Timestamp,
    now: Timestamp,
    max_age: Duration,
    setting: &str,
    found: &str,
) -> Result<Duration, FreshError> {
    let age = now.duration_since(at);
    if age < -CLOCKS_APART {
        return Err(FreshError::Future { at: at.to_string(), now: now.to_string(), identity: found.to_owned() });
    }
    let age = Duration::try_from(age).unwrap_or_default();
    if age <= max_age {
        return Ok(age);
    }
    Err(FreshError::TooOld {
        at: at.to_string(),
        age: brief(age),
        setting: setting.to_owned(),
        limit: brief(max_age),
        identity: found.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(at: &str) -> Copied {
        Copied {
            at: at.parse().expect("a time"),
            asked: "2026-11-25T02:12:40Z".parse().expect("a time"),
            identity: "MigrationSchedule portworx/pxbbq Interval pxbbq-interval-1".to_owned(),
            notes: vec!["it is suspended".to_owned()],
        }
    }

    #[test]
    fn the_limit_itself_is_young_enough_and_a_second_more_is_not() {
        let limit = Duration::from_mins(30);
        assert_eq!(copied("2026-11-25T01:42:40Z").age(limit, "fresh[0].maxAge").expect("young"), limit);
        let old = copied("2026-11-25T01:42:39Z").age(limit, "fresh[0].maxAge").expect_err("old").to_string();
        assert!(old.contains("30m 1s old"), "{old}");
        let old = copied("2026-11-25T01:00:00Z").age(limit, "fresh[0].maxAge").expect_err("old");
        insta::assert_snapshot!(old, @"the data are from 2026-11-25T01:00:00Z, 1h 12m old; fresh[0].maxAge is 30m (MigrationSchedule portworx/pxbbq Interval pxbbq-interval-1; it is suspended)");
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let limit = Duration::from_secs(1);
        assert_eq!(copied("2026-11-25T02:17:40Z").age(limit, "maxAge").expect("about now"), Duration::ZERO);
        let future = copied("2026-11-25T02:17:41Z").age(limit, "maxAge").expect_err("the future");
        insta::assert_snapshot!(future, @"the data are from 2026-11-25T02:17:41Z, and by the API server's clock it is 2026-11-25T02:12:40Z (MigrationSchedule portworx/pxbbq Interval pxbbq-interval-1; it is suspended)");
    }
}
