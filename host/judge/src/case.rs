//! What is judged once both sides are there, and what everybody asks of it.

use taster_model::{
    Capture, CensusDifference, CensusFacts, ChangeKind, CollectionKind, DeclaredChange, Differences, Expectation,
    Labels, Metric, Severity, Value,
};

/// Both sides, and what was said of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) before: &'a Capture,
    pub(crate) after: &'a Capture,
    pub(crate) expectations: &'a [Expectation],
    pub(crate) changes: &'a [DeclaredChange],
    pub(crate) differences: &'a Differences,
}

/// The label that says which collection a metric is of.
pub(crate) const COLLECTION: &str = "collection";

/// Labels of a finding about a collection.
pub(crate) fn of_collection(name: &str) -> Labels {
    Labels::from([(COLLECTION.to_owned(), name.to_owned())])
}

/// Whether the collection is there.
pub(crate) fn is_there(capture: &Capture, name: &str) -> bool {
    capture.collections.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent)
}

/// How many documents the census of `metric` holds, by the capture.
pub(crate) fn census_documents(capture: &Capture, probe: &str, metric: &Metric) -> Option<u64> {
    let Value::Census(id) = &metric.value else { return None };
    capture.censuses.iter().find(|facts| facts.probe == probe && facts.id == *id).map(|facts| facts.documents)
}

impl<'a> Case<'a> {
    /// The declared change that made or removed the whole collection, where it happened: everything that is said of the
    /// collection on one side then has no other side, and that is as it should be.
    pub(crate) fn whole(&self, collection: &str) -> Option<&'a DeclaredChange> {
        let was = is_there(self.before, collection);
        let is = is_there(self.after, collection);
        self.changes.iter().filter(|change| change.collection == collection).find(|change| match change.kind {
            ChangeKind::AddedCollection => !was && is,
            ChangeKind::RemovedCollection => was && !is,
            _ => false,
        })
    }

    /// Compared censuses of a collection that may stand for more than themselves: what they prove of every document and
    /// every field of it explains what other probes see. One that decides nothing, or that left something out, does not.
    ///
    /// The collection is the one that the captures say: labels are the probe's own words.
    pub(crate) fn proofs(&self, collection: &'a str) -> impl Iterator<Item = &'a CensusDifference> {
        let (before, after) = (self.before, self.after);
        self.differences.iter().filter_map(move |((probe, metric, labels), difference)| {
            let difference = difference.as_ref().ok()?;
            let gates = after
                .probes
                .iter()
                .any(|record| record.name == *probe && record.severity == Severity::Fail && !record.muted);
            let whole = [before, after].into_iter().all(|capture| {
                let facts = census_of(capture, probe, metric, labels);
                facts.is_some_and(|facts| facts.collection == collection && sees_all(facts))
            });
            (gates && whole).then_some(difference)
        })
    }
}

/// Whether a census is of every document and leaves no field out.
fn sees_all(census: &CensusFacts) -> bool {
    let nothing = |key: &str| match census.options.get(key) {
        None | Some(serde_json::Value::Null) => true,
        Some(list) => list.as_array().is_some_and(Vec::is_empty),
    };
    nothing("filter") && nothing("ignored")
}

/// The census that a metric names, by the capture.
fn census_of<'a>(capture: &'a Capture, probe: &str, metric: &str, labels: &Labels) -> Option<&'a CensusFacts> {
    let record = capture.probes.iter().find(|record| record.name == probe)?;
    let taster_model::Outcome::Metrics(metrics) = &record.outcome else { return None };
    let metric = metrics.iter().find(|one| one.name == metric && one.labels == *labels)?;
    let Value::Census(id) = &metric.value else { return None };
    capture.censuses.iter().find(|facts| facts.probe == probe && facts.id == *id)
}
