//! Explains differences that standard probes report by declared changes: an index in the inventory, a path in the schema
//! shape, a document count that a census proves. Whatever a declared change does not explain must be unchanged.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde_json::{Map, Value as Json};
use taster_model::{
    CensusDifference, ChangeKind, CollectionKind, DeclaredChange, FindingOutcome, Metric, ProbeRecord, ReasonCode,
    Rule, Value,
};
use taster_text::{escape_field_name, unescape_field_name};

use crate::{
    capture_pair::{COLLECTION, CapturePair, ComparedCensus},
    changes,
    compare::{self, Comparison, RuleOrigin},
    pairing::Pair,
    show, ttl,
};

/// A comparison that takes declared changes into account, with the operator's reason.
#[derive(Debug)]
pub(crate) struct Explained<'a> {
    pub(crate) comparison: Comparison,
    pub(crate) reason: Option<&'a str>,
}

/// A metric of one collection in both captures, under the rule that applies.
struct CollectionMetric<'m, 'c> {
    collection: &'c str,
    before: &'m Metric,
    after: &'m Metric,
    rule: &'m Rule,
}

/// The comparison with declared changes taken into account. `None`: no declared change concerns it.
pub(crate) fn explain<'a>(
    captures: &CapturePair<'a>,
    record: &ProbeRecord,
    pair: &Pair<'a, Metric>,
    rule: &Rule,
    comparison: &Comparison,
) -> Option<Explained<'a>> {
    if matches!(comparison.outcome, FindingOutcome::Same | FindingOutcome::Expected) {
        return None;
    }
    let collection = pair.newest().labels.get(COLLECTION)?;
    if let Some(explained) = explain_by_collection(captures, collection, pair, comparison) {
        return Some(explained);
    }
    let Pair::Both(before, after) = *pair else { return None };
    let metric = CollectionMetric { collection, before, after, rule };
    match (record.component.as_str(), before.name.as_str()) {
        ("index-inventory", "indexes") => {
            // each declared index has a finding of its own, which always decides
            let entries = Entries {
                name: |key| key,
                declared_names: |kind| index_name(kind).map(Cow::into_owned).into_iter().collect(),
                is_about: &|change, key| index_name(&change.kind).is_some_and(|name| name == key),
            };
            explain_entries(captures, &metric, &entries)
        }
        ("schema-shape", "shape") => explain_shape(captures, &metric),
        ("document-count", "documents") if before.labels.len() == 1 => explain_count(captures, &metric),
        _ => None,
    }
}

/// If the whole collection was created or dropped as declared, any difference of its metrics is expected.
fn explain_by_collection<'a>(
    captures: &CapturePair<'a>,
    collection: &str,
    pair: &Pair<'_, Metric>,
    comparison: &Comparison,
) -> Option<Explained<'a>> {
    let change = captures.created_or_dropped(collection)?;
    let is_created = change.kind == ChangeKind::AddedCollection;
    let is_explained = match comparison.code {
        ReasonCode::Changed | ReasonCode::ZeroAgainstZero => matches!(pair, Pair::Both(..)),
        ReasonCode::OnlyBefore => !is_created || is_of_no_view(captures, collection, pair),
        ReasonCode::OnlyAfter => is_created || is_of_no_view(captures, collection, pair),
        _ => false,
    };
    is_explained.then(|| Explained {
        comparison: as_declared(format!("{}; {}", comparison.reason, taster_text::escape_hidden(&change.to_string()))),
        reason: change.reason.as_deref(),
    })
}

/// Whether the metric is a census of the absent collection, and on the other side of the sync there is a view of this name. A
/// view has no documents of its own and therefore no census; an absent collection has one, without documents.
fn is_of_no_view(captures: &CapturePair<'_>, collection: &str, pair: &Pair<'_, Metric>) -> bool {
    let (there, view) = match pair {
        Pair::OnlyBefore(_) => (&captures.before, &captures.after),
        Pair::OnlyAfter(_) => (&captures.after, &captures.before),
        Pair::Both(..) | Pair::Ambiguous(_) => return false,
    };
    let is_view = view.collection(collection).is_some_and(|facts| facts.kind == CollectionKind::View);
    is_view && !there.has_collection(collection) && matches!(pair.newest().value, Value::Census(_))
}

/// Which entries of a document a declared change is about.
struct Entries<'f> {
    /// The name in the key of an entry by which it is found: a document may have thousands of entries, and a collection as
    /// many declared changes.
    name: fn(&str) -> &str,
    /// The names of all entries that a change can be about.
    declared_names: fn(&ChangeKind) -> Vec<String>,
    /// Whether a change is about an entry of such a name.
    is_about: &'f dyn Fn(&DeclaredChange, &str) -> bool,
}

/// Removes the entries that declared changes are about from both documents, and compares the remaining entries.
fn explain_entries<'a>(
    captures: &CapturePair<'a>,
    metric: &CollectionMetric<'_, '_>,
    entries: &Entries<'_>,
) -> Option<Explained<'a>> {
    let (Value::Document(Json::Object(before)), Value::Document(Json::Object(after))) =
        (&metric.before.value, &metric.after.value)
    else {
        return None;
    };
    let differs = |key: &str| before.get(key) != after.get(key);
    let mut differing: HashMap<&str, Vec<&str>> = HashMap::new();
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))).filter(|key| differs(key)) {
        differing.entry((entries.name)(key)).or_default().push(key);
    }
    let mut declared_entries: Vec<(&'a DeclaredChange, &str)> = Vec::new();
    for change in captures.changes_of(metric.collection) {
        for name in (entries.declared_names)(&change.kind) {
            let keys = differing.get(name.as_str()).into_iter().flatten();
            declared_entries.extend(keys.filter(|key| (entries.is_about)(change, key)).map(|key| (change, *key)));
        }
    }
    let (first_change, _) = *declared_entries.first()?;
    let mut keys: Vec<&str> = declared_entries.iter().map(|(_, key)| *key).collect();
    keys.sort_unstable();
    keys.dedup();
    let remaining = |metric: &Metric, entries: &Map<String, Json>| {
        let entries = entries.iter().filter(|(key, _)| keys.binary_search(&key.as_str()).is_err());
        let value = Value::Document(entries.map(|(key, value)| (key.clone(), value.clone())).collect());
        Metric { value, ..metric.clone() }
    };
    let (old, new) = (remaining(metric.before, before), remaining(metric.after, after));
    // an empty rest is correct: the metric had entries, and they were declared
    let rest = compare::compare(&old, &new, metric.rule, RuleOrigin::Explicit);
    let declared = format!("as declared: {}", show::names(keys.iter().copied()));
    let comparison = match rest.outcome {
        FindingOutcome::Same => as_declared(declared),
        FindingOutcome::Expected => as_declared(format!("{declared}; otherwise {}", rest.reason)),
        FindingOutcome::Different | FindingOutcome::Unknown => {
            Comparison { reason: format!("{}; {declared}", rest.reason), ..rest }
        }
    };
    Some(Explained { comparison, reason: first_change.reason.as_deref() })
}

/// The index that a change adds or removes, as `index-inventory` has its name.
fn index_name(kind: &ChangeKind) -> Option<Cow<'_, str>> {
    match kind {
        ChangeKind::AddedIndex(name) | ChangeKind::RemovedIndex(name) => Some(escape_field_name(name)),
        _ => None,
    }
}

/// Whether a change is about the field at `key`, as `schema-shape` writes paths, or about a field around it. Declared paths
/// do not mention arrays.
fn is_about_path(kind: &ChangeKind, key: &str) -> bool {
    kind.fields().iter().any(|path| {
        let mut segments = unescape_field_name(key).split('.').map(without_array_suffix);
        path.names().iter().all(|name| segments.next().is_some_and(|segment| segment == shape_name(name)))
    })
}

/// The top-level field in a path as `schema-shape` writes it.
fn top_level_name(key: &str) -> &str {
    without_array_suffix(key.split('.').next().unwrap_or(key))
}

/// `items[][]` → `items`. `\[]` is part of a name.
fn without_array_suffix(mut segment: &str) -> &str {
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

/// A document count that a census of the collection explains exactly: by documents that were removed or added as declared,
/// or that expired.
fn explain_count<'a>(captures: &CapturePair<'a>, metric: &CollectionMetric<'_, 'a>) -> Option<Explained<'a>> {
    let (Value::Integer(before), Value::Integer(after)) = (&metric.before.value, &metric.after.value) else {
        return None;
    };
    let counts = (u64::try_from(*before).ok()?, u64::try_from(*after).ok()?);
    explain_by_moved_documents(captures, captures.counting_censuses(metric.collection), counts)
}

/// The schema shape without the paths of declared fields. If documents were added or removed as declared, every count in
/// the shape differs; then a census of all documents and fields explains the shape.
///
/// A path is removed only if such a census proves its change.
fn explain_shape<'a>(captures: &CapturePair<'a>, metric: &CollectionMetric<'_, 'a>) -> Option<Explained<'a>> {
    let censuses = captures.complete_censuses(metric.collection);
    let proven: HashSet<(&str, String)> = censuses
        .flat_map(|census| &census.difference.changes)
        .filter(|outcome| outcome.unproven_reason.is_none() && outcome.happened > 0)
        .map(|outcome| changes::identity(&outcome.change))
        .collect();
    let entries = Entries {
        name: top_level_name,
        declared_names: |kind| kind.fields().iter().map(|path| shape_name(path.top_level_name())).collect(),
        is_about: &|change, key| is_about_path(&change.kind, key) && proven.contains(&changes::identity(change)),
    };
    let by_fields = explain_entries(captures, metric, &entries);
    if by_fields.as_ref().is_some_and(|explained| explained.comparison.outcome == FindingOutcome::Expected) {
        return by_fields;
    }
    let counts = (documents_in_shape(&metric.before.value)?, documents_in_shape(&metric.after.value)?);
    explain_by_moved_documents(captures, captures.complete_censuses(metric.collection), counts).or(by_fields)
}

/// Number of documents that a shape is of: each has an `_id`.
fn documents_in_shape(shape: &Value) -> Option<u64> {
    let Value::Document(shape) = shape else { return None };
    let Some(types) = shape.get("_id") else { return Some(0) };
    let counts = types.as_object()?.values().map(|count| match count.get("$numberLong").or(count.get("$numberInt")) {
        Some(digits) => digits.as_str()?.parse::<u64>().ok(),
        None => count.as_u64(),
    });
    counts.sum()
}

/// The documents that were added, removed or expired, by a census with exactly these counts before and after the sync.
fn explain_by_moved_documents<'a>(
    captures: &CapturePair<'a>,
    mut censuses: impl Iterator<Item = ComparedCensus<'a>>,
    counts: (u64, u64),
) -> Option<Explained<'a>> {
    censuses.find_map(|census| {
        let difference = census.difference;
        if (difference.before, difference.after) != counts {
            return None;
        }
        if difference.expired.count > 0 && !ttl::still_applies(captures, &census.after.collection) {
            return None;
        }
        moved_documents(difference)
    })
}

/// Documents that were added or removed as declared, or that expired, if nothing else differs in the census.
fn moved_documents(difference: &CensusDifference) -> Option<Explained<'_>> {
    if !difference.is_clean() || difference.changes.iter().any(|outcome| outcome.unproven_reason.is_some()) {
        return None;
    }
    let mut parts = Vec::new();
    let mut reason = None;
    for outcome in difference.changes.iter().filter(|outcome| outcome.happened > 0) {
        let verb = match outcome.change.kind {
            ChangeKind::AddedDocuments(_) => "added",
            ChangeKind::RemovedDocuments(_) => "removed",
            _ => continue,
        };
        parts.push(format!("{} {verb} as declared", taster_text::grouped(outcome.happened)));
        reason = reason.or(outcome.change.reason.as_deref());
    }
    if difference.expired.count > 0 {
        parts.push(format!("{} expired", taster_text::grouped(difference.expired.count)));
    }
    (!parts.is_empty()).then(|| Explained { comparison: as_declared(parts.join(", ")), reason })
}

fn as_declared(reason: String) -> Comparison {
    Comparison::new(FindingOutcome::Expected, ReasonCode::DeclaredChange, reason)
}
