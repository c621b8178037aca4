//! Findings about collections: every collection of either capture is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use taster_model::{
    Capture, ChangeKind, CollectionFacts, CollectionKind, Finding, FindingOutcome, ProbeOutcome, ProbeRecord,
    ReasonCode, STORED_FUNCTIONS, Severity,
};
use taster_text::json_equal;

use crate::{
    capture_pair::{CapturePair, collection_labels},
    show, verdict,
};

/// The standard probe that compares definitions.
pub(crate) const INVENTORY: &str = "index-inventory";

fn existing_collections(capture: &Capture) -> impl Iterator<Item = &CollectionFacts> {
    let is_judged = |name: &str| !name.starts_with("system.") || name == STORED_FUNCTIONS;
    capture.collections.iter().filter(move |facts| facts.kind != CollectionKind::Absent && is_judged(&facts.name))
}

/// The names of the collections of the application.
pub(crate) fn names(capture: &Capture) -> impl Iterator<Item = &str> {
    existing_collections(capture).map(|facts| facts.name.as_str()).filter(|name| *name != STORED_FUNCTIONS)
}

/// Collections of either capture that no probe read after the sync. A collection that was granted and not read is not
/// covered.
pub(crate) fn uncovered(before: Option<&Capture>, after: &Capture) -> Vec<String> {
    let read: BTreeSet<&str> = after
        .probes
        .iter()
        .filter(|probe| !probe.muted)
        .flat_map(|probe| &probe.usage.collections)
        .map(String::as_str)
        .collect();
    let existing: BTreeSet<&str> =
        before.into_iter().chain([after]).flat_map(existing_collections).map(|facts| facts.name.as_str()).collect();
    existing.difference(&read).map(|name| (*name).to_owned()).collect()
}

/// Collections that existed before the sync and are gone, or are of another kind now. These findings always decide: a
/// probe may be muted, the loss of a collection may not. A collection whose removal was declared is reported with that
/// change instead.
pub(crate) fn gone(captures: &CapturePair<'_>) -> Vec<Finding> {
    let now: BTreeMap<&str, CollectionKind> =
        existing_collections(captures.after.capture).map(|facts| (facts.name.as_str(), facts.kind)).collect();
    existing_collections(captures.before.capture)
        .filter(|facts| captures.created_or_dropped(&facts.name).is_none())
        .filter_map(|facts| {
            let old_kind = kind_name(facts.kind);
            let new_kind = now.get(facts.name.as_str()).copied();
            let reason = match new_kind {
                Some(kind) if kind == facts.kind => return None,
                Some(kind) => format!("{old_kind} {} is now a {}", show::name(&facts.name), kind_name(kind)),
                None => format!("{old_kind} {} is gone", show::name(&facts.name)),
            };
            Some(Finding {
                labels: collection_labels(&facts.name),
                before: Some(old_kind.into()),
                after: new_kind.map(|kind| kind_name(kind).into()),
                ..verdict::finding(FindingOutcome::Different, ReasonCode::CollectionGone, reason)
            })
        })
        .collect()
}

/// Collections that were dropped and created again, definitions that changed of collections whose definition no probe
/// compares, and document counts of those that no probe covers. A definition decides; a document count is an estimate and
/// only warns.
pub(crate) fn recreated_and_uncovered(captures: &CapturePair<'_>) -> Vec<Finding> {
    let uncovered = uncovered(Some(captures.before.capture), captures.after.capture);
    let now: BTreeMap<&str, &CollectionFacts> =
        existing_collections(captures.after.capture).map(|facts| (facts.name.as_str(), facts)).collect();
    let mut findings = Vec::new();
    for old in existing_collections(captures.before.capture) {
        let Some(new) = now.get(old.name.as_str()).copied() else { continue };
        if old.uuid.is_some() && new.uuid.is_some() && old.uuid != new.uuid {
            let reason = format!("{} was dropped and created again", show::name(&old.name));
            findings.push(Finding {
                severity: Severity::Warn,
                ..change(old, FindingOutcome::Different, ReasonCode::CollectionRecreated, reason)
            });
        }
        if old.name == STORED_FUNCTIONS {
            findings.extend(stored_functions(old, new));
            continue;
        }
        if uncovered.binary_search(&old.name).is_ok() {
            findings.extend(changed_definition(captures, (old, new), Coverage::Nothing));
            findings.extend(changed_count(old, new));
        } else if !is_inventoried(captures.after.capture, &old.name) {
            findings.extend(changed_definition(captures, (old, new), Coverage::DataOnly));
        }
    }
    findings
}

fn change(facts: &CollectionFacts, outcome: FindingOutcome, code: ReasonCode, reason: String) -> Finding {
    Finding { labels: collection_labels(&facts.name), ..verdict::finding(outcome, code, reason) }
}

/// Whether a probe that decides compares the options and indexes of the collection.
fn is_inventoried(capture: &Capture, name: &str) -> bool {
    let decides = |probe: &&ProbeRecord| probe.severity == Severity::Fail && !probe.muted;
    let inventories = capture.probes.iter().filter(|probe| probe.component == INVENTORY).filter(decides);
    let mut complete = inventories.filter(|probe| matches!(probe.outcome, ProbeOutcome::Metrics(_)));
    complete.any(|probe| probe.usage.collections.iter().any(|read| read == name))
}

/// What probes compare of a collection whose definition none of them compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coverage {
    Nothing,
    DataOnly,
}

/// The options or indexes of a collection changed that no probe compares, and no declaration says so.
fn changed_definition(
    captures: &CapturePair<'_>,
    (old, new): (&CollectionFacts, &CollectionFacts),
    coverage: Coverage,
) -> Option<Finding> {
    // captures of earlier versions contain neither options nor indexes
    if old.options.is_null() || old.kind != new.kind {
        return None;
    }
    let is_declared = |index: &&serde_json::Value| {
        let name = index.get("name").and_then(serde_json::Value::as_str);
        captures.changes_of(&old.name).any(|change| match &change.kind {
            ChangeKind::AddedIndex(declared) | ChangeKind::RemovedIndex(declared) => name == Some(declared.as_str()),
            _ => false,
        })
    };
    let undeclared = |facts: &'_ CollectionFacts| {
        facts.indexes.iter().filter(|i| !is_declared(i)).cloned().collect::<serde_json::Value>()
    };
    let mut changed = Vec::new();
    // the order of names counts: a value that a filter compares with may be a document
    if !json_equal(&old.options, &new.options) {
        changed.push(if old.kind == CollectionKind::View { "its definition changed" } else { "its options changed" });
    }
    if !json_equal(&undeclared(old), &undeclared(new)) {
        changed.push("its indexes changed");
    }
    let covers = match coverage {
        Coverage::Nothing => "covers",
        Coverage::DataOnly => "compares the definition of",
    };
    let reason = format!("no probe {covers} {}, and {}", show::name(&old.name), changed.join(", "));
    (!changed.is_empty()).then(|| change(old, FindingOutcome::Different, ReasonCode::DefinitionChanged, reason))
}

/// The estimated document count of a collection that no probe covers changed.
fn changed_count(old: &CollectionFacts, new: &CollectionFacts) -> Option<Finding> {
    let (before, after) = old.documents.zip(new.documents).filter(|(before, after)| before != after)?;
    let reason = format!(
        "no probe covers {}, and its estimated document count changed from {} to {}",
        show::name(&old.name),
        taster_text::grouped(before),
        taster_text::grouped(after)
    );
    Some(Finding {
        before: Some(before.into()),
        after: Some(after.into()),
        severity: Severity::Warn,
        ..change(old, FindingOutcome::Different, ReasonCode::UncoveredChanged, reason)
    })
}

/// Functions that are stored in the database: none may be gone or changed. New ones are reported.
fn stored_functions(old: &CollectionFacts, new: &CollectionFacts) -> Option<Finding> {
    let (before, after) = match (&old.functions, &new.functions) {
        (Some(before), Some(after)) => (before, after),
        (Some(_), None) => {
            let reason = format!("the functions in {} can no longer be read", show::name(&old.name));
            return Some(change(old, FindingOutcome::Unknown, ReasonCode::NotComparable, reason));
        }
        (None, Some(_)) => {
            let reason = format!("the functions in {} could not be read before the sync", show::name(&old.name));
            return Some(change(old, FindingOutcome::Unknown, ReasonCode::NotComparable, reason));
        }
        // the user may read them on neither side: they are listed among what no probe covers
        (None, None) => return None,
    };
    let gone: Vec<&str> = before.keys().filter(|name| !after.contains_key(*name)).map(String::as_str).collect();
    let changed = before.iter().filter(|(name, hash)| after.get(*name).is_some_and(|other| other != *hash));
    let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
    let added: Vec<&str> = after.keys().filter(|name| !before.contains_key(*name)).map(String::as_str).collect();
    let listed = |names: &[&str], what: &str| {
        (!names.is_empty()).then(|| format!("{} {what}", show::names(names.iter().copied())))
    };
    let parts: Vec<String> =
        [listed(&gone, "gone"), listed(&changed, "changed"), listed(&added, "added")].into_iter().flatten().collect();
    let functions = format!("stored functions ({})", show::name(&old.name));
    let numbers = |finding| Finding { before: Some(before.len().into()), after: Some(after.len().into()), ..finding };
    Some(numbers(if !gone.is_empty() || !changed.is_empty() {
        let reason = format!("{functions}: {}", parts.join("; "));
        change(old, FindingOutcome::Different, ReasonCode::DefinitionChanged, reason)
    } else if parts.is_empty() {
        let reason = format!("{} {functions} unchanged", taster_text::grouped(before.len() as u64));
        Finding { severity: Severity::Warn, ..change(old, FindingOutcome::Same, ReasonCode::Unchanged, reason) }
    } else {
        let reason = format!("{functions}: {}", parts.join("; "));
        let finding = change(old, FindingOutcome::Different, ReasonCode::UncoveredChanged, reason);
        Finding { severity: Severity::Warn, ..finding }
    }))
}

/// Collections that were created, dropped or altered during a capture, which is then not of one point in time.
pub(crate) fn unstable(before: &Capture, after: &Capture) -> Vec<Finding> {
    let sides = [("before", before), ("after", after)];
    let unstable = sides.into_iter().flat_map(|(when, side)| side.consistency.unstable.iter().map(move |c| (when, c)));
    unstable
        .map(|(when, name)| Finding {
            labels: collection_labels(name),
            ..verdict::finding(
                FindingOutcome::Unknown,
                ReasonCode::Unstable,
                format!("{} was created, dropped or altered during the capture {when} the sync", show::name(name)),
            )
        })
        .collect()
}

/// Indexes that were still being built: whether they came to be is unknown.
pub(crate) fn index_builds(before: &Capture, after: &Capture) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (when, capture) in [("before", before), ("after", after)] {
        for facts in existing_collections(capture) {
            for index in &facts.building {
                let (index, collection) = (show::name(index), show::name(&facts.name));
                let reason = format!("index {index} of {collection} was still being built {when} the sync");
                findings.push(change(facts, FindingOutcome::Unknown, ReasonCode::IndexBuilding, reason));
            }
        }
    }
    findings
}

/// Captures of different databases or apps cannot be compared.
pub(crate) fn different_database_or_app(before: &Capture, after: &Capture) -> Option<Finding> {
    let sides = [
        ("database", before.server.database.as_str(), after.server.database.as_str()),
        ("app", before.app.as_str(), after.app.as_str()),
    ];
    let (what, old, new) = sides.into_iter().find(|(_, old, new)| old != new)?;
    Some(Finding {
        before: Some(old.into()),
        after: Some(new.into()),
        ..verdict::finding(
            FindingOutcome::Unknown,
            ReasonCode::NotComparable,
            format!("the captures are of different {what}s: {} before, {} after", show::name(old), show::name(new)),
        )
    })
}

/// Collections that are granted to a probe and exist in neither capture: metrics about them prove nothing.
pub(crate) fn granted_but_absent(before: &Capture, after: &Capture) -> Vec<Finding> {
    let existing: BTreeSet<&str> =
        [before, after].into_iter().flat_map(existing_collections).map(|facts| facts.name.as_str()).collect();
    let mut findings = Vec::new();
    for probe in &after.probes {
        for grant in probe.collections.iter().filter(|grant| !existing.contains(grant.name.as_str())) {
            let reason = format!(
                "{} is granted to the probe and exists neither before nor after the sync",
                show::name(&grant.name)
            );
            findings.push(Finding {
                probe: Some(probe.name.clone()),
                severity: probe.severity,
                muted: probe.muted,
                labels: collection_labels(&grant.name),
                ..verdict::finding(FindingOutcome::Unknown, ReasonCode::ZeroAgainstZero, reason)
            });
        }
    }
    findings
}

fn kind_name(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Collection => "collection",
        CollectionKind::View => "view",
        CollectionKind::TimeSeries => "time-series collection",
        CollectionKind::Absent => "absent collection",
    }
}
