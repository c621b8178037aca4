//! What two censuses of one collection say about its documents: which are missing, extra or changed, and what became of
//! the changes that were declared.

use std::collections::BTreeMap;

use crate::{DeclaredChange, DocumentSet, Documents, Labels, ReasonCode};

/// Two censuses of one collection, compared document by document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CensusDifference {
    /// Documents before the sync.
    pub before: u64,
    /// Documents after it.
    pub after: u64,
    /// What nobody declared: missing, extra and changed documents, with the first ids of each. The fields of `changed`
    /// carry numbers where the census recorded every field; else they stand in `paths` at most.
    pub documents: Documents,
    /// Paths whose values differ anywhere, beside the declared ones: `total`, `items[].price`. Empty where documents are
    /// missing or extra, for then nobody can tell.
    pub paths: Vec<String>,
    /// What became of each declared change of fields and documents of this collection, in the order of the
    /// configuration.
    pub changes: Vec<ChangeOutcome>,
    /// Missing documents that were due to expire by an index of before.
    pub expired: DocumentSet,
}

impl CensusDifference {
    /// Whether every document is what it was, or became what was declared.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Documents { missing, extra, changed } = &self.documents;
        missing.count + extra.count + changed.count == 0
    }
}

/// What became of a declared change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeOutcome {
    /// What was declared.
    pub change: DeclaredChange,
    /// Documents in which it happened, and nothing else with them.
    pub happened: u64,
    /// Documents in which it had to happen and did not.
    pub not_happened: DocumentSet,
    /// Documents in which it had happened before the sync already.
    pub already: u64,
    /// Why nobody can tell: it was declared too late.
    pub unproven: Option<String>,
}

/// Why two censuses were not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusProblem {
    /// For machines.
    pub code: ReasonCode,
    /// For people.
    pub reason: String,
}

/// The differences of all censuses of two captures, by probe, metric and labels.
pub type Differences = BTreeMap<(String, String, Labels), Result<CensusDifference, CensusProblem>>;
