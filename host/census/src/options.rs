//! Options of a census: what it covers, and in which detail.

use std::path::PathBuf;

use crate::{Conversion, DiskBudget};
use serde::{Deserialize, Serialize};
use taster_model::{AppName, AttemptId, ChangeKind, DeclaredChange, FieldPath, RunId, Side};

/// The detail of a census.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetailLevel {
    /// One digest per document.
    #[default]
    Documents,
    /// One digest per field.
    Fields,
}

/// Everything that decides the bytes of a census beside its key and documents. Two censuses are compared only if they have
/// the same options; `post` uses those of the baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "options of their own, as they are stored")]
pub struct CensusOptions {
    /// Its detail.
    pub detail: DetailLevel,
    /// Filter of the documents, as canonical Extended JSON. Null: every document.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub filter: serde_json::Value,
    /// Top-level fields that are ignored. Sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Whether the order of top-level fields is no part of a document: a time series keeps each field by itself, and gives
    /// them in another order once it was loaded anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// Whether the order of fields is no part of a document at any depth.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub any_order: bool,
    /// Whether fields that hold others also have a digest that does not depend on the order of the fields within, so that a
    /// change of nothing but this order can be distinguished from others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub order_free_digests: bool,
    /// Whether small values are kept beside the digests of fields. Requires [`DetailLevel::Fields`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub values: bool,
    /// Number of documents that are kept whole: those with the smallest keyed hashes of their ids.
    #[serde(skip_serializing_if = "is_zero")]
    pub sample: u32,
    /// Separate fields, whose digests are kept beside the document's: they are declared as removed or as retyped
    /// irreversibly, so that the rest of the document can still be compared exactly. Sorted.
    #[serde(rename = "apart", skip_serializing_if = "Vec::is_empty")]
    pub separate: Vec<FieldPath>,
    /// Those of [`CensusOptions::separate`] that are declared as retyped: the document's digest covers that they exist, but
    /// not their values. Sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retyped: Vec<FieldPath>,
    /// What the values of those fields become, so that the converted values can be proven. Sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversions: Vec<Conversion>,
    /// Filters of documents that are declared as removed, as canonical Extended JSON. Each document has the number of the
    /// first filter that it matches, from 1, as its mark.
    #[serde(rename = "leaving", skip_serializing_if = "Vec::is_empty")]
    pub removed_filters: Vec<serde_json::Value>,
    /// TTL indexes of the collection; at most eight of them with a filter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expiries: Vec<TtlIndex>,
    /// Which ids and fields are not stored in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,
}

impl CensusOptions {
    /// Adds what the declared changes of a collection need before the sync: separate fields and marked documents.
    pub fn prepare_for_changes(&mut self, changes: &[DeclaredChange]) {
        for change in changes {
            match &change.kind {
                ChangeKind::RemovedField(path) => self.separate.push(path.clone()),
                ChangeKind::RetypedField(retyped) if !retyped.is_reversible() => {
                    self.separate.push(retyped.path.clone());
                    self.retyped.push(retyped.path.clone());
                    self.conversions.extend(Conversion::of(retyped));
                }
                ChangeKind::RemovedDocuments(removed) => self.removed_filters.push(removed.filter.clone()),
                _ => {}
            }
        }
        for paths in [&mut self.separate, &mut self.retyped] {
            paths.sort();
            paths.dedup();
        }
        self.conversions.sort();
        self.conversions.dedup();
    }

    /// Filters of partial TTL indexes, in the order of the bits of [`DocumentMarks::expiries`].
    pub fn expiry_filters(&self) -> impl Iterator<Item = &serde_json::Value> {
        self.expiries.iter().filter_map(|index| index.filter.as_ref())
    }

    /// Filters of documents that are declared as added, in the order of their marks.
    pub fn added_document_filters(changes: &[DeclaredChange]) -> impl Iterator<Item = &serde_json::Value> {
        changes.iter().filter_map(|change| match &change.kind {
            ChangeKind::AddedDocuments(added) => Some(&added.filter),
            _ => None,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What the server found out about some documents by evaluating filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentMarks {
    /// The number, from 1, of the filter that all of them match: one of [`CensusOptions::removed_filters`] before the sync,
    /// of [`CensusOptions::added_document_filters`] after it; 0 if they match none.
    pub filter: u8,
    /// A bit for each of [`CensusOptions::expiry_filters`]: whether all of them are in that partial TTL index, or none is.
    pub expiries: u8,
}

/// A TTL index: a document expires this many seconds after the date in the field; of an array, after the earliest date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TtlIndex {
    /// Path of the date, joined by dots.
    pub field: String,
    /// Seconds after the date (`expireAfterSeconds`).
    pub seconds: i64,
    /// Filter of the documents that are in the index, as canonical Extended JSON. `None`: every document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<serde_json::Value>,
}

/// What is not stored in plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redaction {
    /// Ids are stored as the first 16 bytes of their HMAC-SHA-256.
    pub ids: bool,
    /// Fields that are removed from documents that are kept whole. Sorted.
    pub fields: Vec<FieldPath>,
    /// Id of the key of the HMAC, which does not reveal it. `None`: the census key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The capture, probe and collection that a census belongs to. The census contains it, so that an object that was replaced
/// by another census is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CensusIdentity {
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// Whether `pre` or `post` took it.
    pub side: Side,
    /// The attempt.
    pub attempt: AttemptId,
    /// The probe that requested it.
    pub probe: String,
    /// Its id, as the metric refers to it.
    pub id: String,
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
}

/// Where records are kept while a census is taken.
#[derive(Debug, Clone)]
pub struct ScratchSpace {
    /// Folder of the unlinked temporary files. `None`: the system's.
    pub folder: Option<PathBuf>,
    /// Bytes of records that are held in memory before they are written to such a file.
    pub memory: usize,
    /// What those files and the census itself may take. `None`: no limit.
    pub budget: Option<DiskBudget>,
}

impl Default for ScratchSpace {
    fn default() -> Self {
        Self { folder: None, memory: 16 << 20, budget: None }
    }
}
