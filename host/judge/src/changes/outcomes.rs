//! Changes of fields and documents, as the censuses prove them.

use taster_model::{
    Capture, CensusDifference, ChangeKind, ChangeOutcome, DeclaredChange, Documents, Finding, FindingOutcome,
    ProbeRecord,
};

use crate::{case::Case, show};

/// One census's word on a change.
struct Word<'a> {
    outcome: &'a ChangeOutcome,
    difference: &'a CensusDifference,
    probe: &'a str,
    record: Option<&'a ProbeRecord>,
}

/// A finding for each change that a census speaks of, and for each that should be proven by one and is not.
pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found: Vec<(&DeclaredChange, Vec<Word<'_>>)> =
        case.changes.iter().filter(|change| change.kind.needs_census()).map(|change| (change, Vec::new())).collect();
    for ((probe, ..), difference) in case.differences {
        let Ok(difference) = difference else { continue };
        let record = record(case.after, probe);
        for outcome in &difference.changes {
            let word = Word { outcome, difference, probe, record };
            match found.iter_mut().find(|(change, _)| same(change, &outcome.change)) {
                Some((_, words)) => words.push(word),
                None => found.push((&outcome.change, vec![word])),
            }
        }
    }
    found.into_iter().map(|(change, words)| told(case, change, words)).collect()
}

/// Whether two declarations are of the same change, whatever reason they give.
fn same(a: &DeclaredChange, b: &DeclaredChange) -> bool {
    (&a.collection, &a.kind) == (&b.collection, &b.kind)
}

fn record<'a>(capture: &'a Capture, probe: &str) -> Option<&'a ProbeRecord> {
    capture.probes.iter().find(|record| record.name == probe)
}

/// Of several censuses of a collection one is heard: before all one that decides, then one to which the change is not as
/// declared, then one that proves it. A census of some documents only may prove less than another.
fn told(case: &Case<'_>, change: &DeclaredChange, words: Vec<Word<'_>>) -> Finding {
    let rank = |word: &Word<'_>| {
        let finding = word.finding();
        let weight = match finding.outcome {
            FindingOutcome::Different => 0_u8,
            FindingOutcome::Expected | FindingOutcome::Same => 1,
            FindingOutcome::Unknown => 2,
        };
        // one that names documents says more than one that only counts
        (!finding.gates(), weight, finding.documents.is_none())
    };
    match words.into_iter().min_by_key(rank) {
        Some(word) => word.finding(),
        None => uncovered(case, change),
    }
}

impl Word<'_> {
    fn finding(&self) -> Finding {
        Finding {
            probe: Some(self.probe.to_owned()),
            severity: self.record.map(|record| record.severity).unwrap_or_default(),
            muted: self.record.is_some_and(|record| record.muted),
            ..judged(self.outcome, self.difference)
        }
    }
}

fn judged(outcome: &ChangeOutcome, difference: &CensusDifference) -> Finding {
    let ChangeOutcome { change, happened, not_happened, already, unproven } = outcome;
    if let Some(why) = unproven {
        return super::unproven(change, show::whole(why));
    }
    if let Some(reason) = too_many(outcome, difference) {
        return super::missing(change, reason);
    }
    if *happened == 0 {
        let reason = if *already > 0 {
            format!("it was there already before the sync: {}", show::count(*already, "document"))
        } else {
            "declared, and it did not happen".to_owned()
        };
        return with_documents(super::missing(change, reason), outcome);
    }
    if not_happened.count > 0 {
        let reason = match change.kind {
            ChangeKind::AddedField { .. } => format!("missing in {}", show::count(not_happened.count, "document")),
            ChangeKind::RemovedDocuments(_) => {
                format!("still there: {}", show::count(not_happened.count, "document"))
            }
            _ => format!("did not happen in {}", show::count(not_happened.count, "document")),
        };
        let reason = format!("{reason}; it happened in {}", show::number(*happened));
        return with_documents(super::missing(change, reason), outcome);
    }
    let before = if *already > 0 { format!("; {} had it before", show::number(*already)) } else { String::new() };
    let whole = matches!(change.kind, ChangeKind::AddedDocuments(_) | ChangeKind::RemovedDocuments(_));
    let within = if whole { "" } else { "in " };
    super::happened(change, format!("{within}{}{before}", show::count(*happened, "document")))
}

/// Where more documents came or went than were declared, none of them is excused: which of them would it be?
fn too_many(outcome: &ChangeOutcome, difference: &CensusDifference) -> Option<String> {
    let (some, moved, word) = match &outcome.change.kind {
        ChangeKind::RemovedDocuments(some) => (some, difference.documents.missing.count, "missing"),
        ChangeKind::AddedDocuments(some) => (some, difference.documents.extra.count, "extra"),
        _ => return None,
    };
    let most = some.most?;
    (outcome.happened == 0 && moved > most || outcome.happened > most).then(|| {
        let count = show::number(moved.max(outcome.happened));
        format!("at most {} were declared, and {count} are {word}: none of them is excused", show::number(most))
    })
}

/// Names the documents in which it did not happen.
fn with_documents(finding: Finding, outcome: &ChangeOutcome) -> Finding {
    let changed = outcome.not_happened.clone();
    Finding { documents: (changed.count > 0).then(|| Documents { changed, ..Documents::default() }), ..finding }
}

/// No census says a word.
fn uncovered(case: &Case<'_>, change: &DeclaredChange) -> Finding {
    let of = show::name(&change.collection);
    let recorded = [case.before, case.after]
        .into_iter()
        .flat_map(|capture| &capture.censuses)
        .any(|census| census.collection == change.collection);
    super::unproven(
        change,
        if recorded {
            format!("the censuses of {of} were not compared, or not with this change in mind")
        } else {
            format!("no census covers {of}: add a probe with `component: census`")
        },
    )
}
