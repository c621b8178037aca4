//! Findings about declared changes: each one is reported, whether it happened or not.

mod finding;
mod inventory;
mod proven;

pub(crate) use proven::identity;
use taster_model::{ChangeKind, Finding};

pub(crate) use finding::{happened, missing, unproven};

use crate::capture_pair::CapturePair;

/// A finding for each declared change.
pub(crate) fn findings(captures: &CapturePair<'_>) -> Vec<Finding> {
    let mut findings = proven::findings(captures);
    findings.extend(captures.changes.iter().filter_map(|change| match &change.kind {
        ChangeKind::AddedIndex(name) => Some(inventory::added_index(captures, change, name)),
        ChangeKind::RemovedIndex(name) => Some(inventory::removed_index(captures, change, name)),
        ChangeKind::AddedCollection => Some(inventory::added_collection(captures, change)),
        ChangeKind::RemovedCollection => Some(inventory::removed_collection(captures, change)),
        _ => None,
    }));
    findings
}
