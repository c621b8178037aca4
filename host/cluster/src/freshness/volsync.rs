//! VolSync: the last synchronization of a `ReplicationSource` or `ReplicationDestination`.
//!
//! Fields: `api/v1alpha1` of backube/volsync; both kinds have the same ones. The status of a destination depends on its
//! mover. With rsync, the destination starts to wait for the source as soon as the last synchronization is over, so the
//! reported age is too high by up to one interval. With restic, rclone and kopia, it reports when the data left the
//! repository, not when they entered it: there, use the source, in its own cluster.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::status::{CopyStatus, joined};
use crate::{error::FreshnessError, text::one_line};

#[derive(Deserialize)]
pub(super) struct Replication {
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    paused: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    last_sync_time: Option<Timestamp>,
    last_sync_start_time: Option<Timestamp>,
    last_sync_duration: Option<String>,
    #[serde(rename = "latestMoverStatus")]
    latest_mover: Option<Mover>,
    latest_image: Option<Image>,
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Mover {
    result: String,
    logs: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// The status of the replication. The data are from when the last synchronization began.
pub(super) fn copy_status(replication: &Replication, source: &str) -> Result<CopyStatus, FreshnessError> {
    let Replication { spec, status } = replication;
    let source_name = source.to_owned();
    let mut notes = Vec::new();
    if spec.paused {
        notes.push("it is paused".to_owned());
    }
    if let Some(since) = status.last_sync_start_time {
        notes.push(format!("one is running since {since}"));
    }
    if let Some(error) = status.conditions.iter().find(|c| c.kind == "Synchronizing" && c.reason == "Error") {
        notes.push(format!("controller: {}", one_line(&error.message)));
    }
    // the mover's result is that of its last attempt; `lastSyncTime` changes only on success
    if let Some(mover) = status.latest_mover.as_ref().filter(|mover| mover.result == "Failed") {
        let before = status
            .last_sync_time
            .map_or("none has succeeded".to_owned(), |at| format!("the last success ended at {at}"));
        let what = format!("mover: {}; {before}", one_line(&mover.logs));
        return Err(FreshnessError::LastCopyFailed { source_name, what });
    }
    let Some(ended) = status.last_sync_time else {
        return Err(FreshnessError::NeverSucceeded { source_name, notes: joined(&notes) });
    };
    let took = status.last_sync_duration.as_deref().map_or(Ok(SignedDuration::ZERO), |text| {
        text.parse::<SignedDuration>().map_err(|error| FreshnessError::InvalidObject {
            source_name,
            detail: format!("status.lastSyncDuration `{text}`: {error}"),
        })
    })?;
    let image = status.latest_image.as_ref().map_or_else(String::new, |image| format!(" {}", image.name));
    let data_time = ended.saturating_sub(took).unwrap_or(ended);
    Ok(CopyStatus { data_time, copy_id: format!("{ended}{image}"), notes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status_of(object: &Value) -> Result<CopyStatus, FreshnessError> {
        copy_status(&serde_json::from_value(object.clone()).expect("an object"), "ReplicationDestination shop/mongo")
    }

    #[test]
    fn the_data_are_from_the_start_of_the_last_synchronization() {
        // durations as Go's time.Duration.String writes them
        for (took, at) in [
            ("1m2.5s", "2026-11-25T01:58:57.5Z"),
            ("1h0m0.25s", "2026-11-25T00:59:59.75Z"),
            ("850ms", "2026-11-25T01:59:59.15Z"),
            ("15.2µs", "2026-11-25T01:59:59.9999848Z"),
            ("0s", "2026-11-25T02:00:00Z"),
        ] {
            let status = status_of(&json!({"status": {"lastSyncTime": "2026-11-25T02:00:00Z", "lastSyncDuration": took,
                "latestMoverStatus": {"result": "Successful"}, "latestImage": {"kind": "VolumeSnapshot", "name": "v-1"}}}))
            .expect("fresh");
            assert_eq!(status.data_time.to_string(), at, "{took}");
            assert_eq!(status.copy_id, "2026-11-25T02:00:00Z v-1");
        }
        let error = status_of(&json!({"status": {"lastSyncTime": "2026-11-25T02:00:00Z", "lastSyncDuration": "soon"}}));
        assert!(matches!(error, Err(FreshnessError::InvalidObject { .. })), "{error:?}");
    }

    #[test]
    fn a_failed_mover_is_reported_with_its_log() {
        let failed = status_of(&json!({"status": {
            "lastSyncTime": "2026-11-25T02:00:00Z", "lastSyncStartTime": "2026-11-25T03:00:00Z",
            "latestMoverStatus": {"result": "Failed", "logs": "ssh: connect to host\nConnection refused"}}}))
        .expect_err("failed");
        insta::assert_snapshot!(failed, @"the last copy of ReplicationDestination shop/mongo failed: mover: ssh: connect to host Connection refused; the last success ended at 2026-11-25T02:00:00Z");
    }

    #[test]
    fn a_pause_a_running_synchronization_and_an_error_are_noted() {
        let never = status_of(
            &json!({"spec": {"paused": true}, "status": {"lastSyncStartTime": "2026-11-25T03:00:00Z", "conditions": [
            {"type": "Synchronizing", "status": "False", "reason": "Error", "message": "Secret \"repo\" not found"}]}}),
        )
        .expect_err("never");
        insta::assert_snapshot!(never, @r#"ReplicationDestination shop/mongo has no successful copy; it is paused; one is running since 2026-11-25T03:00:00Z; controller: Secret "repo" not found"#);
        assert!(matches!(status_of(&json!({})), Err(FreshnessError::NeverSucceeded { .. })));
    }
}
