//! Stork: what a `MigrationSchedule` says of its migrations.
//!
//! Fields as `pkg/apis/stork/v1alpha1/{migration,migrationschedule}.go` of libopenstorage/stork has them. Stork keeps, for
//! each policy (`Interval`, `Daily`, …), the last item that succeeded and those after it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{FreshError, Told, also};

/// Stork sets it on the object that it makes in the cluster it copies to.
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

/// A migration that began.
struct Try<'a> {
    policy: &'a str,
    item: &'a Item,
    at: Timestamp,
}

impl Try<'_> {
    fn show(&self) -> String {
        format!("{} {} of {}", self.policy, self.item.name, self.at)
    }
}

/// What the schedule says.
///
/// The newest migration that ended decides, whichever policy started it: a volume that a failed one left behind is
/// nobody's state.
pub(super) fn told(schedule: &Schedule, source: &str) -> Result<Told, FreshError> {
    let suspended = schedule.spec.suspend == Some(true);
    let copy = schedule.metadata.annotations.get(STATIC_COPY).is_some_and(|value| value == "true");
    let items = schedule.status.iter().flat_map(|status| status.items.iter().flatten());
    let mut tries: Vec<Try<'_>> = items
        .flat_map(|(policy, items)| items.iter().filter_map(move |item| Some((policy, item, item.creation_timestamp?))))
        .map(|(policy, item, at)| Try { policy, item, at })
        .collect();
    if tries.is_empty() && (suspended || copy) {
        return Err(FreshError::StaticCopy { source_name: source.to_owned() });
    }
    tries.sort_by_key(|one| one.at);
    let good = tries.iter().rfind(|one| one.item.status == "Successful");
    let mut notes = Vec::new();
    if suspended {
        notes.push("it is suspended".to_owned());
    }
    if let Some(running) = tries.iter().rfind(|one| is_running(&one.item.status)) {
        notes.push(format!("{} is running", running.show()));
    }
    let ended = tries.iter().rfind(|one| !is_running(&one.item.status) && one.item.status != "Purged");
    if let Some(bad) = ended.filter(|one| one.item.status != "Successful") {
        let before =
            good.map_or("none succeeded".to_owned(), |good| format!("the last that succeeded is {}", good.show()));
        let what = format!("{}: {}; {before}", bad.show(), bad.item.status);
        return Err(FreshError::Failed { source_name: source.to_owned(), what });
    }
    let Some(good) = good else {
        return Err(FreshError::Never { source_name: source.to_owned(), also: also(&notes) });
    };
    Ok(Told { at: good.at, which: format!("{} {}", good.policy, good.item.name), notes })
}

/// `Captured` stood in early versions.
fn is_running(status: &str) -> bool {
    matches!(status, "" | "Pending" | "Captured" | "InProgress")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SOURCE: &str = "MigrationSchedule portworx/pxbbq";

    fn ask(object: &Value) -> Result<Told, FreshError> {
        told(&serde_json::from_value(object.clone()).expect("a schedule"), SOURCE)
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
    fn the_newest_success_of_any_policy_counts_from_its_start() {
        let told = ask(&schedule(
            &[item("i-1", 15, "Successful"), item("i-2", 30, "InProgress")],
            &[item("d-1", 20, "Successful")],
        ))
        .expect("fresh");
        assert_eq!(told.at.to_string(), "2026-11-25T01:20:00Z");
        assert_eq!(told.which, "Daily d-1");
        assert_eq!(told.notes, ["Interval i-2 of 2026-11-25T01:30:00Z is running"]);
    }

    #[test]
    fn a_failed_one_counts_until_a_later_one_succeeds() {
        for status in ["Failed", "PartialSuccess"] {
            let failed =
                ask(&schedule(&[item("i-1", 15, "Successful"), item("i-2", 30, status)], &[])).expect_err("failed");
            assert_eq!(
                failed.to_string(),
                format!(
                    "the last copy of {SOURCE} failed: Interval i-2 of 2026-11-25T01:30:00Z: {status}; \
                     the last that succeeded is Interval i-1 of 2026-11-25T01:15:00Z"
                )
            );
        }
        ask(&schedule(&[item("i-2", 30, "Failed")], &[item("d-1", 31, "Successful")])).expect("a later one succeeded");
        let failed =
            ask(&schedule(&[item("i-2", 30, "Failed"), item("i-3", 45, "InProgress")], &[])).expect_err("failed");
        assert!(failed.to_string().ends_with("Failed; none succeeded"), "{failed}");
    }

    #[test]
    fn a_suspended_copy_says_where_to_ask() {
        let suspended = json!({"spec": {"suspend": true}, "status": {"items": null, "applicationActivated": false}});
        let annotated = json!({"metadata": {"annotations": {STATIC_COPY: "true"}}});
        for object in [suspended, annotated] {
            let error = ask(&object).expect_err("a copy");
            insta::allow_duplicates! {
                insta::assert_snapshot!(error, @"MigrationSchedule portworx/pxbbq is a suspended copy without a status: Stork notes what it did in the cluster that it copies from");
            }
        }
        let mut stopped = schedule(&[item("i-1", 15, "Successful")], &[]);
        stopped["spec"]["suspend"] = json!(true);
        assert_eq!(ask(&stopped).expect("its last copy counts").notes, ["it is suspended"]);
    }

    #[test]
    fn one_that_never_copied_is_no_fresh_one() {
        let never = ask(&json!({"spec": {}})).expect_err("no status");
        assert_eq!(never.to_string(), format!("{SOURCE} has no copy that succeeded"));
        let first = ask(&schedule(&[item("i-1", 15, "InProgress")], &[])).expect_err("the first is running");
        insta::assert_snapshot!(first, @"MigrationSchedule portworx/pxbbq has no copy that succeeded; Interval i-1 of 2026-11-25T01:15:00Z is running");
        let purged = ask(&schedule(&[item("i-1", 15, "Purged")], &[])).expect_err("nothing is left");
        assert!(matches!(purged, FreshError::Never { .. }), "{purged}");
    }
}
