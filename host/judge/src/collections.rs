//! Nothing that exists in the database goes unmentioned.

use std::collections::{BTreeMap, BTreeSet};

use taster_model::{Capture, CollectionFacts, CollectionKind, Finding, FindingOutcome, Labels, ReasonCode};

use crate::{show, verdict};

fn present(capture: &Capture) -> impl Iterator<Item = &CollectionFacts> {
    capture.collections.iter().filter(|c| c.kind != CollectionKind::Absent && !c.name.starts_with("system."))
}

/// Collections of either side that no probe was granted after the sync.
pub(crate) fn uncovered(before: Option<&Capture>, after: &Capture) -> Vec<String> {
    let granted: BTreeSet<&str> =
        after.probes.iter().flat_map(|probe| &probe.collections).map(|grant| grant.name.as_str()).collect();
    let there: BTreeSet<&str> =
        before.into_iter().chain([after]).flat_map(present).map(|facts| facts.name.as_str()).collect();
    there.difference(&granted).map(|name| (*name).to_owned()).collect()
}

/// Collections that were there before the sync and are gone, or are something else. They always gate: a probe may be
/// muted, the loss of a whole collection may not.
pub(crate) fn gone(before: &Capture, after: &Capture) -> Vec<Finding> {
    let now: BTreeMap<&str, CollectionKind> = present(after).map(|facts| (facts.name.as_str(), facts.kind)).collect();
    present(before)
        .filter_map(|facts| {
            let was = word(facts.kind);
            let is = now.get(facts.name.as_str()).copied();
            let reason = match is {
                Some(kind) if kind == facts.kind => return None,
                Some(kind) => format!("{was} {} is a {} now", show::name(&facts.name), word(kind)),
                None => format!("{was} {} is gone", show::name(&facts.name)),
            };
            Some(Finding {
                labels: Labels::from([("collection".to_owned(), facts.name.clone())]),
                before: Some(was.into()),
                after: is.map(|kind| word(kind).into()),
                ..verdict::finding(FindingOutcome::Different, ReasonCode::CollectionGone, reason)
            })
        })
        .collect()
}

fn word(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Collection => "collection",
        CollectionKind::View => "view",
        CollectionKind::TimeSeries => "time-series collection",
        CollectionKind::Absent => "absent collection",
    }
}
