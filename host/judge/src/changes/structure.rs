//! Changes of indexes and of whole collections, read off the inventory of both sides.

use taster_model::{Capture, DeclaredChange, Finding};

use super::{happened, missing, unproven};
use crate::{
    case::{Case, is_there},
    show,
};

pub(super) fn added_index(case: &Case<'_>, change: &DeclaredChange, index: &str) -> Finding {
    let Some((was, is)) = index_sides(case, change, index) else { return untold(change) };
    match (was, is) {
        (false, true) => happened(change, format!("index {} is new", show::name(index))),
        (true, true) => missing(change, format!("index {} was there already before the sync", show::name(index))),
        (true, false) => missing(change, format!("index {} was there before the sync and is gone", show::name(index))),
        (false, false) => missing(change, format!("declared, and there is no index {}", show::name(index))),
    }
}

pub(super) fn removed_index(case: &Case<'_>, change: &DeclaredChange, index: &str) -> Finding {
    let Some((was, is)) = index_sides(case, change, index) else { return untold(change) };
    match (was, is) {
        (true, false) => happened(change, format!("index {} is gone", show::name(index))),
        (false, false) => missing(change, format!("index {} was not there before the sync either", show::name(index))),
        (_, true) => missing(change, format!("declared, and index {} is still there", show::name(index))),
    }
}

pub(super) fn added_collection(case: &Case<'_>, change: &DeclaredChange) -> Finding {
    let of = show::name(&change.collection);
    match collection_sides(case, change) {
        (false, true) => happened(change, format!("collection {of} is new")),
        (true, true) => missing(change, format!("collection {of} was there already before the sync")),
        (true, false) => missing(change, format!("collection {of} was there before the sync and is gone")),
        (false, false) => missing(change, format!("declared, and there is no collection {of}")),
    }
}

pub(super) fn removed_collection(case: &Case<'_>, change: &DeclaredChange) -> Finding {
    let of = show::name(&change.collection);
    match collection_sides(case, change) {
        (true, false) => happened(change, format!("collection {of} is gone")),
        (false, false) => missing(change, format!("collection {of} was not there before the sync either")),
        (_, true) => missing(change, format!("declared, and collection {of} is still there")),
    }
}

fn collection_sides(case: &Case<'_>, change: &DeclaredChange) -> (bool, bool) {
    (is_there(case.before, &change.collection), is_there(case.after, &change.collection))
}

/// Whether the index was there before, and after. `None`: a capture does not say.
fn index_sides(case: &Case<'_>, change: &DeclaredChange, index: &str) -> Option<(bool, bool)> {
    Some((has_index(case.before, &change.collection, index)?, has_index(case.after, &change.collection, index)?))
}

fn has_index(capture: &Capture, collection: &str, index: &str) -> Option<bool> {
    if !is_there(capture, collection) {
        return Some(false);
    }
    let facts = capture.collections.iter().find(|facts| facts.name == collection)?;
    // captures of earlier versions know neither options nor indexes
    if facts.options.is_null() && facts.indexes.is_empty() {
        return None;
    }
    let named = |one: &serde_json::Value| one.get("name").and_then(serde_json::Value::as_str) == Some(index);
    Some(facts.indexes.iter().any(named))
}

fn untold(change: &DeclaredChange) -> Finding {
    unproven(change, format!("a capture does not say which indexes {} has", show::name(&change.collection)))
}
