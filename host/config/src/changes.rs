//! Checks that declared changes do not contradict each other: a field can have only one declared change.

use taster_census::DeclaredValue;
use taster_model::{AddedField, ChangeKind, DeclaredChange, DocumentFilter};

use super::error::{ConfigError, inconsistent};

/// Changes that contradict each other, and changes of system collections: one mistake for each change at most.
pub(super) fn mistakes(changes: &[DeclaredChange]) -> Vec<ConfigError> {
    changes.iter().enumerate().filter_map(|(index, change)| mistake(change, &changes[..index], changes)).collect()
}

fn mistake(change: &DeclaredChange, earlier: &[DeclaredChange], changes: &[DeclaredChange]) -> Option<ConfigError> {
    let at = format!("changes[{change}]");
    if !is_user_collection(&change.collection) {
        let message = format!("`{}` is not a collection that can be compared", change.collection);
        return Some(inconsistent(at, message, "name a collection that is not a system collection"));
    }
    if let Some((from, to)) = change.renamed_collection()
        && (from == to || !is_user_collection(to))
    {
        let message = format!("`{from}` cannot be renamed to `{to}`");
        return Some(inconsistent(at, message, "name another collection that is not a system collection"));
    }
    if let Some((message, help)) = mistaken_kind(&change.kind) {
        return Some(inconsistent(at, message, help));
    }
    let (message, help) = earlier.iter().find_map(|other| contradiction(change, other, changes))?;
    Some(inconsistent(at, message, help))
}

/// What is wrong with a change by itself, and what to do. `None`: nothing.
fn mistaken_kind(kind: &ChangeKind) -> Option<(String, &'static str)> {
    match kind {
        ChangeKind::AddedField(AddedField { field_type, values, .. }) => {
            let mistake = values.iter().find_map(|value| DeclaredValue::parse(value, *field_type).err())?;
            Some((
                mistake,
                "write it as JSON or as Extended JSON: 5, false, \"2026-01-02T03:04:05Z\", {$numberLong: \"5\"}",
            ))
        }
        ChangeKind::RemovedDocuments(DocumentFilter { filter, max_documents: None })
            if filter.as_object().is_some_and(serde_json::Map::is_empty) =>
        {
            Some((
                "the filter {} covers every document of the collection".to_owned(),
                "name those that are deleted, or say how many with `maxDocuments`",
            ))
        }
        _ => None,
    }
}

fn is_user_collection(collection: &str) -> bool {
    !collection.is_empty() && !collection.starts_with("system.") && !collection.contains(['$', '\0'])
}

/// How two changes contradict each other, and what to do. `None`: they do not.
fn contradiction(
    change: &DeclaredChange,
    other: &DeclaredChange,
    changes: &[DeclaredChange],
) -> Option<(String, String)> {
    use ChangeKind::{AddedCollection, AddedDocuments, AddedIndex, RemovedCollection, RemovedDocuments, RemovedIndex};
    if let Some(contradiction) = renamed_twice(change, other) {
        return Some(contradiction);
    }
    if !change.concerns(&other.collection, changes) {
        return None;
    }
    let keep_one = || "keep one of them".to_owned();
    match (&change.kind, &other.kind) {
        (a, b) if a == b => return Some(("the same change is declared twice".to_owned(), keep_one())),
        (AddedDocuments(a), AddedDocuments(b)) | (RemovedDocuments(a), RemovedDocuments(b)) if a.filter == b.filter => {
            return Some(("the same documents are declared twice".to_owned(), keep_one()));
        }
        (AddedIndex(a), RemovedIndex(b)) | (RemovedIndex(a), AddedIndex(b)) if a == b => {
            let message = format!("the index `{a}` is declared as added and as removed");
            return Some((message, "a recreated index needs no declaration: its definitions are compared".to_owned()));
        }
        (RemovedCollection | AddedCollection, RemovedCollection | AddedCollection) => {
            return Some(("the collection is declared as added and as removed".to_owned(), keep_one()));
        }
        (RemovedCollection, _) | (_, RemovedCollection) => {
            let message = format!(
                "the collection is declared as removed, and has another declared change: {}",
                other_change(change, other)
            );
            return Some((message, "keep the removal: it covers the whole collection".to_owned()));
        }
        _ => {}
    }
    let (field, within) = overlap(change, other)?;
    let message = if field == within {
        format!("the field `{field}` has another declared change: {other}")
    } else {
        format!("the fields `{field}` and `{within}` overlap: {other}")
    };
    Some((message, "declare one change per field: that of the outermost field that changes".to_owned()))
}

/// A collection that is renamed is neither created nor dropped, and has one new name.
fn renamed_twice(change: &DeclaredChange, other: &DeclaredChange) -> Option<(String, String)> {
    use ChangeKind::{AddedCollection, RemovedCollection};
    let names = |change: &DeclaredChange| -> Vec<String> {
        let renamed = change.renamed_collection().map(|(from, to)| vec![from.to_owned(), to.to_owned()]);
        renamed.unwrap_or_else(|| vec![change.collection.clone()])
    };
    let is_whole = |change: &DeclaredChange| {
        change.renamed_collection().is_some() || matches!(change.kind, AddedCollection | RemovedCollection)
    };
    let one_is_renamed = change.renamed_collection().is_some() || other.renamed_collection().is_some();
    if !(one_is_renamed && is_whole(change) && is_whole(other)) {
        return None;
    }
    let shared = names(change).into_iter().find(|name| names(other).contains(name))?;
    let message = format!("the collection `{shared}` has another declared change: {other}");
    Some((message, "declare the renaming alone: it covers the old name and the new one".to_owned()))
}

/// Of two changes, the one that is not about the whole collection.
fn other_change<'a>(change: &'a DeclaredChange, other: &'a DeclaredChange) -> &'a DeclaredChange {
    if change.kind == ChangeKind::RemovedCollection { other } else { change }
}

/// One field of each change, if they are the same field or one contains the other.
fn overlap(change: &DeclaredChange, other: &DeclaredChange) -> Option<(String, String)> {
    let (fields, others) = (change.kind.fields(), other.kind.fields());
    let pairs = fields.iter().flat_map(|field| others.iter().map(move |other| (*field, *other)));
    pairs
        .filter(|(field, other)| field.is_within(other) || other.is_within(field))
        .map(|(field, other)| (field.to_string(), other.to_string()))
        .next()
}
