//! The age of the data, and its limit.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::error::FreshnessError;

/// How far ahead of the clock a time may be. Two clocks may differ by as much; more is an error.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How old the data may be.
#[derive(Debug, Clone, Copy)]
pub struct AgeLimit<'a> {
    /// The highest age.
    pub max_age: Duration,
    /// The setting of the limit, for errors: `freshness[0].maxAge`.
    pub setting: &'a str,
}

/// The age at `now` of data from `data_time`. `identity` names the copy, for errors.
///
/// # Errors
/// The data are older than the limit, or from more than five minutes after `now`.
pub fn check_age(
    data_time: Timestamp,
    now: Timestamp,
    limit: &AgeLimit<'_>,
    identity: &str,
) -> Result<Duration, FreshnessError> {
    let age = now.duration_since(data_time);
    if age < -MAX_CLOCK_SKEW {
        let (at, now) = (data_time.to_string(), now.to_string());
        return Err(FreshnessError::InFuture { at, now, identity: identity.to_owned() });
    }
    let age = Duration::try_from(age).unwrap_or_default();
    if age <= limit.max_age {
        return Ok(age);
    }
    Err(FreshnessError::TooOld {
        at: data_time.to_string(),
        age: taster_text::age(age),
        setting: limit.setting.to_owned(),
        limit: taster_text::age(limit.max_age),
        identity: identity.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the age of data from this time.
    fn age(data_time: &str, max_age: Duration) -> Result<Duration, FreshnessError> {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let limit = AgeLimit { max_age, setting: "freshness[0].maxAge" };
        check_age(
            time(data_time),
            time("2026-11-25T02:12:40Z"),
            &limit,
            "MigrationSchedule portworx/pxbbq; it is suspended",
        )
    }

    #[test]
    fn the_limit_itself_is_allowed_and_a_second_more_is_not() {
        let limit = Duration::from_mins(30);
        assert_eq!(age("2026-11-25T01:42:40Z", limit).expect("fresh"), limit);
        let old = age("2026-11-25T01:42:39Z", limit).expect_err("old").to_string();
        assert!(old.contains("30m 1s old"), "{old}");
        let old = age("2026-11-25T01:00:00Z", limit).expect_err("old");
        insta::assert_snapshot!(old, @"the data are from 2026-11-25T01:00:00Z, 1h 12m old; freshness[0].maxAge is 30m (MigrationSchedule portworx/pxbbq; it is suspended)");
    }

    #[test]
    fn a_small_clock_skew_is_allowed() {
        let limit = Duration::from_secs(1);
        assert_eq!(age("2026-11-25T02:17:40Z", limit).expect("about now"), Duration::ZERO);
        let future = age("2026-11-25T02:17:41Z", limit).expect_err("the future");
        insta::assert_snapshot!(future, @"the data are from 2026-11-25T02:17:41Z, which is in the future: the API server's clock says 2026-11-25T02:12:40Z (MigrationSchedule portworx/pxbbq; it is suspended)");
    }
}
