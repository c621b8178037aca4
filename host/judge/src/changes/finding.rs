//! The finding about one declared change.

use taster_model::{DeclaredChange, Finding, FindingOutcome, ReasonCode};

use crate::{capture_pair::collection_labels, verdict};

/// The change happened as declared.
pub(crate) fn happened(change: &DeclaredChange, reason: impl Into<String>) -> Finding {
    new(change, FindingOutcome::Expected, ReasonCode::DeclaredChange, reason)
}

/// The change did not happen, or not as declared.
pub(crate) fn missing(change: &DeclaredChange, reason: impl Into<String>) -> Finding {
    new(change, FindingOutcome::Different, ReasonCode::ChangeMissing, reason)
}

/// It could not be determined whether the change happened.
pub(crate) fn unproven(change: &DeclaredChange, reason: impl Into<String>) -> Finding {
    new(change, FindingOutcome::Unknown, ReasonCode::ChangeUnproven, reason)
}

fn new(change: &DeclaredChange, outcome: FindingOutcome, code: ReasonCode, reason: impl Into<String>) -> Finding {
    Finding {
        labels: collection_labels(&change.collection),
        rule: Some(change.to_string()),
        declared: change.reason.clone(),
        ..verdict::finding(outcome, code, reason)
    }
}
