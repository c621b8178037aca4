//! What a migration is meant to do: declared before the sync, proven after it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change that the migration is meant to make. It is proven document by document, and one that did not happen is a
/// finding of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
#[schemars(with = "Written")]
pub struct DeclaredChange {
    /// The collection that changes.
    pub collection: String,
    /// How.
    pub kind: ChangeKind,
    /// Why it is right, for whoever reads the report.
    pub reason: Option<String>,
}

/// How a collection changes.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// A field is there that was not.
    AddedField {
        /// Where.
        path: FieldPath,
        /// Its type.
        to: BsonType,
        /// In which documents.
        present: Present,
    },
    /// A field is gone.
    RemovedField {
        /// Where.
        path: FieldPath,
    },
    /// A top-level field has another name and the same value.
    RenamedField {
        /// What it was called.
        from: FieldPath,
        /// What it is called.
        to: FieldPath,
    },
    /// A field's value is of another type.
    RetypedField {
        /// Where.
        path: FieldPath,
        /// What it was.
        from: BsonType,
        /// What it is.
        to: BsonType,
    },
    /// An index is there that was not.
    AddedIndex(String),
    /// An index is gone.
    RemovedIndex(String),
    /// The collection is there and was not.
    AddedCollection,
    /// The collection is gone.
    RemovedCollection,
    /// Documents are there that were not.
    AddedDocuments(SomeDocuments),
    /// Documents are gone.
    RemovedDocuments(SomeDocuments),
}

/// Documents by a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct SomeDocuments {
    /// The filter as Extended JSON.
    pub filter: serde_json::Value,
    /// At most so many.
    pub most: Option<u64>,
}

/// In which documents an added field has to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Present {
    /// In every one.
    #[default]
    All,
    /// In at least one.
    Some,
}

/// Where a field is: names from the document inwards. A name with a dot in it cannot be declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// The names, from the document inwards; at least one.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The field of the document itself.
    #[must_use]
    pub fn top(&self) -> &str {
        &self.0[0]
    }

    /// Whether it is a field of the document itself.
    #[must_use]
    pub fn is_top(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether this field lies within `other`, or is it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl TryFrom<String> for FieldPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let names: Vec<String> = text.split('.').map(ToOwned::to_owned).collect();
        if names.iter().any(|name| name.is_empty() || name.contains('\0') || name.starts_with('$')) {
            return Err(format!("`{text}` is no field: names joined by dots, such as `total` or `customer.email`"));
        }
        if names[0] == "_id" {
            return Err("`_id` cannot change: a document with another `_id` is another document".to_owned());
        }
        Ok(Self(names))
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A type of BSON, by the alias that `$type` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the server's")]
pub enum BsonType {
    Double,
    String,
    Object,
    Array,
    BinData,
    ObjectId,
    Bool,
    Date,
    Null,
    Regex,
    Int,
    Timestamp,
    Long,
    Decimal,
}

impl BsonType {
    /// The byte that stands before a value of this type.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Double => 0x01,
            Self::String => 0x02,
            Self::Object => 0x03,
            Self::Array => 0x04,
            Self::BinData => 0x05,
            Self::ObjectId => 0x07,
            Self::Bool => 0x08,
            Self::Date => 0x09,
            Self::Null => 0x0A,
            Self::Regex => 0x0B,
            Self::Int => 0x10,
            Self::Timestamp => 0x11,
            Self::Long => 0x12,
            Self::Decimal => 0x13,
        }
    }
}

impl fmt::Display for BsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Double => "double",
            Self::String => "string",
            Self::Object => "object",
            Self::Array => "array",
            Self::BinData => "binData",
            Self::ObjectId => "objectId",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Null => "null",
            Self::Regex => "regex",
            Self::Int => "int",
            Self::Timestamp => "timestamp",
            Self::Long => "long",
            Self::Decimal => "decimal",
        })
    }
}

impl ChangeKind {
    /// Whether only a capture that knew of it before the sync can prove it: eight bytes a document do not remember what
    /// was taken away.
    #[must_use]
    pub fn needs_before(&self) -> bool {
        match self {
            Self::RemovedField { .. } | Self::RemovedDocuments(_) => true,
            Self::RetypedField { from, to, .. } => !has_inverse(*from, *to),
            _ => false,
        }
    }

    /// Whether it is about fields or documents, which a census proves; the others are read off the collections.
    #[must_use]
    pub fn needs_census(&self) -> bool {
        !matches!(self, Self::AddedIndex(_) | Self::RemovedIndex(_) | Self::AddedCollection | Self::RemovedCollection)
    }

    /// The fields that it is about.
    #[must_use]
    pub fn fields(&self) -> Vec<&FieldPath> {
        match self {
            Self::AddedField { path, .. } | Self::RemovedField { path } | Self::RetypedField { path, .. } => vec![path],
            Self::RenamedField { from, to } => vec![from, to],
            _ => Vec::new(),
        }
    }
}

/// Whether a value of the first type can be told exactly from the value of the second that it became.
#[must_use]
pub fn has_inverse(from: BsonType, to: BsonType) -> bool {
    use BsonType::{Double, Int, Long, String};
    matches!((from, to), (Int, Long | String) | (Long, Int | String) | (Double, Int | Long) | (Int | Long, Double))
}

impl fmt::Display for DeclaredChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = &self.collection;
        match &self.kind {
            ChangeKind::AddedField { path, to, .. } => write!(f, "added field {of}: {path} ({to})"),
            ChangeKind::RemovedField { path } => write!(f, "removed field {of}: {path}"),
            ChangeKind::RenamedField { from, to } => write!(f, "renamed field {of}: {from} → {to}"),
            ChangeKind::RetypedField { path, from, to } => write!(f, "retyped field {of}: {path} ({from} → {to})"),
            ChangeKind::AddedIndex(name) => write!(f, "added index {of}: {name}"),
            ChangeKind::RemovedIndex(name) => write!(f, "removed index {of}: {name}"),
            ChangeKind::AddedCollection => write!(f, "added collection {of}"),
            ChangeKind::RemovedCollection => write!(f, "removed collection {of}"),
            ChangeKind::AddedDocuments(_) => write!(f, "added documents {of}"),
            ChangeKind::RemovedDocuments(_) => write!(f, "removed documents {of}"),
        }
    }
}

/// A declared change as it is written: one of the keys that say how, and what goes with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "DeclaredChange")]
struct Written {
    /// The collection that changes; not with `addedCollection` and `removedCollection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collection: Option<String>,
    /// A field that is there and was not; with `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_field: Option<FieldPath>,
    /// A field that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_field: Option<FieldPath>,
    /// A top-level field that has another name; with `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renamed_field: Option<FieldPath>,
    /// A field of another type; with `from` and `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retyped_field: Option<FieldPath>,
    /// Name of an index that is there and was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_index: Option<String>,
    /// Name of an index that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_index: Option<String>,
    /// Name of a collection that is there and was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_collection: Option<String>,
    /// Name of a collection that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_collection: Option<String>,
    /// A filter (Extended JSON) that matches, after the sync, the documents that are there and were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_documents: Option<serde_json::Value>,
    /// A filter (Extended JSON) that matches, before the sync, the documents that will be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_documents: Option<serde_json::Value>,
    /// With `addedField`: its type, by the alias that `$type` takes.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    field_type: Option<BsonType>,
    /// With `addedField`: in `all` documents (the default) or in `some`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    present: Option<Present>,
    /// With `retypedField`: the type that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<BsonType>,
    /// With `renamedField`: the new name. With `retypedField`: the new type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// With `addedDocuments` and `removedDocuments`: at most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    most: Option<u64>,
    /// Why it is right, for whoever reads the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

const KINDS: &str = "addedField, removedField, renamedField, retypedField, addedIndex, removedIndex, addedCollection, \
                     removedCollection, addedDocuments, removedDocuments";

impl TryFrom<Written> for DeclaredChange {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let mut kinds: Vec<(&str, ChangeKind)> = Vec::new();
        let mut named = None;
        if let Some(path) = written.added_field.take() {
            let to = written.field_type.take().ok_or("`addedField` needs its `type`, such as `bool`")?;
            let present = written.present.take().unwrap_or_default();
            kinds.push(("addedField", ChangeKind::AddedField { path, to, present }));
        }
        if let Some(path) = written.removed_field.take() {
            kinds.push(("removedField", ChangeKind::RemovedField { path }));
        }
        if let Some(from) = written.renamed_field.take() {
            let to: FieldPath = written.to.take().ok_or("`renamedField` needs the new name, `to`")?.try_into()?;
            if !(from.is_top() && to.is_top()) {
                return Err(format!(
                    "`renamedField: {from}` is not a field of the document itself: declare it as removed and added"
                ));
            }
            kinds.push(("renamedField", ChangeKind::RenamedField { from, to }));
        }
        if let Some(path) = written.retyped_field.take() {
            let from = written.from.take().ok_or("`retypedField` needs the type that it was, `from`")?;
            let to = written.to.take().ok_or("`retypedField` needs the new type, `to`")?;
            let to: BsonType = serde_json::from_value(to.clone().into())
                .map_err(|_| format!("`{to}` is no type: use an alias that `$type` takes, such as `int` or `date`"))?;
            kinds.push(("retypedField", ChangeKind::RetypedField { path, from, to }));
        }
        for (key, given, kind) in [
            ("addedIndex", written.added_index.take(), ChangeKind::AddedIndex as fn(String) -> ChangeKind),
            ("removedIndex", written.removed_index.take(), ChangeKind::RemovedIndex),
        ] {
            kinds.extend(given.map(|name| (key, kind(name))));
        }
        for (key, given, kind) in [
            ("addedCollection", written.added_collection.take(), ChangeKind::AddedCollection),
            ("removedCollection", written.removed_collection.take(), ChangeKind::RemovedCollection),
        ] {
            if let Some(name) = given {
                kinds.push((key, kind));
                named = Some(name);
            }
        }
        let most = written.most;
        for (key, given, kind) in [
            (
                "addedDocuments",
                written.added_documents.take(),
                ChangeKind::AddedDocuments as fn(SomeDocuments) -> ChangeKind,
            ),
            ("removedDocuments", written.removed_documents.take(), ChangeKind::RemovedDocuments),
        ] {
            if let Some(filter) = given {
                if !filter.is_object() {
                    return Err(format!("`{key}` is a filter, such as {{status: cancelled}}"));
                }
                written.most = None;
                kinds.push((key, kind(SomeDocuments { filter, most })));
            }
        }
        let (key, kind) = match kinds.len() {
            1 => kinds.remove(0),
            0 => return Err(format!("a change says how: one of {KINDS}")),
            _ => {
                let keys: Vec<&str> = kinds.iter().map(|(key, _)| *key).collect();
                return Err(format!("one change at a time: {} are several", keys.join(", ")));
            }
        };
        let left = [
            ("type", written.field_type.is_some()),
            ("present", written.present.is_some()),
            ("from", written.from.is_some()),
            ("to", written.to.is_some()),
            ("most", written.most.is_some()),
        ];
        if let Some((left, _)) = left.into_iter().find(|(_, given)| *given) {
            return Err(format!("`{left}` does not go with `{key}`"));
        }
        let collection = match (named, written.collection) {
            (Some(name), None) | (None, Some(name)) => name,
            (Some(_), Some(_)) => {
                return Err(format!("`{key}` names the collection; `collection` does not go with it"));
            }
            (None, None) => return Err(format!("`{key}` needs the `collection` that changes")),
        };
        Ok(Self { collection, kind, reason: written.reason })
    }
}

impl From<DeclaredChange> for Written {
    fn from(change: DeclaredChange) -> Self {
        let mut written = Self { reason: change.reason, ..Self::default() };
        let mut collection = Some(change.collection);
        match change.kind {
            ChangeKind::AddedField { path, to, present } => {
                written.added_field = Some(path);
                written.field_type = Some(to);
                written.present = (present != Present::All).then_some(present);
            }
            ChangeKind::RemovedField { path } => written.removed_field = Some(path),
            ChangeKind::RenamedField { from, to } => {
                written.renamed_field = Some(from);
                written.to = Some(to.to_string());
            }
            ChangeKind::RetypedField { path, from, to } => {
                written.retyped_field = Some(path);
                written.from = Some(from);
                written.to = Some(to.to_string());
            }
            ChangeKind::AddedIndex(name) => written.added_index = Some(name),
            ChangeKind::RemovedIndex(name) => written.removed_index = Some(name),
            ChangeKind::AddedCollection => written.added_collection = collection.take(),
            ChangeKind::RemovedCollection => written.removed_collection = collection.take(),
            ChangeKind::AddedDocuments(some) => {
                written.added_documents = Some(some.filter);
                written.most = some.most;
            }
            ChangeKind::RemovedDocuments(some) => {
                written.removed_documents = Some(some.filter);
                written.most = some.most;
            }
        }
        written.collection = collection;
        written
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_reads_and_writes_itself() {
        for written in [
            json!({"collection": "orders", "addedField": "archived", "type": "bool", "reason": "v4.3"}),
            json!({"collection": "orders", "addedField": "a.b", "type": "int", "present": "some"}),
            json!({"collection": "orders", "removedField": "legacy.code"}),
            json!({"collection": "orders", "renamedField": "mail", "to": "email"}),
            json!({"collection": "orders", "retypedField": "total", "from": "double", "to": "decimal"}),
            json!({"collection": "orders", "addedIndex": "email_1"}),
            json!({"collection": "orders", "removedIndex": "email_1"}),
            json!({"addedCollection": "audit"}),
            json!({"removedCollection": "audit"}),
            json!({"collection": "orders", "addedDocuments": {"seed": true}, "most": 3}),
            json!({"collection": "orders", "removedDocuments": {"status": "cancelled"}}),
        ] {
            let change: DeclaredChange = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&change).unwrap(), written, "the order of keys does not count");
        }
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let cases = [
            json!({"collection": "orders"}),
            json!({"collection": "orders", "addedField": "a"}),
            json!({"collection": "orders", "addedField": "a", "type": "bool", "removedField": "b"}),
            json!({"collection": "orders", "removedField": "a", "most": 3}),
            json!({"collection": "orders", "renamedField": "a.b", "to": "c"}),
            json!({"collection": "orders", "retypedField": "a", "from": "int", "to": "integer"}),
            json!({"collection": "orders", "addedCollection": "audit"}),
            json!({"removedField": "a"}),
            json!({"collection": "orders", "removedField": "_id"}),
            json!({"collection": "orders", "removedField": "a..b"}),
            json!({"collection": "orders", "removedDocuments": "all"}),
        ];
        let errors = cases.map(|case| serde_json::from_value::<DeclaredChange>(case).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @"
            a change says how: one of addedField, removedField, renamedField, retypedField, addedIndex, removedIndex, addedCollection, removedCollection, addedDocuments, removedDocuments
            `addedField` needs its `type`, such as `bool`
            one change at a time: addedField, removedField are several
            `most` does not go with `removedField`
            `renamedField: a.b` is not a field of the document itself: declare it as removed and added
            `integer` is no type: use an alias that `$type` takes, such as `int` or `date`
            `addedCollection` names the collection; `collection` does not go with it
            `removedField` needs the `collection` that changes
            `_id` cannot change: a document with another `_id` is another document
            `a..b` is no field: names joined by dots, such as `total` or `customer.email`
            `removedDocuments` is a filter, such as {status: cancelled}
        ");
    }

    #[test]
    fn what_cannot_be_told_afterwards_must_be_known_before() {
        let kind = |from, to| ChangeKind::RetypedField { path: "a".to_owned().try_into().unwrap(), from, to };
        assert!(!kind(BsonType::Int, BsonType::Long).needs_before());
        assert!(!kind(BsonType::Int, BsonType::String).needs_before());
        assert!(!kind(BsonType::Double, BsonType::Long).needs_before());
        assert!(kind(BsonType::Double, BsonType::String).needs_before());
        assert!(kind(BsonType::Double, BsonType::Decimal).needs_before());
        assert!(kind(BsonType::Date, BsonType::String).needs_before());
    }
}
