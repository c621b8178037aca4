//! The two captures that are compared, with the operator's expectations and declared changes.
//!
//! What is looked up for each metric is indexed once: with ten thousand collections, a search for each of them takes minutes.

use std::collections::{HashMap, HashSet};

use taster_model::{
    Capture, CensusDifference, CensusDifferences, CensusFacts, ChangeKind, CollectionFacts, CollectionKind,
    DeclaredChange, Expectation, Labels, Metric, ProbeOutcome, Severity, Value,
};

use crate::expectation_index::ExpectationIndex;

/// Both captures, and what was declared about their differences.
#[derive(Debug)]
pub(crate) struct CapturePair<'a> {
    pub(crate) before: CaptureIndex<'a>,
    pub(crate) after: CaptureIndex<'a>,
    pub(crate) expectations: ExpectationIndex<'a>,
    pub(crate) changes: &'a [DeclaredChange],
    pub(crate) differences: &'a CensusDifferences,
    changes_by_collection: HashMap<&'a str, Vec<&'a DeclaredChange>>,
    compared_censuses: Vec<ComparedCensus<'a>>,
    counting_censuses: HashMap<&'a str, Vec<ComparedCensus<'a>>>,
    collections_with_census: HashSet<&'a str>,
}

/// A census of both captures, and the difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComparedCensus<'a> {
    /// Its probe, metric and labels.
    pub(crate) metric: &'a (String, String, Labels),
    pub(crate) before: &'a CensusFacts,
    pub(crate) after: &'a CensusFacts,
    pub(crate) difference: &'a CensusDifference,
}

impl ComparedCensus<'_> {
    /// Whether it covers every document and every field.
    pub(crate) fn is_complete(&self) -> bool {
        self.covers_every_document() && self.has_none("ignored")
    }

    /// Whether it covers every document, be it without some fields.
    fn covers_every_document(&self) -> bool {
        self.has_none("filter")
    }

    /// Whether an option that leaves something out was set in neither capture.
    fn has_none(&self, option: &str) -> bool {
        [self.before, self.after].into_iter().all(|census| match census.options.get(option) {
            None | Some(serde_json::Value::Null) => true,
            Some(list) => list.as_array().is_some_and(Vec::is_empty),
        })
    }
}

/// A capture, with its collections and censuses by name. Of several with one name the first counts.
#[derive(Debug)]
pub(crate) struct CaptureIndex<'a> {
    pub(crate) capture: &'a Capture,
    collections: HashMap<&'a str, &'a CollectionFacts>,
    /// By probe and id.
    censuses: HashMap<(&'a str, &'a str), &'a CensusFacts>,
}

/// The label that names the collection of a metric.
pub(crate) const COLLECTION: &str = "collection";

/// Labels of a finding about a collection.
pub(crate) fn collection_labels(name: &str) -> Labels {
    Labels::from([(COLLECTION.to_owned(), name.to_owned())])
}

impl<'a> CaptureIndex<'a> {
    fn new(capture: &'a Capture) -> Self {
        let mut collections = HashMap::new();
        for facts in &capture.collections {
            collections.entry(facts.name.as_str()).or_insert(facts);
        }
        let mut censuses = HashMap::new();
        for facts in &capture.censuses {
            censuses.entry((facts.probe.as_str(), facts.id.as_str())).or_insert(facts);
        }
        Self { capture, collections, censuses }
    }

    pub(crate) fn collection(&self, name: &str) -> Option<&'a CollectionFacts> {
        self.collections.get(name).copied()
    }

    /// Whether the collection existed at the time of the capture.
    pub(crate) fn has_collection(&self, name: &str) -> bool {
        self.collection(name).is_some_and(|facts| facts.kind != CollectionKind::Absent)
    }

    /// The census that `metric` refers to.
    pub(crate) fn census(&self, probe: &str, metric: &Metric) -> Option<&'a CensusFacts> {
        let Value::Census(id) = &metric.value else { return None };
        self.censuses.get(&(probe, id.as_str())).copied()
    }

    /// Number of documents in the census that `metric` refers to.
    pub(crate) fn census_documents(&self, probe: &str, metric: &Metric) -> Option<u64> {
        self.census(probe, metric).map(|facts| facts.documents)
    }

    /// The censuses that metrics refer to, by probe, metric and labels.
    fn censuses_by_metric(&self) -> HashMap<(&'a str, &'a str, &'a Labels), &'a CensusFacts> {
        let mut found = HashMap::new();
        for record in &self.capture.probes {
            let ProbeOutcome::Metrics(metrics) = &record.outcome else { continue };
            for metric in metrics {
                if let Some(facts) = self.census(&record.name, metric) {
                    found.entry((record.name.as_str(), metric.name.as_str(), &metric.labels)).or_insert(facts);
                }
            }
        }
        found
    }
}

impl<'a> CapturePair<'a> {
    pub(crate) fn new(
        before: &'a Capture,
        after: &'a Capture,
        expectations: &'a [Expectation],
        changes: &'a [DeclaredChange],
        differences: &'a CensusDifferences,
    ) -> Self {
        let (before, after) = (CaptureIndex::new(before), CaptureIndex::new(after));
        let mut changes_by_collection: HashMap<&str, Vec<&DeclaredChange>> = HashMap::new();
        for change in changes {
            changes_by_collection.entry(change.collection.as_str()).or_default().push(change);
        }
        let compared_censuses = compared_censuses(&before, &after, differences);
        let counting_censuses = counting_censuses(&after, &compared_censuses);
        let censuses = [before.capture, after.capture].into_iter().flat_map(|capture| &capture.censuses);
        let collections_with_census = censuses.map(|census| census.collection.as_str()).collect();
        let expectations = ExpectationIndex::new(expectations);
        Self {
            before,
            after,
            expectations,
            changes,
            differences,
            changes_by_collection,
            compared_censuses,
            counting_censuses,
            collections_with_census,
        }
    }

    /// The declared changes of one collection.
    pub(crate) fn changes_of(&self, collection: &str) -> impl Iterator<Item = &'a DeclaredChange> {
        self.changes_by_collection.get(collection).into_iter().flatten().copied()
    }

    /// The declared change that created or dropped the whole collection, if it happened. Findings about that collection
    /// then have no other side to compare with, as declared.
    pub(crate) fn created_or_dropped(&self, collection: &str) -> Option<&'a DeclaredChange> {
        self.changes_of(collection).find(|change| match change.kind {
            ChangeKind::AddedCollection => {
                !self.before.has_collection(collection) && self.after.has_collection(collection)
            }
            ChangeKind::RemovedCollection => {
                self.before.has_collection(collection) && !self.after.has_collection(collection)
            }
            _ => false,
        })
    }

    /// Every census that was compared.
    pub(crate) fn compared_censuses(&self) -> &[ComparedCensus<'a>] {
        &self.compared_censuses
    }

    /// Whether a capture has a census of the collection.
    pub(crate) fn has_census(&self, collection: &str) -> bool {
        self.collections_with_census.contains(collection)
    }

    /// Compared censuses that may explain how many documents the collection has: those that decide the verdict and that cover
    /// every document.
    pub(crate) fn counting_censuses(&self, collection: &str) -> impl Iterator<Item = ComparedCensus<'a>> {
        self.counting_censuses.get(collection).into_iter().flatten().copied()
    }

    /// Those of them that may explain whatever other probes report about the collection: they cover every field, too.
    pub(crate) fn complete_censuses(&self, collection: &str) -> impl Iterator<Item = ComparedCensus<'a>> {
        self.counting_censuses(collection).filter(ComparedCensus::is_complete)
    }
}

/// The censuses that were compared. The collection is taken from the captures: labels are chosen by the probe and are not
/// trusted.
fn compared_censuses<'a>(
    before: &CaptureIndex<'a>,
    after: &CaptureIndex<'a>,
    differences: &'a CensusDifferences,
) -> Vec<ComparedCensus<'a>> {
    let (old, new) = (before.censuses_by_metric(), after.censuses_by_metric());
    let compared = differences.iter().filter_map(|(metric, difference)| {
        let key = (metric.0.as_str(), metric.1.as_str(), &metric.2);
        let (before, after) = (old.get(&key).copied()?, new.get(&key).copied()?);
        let difference = difference.as_ref().ok()?;
        (before.collection == after.collection).then_some(ComparedCensus { metric, before, after, difference })
    });
    compared.collect()
}

/// See [`CapturePair::counting_censuses`].
fn counting_censuses<'a>(
    after: &CaptureIndex<'a>,
    compared: &[ComparedCensus<'a>],
) -> HashMap<&'a str, Vec<ComparedCensus<'a>>> {
    let mut decides: HashMap<&str, bool> = HashMap::new();
    for record in &after.capture.probes {
        *decides.entry(&record.name).or_default() |= record.severity == Severity::Fail && !record.muted;
    }
    let mut counting: HashMap<&str, Vec<ComparedCensus<'_>>> = HashMap::new();
    for census in compared {
        let decides = decides.get(census.metric.0.as_str()).copied().unwrap_or(false);
        if decides && census.covers_every_document() {
            counting.entry(census.after.collection.as_str()).or_default().push(*census);
        }
    }
    counting
}
