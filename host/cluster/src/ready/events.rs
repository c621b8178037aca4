//! What the events of a pod or a workload add: why a volume is not there, what a probe says, why no pod was made.

use k8s_openapi::{api::events::v1::Event, jiff::Timestamp};

use super::reasons::Hope;
use crate::words::said;

/// The newest event that says why a pod is not ready.
pub(super) fn newest(events: &[Event], hope: &Hope) -> Option<String> {
    // in one second a warning says more than what it warns of
    let order = |event: &&Event| (when(event), is_warning(event));
    let event = match hope {
        Hope::Probed => events.iter().filter(|event| event.reason.as_deref() == Some("Unhealthy")).max_by_key(order),
        // what went wrong and was followed by a pull, or by the container's creation, is over
        Hope::SettingUp => events
            .iter()
            .max_by_key(order)
            .filter(|event| is_warning(event) || event.reason.as_deref() == Some("Pulling")),
        Hope::Passing | Hope::None | Hope::Claim(_) => None,
    }?;
    let reason = event.reason.as_deref().filter(|_| is_warning(event));
    Some(said(reason, event.note.as_deref()))
}

fn is_warning(event: &Event) -> bool {
    event.type_.as_deref() == Some("Warning")
}

/// When it happened last. Controllers that write the old way leave `eventTime` empty.
fn when(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let old = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
    let single = event.event_time.as_ref().map(|time| time.0);
    let made = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    [series, old, single].into_iter().flatten().max().or(made)
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
    fn the_newest_word_counts_and_what_is_over_does_not() {
        let mount = event(1, "Warning", "FailedMount", r#"MountVolume.SetUp failed for volume "data""#);
        let scheduled = event(1, "Normal", "Scheduled", "Successfully assigned shop/mongo-0 to node");
        let pulling = event(2, "Normal", "Pulling", r#"Pulling image "mongo:7""#);
        let started = event(9, "Normal", "Started", "Started container mongo");
        let probe = event(12, "Warning", "Unhealthy", "Readiness probe failed: connection refused");
        let ask = |events: &[&Event], hope: Hope| newest(&events.iter().copied().cloned().collect::<Vec<_>>(), &hope);

        assert_eq!(
            ask(&[&mount, &scheduled], Hope::SettingUp).as_deref(),
            Some(r#"FailedMount: MountVolume.SetUp failed for volume "data""#)
        );
        assert_eq!(ask(&[&pulling, &mount], Hope::SettingUp).as_deref(), Some(r#"Pulling image "mongo:7""#));
        assert_eq!(ask(&[&pulling, &mount, &started], Hope::SettingUp), None);
        assert_eq!(ask(&[&mount, &started], Hope::Probed), None);
        assert_eq!(
            ask(&[&mount, &probe, &started], Hope::Probed).as_deref(),
            Some("Unhealthy: Readiness probe failed: connection refused")
        );
    }

    #[test]
    fn an_event_is_as_new_as_its_last_repetition() {
        let time = |value: Value| when(&serde_json::from_value(value).expect("an event")).map(|t| t.to_string());
        let series = json!({"metadata": {}, "eventTime": "2026-11-25T01:00:00.000000Z",
            "series": {"count": 3, "lastObservedTime": "2026-11-25T01:05:00.000000Z"}});
        assert_eq!(time(series).as_deref(), Some("2026-11-25T01:05:00Z"));
        let bare = json!({"metadata": {"creationTimestamp": "2026-11-25T01:01:00Z"}, "eventTime": null});
        assert_eq!(time(bare).as_deref(), Some("2026-11-25T01:01:00Z"));
    }
}
