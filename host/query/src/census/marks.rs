//! Documents that are told apart: those that are meant to be removed, before the sync, and those that are meant to be
//! added, after it.
//!
//! A collection is read as a partition, one find a filter and one for what fits none: so each document is read once and
//! carries the number of the first filter that it fits. The server evaluates the filters; nobody else knows how.

use bson::{Bson, Document, RawDocumentBuf};
use taster_model::{ChangeKind, DeclaredChange, Side};

use super::{CensusSetup, Refused, refused::MARKS};
use crate::guard::{CheckedFilter, Request};

/// Documents that are told apart.
pub(super) struct Mark {
    /// Where they are declared, `changes[2].removedDocuments`.
    pub(super) entry: String,
    pub(super) filter: CheckedFilter,
}

/// One part of a collection.
pub(super) struct Part {
    pub(super) filter: CheckedFilter,
    /// The number of the filter that it fits, from 1; 0: none.
    pub(super) mark: u8,
}

/// The filters that tell documents of a collection apart on this side, in the order of their marks.
pub(super) fn read(setup: &CensusSetup, collection: &str, mut request: Request<'_>) -> Result<Vec<Mark>, Refused> {
    let mut marks = Vec::new();
    for (number, change) in setup.changes.iter().enumerate().filter(|(_, change)| change.collection == collection) {
        let Some((key, filter, side)) = filter_of(change) else { continue };
        // before the sync those are read too that count after it: that is the better moment to learn that one is wrong
        if setup.side == side || setup.side == Side::Pre {
            let entry = format!("changes[{number}].{key}");
            match checked(filter, &mut request) {
                Ok(filter) => marks.extend((setup.side == side).then_some(Mark { entry, filter })),
                Err(why) => return Err(Refused::Change { entry, why }),
            }
        }
    }
    if marks.len() > MARKS {
        return Err(Refused::TooManyChanges { collection: collection.to_owned(), asked: marks.len() });
    }
    Ok(marks)
}

/// What tells documents apart, how it is written and on which side it counts.
fn filter_of(change: &DeclaredChange) -> Option<(&'static str, &serde_json::Value, Side)> {
    match &change.kind {
        ChangeKind::RemovedDocuments(some) => Some(("removedDocuments", &some.filter, Side::Pre)),
        ChangeKind::AddedDocuments(some) => Some(("addedDocuments", &some.filter, Side::Post)),
        _ => None,
    }
}

/// The operator's words pass the same guard as the probe's.
fn checked(filter: &serde_json::Value, request: &mut Request<'_>) -> Result<CheckedFilter, String> {
    let filter = match Bson::try_from(filter.clone()).map_err(|error| error.to_string())? {
        Bson::Document(filter) => filter,
        _ => return Err("it is no document".to_owned()),
    };
    if let Some(operator) = ranking(&filter) {
        return Err(format!("`{operator}` cannot tell documents apart, only sort or rank them"));
    }
    let raw = encode(&filter)?;
    request.filter(raw.as_bytes()).map_err(|refused| refused.to_string())
}

/// What the server takes in a filter, and neither beside others nor negated.
fn ranking(filter: &Document) -> Option<&str> {
    fn within(value: &Bson) -> Option<&str> {
        match value {
            Bson::Document(inner) => ranking(inner),
            Bson::Array(items) => items.iter().find_map(within),
            _ => None,
        }
    }
    filter.iter().find_map(|(name, value)| match name.as_str() {
        "$near" | "$nearSphere" | "$text" => Some(name.as_str()),
        _ => within(value),
    })
}

fn encode(filter: &Document) -> Result<RawDocumentBuf, String> {
    RawDocumentBuf::try_from(filter).map_err(|error| error.to_string())
}

/// The partition, of the documents that the probe asks for.
pub(super) fn parts(asked: Option<&CheckedFilter>, marks: &[Mark]) -> Vec<Part> {
    let mut parts: Vec<Part> = (1_u8..)
        .zip(marks)
        .enumerate()
        .map(|(before, (mark, Mark { filter, .. }))| Part { filter: part(asked, &marks[..before], Some(filter)), mark })
        .collect();
    parts.push(Part { filter: part(asked, marks, None), mark: 0 });
    parts
}

/// What fits `fits` and none of `others`.
fn part(asked: Option<&CheckedFilter>, others: &[Mark], fits: Option<&CheckedFilter>) -> CheckedFilter {
    let none = (!others.is_empty()).then(|| CheckedFilter::none_of(others.iter().map(|other| &other.filter)));
    CheckedFilter::all_of(asked.into_iter().chain(none.as_ref()).chain(fits))
}
