//! What the standard probes see of a declared change: an index in the inventory, a path in the shape, a count that a
//! census explains. What is left beside it must be as it was.

use serde_json::{Map, Value as Json};
use taster_model::{
    CensusDifference, ChangeKind, DeclaredChange, FindingOutcome, Metric, ProbeRecord, ReasonCode, Rule, Value,
};

use crate::{
    case::{COLLECTION, Case},
    compare::{self, Comparison, Declared},
    show,
    sides::Pair,
};

/// A comparison in the light of what was declared, with the operator's reason.
#[derive(Debug)]
pub(crate) struct Explained<'a> {
    pub(crate) comparison: Comparison,
    pub(crate) reason: Option<&'a str>,
}

/// What `comparison` becomes through declared changes. `None`: they have no part in it.
pub(crate) fn explained<'a>(
    case: &Case<'a>,
    record: &ProbeRecord,
    pair: &Pair<'a, Metric>,
    rule: &Rule,
    comparison: &Comparison,
) -> Option<Explained<'a>> {
    if matches!(comparison.outcome, FindingOutcome::Same | FindingOutcome::Expected) {
        return None;
    }
    let collection = pair.one().labels.get(COLLECTION)?;
    whole_collection(case, collection, pair, comparison).or_else(|| {
        let Pair::Both(old, new) = *pair else { return None };
        match (record.component.as_str(), old.name.as_str()) {
            ("index-inventory", "indexes") => {
                // what became of a declared index is a finding of its own, which always decides
                beside(case, collection, old, new, rule, |change, key| index_covers(&change.kind, key))
            }
            ("schema-shape", "shape") => shaped(case, collection, old, new, rule),
            ("document-count", "documents") if old.labels.len() == 1 => counted(case, collection, old, new),
            _ => None,
        }
    })
}

/// Of a collection that was made or removed as declared, everything may come or go.
fn whole_collection<'a>(
    case: &Case<'a>,
    collection: &str,
    pair: &Pair<'_, Metric>,
    comparison: &Comparison,
) -> Option<Explained<'a>> {
    let change = case.whole(collection)?;
    let added = change.kind == ChangeKind::AddedCollection;
    let covered = match comparison.code {
        ReasonCode::Changed | ReasonCode::ZeroAgainstZero => matches!(pair, Pair::Both(..)),
        ReasonCode::OnlyBefore => !added,
        ReasonCode::OnlyAfter => added,
        _ => false,
    };
    covered.then(|| Explained {
        comparison: declared(format!("{}; {}", comparison.reason, show::whole(&change.to_string()))),
        reason: change.reason.as_deref(),
    })
}

/// Takes the entries that declared changes are about off both documents and compares what is left.
fn beside<'a>(
    case: &Case<'a>,
    collection: &str,
    old: &Metric,
    new: &Metric,
    rule: &Rule,
    covers: impl Fn(&DeclaredChange, &str) -> bool,
) -> Option<Explained<'a>> {
    let (Value::Document(Json::Object(before)), Value::Document(Json::Object(after))) = (&old.value, &new.value) else {
        return None;
    };
    let differing = |key: &str| before.get(key) != after.get(key);
    let seen: Vec<(&'a DeclaredChange, &str)> = case
        .changes
        .iter()
        .filter(|change| change.collection == collection)
        .flat_map(|change| {
            let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
            let covers = &covers;
            keys.filter(move |key| covers(change, key) && differing(key)).map(move |key| (change, key.as_str()))
        })
        .collect();
    let (first, _) = *seen.first()?;
    let mut keys: Vec<&str> = seen.iter().map(|(_, key)| *key).collect();
    keys.sort_unstable();
    keys.dedup();
    let rest = |entries: &Map<String, Json>| {
        let left = entries.iter().filter(|(key, _)| keys.binary_search(&key.as_str()).is_err());
        Value::Document(left.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    let left = |metric: &Metric, value| Metric { value, ..metric.clone() };
    let told = format!("as declared: {}", show::names(keys.iter().copied()));
    // that a rest is empty says nothing against it: the entries that were taken off are what there was
    let beside = compare::compare(&left(old, rest(before)), &left(new, rest(after)), rule, Declared::Yes);
    let comparison = match beside.outcome {
        FindingOutcome::Same => declared(told),
        FindingOutcome::Expected => declared(format!("{told}; beside it {}", beside.reason)),
        FindingOutcome::Different | FindingOutcome::Unknown => {
            Comparison { reason: format!("{}; {told}", beside.reason), ..beside }
        }
    };
    Some(Explained { comparison, reason: first.reason.as_deref() })
}

fn index_covers(kind: &ChangeKind, key: &str) -> bool {
    matches!(kind, ChangeKind::AddedIndex(name) | ChangeKind::RemovedIndex(name) if name == key)
}

/// The field itself and all below it, as `schema-shape` writes paths; a declared path steps into arrays.
fn path_covers(kind: &ChangeKind, key: &str) -> bool {
    kind.fields().iter().any(|path| {
        let mut segments = key.split('.').map(without_elements);
        path.names().iter().all(|name| segments.next().is_some_and(|segment| segment == shape_name(name)))
    })
}

/// `items[][]` without what says that elements are meant; `\[]` is the end of a name.
fn without_elements(mut segment: &str) -> &str {
    while let Some(rest) = segment.strip_suffix("[]").filter(|rest| !rest.ends_with('\\')) {
        segment = rest;
    }
    segment
}

/// A field's name as `schema-shape` writes it.
fn shape_name(name: &str) -> String {
    let text = name.replace('\\', "\\\\");
    match text.strip_suffix("[]") {
        Some(start) => format!("{start}\\[]"),
        None if text == "*" || text == "\"\"" => format!("\\{text}"),
        None => text,
    }
}

/// A count that a census of the same collection explains to the last document: some were removed or added as declared,
/// or expired.
fn counted<'a>(case: &Case<'a>, collection: &'a str, old: &Metric, new: &Metric) -> Option<Explained<'a>> {
    let (Value::Integer(before), Value::Integer(after)) = (&old.value, &new.value) else { return None };
    let counts = (u64::try_from(*before).ok()?, u64::try_from(*after).ok()?);
    case.proofs(collection).find_map(|difference| {
        let same = (difference.before, difference.after) == counts;
        if same { moved(difference) } else { None }
    })
}

/// The shape beside what was declared of fields. Where documents came or went as declared, every number in it is another
/// one: then the census is the proof, if it has seen every field of every document that the shape has.
///
/// A path is taken off only where such a census proves the change that it is of.
fn shaped<'a>(case: &Case<'a>, collection: &'a str, old: &Metric, new: &Metric, rule: &Rule) -> Option<Explained<'a>> {
    let proven = |change: &DeclaredChange| {
        case.proofs(collection).flat_map(|difference| &difference.changes).any(|outcome| {
            (&outcome.change.collection, &outcome.change.kind) == (&change.collection, &change.kind)
                && outcome.unproven.is_none()
                && outcome.happened > 0
        })
    };
    let beside =
        beside(case, collection, old, new, rule, |change, key| path_covers(&change.kind, key) && proven(change));
    if beside.as_ref().is_some_and(|beside| beside.comparison.outcome == FindingOutcome::Expected) {
        return beside;
    }
    let counts = (documents_of(&old.value)?, documents_of(&new.value)?);
    let proven = case.proofs(collection).find_map(|difference| {
        let same = (difference.before, difference.after) == counts;
        if same { moved(difference) } else { None }
    });
    proven.or(beside)
}

/// How many documents a shape is of: each has an `_id`.
fn documents_of(shape: &Value) -> Option<u64> {
    let Value::Document(shape) = shape else { return None };
    let Some(types) = shape.get("_id") else { return Some(0) };
    let counts = types.as_object()?.values().map(|count| match count.get("$numberLong").or(count.get("$numberInt")) {
        Some(digits) => digits.as_str()?.parse::<u64>().ok(),
        None => count.as_u64(),
    });
    counts.sum()
}

/// Documents that came or went as declared, or expired, by a census in which nothing else differs.
fn moved(difference: &CensusDifference) -> Option<Explained<'_>> {
    if !difference.is_clean() || difference.changes.iter().any(|outcome| outcome.unproven.is_some()) {
        return None;
    }
    let mut told = Vec::new();
    let mut reason = None;
    for outcome in difference.changes.iter().filter(|outcome| outcome.happened > 0) {
        let word = match outcome.change.kind {
            ChangeKind::AddedDocuments(_) => "added",
            ChangeKind::RemovedDocuments(_) => "removed",
            _ => continue,
        };
        told.push(format!("{} {word} as declared", show::number(outcome.happened)));
        reason = reason.or(outcome.change.reason.as_deref());
    }
    if difference.expired.count > 0 {
        told.push(format!("{} expired", show::number(difference.expired.count)));
    }
    (!told.is_empty()).then(|| Explained { comparison: declared(told.join(", ")), reason })
}

fn declared(reason: String) -> Comparison {
    Comparison::new(FindingOutcome::Expected, ReasonCode::DeclaredChange, reason)
}
