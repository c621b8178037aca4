//! Changes that a migration is meant to make: declared before the sync, proven after it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    bson_type::{BsonType, has_inverse},
    field_path::FieldPath,
};

/// A change that the migration is meant to make. Taster proves it document by document; one that did not happen is a
/// finding of its own.
///
/// A configuration writes it as `change_syntax` says.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredChange {
    /// The collection that changes.
    pub collection: String,
    /// What changes.
    pub kind: ChangeKind,
    /// Why the change is right; shown in reports.
    pub reason: Option<String>,
}

/// What changes in a collection.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// A field was added.
    AddedField(AddedField),
    /// A field was removed.
    RemovedField(FieldPath),
    /// A top-level field was renamed and kept its value.
    RenamedField(RenamedField),
    /// A field's value was converted to another type.
    RetypedField(RetypedField),
    /// An index of this name was added.
    AddedIndex(String),
    /// The index of this name was removed.
    RemovedIndex(String),
    /// The collection was created.
    AddedCollection,
    /// The collection was dropped.
    RemovedCollection,
    /// The collection was renamed; its new name.
    RenamedCollection(String),
    /// Documents were inserted.
    AddedDocuments(DocumentFilter),
    /// Documents were deleted.
    RemovedDocuments(DocumentFilter),
}

/// A field that was added.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedField {
    /// Path of the field.
    pub path: FieldPath,
    /// Type of its values.
    pub field_type: BsonType,
    /// The values that it may have, as Extended JSON or as plain JSON of its type. Empty: any value of its type.
    pub values: Vec<serde_json::Value>,
    /// Which documents must have it.
    pub presence: FieldPresence,
}

/// A top-level field that was renamed.
#[derive(Debug, Clone, PartialEq)]
pub struct RenamedField {
    /// The old name.
    pub from: FieldPath,
    /// The new name.
    pub to: FieldPath,
}

/// A field whose values were converted to another type.
#[derive(Debug, Clone, PartialEq)]
pub struct RetypedField {
    /// Path of the field.
    pub path: FieldPath,
    /// The old type.
    pub from: BsonType,
    /// The new type.
    pub to: BsonType,
    /// Digits after the point to which numbers may be rounded. `None`: they may not.
    pub rounding: Option<u8>,
    /// Whether the values are proven.
    pub values: ValueCheck,
}

/// Whether the converted values of a field are proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Values")]
pub enum ValueCheck {
    /// They are.
    #[default]
    Compared,
    /// Only that the field has the new type in the documents in which it had the old one.
    Ignored,
}

impl RetypedField {
    /// Whether the original values are computed exactly from the converted ones.
    #[must_use]
    pub fn is_reversible(&self) -> bool {
        self.rounding.is_none() && self.values == ValueCheck::Compared && has_inverse(self.from, self.to)
    }
}

/// Documents that a filter matches.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentFilter {
    /// The filter as Extended JSON.
    pub filter: serde_json::Value,
    /// The change may cover at most this many documents. `None`: any number.
    pub max_documents: Option<u64>,
}

/// Which documents must have an added field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Present")]
pub enum FieldPresence {
    /// Every document.
    #[default]
    All,
    /// At least one document.
    Some,
}

impl ChangeKind {
    /// Whether the change can be proven only if it was declared before `pre` recorded the baseline: the eight-byte digest
    /// of a document does not hold what was removed from it.
    #[must_use]
    pub fn must_be_declared_before_sync(&self) -> bool {
        match self {
            Self::RemovedField(_) | Self::RemovedDocuments(_) => true,
            Self::RetypedField(retyped) => !retyped.is_reversible(),
            _ => false,
        }
    }

    /// Whether a census proves the change (fields and documents). Changes of indexes and of whole collections are read
    /// from the inventory instead.
    #[must_use]
    pub fn needs_census(&self) -> bool {
        !matches!(
            self,
            Self::AddedIndex(_)
                | Self::RemovedIndex(_)
                | Self::AddedCollection
                | Self::RemovedCollection
                | Self::RenamedCollection(_)
        )
    }

    /// The fields that the change is about. Of a renaming: the old name, then the new one.
    #[must_use]
    pub fn fields(&self) -> Vec<&FieldPath> {
        match self {
            Self::AddedField(AddedField { path, .. })
            | Self::RemovedField(path)
            | Self::RetypedField(RetypedField { path, .. }) => vec![path],
            Self::RenamedField(RenamedField { from, to }) => vec![from, to],
            _ => Vec::new(),
        }
    }
}

impl DeclaredChange {
    /// Whether it is about this collection, under the name that it has or had.
    #[must_use]
    pub fn concerns(&self, collection: &str, renamed: &[DeclaredChange]) -> bool {
        self.collection == collection || other_names(renamed, collection).any(|name| name == self.collection)
    }

    /// The old and the new name of a renamed collection.
    #[must_use]
    pub fn renamed_collection(&self) -> Option<(&str, &str)> {
        match &self.kind {
            ChangeKind::RenamedCollection(to) => Some((&self.collection, to)),
            _ => None,
        }
    }
}

/// The names that a collection has on the other side of the sync, if changes declare that it is renamed.
pub fn other_names<'a>(changes: &'a [DeclaredChange], collection: &'a str) -> impl Iterator<Item = &'a str> {
    changes.iter().filter_map(DeclaredChange::renamed_collection).filter_map(move |(from, to)| match collection {
        name if name == from => Some(to),
        name if name == to => Some(from),
        _ => None,
    })
}

/// `1 digit`, `2 digits`
fn digits_text(count: u8) -> String {
    format!("{count} digit{}", if count == 1 { "" } else { "s" })
}

impl fmt::Display for DeclaredChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collection = &self.collection;
        match &self.kind {
            ChangeKind::AddedField(AddedField { path, field_type, values, .. }) => {
                write!(f, "added field {collection}: {path} ({field_type}")?;
                for (position, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if position == 0 { ", " } else { " or " })?;
                }
                f.write_str(")")
            }
            ChangeKind::RemovedField(path) => write!(f, "removed field {collection}: {path}"),
            ChangeKind::RenamedField(RenamedField { from, to }) => {
                write!(f, "renamed field {collection}: {from} → {to}")
            }
            ChangeKind::RetypedField(RetypedField { path, from, to, rounding, values }) => {
                write!(f, "retyped field {collection}: {path} ({from} → {to}")?;
                if let Some(digits) = rounding {
                    write!(f, ", rounded to {}", digits_text(*digits))?;
                }
                f.write_str(if *values == ValueCheck::Ignored { ", values ignored)" } else { ")" })
            }
            ChangeKind::AddedIndex(name) => write!(f, "added index {collection}: {name}"),
            ChangeKind::RemovedIndex(name) => write!(f, "removed index {collection}: {name}"),
            ChangeKind::AddedCollection => write!(f, "added collection {collection}"),
            ChangeKind::RemovedCollection => write!(f, "removed collection {collection}"),
            ChangeKind::RenamedCollection(to) => write!(f, "renamed collection {collection} → {to}"),
            ChangeKind::AddedDocuments(_) => write!(f, "added documents {collection}"),
            ChangeKind::RemovedDocuments(_) => write!(f, "removed documents {collection}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_that_cannot_be_reversed_must_be_declared_before_the_sync() {
        let kind = |from, to| {
            let path = "a".to_owned().try_into().unwrap();
            ChangeKind::RetypedField(RetypedField { path, from, to, rounding: None, values: ValueCheck::Compared })
        };
        assert!(!kind(BsonType::Int, BsonType::Long).must_be_declared_before_sync());
        assert!(!kind(BsonType::Int, BsonType::String).must_be_declared_before_sync());
        assert!(!kind(BsonType::Double, BsonType::Long).must_be_declared_before_sync());
        assert!(kind(BsonType::Double, BsonType::String).must_be_declared_before_sync());
        assert!(kind(BsonType::Double, BsonType::Decimal).must_be_declared_before_sync());
        assert!(kind(BsonType::Date, BsonType::String).must_be_declared_before_sync());
    }
}
