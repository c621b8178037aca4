//! What to say about a name that is on no list.

use super::{
    at::At,
    names::Kind,
    refused::{Refused, shown},
};

const WRITES: [&str; 2] = ["$merge", "$out"];
const JAVASCRIPT: [&str; 3] = ["$accumulator", "$function", "$where"];
const RANDOM: [&str; 7] =
    ["$$CLUSTER_TIME", "$$NOW", "$createObjectId", "$currentDate", "$rand", "$sample", "$sampleRate"];
/// Answered by mongot, not by mongod.
const SEARCH: [&str; 9] = [
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
const SERVER: [&str; 26] = [
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

/// Kinds in the order in which a name is looked for among the others.
const KINDS: [Kind; 5] = [Kind::Stage, Kind::Expression, Kind::QueryOperator, Kind::Accumulator, Kind::WindowOperator];

/// A name that is not on the list of its kind.
pub(super) fn refuse(kind: Kind, name: &str, at: &At<'_>) -> Refused {
    match kind {
        Kind::Variable => {
            among(kind, name, &kind.names().iter().map(|name| format!("$${name}")).collect::<Vec<_>>(), at)
        }
        _ => among(kind, name, kind.names(), at),
    }
}

/// A name that is none of those which are known there.
pub(super) fn among<T: AsRef<str>>(kind: Kind, name: &str, known: &[T], at: &At<'_>) -> Refused {
    let place = at.to_string();
    let shown = shown(name);
    let is = |list: &[&str]| list.contains(&name);
    if is(&WRITES) {
        Refused::Writes { at: place, name: shown }
    } else if is(&JAVASCRIPT) {
        Refused::JavaScript { at: place, name: shown }
    } else if is(&RANDOM) {
        Refused::Random { at: place, name: shown }
    } else if is(&SEARCH) {
        Refused::Search { at: place, name: shown }
    } else if is(&SERVER) || name.starts_with("$_") || name.starts_with("_internal") {
        Refused::Server { at: place, name: shown }
    } else {
        let hint = hint(kind, name, known);
        // a hundred and fifty names of expressions help nobody
        let known = (kind != Kind::Expression && !known.is_empty())
            .then(|| known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "));
        Refused::Unknown { at: place, name: shown, kind, hint, known }
    }
}

/// The name that was meant, or the kind that it is of.
fn hint<T: AsRef<str>>(kind: Kind, name: &str, known: &[T]) -> String {
    if let Some(other) = KINDS.into_iter().find(|other| *other != kind && other.names().contains(&name)) {
        let article = if matches!(other, Kind::Expression | Kind::Accumulator) { "an" } else { "a" };
        return format!("; it is the name of {article} {other}");
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
