//! CSI: the time of a `VolumeSnapshot`.
//!
//! Fields: `client/apis/volumesnapshot/v1/types.go` of kubernetes-csi/external-snapshotter.

use jiff::Timestamp;
use serde::Deserialize;

use super::status::CopyStatus;
use crate::{error::FreshnessError, text::one_line};

#[derive(Deserialize)]
pub(super) struct Snapshot {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    uid: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    creation_time: Option<Timestamp>,
    ready_to_use: Option<bool>,
    error: Option<Failure>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    message: String,
}

/// The status of the snapshot. Its UID identifies it.
pub(super) fn copy_status(snapshot: &Snapshot, source: &str) -> Result<CopyStatus, FreshnessError> {
    let status = &snapshot.status;
    let error = status.error.as_ref().map(|error| one_line(&error.message));
    if status.ready_to_use != Some(true) {
        let source_name = source.to_owned();
        return Err(match error {
            Some(what) => FreshnessError::LastCopyFailed { source_name, what },
            None => FreshnessError::NeverSucceeded { source_name, notes: "; it is not ready to use".to_owned() },
        });
    }
    let Some(data_time) = status.creation_time else {
        let detail =
            "status.creationTime is missing: the driver does not report when the snapshot was taken".to_owned();
        return Err(FreshnessError::InvalidObject { source_name: source.to_owned(), detail });
    };
    let notes = error.map(|error| format!("an earlier attempt failed: {error}")).into_iter().collect();
    Ok(CopyStatus { data_time, copy_id: snapshot.metadata.uid.clone(), notes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status_of(status: &Value) -> Result<CopyStatus, FreshnessError> {
        let object = json!({"metadata": {"uid": "u-1"}, "status": status});
        copy_status(&serde_json::from_value(object).expect("an object"), "VolumeSnapshot shop/nightly")
    }

    #[test]
    fn only_a_snapshot_that_is_ready_to_use_counts() {
        let ready = status_of(&json!({"creationTime": "2026-11-25T02:00:00Z", "readyToUse": true})).expect("ready");
        assert_eq!((ready.data_time.to_string().as_str(), ready.copy_id.as_str()), ("2026-11-25T02:00:00Z", "u-1"));
        let taking =
            status_of(&json!({"creationTime": "2026-11-25T02:00:00Z", "readyToUse": false})).expect_err("not ready");
        insta::assert_snapshot!(taking, @"VolumeSnapshot shop/nightly has no successful copy; it is not ready to use");
        let failed =
            status_of(&json!({"readyToUse": false, "error": {"message": "rpc error:\nno space"}})).expect_err("failed");
        insta::assert_snapshot!(failed, @"the last copy of VolumeSnapshot shop/nightly failed: rpc error: no space");
        let unknown = status_of(&json!({"readyToUse": true})).expect_err("no time");
        insta::assert_snapshot!(unknown, @"VolumeSnapshot shop/nightly is invalid: status.creationTime is missing: the driver does not report when the snapshot was taken");
    }
}
