//! CSI: when a `VolumeSnapshot` was taken.
//!
//! Fields as `client/apis/volumesnapshot/v1/types.go` of kubernetes-csi/external-snapshotter has them.

use jiff::Timestamp;
use serde::Deserialize;

use super::{FreshError, Told};
use crate::words::one_line;

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

/// What the object says. It is the same snapshot as long as it is the same object.
pub(super) fn told(snapshot: &Snapshot, source: &str) -> Result<Told, FreshError> {
    let status = &snapshot.status;
    let error = status.error.as_ref().map(|error| one_line(&error.message));
    if status.ready_to_use != Some(true) {
        let source_name = source.to_owned();
        return Err(match error {
            Some(what) => FreshError::Failed { source_name, what },
            None => FreshError::Never { source_name, also: "; it is not ready to use".to_owned() },
        });
    }
    let Some(at) = status.creation_time else {
        let detail = "status.creationTime is missing: its driver does not say when it was taken".to_owned();
        return Err(FreshError::Unreadable { source_name: source.to_owned(), detail });
    };
    let notes = error.map(|error| format!("an earlier try failed: {error}")).into_iter().collect();
    Ok(Told { at, which: snapshot.metadata.uid.clone(), notes })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ask(status: &Value) -> Result<Told, FreshError> {
        let object = json!({"metadata": {"uid": "u-1"}, "status": status});
        told(&serde_json::from_value(object).expect("an object"), "VolumeSnapshot shop/nightly")
    }

    #[test]
    fn only_one_that_is_ready_to_use_counts() {
        let ready = ask(&json!({"creationTime": "2026-11-25T02:00:00Z", "readyToUse": true})).expect("fresh");
        assert_eq!((ready.at.to_string().as_str(), ready.which.as_str()), ("2026-11-25T02:00:00Z", "u-1"));
        let taking = ask(&json!({"creationTime": "2026-11-25T02:00:00Z", "readyToUse": false})).expect_err("not ready");
        insta::assert_snapshot!(taking, @"VolumeSnapshot shop/nightly has no copy that succeeded; it is not ready to use");
        let failed =
            ask(&json!({"readyToUse": false, "error": {"message": "rpc error:\nno space"}})).expect_err("failed");
        insta::assert_snapshot!(failed, @"the last copy of VolumeSnapshot shop/nightly failed: rpc error: no space");
        let unknown = ask(&json!({"readyToUse": true})).expect_err("no time");
        insta::assert_snapshot!(unknown, @"VolumeSnapshot shop/nightly cannot be read: status.creationTime is missing: its driver does not say when it was taken");
    }
}
