//! What is judged once both sides are there, and what everybody asks of it.

use taster_model::{
    Capture, CensusDifference, ChangeKind, CollectionKind, DeclaredChange, Differences, Expectation, Labels, Metric,
    Value,
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

    /// Whether the census that `probe` took of the collection is of every document and leaves no field out.
    pub(crate) fn sees_all(&self, probe: &str, collection: &str) -> bool {
        let mut censuses = [self.before, self.after].into_iter().map(|capture| {
            capture.censuses.iter().find(|census| census.probe == probe && census.collection == collection)
        });
        let nothing = |options: &serde_json::Value, key: &str| match options.get(key) {
            None | Some(serde_json::Value::Null) => true,
            Some(list) => list.as_array().is_some_and(Vec::is_empty),
        };
        censuses.all(|census| {
            census.is_some_and(|census| nothing(&census.options, "filter") && nothing(&census.options, "ignored"))
        })
    }

    /// Compared censuses of a collection, each with the probe that took them.
    pub(crate) fn compared(&self, collection: &'a str) -> impl Iterator<Item = (&'a str, &'a CensusDifference)> {
        let (before, after) = (self.before, self.after);
        self.differences.iter().filter_map(move |((probe, metric, labels), difference)| {
            let difference = difference.as_ref().ok()?;
            let labelled = labels.get(COLLECTION).map(String::as_str);
            let recorded = || census_collection(after, probe, metric, labels);
            let of = labelled.or_else(recorded).or_else(|| census_collection(before, probe, metric, labels));
            (of == Some(collection)).then_some((probe.as_str(), difference))
        })
    }
}

/// The collection of the census that a metric names, by the capture.
fn census_collection<'a>(capture: &'a Capture, probe: &str, metric: &str, labels: &Labels) -> Option<&'a str> {
    let record = capture.probes.iter().find(|record| record.name == probe)?;
    let taster_model::Outcome::Metrics(metrics) = &record.outcome else { return None };
    let metric = metrics.iter().find(|one| one.name == metric && one.labels == *labels)?;
    let Value::Census(id) = &metric.value else { return None };
    let facts = capture.censuses.iter().find(|facts| facts.probe == probe && facts.id == *id)?;
    Some(&facts.collection)
}
