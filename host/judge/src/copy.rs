//! Whether two captures may be compared at all: of the same copy, and not of long ago.

use std::time::Duration;

use taster_model::{Capture, CopyRelation, DataKind, Finding, FindingOutcome, ReasonCode};

use crate::verdict;

/// Captures of two copies have nothing to say about each other: what differs between them is not what the sync did.
pub(crate) fn replaced(before: &Capture, after: &Capture) -> Option<Finding> {
    let copy = relation(before, after)?;
    (copy == CopyRelation::Another).then(|| {
        let reason = format!("the copy was replaced between the two captures: {}", evidence(before, after));
        verdict::finding(FindingOutcome::Unknown, ReasonCode::CopyReplaced, reason)
    })
}

/// What shows that it was replaced, in the order in which it is asked.
fn evidence(before: &Capture, after: &Capture) -> String {
    let (then, now) = (&before.server, &after.server);
    if now.moved_from(&then.copy_witness()) {
        return format!(
            "the data lie on other volumes ({}, before {})",
            now.volumes.join(", "),
            then.volumes.join(", ")
        );
    }
    let lists = |capture: &Capture| capture.server.members.iter().any(|member| !member.startups.is_empty());
    if lists(before) && lists(after) {
        return "the server's data files do not list the start of the server that the first one was taken from"
            .to_owned();
    }
    format!("whoever copies the data names another copy ({}, before {})", now.copied.join(", "), then.copied.join(", "))
}

/// What makes everything else doubtful: it may be another copy, or a baseline of long ago.
pub(crate) fn doubts(before: &Capture, after: &Capture, max_age: Option<Duration>) -> Vec<Finding> {
    let mut doubts = Vec::new();
    if relation(before, after) == Some(CopyRelation::Untold) {
        doubts.push(verdict::finding(
            FindingOutcome::Unknown,
            ReasonCode::CopyUnwitnessed,
            "the server was started again, and nobody can tell whether it holds the same copy: its list of starts \
             (`local.startup_log`) could not be read on both sides",
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
            format!("the baseline is {} old; `maxBaselineAge` allows {}", days(age.unsigned_abs()), days(limit)),
        ));
    }
    doubts
}

/// Live data are always the same ones.
fn relation(before: &Capture, after: &Capture) -> Option<CopyRelation> {
    let copies = before.data == DataKind::Copy && after.data == DataKind::Copy;
    copies.then(|| after.server.holds(&before.server.copy_witness()))
}

fn days(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}
