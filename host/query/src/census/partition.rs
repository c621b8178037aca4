//! Splits a collection by the filters of declared changes and of partial TTL indexes: documents that the sync will remove are
//! recorded separately before it, documents that it has added are recorded separately after it, and so are documents that
//! are in a partial TTL index before it.
//!
//! The parts are disjoint: one find per filter, and one for the documents that match none. Each document is read once and
//! marked with the number of the first declared filter that it matches. Each filter of an index doubles the parts. Only the
//! server evaluates the filters.

use bson::{Bson, Document, RawDocumentBuf};
use taster_census::{CensusOptions, DocumentMarks};
use taster_model::{ChangeKind, DeclaredChange, Side};

use super::{
    env::CensusEnv,
    refusal::{CensusRefusal, MAX_MARKS},
};
use crate::guard::{checked::CheckedFilter, request::Request};

/// The filter of a declared change whose documents are recorded separately.
pub(super) struct DeclaredFilter {
    /// Where it is declared, `changes[2].removedDocuments`.
    pub(super) entry: String,
    pub(super) filter: CheckedFilter,
}

/// One part of a collection.
pub(super) struct Part {
    pub(super) filter: CheckedFilter,
    /// Which filters its documents match.
    pub(super) marks: DocumentMarks,
}

/// The declared filters for documents of a collection on this side of the sync, in the order of their marks.
pub(super) fn declared_filters(
    env: &CensusEnv,
    collection: &str,
    mut request: Request<'_>,
) -> Result<Vec<DeclaredFilter>, CensusRefusal> {
    let mut declared = Vec::new();
    let concerns = |change: &DeclaredChange| change.concerns(collection, &env.changes);
    for (number, change) in env.changes.iter().enumerate().filter(|(_, change)| concerns(change)) {
        let Some((key, filter, side)) = filter_of(change) else { continue };
        // filters that apply after the sync are checked before it too, so that an invalid one is reported early
        if env.side == side || env.side == Side::Pre {
            let entry = format!("changes[{number}].{key}");
            match checked(filter, &mut request) {
                Ok(filter) => declared.extend((env.side == side).then_some(DeclaredFilter { entry, filter })),
                Err(reason) => return Err(CensusRefusal::DeclaredFilter { entry, reason }),
            }
        }
    }
    if declared.len() > MAX_MARKS {
        return Err(CensusRefusal::TooManyFilters { collection: collection.to_owned(), asked: declared.len() });
    }
    Ok(declared)
}

/// The filters of partial TTL indexes, in the order of their bits. An index whose filter the guard refuses is removed from the
/// options: its documents never count as expired.
pub(super) fn expiry_filters(
    options: &mut CensusOptions,
    collection: &str,
    mut request: Request<'_>,
) -> Vec<CheckedFilter> {
    let mut filters = Vec::new();
    options.expiries.retain(|index| {
        let Some(filter) = &index.filter else { return true };
        match checked(filter, &mut request) {
            Ok(filter) => filters.push(filter),
            Err(reason) => {
                tracing::warn!(collection, field = index.field, reason, "a partial TTL index excuses no document");
                return false;
            }
        }
        true
    });
    filters
}

/// The filter of a declared change, its key, and the side of the sync on which it applies.
fn filter_of(change: &DeclaredChange) -> Option<(&'static str, &serde_json::Value, Side)> {
    match &change.kind {
        ChangeKind::RemovedDocuments(removed) => Some(("removedDocuments", &removed.filter, Side::Pre)),
        ChangeKind::AddedDocuments(added) => Some(("addedDocuments", &added.filter, Side::Post)),
        _ => None,
    }
}

/// Checks the operator's filter with the same guard as a probe's.
fn checked(filter: &serde_json::Value, request: &mut Request<'_>) -> Result<CheckedFilter, String> {
    let filter = Bson::try_from(filter.clone()).map_err(|error| error.to_string())?;
    let Bson::Document(filter) = filter else { return Err("it is not a document".to_owned()) };
    if let Some(operator) = ranking_operator(&filter) {
        return Err(format!("`{operator}` sorts or ranks documents and cannot be used here"));
    }
    let raw = RawDocumentBuf::try_from(&filter).map_err(|error| error.to_string())?;
    request.filter(raw.as_bytes()).map_err(|refused| refused.to_string())
}

/// An operator that the server accepts in a filter, but not within `$and` or `$nor`.
fn ranking_operator(filter: &Document) -> Option<&str> {
    fn find(value: &Bson) -> Option<&str> {
        match value {
            Bson::Document(inner) => ranking_operator(inner),
            Bson::Array(items) => items.iter().find_map(find),
            _ => None,
        }
    }
    filter.iter().find_map(|(name, value)| match name.as_str() {
        "$near" | "$nearSphere" | "$text" => Some(name.as_str()),
        _ => find(value),
    })
}

/// The disjoint parts of the documents that the probe requests.
pub(super) fn parts(
    requested: Option<&CheckedFilter>,
    declared: &[DeclaredFilter],
    expiries: &[CheckedFilter],
) -> Vec<Part> {
    let filters: Vec<&CheckedFilter> = declared.iter().map(|declared| &declared.filter).collect();
    let own = (1_u8..).zip(&filters).enumerate().map(|(earlier, (mark, own))| (mark, earlier, Some(*own)));
    let all = own.chain([(0, filters.len(), None)]);
    let part = |(mark, earlier, own): (u8, usize, Option<&CheckedFilter>), bits: u8| {
        let has_bit = |index: &usize| bits >> index & 1 == 1;
        let (matched, unmatched): (Vec<usize>, Vec<usize>) = (0..expiries.len()).partition(has_bit);
        let excluded = filters[..earlier].iter().copied().chain(unmatched.iter().map(|index| &expiries[*index]));
        let matching = own.into_iter().chain(matched.iter().map(|index| &expiries[*index]));
        Part {
            filter: part_filter(requested, &excluded.collect::<Vec<_>>(), matching),
            marks: DocumentMarks { filter: mark, expiries: bits },
        }
    };
    all.flat_map(|one| (0..1_u8 << expiries.len()).map(move |bits| (one, bits)))
        .map(|(one, bits)| part(one, bits))
        .collect()
}

/// Documents that match `requested` and all of `own`, and none of `excluded`.
fn part_filter<'a>(
    requested: Option<&'a CheckedFilter>,
    excluded: &[&CheckedFilter],
    own: impl Iterator<Item = &'a CheckedFilter>,
) -> CheckedFilter {
    let none = (!excluded.is_empty()).then(|| CheckedFilter::none_of(excluded.iter().copied()));
    let own: Vec<&CheckedFilter> = own.collect();
    CheckedFilter::all_of(requested.into_iter().chain(none.as_ref()).chain(own))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use taster_model::CollectionGrant;

    use super::*;
    use crate::{grant::Grant, guard::context::Scope, limits::Limits};

    static GRANT: LazyLock<Grant> = LazyLock::new(|| Grant {
        probe: "p".to_owned(),
        collections: vec![CollectionGrant::any("orders")],
        limits: Limits::default(),
        setting: "probes[p].limits".to_owned(),
    });

    fn declared(filter: &serde_json::Value) -> DeclaredFilter {
        let mut request = Request::new(Scope::new(&GRANT, &[]));
        DeclaredFilter { entry: String::new(), filter: checked(filter, &mut request).unwrap() }
    }

    fn shown(parts: &[Part]) -> String {
        let one = |part: &Part| {
            let DocumentMarks { filter, expiries } = part.marks;
            format!("{filter} {expiries:02b} {}", Document::try_from(part.filter.raw()).unwrap())
        };
        parts.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn parts_are_disjoint_and_complete() {
        let filters = [serde_json::json!({"a": 1}), serde_json::json!({"b": {"$gt": 2}})].each_ref().map(declared);
        let requested = declared(&serde_json::json!({"c": 3})).filter;
        let all = [
            parts(None, &[], &[]),
            parts(Some(&requested), &[], &[]),
            parts(None, &filters, &[]),
            parts(Some(&requested), &filters, &[]),
        ];
        insta::assert_snapshot!(all.map(|parts| shown(&parts)).join("\n\n"), @r#"
        0 00 {}

        0 00 { "c": 3 }

        1 00 { "a": 1 }
        2 00 { "$and": [{ "$nor": [{ "a": 1 }] }, { "b": { "$gt": 2 } }] }
        0 00 { "$nor": [{ "a": 1 }, { "b": { "$gt": 2 } }] }

        1 00 { "$and": [{ "c": 3 }, { "a": 1 }] }
        2 00 { "$and": [{ "c": 3 }, { "$nor": [{ "a": 1 }] }, { "b": { "$gt": 2 } }] }
        0 00 { "$and": [{ "c": 3 }, { "$nor": [{ "a": 1 }, { "b": { "$gt": 2 } }] }] }
        "#);
    }

    #[test]
    fn each_filter_of_a_ttl_index_doubles_the_parts() {
        let [x, y] = [serde_json::json!({"x": 1}), serde_json::json!({"y": 1})].each_ref().map(declared);
        let gone = [declared(&serde_json::json!({"gone": true}))];
        let all = [parts(None, &[], &[x.filter.clone(), y.filter]), parts(None, &gone, &[x.filter])];
        insta::assert_snapshot!(all.map(|parts| shown(&parts)).join("\n\n"), @r#"
        0 00 { "$nor": [{ "x": 1 }, { "y": 1 }] }
        0 01 { "$and": [{ "$nor": [{ "y": 1 }] }, { "x": 1 }] }
        0 10 { "$and": [{ "$nor": [{ "x": 1 }] }, { "y": 1 }] }
        0 11 { "$and": [{ "x": 1 }, { "y": 1 }] }

        1 00 { "$and": [{ "$nor": [{ "x": 1 }] }, { "gone": true }] }
        1 01 { "$and": [{ "gone": true }, { "x": 1 }] }
        0 00 { "$nor": [{ "gone": true }, { "x": 1 }] }
        0 01 { "$and": [{ "$nor": [{ "gone": true }] }, { "x": 1 }] }
        "#);
    }

    #[test]
    fn dates_and_ids_are_written_as_extended_json() {
        let filter = declared(&serde_json::json!({"at": {"$lt": {"$date": "2026-01-01T00:00:00Z"}}})).filter;
        assert!(Document::try_from(filter.raw()).unwrap().get_document("at").unwrap().get_datetime("$lt").is_ok());
        let found = |filter: serde_json::Value| {
            let Bson::Document(filter) = Bson::try_from(filter).unwrap() else { panic!() };
            ranking_operator(&filter).map(str::to_owned)
        };
        assert_eq!(found(serde_json::json!({"$or": [{"x": 1}, {"a": {"$not": {"$near": [1, 2]}}}]})).unwrap(), "$near");
        assert_eq!(found(serde_json::json!({"near": "$near", "a": {"b": ["$text"]}})), None);
    }
}
