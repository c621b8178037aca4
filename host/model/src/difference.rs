//! The difference of two censuses of a collection: missing, extra and changed documents, and the outcome of each declared
//! change.

use std::collections::BTreeMap;

use crate::{DeclaredChange, DifferingDocuments, DocumentSet, Labels, ReasonCode};

/// The result of comparing two censuses of one collection document by document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CensusDifference {
    /// Number of documents before the sync.
    pub before: u64,
    /// Number of documents after the sync.
    pub after: u64,
    /// Missing, extra and changed documents that no declared change explains, with the first ids of each. If the census
    /// recorded every field, `changed` counts the documents per changed field.
    pub documents: DifferingDocuments,
    /// Paths whose values differ in any document, except declared ones: `total`, `items[].price`. Empty if documents are
    /// missing or extra, because the sums by path cannot be compared then.
    pub paths: Vec<String>,
    /// The outcome of each declared change of fields and documents of this collection, in the order of the configuration.
    pub changes: Vec<ChangeOutcome>,
    /// Missing documents that were due to expire under a TTL index that existed before the sync.
    pub expired: DocumentSet,
}

impl CensusDifference {
    /// Whether every document is unchanged or changed as declared.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let DifferingDocuments { missing, extra, changed } = &self.documents;
        missing.count + extra.count + changed.count == 0
    }
}

/// The outcome of a declared change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeOutcome {
    /// The declared change.
    pub change: DeclaredChange,
    /// Number of documents that changed as declared, and in no other way.
    pub happened: u64,
    /// Of a converted field: those documents by the way in which their values were converted.
    pub readings: BTreeMap<String, u64>,
    /// Documents that should have changed and did not.
    pub not_happened: DocumentSet,
    /// Number of documents that already had the change before the sync.
    pub already_before: u64,
    /// Why the change can be neither proven nor disproven. `None`: it was proven or disproven.
    pub unproven_reason: Option<String>,
}

/// Why two censuses were not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusComparisonError {
    /// The reason code of the finding.
    pub code: ReasonCode,
    /// The reason as text.
    pub reason: String,
}

/// The differences of all censuses of two captures, by probe, metric and labels.
pub type CensusDifferences = BTreeMap<(String, String, Labels), Result<CensusDifference, CensusComparisonError>>;
