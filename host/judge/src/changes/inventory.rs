//! Findings about declared changes of indexes and whole collections, read from the inventories of both captures.

use taster_model::{DeclaredChange, Finding};

use super::finding::{happened, missing, unproven};
use crate::{
    capture_pair::{CaptureIndex, CapturePair},
    show,
};

pub(super) fn added_index(captures: &CapturePair<'_>, change: &DeclaredChange, index: &str) -> Finding {
    let Some(existence) = index_existence(captures, change, index) else { return unknown_indexes(change) };
    if is_being_built(&captures.after, &change.collection, index) {
        return unproven(change, format!("index {} is still being built", show::name(index)));
    }
    added(change, existence, &format!("index {}", show::name(index)))
}

pub(super) fn removed_index(captures: &CapturePair<'_>, change: &DeclaredChange, index: &str) -> Finding {
    let Some(existence) = index_existence(captures, change, index) else { return unknown_indexes(change) };
    removed(change, existence, &format!("index {}", show::name(index)))
}

pub(super) fn added_collection(captures: &CapturePair<'_>, change: &DeclaredChange) -> Finding {
    added(change, collection_existence(captures, change), &format!("collection {}", show::name(&change.collection)))
}

pub(super) fn removed_collection(captures: &CapturePair<'_>, change: &DeclaredChange) -> Finding {
    removed(change, collection_existence(captures, change), &format!("collection {}", show::name(&change.collection)))
}

/// Whether an index or a collection existed before the sync, and whether it exists after it.
#[derive(Debug, Clone, Copy)]
struct Existence {
    before: bool,
    after: bool,
}

fn added(change: &DeclaredChange, existence: Existence, what: &str) -> Finding {
    match (existence.before, existence.after) {
        (false, true) => happened(change, format!("{what} was added")),
        (true, true) => missing(change, format!("{what} already existed before the sync")),
        (true, false) => missing(change, format!("{what} existed before the sync and is gone")),
        (false, false) => missing(change, format!("declared, but {what} does not exist")),
    }
}

fn removed(change: &DeclaredChange, existence: Existence, what: &str) -> Finding {
    match (existence.before, existence.after) {
        (true, false) => happened(change, format!("{what} was removed")),
        (false, false) => missing(change, format!("{what} did not exist before the sync")),
        (_, true) => missing(change, format!("declared, but {what} still exists")),
    }
}

fn collection_existence(captures: &CapturePair<'_>, change: &DeclaredChange) -> Existence {
    let exists = |capture: &CaptureIndex<'_>| capture.has_collection(&change.collection);
    Existence { before: exists(&captures.before), after: exists(&captures.after) }
}

/// `None`: a capture does not contain the indexes of the collection.
fn index_existence(captures: &CapturePair<'_>, change: &DeclaredChange, index: &str) -> Option<Existence> {
    let exists = |capture: &CaptureIndex<'_>| has_index(capture, &change.collection, index);
    Some(Existence { before: exists(&captures.before)?, after: exists(&captures.after)? })
}

fn has_index(capture: &CaptureIndex<'_>, collection: &str, index: &str) -> Option<bool> {
    if !capture.has_collection(collection) {
        return Some(false);
    }
    let facts = capture.collection(collection)?;
    // captures of earlier versions contain neither options nor indexes
    if facts.options.is_null() && facts.indexes.is_empty() {
        return None;
    }
    let has_name = |entry: &serde_json::Value| entry.get("name").and_then(serde_json::Value::as_str) == Some(index);
    Some(facts.indexes.iter().any(has_name))
}

fn is_being_built(capture: &CaptureIndex<'_>, collection: &str, index: &str) -> bool {
    capture.collection(collection).is_some_and(|facts| facts.building.iter().any(|name| name == index))
}

fn unknown_indexes(change: &DeclaredChange) -> Finding {
    unproven(change, format!("a capture does not contain the indexes of {}", show::name(&change.collection)))
}
