//! What a census covers and how finely it records.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use taster_model::{AppName, AttemptId, ChangeKind, DeclaredChange, FieldPath, RunId, Side};

/// How finely a census records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// One digest a document.
    #[default]
    Documents,
    /// One digest a field.
    Fields,
}

/// What decides the bytes of a census beside key and documents. Two censuses are compared only where they agree in it;
/// `post` takes over what the baseline's says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Options {
    /// How finely.
    pub detail: Detail,
    /// The filter as canonical Extended JSON; null: every document.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub filter: serde_json::Value,
    /// Top-level fields that are not looked at. Sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// So many whole documents are kept, those with the smallest keyed hash of their ids.
    #[serde(skip_serializing_if = "is_zero")]
    pub sample: u32,
    /// Fields whose digest is kept beside the document's instead of within it, because they are meant to be removed or to
    /// change in a way that nobody can take back: what is left can be compared exactly. Sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<FieldPath>,
    /// Those of [`Options::apart`] that are meant to be retyped: that they are there counts in the document's digest, and
    /// only their values do not. Sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retyped: Vec<FieldPath>,
    /// Filters, as canonical Extended JSON, of documents that are meant to be removed: each document carries the number
    /// of the first that it matches, from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<serde_json::Value>,
    /// When documents expire, by the collection's TTL indexes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expiries: Vec<Expiry>,
    /// Whether ids are kept as keyed hashes, and which fields of whole documents are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,
}

impl Options {
    /// What the declared changes of a collection ask for before the sync: fields apart, documents marked.
    pub fn of_changes(&mut self, changes: &[DeclaredChange]) {
        for change in changes {
            match &change.kind {
                ChangeKind::RemovedField { path } => self.apart.push(path.clone()),
                ChangeKind::RetypedField { path, .. } if change.kind.needs_before() => {
                    self.apart.push(path.clone());
                    self.retyped.push(path.clone());
                }
                ChangeKind::RemovedDocuments(some) => self.leaving.push(some.filter.clone()),
                _ => {}
            }
        }
        for paths in [&mut self.apart, &mut self.retyped] {
            paths.sort();
            paths.dedup();
        }
    }

    /// Filters of the documents that are meant to be there after the sync and were not, in the order of their marks.
    pub fn arriving(changes: &[DeclaredChange]) -> impl Iterator<Item = &serde_json::Value> {
        changes.iter().filter_map(|change| match &change.kind {
            ChangeKind::AddedDocuments(some) => Some(&some.filter),
            _ => None,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A TTL index: a document expires so many seconds after the date in the field, after the earliest of an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// Dotted path of the date.
    pub field: String,
    /// Seconds after it.
    pub seconds: i64,
}

/// What of documents is not written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redaction {
    /// Ids are kept as the first 16 bytes of their HMAC-SHA-256.
    pub ids: bool,
    /// Fields that are left out of whole documents. Sorted.
    pub fields: Vec<FieldPath>,
    /// Names the secret of the HMAC without giving it away; the census key where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Where a census belongs. It stands in the object, so that one that was put into another's place is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// Which side.
    pub side: Side,
    /// Which attempt at it.
    pub attempt: AttemptId,
    /// The probe that asked for it.
    pub probe: String,
    /// What its metric calls it.
    pub id: String,
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
}

/// Room to work in.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// Folder of the unlinked temporary files; the system's where none is given.
    pub folder: Option<PathBuf>,
    /// Bytes of records held in memory before they go to such a file.
    pub memory: usize,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { folder: None, memory: 16 << 20 }
    }
}
