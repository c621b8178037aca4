//! What became of each declared change: one that did not happen is as much news as one that nobody declared.

mod outcomes;
mod structure;

use taster_model::{ChangeKind, DeclaredChange, Finding, FindingOutcome, ReasonCode};

use crate::{
    case::{Case, of_collection},
    verdict,
};

/// A finding for each declared change.
pub(crate) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = outcomes::findings(case);
    findings.extend(case.changes.iter().filter_map(|change| match &change.kind {
        ChangeKind::AddedIndex(name) => Some(structure::added_index(case, change, name)),
        ChangeKind::RemovedIndex(name) => Some(structure::removed_index(case, change, name)),
        ChangeKind::AddedCollection => Some(structure::added_collection(case, change)),
        ChangeKind::RemovedCollection => Some(structure::removed_collection(case, change)),
        _ => None,
    }));
    findings
}

/// What is found of one change, whatever it is.
fn about(change: &DeclaredChange, outcome: FindingOutcome, code: ReasonCode, reason: impl Into<String>) -> Finding {
    Finding {
        labels: of_collection(&change.collection),
        rule: Some(change.to_string()),
        declared: change.reason.clone(),
        ..verdict::finding(outcome, code, reason)
    }
}

fn happened(change: &DeclaredChange, reason: impl Into<String>) -> Finding {
    about(change, FindingOutcome::Expected, ReasonCode::DeclaredChange, reason)
}

fn missing(change: &DeclaredChange, reason: impl Into<String>) -> Finding {
    about(change, FindingOutcome::Different, ReasonCode::ChangeMissing, reason)
}

fn unproven(change: &DeclaredChange, reason: impl Into<String>) -> Finding {
    about(change, FindingOutcome::Unknown, ReasonCode::ChangeUnproven, reason)
}
