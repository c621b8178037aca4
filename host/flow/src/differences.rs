//! Compares the censuses of two captures, which it reads from the store or from files.

use taster_census::{Census, CensusError, DiffOptions};
use taster_judge::Renames;
use taster_model::{
    Capture, CensusComparisonError, CensusDifference, CensusDifferences, CensusFacts, DeclaredChange, Metric,
    ProbeOutcome, ProbeRecord, ReasonCode, Side, Value,
};
use taster_store::{CensusBytes, Censuses, StoreError};

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
    let renames = &Renames::found(before.capture, after.capture, rules.changes);
    let (aligned_before, aligned_after) = (renames.before(before.capture), renames.after(after.capture));
    let mut found = CensusDifferences::new();
    for (earlier, later) in pairs(&aligned_before.probes, &aligned_after.probes) {
        for (metric, was, is) in metrics_of_both(earlier, later) {
            let was = CensusRef { stored: before, probe: &earlier.name, id: was };
            let is = CensusRef { stored: after, probe: &later.name, id: is };
            let key = (earlier.name.clone(), metric.name.clone(), metric.labels.clone());
            found.insert(key, difference(was, is, rules, renames).await);
        }
    }
    found
}

fn pairs<'a>(
    before: &'a [ProbeRecord],
    after: &'a [ProbeRecord],
) -> impl Iterator<Item = (&'a ProbeRecord, &'a ProbeRecord)> {
    before.iter().filter_map(|earlier| Some((earlier, after.iter().find(|later| later.name == earlier.name)?)))
}

/// Metrics of both sides that name a census, with the ids that each side gives it.
fn metrics_of_both<'a>(before: &'a ProbeRecord, after: &'a ProbeRecord) -> Vec<(&'a Metric, &'a str, &'a str)> {
    let (ProbeOutcome::Metrics(before), ProbeOutcome::Metrics(after)) = (&before.outcome, &after.outcome) else {
        return Vec::new();
    };
    let named = |metric: &'a Metric| {
        let other = after.iter().find(|other| (&other.name, &other.labels) == (&metric.name, &metric.labels))?;
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
    stored: StoredCapture<'a>,
    probe: &'a str,
    id: &'a str,
}

impl CensusRef<'_> {
    fn facts(&self) -> Option<&CensusFacts> {
        self.stored
            .capture
            .censuses
            .iter()
            .find(|facts| (facts.probe.as_str(), facts.id.as_str()) == (self.probe, self.id))
    }

    async fn open(&self) -> Result<Census<CensusBytes>, CensusComparisonError> {
        let unlisted = || StoreError::Unlisted { probe: self.probe.to_owned(), id: self.id.to_owned() };
        let facts = self.facts().ok_or_else(|| self.unreadable(&unlisted()))?;
        self.stored.censuses.open(self.stored.capture, facts).await.map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &StoreError) -> CensusComparisonError {
        let when = match self.stored.capture.side {
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
    rules: Rules<'_>,
    renames: &Renames,
) -> Result<CensusDifference, CensusComparisonError> {
    let (before, after) = (was.open().await?, is.open().await?);
    let (old, new) = (before.identity().collection.clone(), after.identity().collection.clone());
    if renames.new_name(&old) != new {
        return Err(CensusComparisonError {
            code: ReasonCode::NotComparable,
            reason: format!("it is a census of `{old}`, then of `{new}`"),
        });
    }
    let changes = renames.changes(rules.changes);
    let changes: Vec<DeclaredChange> = changes.iter().filter(|change| change.collection == new).cloned().collect();
    let max_ids = rules.max_ids;
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
