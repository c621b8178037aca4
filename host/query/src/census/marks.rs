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
    let filter = Bson::try_from(filter.clone()).map_err(|error| error.to_string())?;
    let Bson::Document(filter) = filter else { return Err("it is no document".to_owned()) };
    if let Some(operator) = ranking(&filter) {
        return Err(format!("`{operator}` cannot tell documents apart, only sort or rank them"));
    }
    let raw = RawDocumentBuf::try_from(&filter).map_err(|error| error.to_string())?;
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

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use taster_model::CollectionGrant;

    use super::*;
    use crate::{Grant, Limits, guard::Scope};

    static GRANT: LazyLock<Grant> = LazyLock::new(|| Grant {
        probe: "p".to_owned(),
        collections: vec![CollectionGrant::any("orders")],
        limits: Limits::default(),
        setting: "probes[p].limits".to_owned(),
        census: None,
    });

    fn mark(filter: &serde_json::Value) -> Mark {
        let mut request = Request::new(Scope::new(&GRANT, &[]));
        Mark { entry: String::new(), filter: checked(filter, &mut request).unwrap() }
    }

    fn shown(parts: &[Part]) -> String {
        let one = |part: &Part| format!("{} {}", part.mark, Document::try_from(part.filter.raw()).unwrap());
        parts.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn parts_are_a_partition() {
        let marks = [serde_json::json!({"a": 1}), serde_json::json!({"b": {"$gt": 2}})].each_ref().map(mark);
        let asked = mark(&serde_json::json!({"c": 3})).filter;
        let told = [parts(None, &[]), parts(Some(&asked), &[]), parts(None, &marks), parts(Some(&asked), &marks)];
        insta::assert_snapshot!(told.map(|parts| shown(&parts)).join("\n\n"), @r#"
        0 {}

        0 { "c": 3 }

        1 { "a": 1 }
        2 { "$and": [{ "$nor": [{ "a": 1 }] }, { "b": { "$gt": 2 } }] }
        0 { "$nor": [{ "a": 1 }, { "b": { "$gt": 2 } }] }

        1 { "$and": [{ "c": 3 }, { "a": 1 }] }
        2 { "$and": [{ "c": 3 }, { "$nor": [{ "a": 1 }] }, { "b": { "$gt": 2 } }] }
        0 { "$and": [{ "c": 3 }, { "$nor": [{ "a": 1 }, { "b": { "$gt": 2 } }] }] }
        "#);
    }

    #[test]
    fn dates_and_ids_are_written_as_extended_json() {
        let filter = mark(&serde_json::json!({"at": {"$lt": {"$date": "2026-01-01T00:00:00Z"}}})).filter;
        assert!(Document::try_from(filter.raw()).unwrap().get_document("at").unwrap().get_datetime("$lt").is_ok());
        let ranks = |filter: serde_json::Value| {
            let Bson::Document(filter) = Bson::try_from(filter).unwrap() else { panic!() };
            ranking(&filter).map(str::to_owned)
        };
        assert_eq!(ranks(serde_json::json!({"$or": [{"x": 1}, {"a": {"$not": {"$near": [1, 2]}}}]})).unwrap(), "$near");
        assert_eq!(ranks(serde_json::json!({"near": "$near", "a": {"b": ["$text"]}})), None);
    }
}
