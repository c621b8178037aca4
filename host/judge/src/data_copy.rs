//! Whether two captures may be compared: of the same copy of the data, and with a baseline that is not too old.

use std::time::Duration;

use taster_model::{Capture, CopyRelation, DataKind, Finding, FindingOutcome, ReasonCode};

use crate::{show, verdict};

/// Captures of different copies cannot be compared: their differences do not come from the sync.
pub(crate) fn replaced(before: &Capture, after: &Capture) -> Option<Finding> {
    let relation = relation(before, after)?;
    (relation == CopyRelation::Different).then(|| {
        let reason = format!("the copy was replaced between the two captures: {}", evidence(before, after));
        verdict::finding(FindingOutcome::Unknown, ReasonCode::CopyReplaced, reason)
    })
}

/// What shows that the copy was replaced.
fn evidence(before: &Capture, after: &Capture) -> String {
    let (old, new) = (&before.server, &after.server);
    if new.shares_no_volume_with(&old.copy_witness()) {
        return format!(
            "the data are on other volumes ({}, before: {})",
            new.volumes.join(", "),
            old.volumes.join(", ")
        );
    }
    let lists_starts = |capture: &Capture| capture.server.members.iter().any(|member| !member.startups.is_empty());
    if lists_starts(before) && lists_starts(after) {
        return "`local.startup_log` does not list the start of the server that was read before".to_owned();
    }
    format!("the replication system names another copy ({}, before: {})", new.copied.join(", "), old.copied.join(", "))
}

/// What makes every other finding doubtful: it is unknown whether the copy is the same, or the baseline is too old.
pub(crate) fn doubts(before: &Capture, after: &Capture, max_age: Option<Duration>) -> Vec<Finding> {
    let mut doubts = Vec::new();
    if are_live(before, after) && !after.server.is_same_deployment_as(&before.server) {
        let hosts = |capture: &Capture| show::name(capture.server.hosts.as_deref().unwrap_or("unknown hosts"));
        let reason = format!(
            "the live data were read from another server, or nothing shows that it is the same one: {} before, {} after; it is \
             the same one if it still runs, or if it has the same hosts and `local.startup_log` lists its earlier start",
            hosts(before),
            hosts(after)
        );
        doubts.push(verdict::finding(FindingOutcome::Unknown, ReasonCode::ServerChanged, reason));
    }
    if relation(before, after) == Some(CopyRelation::Unknown) {
        doubts.push(verdict::finding(
            FindingOutcome::Unknown,
            ReasonCode::CopyUnwitnessed,
            "the server was restarted, and it is unknown whether it holds the same copy of the data: its list of starts \
             (`local.startup_log`) could not be read in both captures",
        ));
    }
    let age = after.started.duration_since(before.started);
    if let Some(limit) = max_age
        && age.unsigned_abs() > limit
        && age.is_positive()
    {
        doubts.push(verdict::finding(
            FindingOutcome::Unknown,
            ReasonCode::BaselineTooOld,
            format!(
                "the baseline is {} old; `maxBaselineAge` allows {}",
                taster_text::age(age.unsigned_abs()),
                taster_text::age(limit)
            ),
        ));
    }
    doubts
}

/// `None`: the data are live on both sides, so there are no copies to distinguish.
fn relation(before: &Capture, after: &Capture) -> Option<CopyRelation> {
    (!are_live(before, after)).then(|| after.server.copy_relation(&before.server.copy_witness()))
}

fn are_live(before: &Capture, after: &Capture) -> bool {
    before.data == DataKind::Live && after.data == DataKind::Live
}
