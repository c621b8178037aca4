//! Nothing that exists in the database goes unmentioned.

use std::collections::{BTreeMap, BTreeSet};

use taster_model::{Capture, CollectionFacts, CollectionKind, Finding, FindingOutcome, ReasonCode, Severity};

use crate::{
    case::{Case, of_collection},
    show, verdict,
};

fn present(capture: &Capture) -> impl Iterator<Item = &CollectionFacts> {
    capture.collections.iter().filter(|c| c.kind != CollectionKind::Absent && !c.name.starts_with("system."))
}

/// Collections of either side that no probe read after the sync: one that was granted and never looked at is not covered.
pub(crate) fn uncovered(before: Option<&Capture>, after: &Capture) -> Vec<String> {
    let read: BTreeSet<&str> = after
        .probes
        .iter()
        .filter(|probe| !probe.muted)
        .flat_map(|probe| &probe.usage.collections)
        .map(String::as_str)
        .collect();
    let there: BTreeSet<&str> =
        before.into_iter().chain([after]).flat_map(present).map(|facts| facts.name.as_str()).collect();
    there.difference(&read).map(|name| (*name).to_owned()).collect()
}

/// Collections that were there before the sync and are gone, or are something else. They always gate: a probe may be
/// muted, the loss of a whole collection may not. One whose removal was declared is told of with that change.
pub(crate) fn gone(case: &Case<'_>) -> Vec<Finding> {
    let now: BTreeMap<&str, CollectionKind> =
        present(case.after).map(|facts| (facts.name.as_str(), facts.kind)).collect();
    present(case.before)
        .filter(|facts| case.whole(&facts.name).is_none())
        .filter_map(|facts| {
            let was = word(facts.kind);
            let is = now.get(facts.name.as_str()).copied();
            let reason = match is {
                Some(kind) if kind == facts.kind => return None,
                Some(kind) => format!("{was} {} is a {} now", show::name(&facts.name), word(kind)),
                None => format!("{was} {} is gone", show::name(&facts.name)),
            };
            Some(Finding {
                labels: of_collection(&facts.name),
                before: Some(was.into()),
                after: is.map(|kind| word(kind).into()),
                ..verdict::finding(FindingOutcome::Different, ReasonCode::CollectionGone, reason)
            })
        })
        .collect()
}

/// What people want to know of collections and what decides nothing by itself: one that was dropped and made again, and
/// one that no probe covers and that is not what it was.
pub(crate) fn remarkable(before: &Capture, after: &Capture) -> Vec<Finding> {
    let uncovered = uncovered(Some(before), after);
    let now: BTreeMap<&str, &CollectionFacts> = present(after).map(|facts| (facts.name.as_str(), facts)).collect();
    let mut found = Vec::new();
    for was in present(before) {
        let Some(is) = now.get(was.name.as_str()).copied() else { continue };
        let warn = |code, reason| Finding {
            severity: Severity::Warn,
            labels: of_collection(&was.name),
            ..verdict::finding(FindingOutcome::Different, code, reason)
        };
        if was.uuid.is_some() && is.uuid.is_some() && was.uuid != is.uuid {
            let reason = format!("{} was dropped and made again", show::name(&was.name));
            found.push(warn(ReasonCode::CollectionRecreated, reason));
        }
        if uncovered.contains(&was.name)
            && let Some(change) = change(was, is)
        {
            let reason = format!("no probe covers {}, and {change}", show::name(&was.name));
            found.push(Finding {
                before: was.documents.map(Into::into),
                after: is.documents.map(Into::into),
                ..warn(ReasonCode::UncoveredChanged, reason)
            });
        }
    }
    found
}

/// What the inventory shows of a collection that nobody looked into.
fn change(was: &CollectionFacts, is: &CollectionFacts) -> Option<String> {
    let mut changes = Vec::new();
    if let (Some(before), Some(after)) = (was.documents, is.documents)
        && before != after
    {
        changes.push(format!("the server's fast count went from {before} to {after}"));
    }
    // captures of earlier versions know neither
    if !was.options.is_null() && was.options != is.options {
        changes.push("its options changed".to_owned());
    }
    if !was.options.is_null() && was.indexes != is.indexes {
        changes.push("its indexes changed".to_owned());
    }
    (!changes.is_empty()).then(|| changes.join(", "))
}

/// Collections that were made, dropped or altered while a capture was taken: it is not of one moment.
pub(crate) fn unstable(before: &Capture, after: &Capture) -> Vec<Finding> {
    let sides = [("before", before), ("after", after)];
    let unstable = sides.into_iter().flat_map(|(when, side)| side.consistency.unstable.iter().map(move |c| (when, c)));
    unstable
        .map(|(when, name)| Finding {
            labels: of_collection(name),
            ..verdict::finding(
                FindingOutcome::Unknown,
                ReasonCode::Unstable,
                format!(
                    "{} was made, dropped or altered while the capture {when} the sync was taken",
                    show::name(name)
                ),
            )
        })
        .collect()
}

/// Two captures of different databases or apps have nothing to say about each other.
pub(crate) fn other_place(before: &Capture, after: &Capture) -> Option<Finding> {
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
            format!("another {what}: {} before, {} after", show::name(old), show::name(new)),
        )
    })
}

/// Collections that a probe was granted and that are there on neither side: whatever the probe says of them, it says of
/// nothing.
pub(crate) fn never_there(before: &Capture, after: &Capture) -> Vec<Finding> {
    let there: BTreeSet<&str> =
        [before, after].into_iter().flat_map(present).map(|facts| facts.name.as_str()).collect();
    let mut found = Vec::new();
    for probe in &after.probes {
        for grant in probe.collections.iter().filter(|grant| !there.contains(grant.name.as_str())) {
            let reason = format!("{} was granted, and is there neither before nor after", show::name(&grant.name));
            found.push(Finding {
                probe: Some(probe.name.clone()),
                severity: probe.severity,
                muted: probe.muted,
                labels: of_collection(&grant.name),
                ..verdict::finding(FindingOutcome::Unknown, ReasonCode::ZeroAgainstZero, reason)
            });
        }
    }
    found
}

fn word(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Collection => "collection",
        CollectionKind::View => "view",
        CollectionKind::TimeSeries => "time-series collection",
        CollectionKind::Absent => "absent collection",
    }
}
