//! Events of a pod that explain its state: a volume that cannot be mounted, a failing probe, an image that is pulled.

use k8s_openapi::{api::events::v1::Event, jiff::Timestamp};

use super::obstacle::Recoverability;
use crate::text::reason_and_message;

/// The latest event that explains why a pod is not ready.
pub(super) fn latest_cause(events: &[Event], stage: &Recoverability) -> Option<String> {
    // of two events in the same second, the warning says more
    let order = |event: &&Event| (event_time(event), is_warning(event));
    let event = match stage {
        Recoverability::Probed => {
            events.iter().filter(|event| event.reason.as_deref() == Some("Unhealthy")).max_by_key(order)
        }
        // a warning that was followed by a pull, or by the creation of the container, is over
        Recoverability::SettingUp => events
            .iter()
            .max_by_key(order)
            .filter(|event| is_warning(event) || event.reason.as_deref() == Some("Pulling")),
        Recoverability::Possible | Recoverability::Impossible | Recoverability::UnlessClaimMissing(_) => None,
    }?;
    let reason = event.reason.as_deref().filter(|_| is_warning(event));
    Some(reason_and_message(reason, event.note.as_deref()))
}

fn is_warning(event: &Event) -> bool {
    event.type_.as_deref() == Some("Warning")
}

/// When the event happened last. Controllers that use the old API leave `eventTime` empty.
fn event_time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let deprecated = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    let created = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    [series, deprecated, first].into_iter().flatten().max().or(created)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(second: u32, kind: &str, reason: &str, note: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": "e"}, "eventTime": null, "type": kind, "reason": reason, "note": note,
            "deprecatedLastTimestamp": format!("2026-11-25T01:00:{second:02}Z"),
        }))
        .expect("an event")
    }

    #[test]
    fn the_latest_event_counts_and_one_that_is_over_does_not() {
        let mount = event(1, "Warning", "FailedMount", r#"MountVolume.SetUp failed for volume "data""#);
        let scheduled = event(1, "Normal", "Scheduled", "Successfully assigned shop/mongo-0 to node");
        let pulling = event(2, "Normal", "Pulling", r#"Pulling image "mongo:7""#);
        let started = event(9, "Normal", "Started", "Started container mongo");
        let probe = event(12, "Warning", "Unhealthy", "Readiness probe failed: connection refused");
        let cause = |events: &[&Event], stage: Recoverability| {
            latest_cause(&events.iter().copied().cloned().collect::<Vec<_>>(), &stage)
        };

        assert_eq!(
            cause(&[&mount, &scheduled], Recoverability::SettingUp).as_deref(),
            Some(r#"FailedMount: MountVolume.SetUp failed for volume "data""#)
        );
        assert_eq!(
            cause(&[&pulling, &mount], Recoverability::SettingUp).as_deref(),
            Some(r#"Pulling image "mongo:7""#)
        );
        assert_eq!(cause(&[&pulling, &mount, &started], Recoverability::SettingUp), None);
        assert_eq!(cause(&[&mount, &started], Recoverability::Probed), None);
        assert_eq!(
            cause(&[&mount, &probe, &started], Recoverability::Probed).as_deref(),
            Some("Unhealthy: Readiness probe failed: connection refused")
        );
    }

    #[test]
    fn an_event_has_the_time_of_its_last_repetition() {
        let time = |value: Value| event_time(&serde_json::from_value(value).expect("an event")).map(|t| t.to_string());
        let series = json!({"metadata": {}, "eventTime": "2026-11-25T01:00:00.000000Z",
            "series": {"count": 3, "lastObservedTime": "2026-11-25T01:05:00.000000Z"}});
        assert_eq!(time(series).as_deref(), Some("2026-11-25T01:05:00Z"));
        let bare = json!({"metadata": {"creationTimestamp": "2026-11-25T01:01:00Z"}, "eventTime": null});
        assert_eq!(time(bare).as_deref(), Some("2026-11-25T01:01:00Z"));
    }
}
