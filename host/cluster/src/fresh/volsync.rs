//! VolSync: what a `ReplicationSource` or `ReplicationDestination` says of its last synchronization.
//!
//! Fields as `api/v1alpha1` of backube/volsync has them; both kinds have the same ones. What a destination says depends on
//! its mover. With rsync it begins to wait for the source as soon as the last synchronization is over, so that the age is
//! too high by up to one interval. With restic, rclone and kopia it says when the data came out of the repository, not when
//! they went in: there the source is the one to ask, in its own cluster.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{FreshError, Told, also};
use crate::words::one_line;

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

/// What the object says. The data are from when the last synchronization began.
pub(super) fn told(replication: &Replication, source: &str) -> Result<Told, FreshError> {
    let Replication { spec, status } = replication;
    let mut notes = Vec::new();
    if spec.paused {
        notes.push("it is paused".to_owned());
    }
    if let Some(since) = status.last_sync_start_time {
        notes.push(format!("one is running since {since}"));
    }
    if let Some(error) = status.conditions.iter().find(|c| c.kind == "Synchronizing" && c.reason == "Error") {
        notes.push(format!("its controller says: {}", one_line(&error.message)));
    }
    // the mover's result is that of its last try; `lastSyncTime` moves only when one succeeds
    if let Some(mover) = status.latest_mover.as_ref().filter(|mover| mover.result == "Failed") {
        let before = status
            .last_sync_time
            .map_or("none succeeded".to_owned(), |at| format!("the last that succeeded ended {at}"));
        let what = format!("the mover says: {}; {before}", one_line(&mover.logs));
        return Err(FreshError::Failed { source_name: source.to_owned(), what });
    }
    let Some(ended) = status.last_sync_time else {
        return Err(FreshError::Never { source_name: source.to_owned(), also: also(&notes) });
    };
    let took = status.last_sync_duration.as_deref().map_or(Ok(SignedDuration::ZERO), |text| {
        text.parse::<SignedDuration>().map_err(|error| FreshError::Unreadable {
            source_name: source.to_owned(),
            detail: format!("status.lastSyncDuration `{text}`: {error}"),
        })
    })?;
    let image = status.latest_image.as_ref().map_or_else(String::new, |image| format!(" {}", image.name));
    Ok(Told { at: ended.saturating_sub(took).unwrap_or(ended), which: format!("{ended}{image}"), notes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ask(object: &Value) -> Result<Told, FreshError> {
        told(&serde_json::from_value(object.clone()).expect("an object"), "ReplicationDestination shop/mongo")
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
            let told = ask(&json!({"status": {"lastSyncTime": "2026-11-25T02:00:00Z", "lastSyncDuration": took,
                "latestMoverStatus": {"result": "Successful"}, "latestImage": {"kind": "VolumeSnapshot", "name": "v-1"}}}))
            .expect("fresh");
            assert_eq!(told.at.to_string(), at, "{took}");
            assert_eq!(told.which, "2026-11-25T02:00:00Z v-1");
        }
        let error = ask(&json!({"status": {"lastSyncTime": "2026-11-25T02:00:00Z", "lastSyncDuration": "soon"}}));
        assert!(matches!(error, Err(FreshError::Unreadable { .. })), "{error:?}");
    }

    #[test]
    fn a_mover_that_failed_is_named_with_its_last_words() {
        let failed = ask(&json!({"status": {
            "lastSyncTime": "2026-11-25T02:00:00Z", "lastSyncStartTime": "2026-11-25T03:00:00Z",
            "latestMoverStatus": {"result": "Failed", "logs": "ssh: connect to host\nConnection refused"}}}))
        .expect_err("failed");
        insta::assert_snapshot!(failed, @"the last copy of ReplicationDestination shop/mongo failed: the mover says: ssh: connect to host Connection refused; the last that succeeded ended 2026-11-25T02:00:00Z");
    }

    #[test]
    fn what_else_it_says_is_noted() {
        let never = ask(
            &json!({"spec": {"paused": true}, "status": {"lastSyncStartTime": "2026-11-25T03:00:00Z", "conditions": [
            {"type": "Synchronizing", "status": "False", "reason": "Error", "message": "Secret \"repo\" not found"}]}}),
        )
        .expect_err("never");
        insta::assert_snapshot!(never, @r#"ReplicationDestination shop/mongo has no copy that succeeded; it is paused; one is running since 2026-11-25T03:00:00Z; its controller says: Secret "repo" not found"#);
        assert!(matches!(ask(&json!({})), Err(FreshError::Never { .. })));
    }
}
