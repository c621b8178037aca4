//! [`CollectionEvidence`]: on what the verdict about one collection rests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// On what the verdict about one collection rests: how far its documents were compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CollectionEvidence {
    /// Name of the collection.
    pub collection: String,
    /// How it was compared.
    pub basis: EvidenceBasis,
    /// Number of documents that the census holds after the sync. Absent without a census.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// Number of documents that the census held before the sync. Absent without a census.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Number of documents of before the sync that are gone and excused, by a declared change or because they expired.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub excused: u64,
    /// The filter of the census as Extended JSON: documents that it does not match were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<serde_json::Value>,
    /// Top-level fields that the census left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// How a collection was compared. Only probes that decide the verdict count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceBasis {
    /// Every document and every field, by a census.
    Whole,
    /// By a census that leaves out documents or fields.
    Part,
    /// By the numbers of other probes.
    Metrics,
    /// Not at all.
    None,
}

impl CollectionEvidence {
    /// Whether documents of before the sync were compared with those of after it: not if every one of them is excused.
    #[must_use]
    pub fn compares_documents(&self) -> bool {
        self.before.is_some_and(|before| before == 0 || before > self.excused)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
