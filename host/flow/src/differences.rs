//! Compares the censuses of two captures, which it reads from the store or from files.

use std::collections::HashMap;

use taster_census::{Census, CensusError, DiffOptions};
use taster_judge::Renames;
use taster_model::{
    Capture, CensusComparisonError, CensusDifference, CensusDifferences, CensusFacts, DeclaredChange, Labels, Metric,
    ProbeOutcome, ProbeRecord, ReasonCode, Side, Value,
};
use taster_store::{CaptureCensuses, CensusBytes, Censuses, StoreError};

use crate::rules::Rules;

/// A capture and the place of its censuses.
#[derive(Clone, Copy)]
pub struct StoredCapture<'a> {
    /// The capture.
    pub capture: &'a Capture,
    /// The place of its censuses.
    pub censuses: &'a Censuses,
}

/// Compares every census that a metric of both captures names. They are compared one after the other and in parts, so that
/// memory does not grow with them. A census that cannot be read or compared is an error, never a pass.
pub(crate) async fn between(
    before: StoredCapture<'_>,
    after: StoredCapture<'_>,
    rules: Rules<'_>,
) -> CensusDifferences {
    let renames = Renames::found(before.capture, after.capture, rules.changes);
    let (aligned_before, aligned_after) = (renames.before(before.capture), renames.after(after.capture));
    let mut changes: HashMap<String, Vec<DeclaredChange>> = HashMap::new();
    for change in renames.changes(rules.changes).iter() {
        changes.entry(change.collection.clone()).or_default().push(change.clone());
    }
    let options = Options { changes, max_ids: rules.max_ids, renames: &renames };
    let probes = pairs(&aligned_before.probes, &aligned_after.probes);
    let (before, after) = (IndexedCapture::new(before), IndexedCapture::new(after));
    let mut found = CensusDifferences::new();
    for (earlier, later) in probes {
        for (metric, was, is) in metrics_of_both(earlier, later) {
            let was = CensusRef { stored: &before, probe: &earlier.name, id: was };
            let is = CensusRef { stored: &after, probe: &later.name, id: is };
            let key = (earlier.name.clone(), metric.name.clone(), metric.labels.clone());
            found.insert(key, difference(was, is, &options).await);
        }
    }
    found
}

/// How censuses are compared.
struct Options<'a> {
    /// The declared changes by collection under its new name, in the order of the configuration.
    changes: HashMap<String, Vec<DeclaredChange>>,
    max_ids: usize,
    renames: &'a Renames,
}

/// A stored capture. What is looked up for each of its censuses is indexed once: with ten thousand collections, a search for
/// each of them takes minutes.
struct IndexedCapture<'a> {
    side: Side,
    censuses: CaptureCensuses<'a>,
    /// By probe and id. Of several the first counts.
    facts: HashMap<(&'a str, &'a str), &'a CensusFacts>,
}

impl<'a> IndexedCapture<'a> {
    fn new(StoredCapture { capture, censuses }: StoredCapture<'a>) -> Self {
        let mut facts = HashMap::with_capacity(capture.censuses.len());
        for census in &capture.censuses {
            facts.entry((census.probe.as_str(), census.id.as_str())).or_insert(census);
        }
        Self { side: capture.side, censuses: censuses.of(capture), facts }
    }
}

/// The probes of both sides by name. Of several with one name the first after the sync counts.
fn pairs<'a>(before: &'a [ProbeRecord], after: &'a [ProbeRecord]) -> Vec<(&'a ProbeRecord, &'a ProbeRecord)> {
    let mut by_name: HashMap<&str, &ProbeRecord> = HashMap::new();
    for record in after {
        by_name.entry(record.name.as_str()).or_insert(record);
    }
    before.iter().filter_map(|earlier| Some((earlier, *by_name.get(earlier.name.as_str())?))).collect()
}

/// Metrics of both sides that name a census, with the ids that each side gives it.
fn metrics_of_both<'a>(before: &'a ProbeRecord, after: &'a ProbeRecord) -> Vec<(&'a Metric, &'a str, &'a str)> {
    let (ProbeOutcome::Metrics(before), ProbeOutcome::Metrics(after)) = (&before.outcome, &after.outcome) else {
        return Vec::new();
    };
    let mut by_name: HashMap<(&str, &Labels), &Metric> = HashMap::with_capacity(after.len());
    for metric in after {
        by_name.entry((metric.name.as_str(), &metric.labels)).or_insert(metric);
    }
    let named = |metric: &'a Metric| {
        let other: &'a Metric = by_name.get(&(metric.name.as_str(), &metric.labels)).copied()?;
        match (&metric.value, &other.value) {
            (Value::Census(was), Value::Census(is)) => Some((metric, was.as_str(), is.as_str())),
            _ => None,
        }
    };
    before.iter().filter_map(named).collect()
}

/// A census as a metric names it.
#[derive(Clone, Copy)]
struct CensusRef<'a> {
    stored: &'a IndexedCapture<'a>,
    probe: &'a str,
    id: &'a str,
}

impl CensusRef<'_> {
    async fn open(&self) -> Result<Census<CensusBytes>, CensusComparisonError> {
        let unlisted = || StoreError::Unlisted { probe: self.probe.to_owned(), id: self.id.to_owned() };
        let facts = self.stored.facts.get(&(self.probe, self.id)).ok_or_else(|| self.unreadable(&unlisted()))?;
        self.stored.censuses.open(facts).await.map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &StoreError) -> CensusComparisonError {
        let when = match self.stored.side {
            Side::Pre => "before the sync",
            Side::Post => "after the sync",
        };
        let reason = format!("the census from {when} cannot be used: {error}");
        CensusComparisonError { code: ReasonCode::CensusUnreadable, reason }
    }
}

async fn difference(
    was: CensusRef<'_>,
    is: CensusRef<'_>,
    options: &Options<'_>,
) -> Result<CensusDifference, CensusComparisonError> {
    let (before, after) = (was.open().await?, is.open().await?);
    let (old, new) = (before.identity().collection.clone(), after.identity().collection.clone());
    if options.renames.new_name(&old) != new {
        return Err(CensusComparisonError {
            code: ReasonCode::NotComparable,
            reason: format!("it is a census of `{old}`, then of `{new}`"),
        });
    }
    let changes = options.changes.get(&new).cloned().unwrap_or_default();
    let max_ids = options.max_ids;
    // it reads and computes for long, which must not block the threads of the runtime
    let compared = tokio::task::spawn_blocking(move || {
        let renamed_from = (old != new).then_some(&*old);
        taster_census::diff(&before, &after, &DiffOptions { changes: &changes, max_ids, renamed_from })
    });
    compared
        .await
        .unwrap_or_else(|error| Err(CensusError::Io(std::io::Error::other(error))))
        .map_err(|error| census_problem(&error))
}

fn census_problem(error: &CensusError) -> CensusComparisonError {
    let code = match error {
        CensusError::Incomparable { .. } => ReasonCode::NotComparable,
        _ => ReasonCode::CensusUnreadable,
    };
    CensusComparisonError { code, reason: error.to_string() }
}
