//! When a capture was read: what orders attempts.

use std::cmp::Ordering;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AttemptId;

/// When the server says that it was read. The clocks of the machines that run Taster decide nothing: they may differ by hours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadMoment {
    /// Cluster time, `seconds.increment`. Absent on standalone servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_time: Option<String>,
    /// The server's clock. Absent in captures of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub clock: Option<Timestamp>,
}

impl ReadMoment {
    /// The order of two moments of one server or replica set. `None`: nothing says it.
    #[must_use]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        let by_clock = self.clock.zip(other.clock).map(|(own, other)| own.cmp(&other));
        match (self.cluster_time(), other.cluster_time()) {
            // without writes the cluster time stands still for some seconds
            (Some(own), Some(other)) => Some(own.cmp(&other).then(by_clock.unwrap_or(Ordering::Equal))),
            _ => by_clock,
        }
    }

    /// The order of two attempts by what they read. Of captures of older versions, only the order in which they began is known.
    #[must_use]
    pub fn order_of_attempts(own: (&Self, &AttemptId), other: (&Self, &AttemptId)) -> Ordering {
        own.0.order(other.0).unwrap_or_else(|| own.1.cmp(other.1))
    }

    fn cluster_time(&self) -> Option<(u32, u32)> {
        let (seconds, increment) = self.cluster_time.as_ref()?.split_once('.')?;
        Some((seconds.parse().ok()?, increment.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(cluster_time: Option<&str>, clock: Option<&str>) -> ReadMoment {
        ReadMoment {
            cluster_time: cluster_time.map(ToOwned::to_owned),
            clock: clock.map(|clock| clock.parse().unwrap()),
        }
    }

    #[test]
    fn cluster_times_are_numbers_and_precede_clocks() {
        let early = Some("2026-01-01T00:00:00Z");
        let late = Some("2026-01-01T01:00:00Z");
        for (own, other, expected) in [
            (moment(Some("9.1"), late), moment(Some("10.1"), early), Some(Ordering::Less)),
            (moment(Some("10.2"), None), moment(Some("10.10"), None), Some(Ordering::Less)),
            (moment(Some("10.2"), early), moment(Some("10.2"), late), Some(Ordering::Less)),
            (moment(Some("10.2"), early), moment(Some("10.2"), None), Some(Ordering::Equal)),
            (moment(None, late), moment(None, early), Some(Ordering::Greater)),
            (moment(Some("10.2"), late), moment(None, early), Some(Ordering::Greater)),
            (moment(Some("10.2"), None), moment(None, early), None),
            (moment(None, None), moment(None, None), None),
            (moment(Some("soon"), None), moment(Some("10.2"), None), None),
        ] {
            assert_eq!(own.order(&other), expected, "{own:?} {other:?}");
            assert_eq!(other.order(&own), expected.map(Ordering::reverse));
        }
    }

    #[test]
    fn attempts_are_ordered_by_what_they_read_not_by_when_they_began() {
        let (first, second) = (AttemptId::generate(), AttemptId::generate());
        let (early, late) = (moment(Some("10.1"), None), moment(Some("11.1"), None));
        assert_eq!(ReadMoment::order_of_attempts((&late, &first), (&early, &second)), Ordering::Greater);
        assert_eq!(ReadMoment::order_of_attempts((&early, &first), (&early, &second)), Ordering::Equal);
        let unknown = ReadMoment::default();
        assert_eq!(ReadMoment::order_of_attempts((&unknown, &first), (&early, &second)), Ordering::Less);
    }
}
