//! The two captures that are compared, with the operator's expectations and declared changes.

use taster_model::{
    Capture, CensusDifference, CensusDifferences, CensusFacts, ChangeKind, CollectionKind, DeclaredChange, Expectation,
    Labels, Metric, ProbeOutcome, Severity, Value,
};

/// Both captures, and what was declared about their differences.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CapturePair<'a> {
    pub(crate) before: &'a Capture,
    pub(crate) after: &'a Capture,
    pub(crate) expectations: &'a [Expectation],
    pub(crate) changes: &'a [DeclaredChange],
    pub(crate) differences: &'a CensusDifferences,
}

/// The label that names the collection of a metric.
pub(crate) const COLLECTION: &str = "collection";

/// Labels of a finding about a collection.
pub(crate) fn collection_labels(name: &str) -> Labels {
    Labels::from([(COLLECTION.to_owned(), name.to_owned())])
}

/// Whether the collection existed at the time of the capture.
pub(crate) fn collection_exists(capture: &Capture, name: &str) -> bool {
    capture.collections.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent)
}

/// Number of documents in the census that `metric` refers to.
pub(crate) fn census_documents(capture: &Capture, probe: &str, metric: &Metric) -> Option<u64> {
    census_facts(capture, probe, metric).map(|facts| facts.documents)
}

impl<'a> CapturePair<'a> {
    /// The declared change that created or dropped the whole collection, if it happened. Findings about that collection
    /// then have no other side to compare with, as declared.
    pub(crate) fn created_or_dropped(&self, collection: &str) -> Option<&'a DeclaredChange> {
        let existed = collection_exists(self.before, collection);
        let exists = collection_exists(self.after, collection);
        self.changes.iter().filter(|change| change.collection == collection).find(|change| match change.kind {
            ChangeKind::AddedCollection => !existed && exists,
            ChangeKind::RemovedCollection => existed && !exists,
            _ => false,
        })
    }

    /// Compared censuses that may explain what other probes report about the collection: those that decide the verdict and
    /// that cover every document and every field.
    ///
    /// The collection is taken from the captures: labels are chosen by the probe and are not trusted.
    pub(crate) fn complete_censuses(&self, collection: &'a str) -> impl Iterator<Item = &'a CensusDifference> {
        let (before, after) = (self.before, self.after);
        self.differences.iter().filter_map(move |((probe, metric, labels), difference)| {
            let difference = difference.as_ref().ok()?;
            let decides = after
                .probes
                .iter()
                .any(|record| record.name == *probe && record.severity == Severity::Fail && !record.muted);
            let is_complete = [before, after].into_iter().all(|capture| {
                let facts = find_census(capture, probe, metric, labels);
                facts.is_some_and(|facts| facts.collection == collection && covers_everything(facts))
            });
            (decides && is_complete).then_some(difference)
        })
    }
}

/// Whether a census covers every document and every field.
fn covers_everything(census: &CensusFacts) -> bool {
    let is_unset = |option: &str| match census.options.get(option) {
        None | Some(serde_json::Value::Null) => true,
        Some(list) => list.as_array().is_some_and(Vec::is_empty),
    };
    is_unset("filter") && is_unset("ignored")
}

/// The census of the metric with this name and these labels.
fn find_census<'a>(capture: &'a Capture, probe: &str, metric: &str, labels: &Labels) -> Option<&'a CensusFacts> {
    let record = capture.probes.iter().find(|record| record.name == probe)?;
    let ProbeOutcome::Metrics(metrics) = &record.outcome else { return None };
    let metric = metrics.iter().find(|candidate| candidate.name == metric && candidate.labels == *labels)?;
    census_facts(capture, probe, metric)
}

/// The census that `metric` refers to.
fn census_facts<'a>(capture: &'a Capture, probe: &str, metric: &Metric) -> Option<&'a CensusFacts> {
    let Value::Census(id) = &metric.value else { return None };
    capture.censuses.iter().find(|facts| facts.probe == probe && facts.id == *id)
}
