//! What the host needs to record censuses for a probe.

use std::{fmt, time::Duration};

use taster_census::{CensusKey, Redaction, ScratchSpace};
use taster_model::{AppName, AttemptId, CensusFacts, DeclaredChange, RunId, Side};

/// What the host needs to record censuses for a probe.
#[derive(Clone)]
pub struct CensusEnv {
    /// The key of the digests. After the sync it is the baseline's.
    pub key: CensusKey,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// The side of the sync.
    pub side: Side,
    /// The attempt at this side.
    pub attempt: AttemptId,
    /// All declared changes of the configuration. Error texts name them by their position in it.
    pub changes: Vec<DeclaredChange>,
    /// After the sync: the baseline's censuses of all probes. What they recorded separately is recorded separately again.
    pub baseline: Vec<CensusFacts>,
    /// What is not written down. After the sync the baseline's redaction applies if this is `None`.
    pub redaction: Option<Redaction>,
    /// The key of redacted ids.
    pub secret: Option<Vec<u8>>,
    /// Scratch space and memory. Several cursors share the memory.
    pub scratch: ScratchSpace,
    /// Bytes on disk that all censuses of one run of the probe may take, `limits.censusBytes`.
    pub disk_bytes: u64,
    /// Cursors that read an ordinary collection at the same time, each with its own hash thread. 0 and 1 mean one.
    ///
    /// A census with a filter, one that records declared documents separately, and one in ranges use one cursor.
    pub cursors: u32,
    /// Time that all censuses of one run of the probe may take, `limits.census`. No other limit applies to them.
    pub deadline: Duration,
}

impl fmt::Debug for CensusEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CensusEnv")
            .field("key", &self.key)
            .field("run", &self.run)
            .field("side", &self.side)
            .field("attempt", &self.attempt)
            .field("changes", &self.changes.len())
            .field("baseline", &self.baseline.len())
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field("cursors", &self.cursors)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl CensusEnv {
    /// The declared changes of fields and documents of a collection.
    pub(super) fn changes_of(&self, collection: &str) -> Vec<DeclaredChange> {
        let concerns =
            |change: &&DeclaredChange| change.kind.needs_census() && change.concerns(collection, &self.changes);
        self.changes.iter().filter(concerns).cloned().collect()
    }

    /// The baseline's census that a census of this collection is going to be compared with. It is found by collection, not
    /// by id: one more collection would shift the ids of all later censuses. If there are several, all were recorded with
    /// the same options.
    pub(super) fn baseline_of(&self, probe: &str, collection: &str) -> Option<&CensusFacts> {
        let named = |name: &str| self.baseline.iter().find(|facts| facts.probe == probe && facts.collection == name);
        named(collection).or_else(|| taster_model::other_names(&self.changes, collection).find_map(named))
    }
}
