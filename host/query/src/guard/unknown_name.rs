//! The error for a name that is not on the list of its kind.

use super::{error::GuardError, location::Location, names::NameKind};
use crate::text::escaped;

const WRITES: [&str; 2] = ["$merge", "$out"];
const JAVASCRIPT: [&str; 3] = ["$accumulator", "$function", "$where"];
const NON_DETERMINISTIC: [&str; 7] =
    ["$$CLUSTER_TIME", "$$NOW", "$createObjectId", "$currentDate", "$rand", "$sample", "$sampleRate"];
/// Answered by mongot, not by mongod.
const SEARCH_INDEX: [&str; 9] = [
    "$$SEARCH_META",
    "$listSearchIndexes",
    "$rankFusion",
    "$rerank",
    "$score",
    "$scoreFusion",
    "$search",
    "$searchMeta",
    "$vectorSearch",
];
const SERVER_STATE: [&str; 26] = [
    "$$IS_MR",
    "$$JS_SCOPE",
    "$$USER_ROLES",
    "$backupCursor",
    "$backupCursorExtend",
    "$changeStream",
    "$changeStreamSplitLargeEvent",
    "$collStats",
    "$currentOp",
    "$indexStats",
    "$listCatalog",
    "$listClusterCatalog",
    "$listExtensions",
    "$listLocalSessions",
    "$listMqlEntities",
    "$listSampledQueries",
    "$listSessions",
    "$mergeCursors",
    "$operationMetrics",
    "$planCacheStats",
    "$querySettings",
    "$queryStats",
    "$queue",
    "$setVariableFromSubPipeline",
    "$shardedDataDistribution",
    "$toHashedIndexKey",
];

/// The order in which a name is looked for among the other kinds.
const KINDS: [NameKind; 5] =
    [NameKind::Stage, NameKind::Expression, NameKind::QueryOperator, NameKind::Accumulator, NameKind::WindowOperator];

/// The error for a name that is not on the list of its kind.
pub(super) fn not_listed(kind: NameKind, name: &str, at: &Location<'_>) -> GuardError {
    match kind {
        NameKind::Variable => {
            not_among(kind, name, &kind.names().iter().map(|name| format!("$${name}")).collect::<Vec<_>>(), at)
        }
        _ => not_among(kind, name, kind.names(), at),
    }
}

/// The error for a name that is not one of `known`.
pub(super) fn not_among<T: AsRef<str>>(kind: NameKind, name: &str, known: &[T], at: &Location<'_>) -> GuardError {
    let (at, name_shown) = (at.to_string(), escaped(name));
    let is_on = |list: &[&str]| list.contains(&name);
    if is_on(&WRITES) {
        GuardError::Writes { at, name: name_shown }
    } else if is_on(&JAVASCRIPT) {
        GuardError::JavaScript { at, name: name_shown }
    } else if is_on(&NON_DETERMINISTIC) {
        GuardError::NonDeterministic { at, name: name_shown }
    } else if is_on(&SEARCH_INDEX) {
        GuardError::SearchIndex { at, name: name_shown }
    } else if is_on(&SERVER_STATE) || name.starts_with("$_") || name.starts_with("_internal") {
        GuardError::ServerState { at, name: name_shown }
    } else {
        let hint = hint(kind, name, known);
        // a list of 150 expression operators would not help
        let known = (kind != NameKind::Expression && !known.is_empty())
            .then(|| known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "));
        GuardError::UnknownName { at, name: name_shown, kind, hint, known }
    }
}

/// What was probably meant: the kind of the name, or a similar name.
fn hint<T: AsRef<str>>(kind: NameKind, name: &str, known: &[T]) -> String {
    if let Some(other) = KINDS.into_iter().find(|other| *other != kind && other.names().contains(&name)) {
        let article = if matches!(other, NameKind::Expression | NameKind::Accumulator) { "an" } else { "a" };
        return format!("; it is {article} {other}");
    }
    let lower = name.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.as_ref().to_lowercase()), known.as_ref()))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= (known.len() / 4).max(1))
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}
