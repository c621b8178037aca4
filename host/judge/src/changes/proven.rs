//! Findings about declared changes of fields and documents, which censuses prove.

use std::collections::HashMap;

use taster_model::{
    AddedField, BsonType, CensusDifference, ChangeKind, ChangeOutcome, DeclaredChange, DifferingDocuments, Finding,
    FindingOutcome, ProbeRecord, RetypedField, ValueCheck,
};

use super::finding::{happened, missing, unproven};
use crate::{capture_pair::CapturePair, show};

/// What one census says about a declared change.
struct CensusEvidence<'a> {
    outcome: &'a ChangeOutcome,
    difference: &'a CensusDifference,
    probe: &'a str,
    record: Option<&'a ProbeRecord>,
}

/// A finding for each change that a census reports on, and for each change that needs a census and has none.
pub(super) fn findings(captures: &CapturePair<'_>) -> Vec<Finding> {
    let mut by_change: Vec<(&DeclaredChange, Vec<CensusEvidence<'_>>)> = Vec::new();
    let mut positions: HashMap<(&str, String), usize> = HashMap::new();
    for change in captures.changes.iter().filter(|change| change.kind.needs_census()) {
        positions.entry(identity(change)).or_insert(by_change.len());
        by_change.push((change, Vec::new()));
    }
    let mut records: HashMap<&str, &ProbeRecord> = HashMap::new();
    for record in &captures.after.capture.probes {
        records.entry(&record.name).or_insert(record);
    }
    for ((probe, ..), difference) in captures.differences {
        let Ok(difference) = difference else { continue };
        let record = records.get(probe.as_str()).copied();
        for outcome in &difference.changes {
            let position = *positions.entry(identity(&outcome.change)).or_insert_with(|| {
                by_change.push((&outcome.change, Vec::new()));
                by_change.len() - 1
            });
            by_change[position].1.push(CensusEvidence { outcome, difference, probe, record });
        }
    }
    by_change.into_iter().map(|(change, evidence)| strongest_finding(captures, change, evidence)).collect()
}

/// What two declarations of the same change have in common, whatever their reasons are.
pub(crate) fn identity(change: &DeclaredChange) -> (&str, String) {
    (change.collection.as_str(), format!("{:?}", change.kind))
}

/// The one finding about a change that several censuses report on. Censuses that decide the verdict come first, then
/// those that disprove the change, then those that prove it: a census with a filter may prove less than another.
fn strongest_finding(
    captures: &CapturePair<'_>,
    change: &DeclaredChange,
    evidence: Vec<CensusEvidence<'_>>,
) -> Finding {
    let rank = |evidence: &CensusEvidence<'_>| {
        let finding = evidence.finding();
        let outcome = match finding.outcome {
            FindingOutcome::Different => 0_u8,
            FindingOutcome::Expected | FindingOutcome::Same => 1,
            FindingOutcome::Unknown => 2,
        };
        // a finding that lists documents is more useful than one that only counts them
        (!finding.gates(), outcome, finding.documents.is_none())
    };
    match evidence.into_iter().min_by_key(rank) {
        Some(strongest) => strongest.finding(),
        None => without_census(captures, change),
    }
}

impl CensusEvidence<'_> {
    fn finding(&self) -> Finding {
        Finding {
            probe: Some(self.probe.to_owned()),
            severity: self.record.map(|record| record.severity).unwrap_or_default(),
            muted: self.record.is_some_and(|record| record.muted),
            ..judge_outcome(self.outcome, self.difference)
        }
    }
}

fn judge_outcome(outcome: &ChangeOutcome, difference: &CensusDifference) -> Finding {
    let change = &outcome.change;
    if let Some(why) = &outcome.unproven_reason {
        return unproven(change, taster_text::escape_hidden(why));
    }
    if let Some(reason) = exceeded_limit(outcome, difference) {
        return missing(change, reason);
    }
    if outcome.happened == 0 {
        let reason = match outcome.already_before {
            0 => "declared, but it did not happen".to_owned(),
            already => format!("already present before the sync in {}", taster_text::counted(already, "document")),
        };
        return with_unchanged_documents(missing(change, reason), outcome);
    }
    if outcome.not_happened.count > 0 {
        let reason = incomplete_reason(outcome);
        return with_unchanged_documents(missing(change, reason), outcome);
    }
    let already = match outcome.already_before {
        0 => String::new(),
        already => format!("; {} already had it", taster_text::grouped(already)),
    };
    let is_about_documents = matches!(change.kind, ChangeKind::AddedDocuments(_) | ChangeKind::RemovedDocuments(_));
    let preposition = if is_about_documents { "" } else { "in " };
    let documents = taster_text::counted(outcome.happened, "document");
    happened(change, format!("{preposition}{documents}{already}{}", values_text(outcome)))
}

/// What is known of the values of an added or a converted field.
fn values_text(outcome: &ChangeOutcome) -> String {
    match &outcome.change.kind {
        ChangeKind::AddedField(AddedField { values, field_type, .. })
            if values.is_empty() && *field_type != BsonType::Null =>
        {
            return "; with any value, since no `value` is declared".to_owned();
        }
        ChangeKind::RetypedField(RetypedField { values: ValueCheck::Ignored, .. }) => {
            return "; the values were not compared".to_owned();
        }
        _ => {}
    }
    let readings = outcome.readings.iter().filter(|(_, documents)| **documents > 0);
    let parts: Vec<String> = readings
        .map(|(name, documents)| match outcome.readings.len() {
            1 => format!("; converted to {name}"),
            _ => format!("; {} converted to {name}", taster_text::grouped(*documents)),
        })
        .collect();
    parts.concat()
}

/// The change happened in some documents only.
fn incomplete_reason(outcome: &ChangeOutcome) -> String {
    let documents = taster_text::counted(outcome.not_happened.count, "document");
    let reason = match outcome.change.kind {
        ChangeKind::AddedField(_) => format!("missing in {documents}"),
        ChangeKind::RemovedDocuments(_) => format!("still present: {documents}"),
        _ => format!("did not happen in {documents}"),
    };
    format!("{reason}; it happened in {}", taster_text::grouped(outcome.happened))
}

/// More documents were added or removed than `maxDocuments` allows. Then the declaration covers none of them, because it
/// does not say which ones.
fn exceeded_limit(outcome: &ChangeOutcome, difference: &CensusDifference) -> Option<String> {
    let (documents, differing, label) = match &outcome.change.kind {
        ChangeKind::RemovedDocuments(documents) => (documents, difference.documents.missing.count, "missing"),
        ChangeKind::AddedDocuments(documents) => (documents, difference.documents.extra.count, "extra"),
        _ => return None,
    };
    let limit = documents.max_documents?;
    (outcome.happened == 0 && differing > limit || outcome.happened > limit).then(|| {
        let count = taster_text::counted(differing.max(outcome.happened), "document");
        format!("{count} {label}, but `maxDocuments` allows {}: none of them is covered", taster_text::grouped(limit))
    })
}

/// Lists the documents in which the change did not happen.
fn with_unchanged_documents(finding: Finding, outcome: &ChangeOutcome) -> Finding {
    let changed = outcome.not_happened.clone();
    let documents = (changed.count > 0).then(|| DifferingDocuments { changed, ..DifferingDocuments::default() });
    Finding { documents, ..finding }
}

/// No census reports on the change.
fn without_census(captures: &CapturePair<'_>, change: &DeclaredChange) -> Finding {
    let collection = show::name(&change.collection);
    unproven(
        change,
        if captures.has_census(&change.collection) {
            format!("the censuses of {collection} were not compared, or were compared without this change")
        } else {
            format!("no census covers {collection}: add a probe with `component: census`")
        },
    )
}
