//! Findings about collections: every collection of either capture is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use taster_model::{Capture, CollectionFacts, CollectionKind, Finding, FindingOutcome, ReasonCode, Severity};

use crate::{
    capture_pair::{CapturePair, collection_labels},
    show, verdict,
};

fn existing_collections(capture: &Capture) -> impl Iterator<Item = &CollectionFacts> {
    capture.collections.iter().filter(|c| c.kind != CollectionKind::Absent && !c.name.starts_with("system."))
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
        existing_collections(captures.after).map(|facts| (facts.name.as_str(), facts.kind)).collect();
    existing_collections(captures.before)
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

/// Warnings about collections: those that were dropped and created again, and those that changed and that no probe covers.
pub(crate) fn warnings(before: &Capture, after: &Capture) -> Vec<Finding> {
    let uncovered = uncovered(Some(before), after);
    let now: BTreeMap<&str, &CollectionFacts> =
        existing_collections(after).map(|facts| (facts.name.as_str(), facts)).collect();
    let mut findings = Vec::new();
    for old in existing_collections(before) {
        let Some(new) = now.get(old.name.as_str()).copied() else { continue };
        let warn = |code, reason| Finding {
            severity: Severity::Warn,
            labels: collection_labels(&old.name),
            ..verdict::finding(FindingOutcome::Different, code, reason)
        };
        if old.uuid.is_some() && new.uuid.is_some() && old.uuid != new.uuid {
            let reason = format!("{} was dropped and created again", show::name(&old.name));
            findings.push(warn(ReasonCode::CollectionRecreated, reason));
        }
        if uncovered.contains(&old.name)
            && let Some(change) = inventory_change(old, new)
        {
            let reason = format!("no probe covers {}, and {change}", show::name(&old.name));
            findings.push(Finding {
                before: old.documents.map(Into::into),
                after: new.documents.map(Into::into),
                ..warn(ReasonCode::UncoveredChanged, reason)
            });
        }
    }
    findings
}

/// What the inventories show of a collection that no probe read.
fn inventory_change(old: &CollectionFacts, new: &CollectionFacts) -> Option<String> {
    let mut changes = Vec::new();
    if let (Some(before), Some(after)) = (old.documents, new.documents)
        && before != after
    {
        let (before, after) = (taster_text::grouped(before), taster_text::grouped(after));
        changes.push(format!("its estimated document count changed from {before} to {after}"));
    }
    // captures of earlier versions contain neither options nor indexes
    if !old.options.is_null() && old.options != new.options {
        changes.push("its options changed".to_owned());
    }
    if !old.options.is_null() && old.indexes != new.indexes {
        changes.push("its indexes changed".to_owned());
    }
    (!changes.is_empty()).then(|| changes.join(", "))
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
