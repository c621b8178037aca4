//! Stork: the migrations of a `MigrationSchedule`.
//!
//! Fields: `pkg/apis/stork/v1alpha1/{migration,migrationschedule}.go` of libopenstorage/stork. Stork keeps, for each policy
//! (`Interval`, `Daily`, …), the last item that succeeded and those after it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::status::{CopyStatus, joined};
use crate::error::FreshnessError;

/// The annotation that Stork sets on the object that it creates in the destination cluster.
const STATIC_COPY: &str = "stork.libopenstorage.org/static-copy";

#[derive(Deserialize)]
pub(super) struct Schedule {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Spec {
    suspend: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Status {
    items: Option<BTreeMap<String, Vec<Item>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    name: String,
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    status: String,
}

/// A migration that has begun.
struct Migration<'a> {
    policy: &'a str,
    item: &'a Item,
    begun: Timestamp,
}

impl Migration<'_> {
    fn describe(&self) -> String {
        format!("{} {} of {}", self.policy, self.item.name, self.begun)
    }

    fn has_succeeded(&self) -> bool {
        self.item.status == "Successful"
    }

    /// `Captured` is a status of early versions.
    fn is_running(&self) -> bool {
        matches!(self.item.status.as_str(), "" | "Pending" | "Captured" | "InProgress")
    }

    fn has_ended(&self) -> bool {
        !self.is_running() && self.item.status != "Purged"
    }
}

/// The status of the schedule.
///
/// The newest migration that has ended decides, whichever policy started it: a failed migration may leave the volume
/// half-copied.
pub(super) fn copy_status(schedule: &Schedule, source: &str) -> Result<CopyStatus, FreshnessError> {
    let source_name = source.to_owned();
    let is_suspended = schedule.spec.suspend == Some(true);
    let is_static_copy = schedule.metadata.annotations.get(STATIC_COPY).is_some_and(|value| value == "true");
    let migrations = migrations_by_time(schedule);
    if migrations.is_empty() && (is_suspended || is_static_copy) {
        return Err(FreshnessError::SuspendedCopy { source_name });
    }
    let last_success = migrations.iter().rfind(|migration| migration.has_succeeded());
    let mut notes = Vec::new();
    if is_suspended {
        notes.push("it is suspended".to_owned());
    }
    if let Some(running) = migrations.iter().rfind(|migration| migration.is_running()) {
        notes.push(format!("{} is running", running.describe()));
    }
    let last_ended = migrations.iter().rfind(|migration| migration.has_ended());
    if let Some(failed) = last_ended.filter(|migration| !migration.has_succeeded()) {
        let before = last_success
            .map_or("none has succeeded".to_owned(), |success| format!("the last success is {}", success.describe()));
        let what = format!("{}: {}; {before}", failed.describe(), failed.item.status);
        return Err(FreshnessError::LastCopyFailed { source_name, what });
    }
    let Some(success) = last_success else {
        return Err(FreshnessError::NeverSucceeded { source_name, notes: joined(&notes) });
    };
    let copy_id = format!("{} {}", success.policy, success.item.name);
    Ok(CopyStatus { data_time: success.begun, copy_id, notes })
}

/// The migrations of all policies, oldest first.
fn migrations_by_time(schedule: &Schedule) -> Vec<Migration<'_>> {
    let items = schedule.status.iter().flat_map(|status| status.items.iter().flatten());
    let mut migrations: Vec<Migration<'_>> = items
        .flat_map(|(policy, items)| items.iter().filter_map(move |item| Some((policy, item, item.creation_timestamp?))))
        .map(|(policy, item, begun)| Migration { policy, item, begun })
        .collect();
    migrations.sort_by_key(|migration| migration.begun);
    migrations
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SOURCE: &str = "MigrationSchedule portworx/pxbbq";

    fn status_of(object: &Value) -> Result<CopyStatus, FreshnessError> {
        copy_status(&serde_json::from_value(object.clone()).expect("a schedule"), SOURCE)
    }

    fn item(name: &str, minute: u32, status: &str) -> Value {
        json!({"name": name, "creationTimestamp": format!("2026-11-25T01:{minute:02}:00Z"),
            "finishTimestamp": if status == "Successful" { json!(format!("2026-11-25T01:{minute:02}:50Z")) } else { json!(null) },
            "status": status})
    }

    fn schedule(interval: &[Value], daily: &[Value]) -> Value {
        json!({"spec": {"schedulePolicyName": "every-15m"}, "status": {"items": {"Interval": interval, "Daily": daily}}})
    }

    #[test]
    fn the_newest_success_of_any_policy_counts() {
        let status = status_of(&schedule(
            &[item("i-1", 15, "Successful"), item("i-2", 30, "InProgress")],
            &[item("d-1", 20, "Successful")],
        ))
        .expect("fresh");
        assert_eq!(status.data_time.to_string(), "2026-11-25T01:20:00Z");
        assert_eq!(status.copy_id, "Daily d-1");
        assert_eq!(status.notes, ["Interval i-2 of 2026-11-25T01:30:00Z is running"]);
    }

    #[test]
    fn a_failed_migration_counts_until_a_later_one_succeeds() {
        for status in ["Failed", "PartialSuccess"] {
            let failed = status_of(&schedule(&[item("i-1", 15, "Successful"), item("i-2", 30, status)], &[]))
                .expect_err("failed");
            assert_eq!(
                failed.to_string(),
                format!(
                    "the last copy of {SOURCE} failed: Interval i-2 of 2026-11-25T01:30:00Z: {status}; \
                     the last success is Interval i-1 of 2026-11-25T01:15:00Z"
                )
            );
        }
        status_of(&schedule(&[item("i-2", 30, "Failed")], &[item("d-1", 31, "Successful")]))
            .expect("a later one succeeded");
        let failed =
            status_of(&schedule(&[item("i-2", 30, "Failed"), item("i-3", 45, "InProgress")], &[])).expect_err("failed");
        assert!(failed.to_string().ends_with("Failed; none has succeeded"), "{failed}");
    }

    #[test]
    fn a_suspended_copy_names_the_cluster_to_ask() {
        let suspended = json!({"spec": {"suspend": true}, "status": {"items": null, "applicationActivated": false}});
        let annotated = json!({"metadata": {"annotations": {STATIC_COPY: "true"}}});
        for object in [suspended, annotated] {
            let error = status_of(&object).expect_err("a copy");
            insta::allow_duplicates! {
                insta::assert_snapshot!(error, @"MigrationSchedule portworx/pxbbq is suspended and has no status: Stork keeps the status in the cluster that it copies from");
            }
        }
        let mut stopped = schedule(&[item("i-1", 15, "Successful")], &[]);
        stopped["spec"]["suspend"] = json!(true);
        assert_eq!(status_of(&stopped).expect("its last copy counts").notes, ["it is suspended"]);
    }

    #[test]
    fn a_schedule_that_never_succeeded_is_not_fresh() {
        let never = status_of(&json!({"spec": {}})).expect_err("no status");
        assert_eq!(never.to_string(), format!("{SOURCE} has no successful copy"));
        let first = status_of(&schedule(&[item("i-1", 15, "InProgress")], &[])).expect_err("the first is running");
        insta::assert_snapshot!(first, @"MigrationSchedule portworx/pxbbq has no successful copy; Interval i-1 of 2026-11-25T01:15:00Z is running");
        let purged = status_of(&schedule(&[item("i-1", 15, "Purged")], &[])).expect_err("nothing is left");
        assert!(matches!(purged, FreshnessError::NeverSucceeded { .. }), "{purged}");
    }
}
