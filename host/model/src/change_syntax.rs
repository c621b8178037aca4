//! How a declared change is written in a configuration: one key that names the kind, and the keys that go with it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    bson_type::BsonType,
    change::{
        AddedField, ChangeKind, DeclaredChange, DocumentFilter, FieldPresence, RenamedField, RetypedField, ValueCheck,
    },
    field_path::FieldPath,
};

/// A change that the migration is meant to make. Taster proves it document by document; one that did not happen is a
/// finding of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "DeclaredChange")]
struct RawDeclaredChange {
    /// The collection that changes; not with `addedCollection`, `removedCollection` and `renamedCollection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collection: Option<String>,
    /// Path of a field that is added; requires `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_field: Option<FieldPath>,
    /// Path of a field that is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_field: Option<FieldPath>,
    /// Old name of a top-level field that is renamed; requires `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renamed_field: Option<FieldPath>,
    /// Path of a field that is converted to another type; requires `from` and `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retyped_field: Option<FieldPath>,
    /// Name of an index that is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_index: Option<String>,
    /// Name of an index that is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_index: Option<String>,
    /// Name of a collection that is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_collection: Option<String>,
    /// Name of a collection that is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_collection: Option<String>,
    /// Old name of a collection that is renamed; requires `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renamed_collection: Option<String>,
    /// Filter (Extended JSON) that matches the inserted documents after the sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_documents: Option<serde_json::Value>,
    /// Filter (Extended JSON) that matches, before the sync, the documents that will be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed_documents: Option<serde_json::Value>,
    /// With `addedField`: the type of its values, as a `$type` alias.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none", deserialize_with = "type_or_null")]
    field_type: Option<BsonType>,
    /// With `addedField`: in `all` documents (the default) or in `some`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    present: Option<FieldPresence>,
    /// With `retypedField`: the old type.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "type_or_null")]
    from: Option<BsonType>,
    /// With `renamedField` and `renamedCollection`: the new name. With `retypedField`: the new type.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "name_or_null")]
    #[schemars(with = "Option<String>")]
    to: Option<NameOrNull>,
    /// With `retypedField`: digits after the point to which numbers may be rounded. Default: none is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 34))]
    rounding: Option<u8>,
    /// With `addedField`: the value that it has in every document that it was added to, as JSON or as Extended JSON.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    value: Option<serde_json::Value>,
    /// With `addedField`: a list of the values that it may have. With `retypedField`: `ignored` if the converted values need
    /// not be proven; default: `compared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RawValues>")]
    values: Option<serde_json::Value>,
    /// With `addedDocuments` and `removedDocuments`: the change may cover at most this many documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_documents: Option<u64>,
    /// Why the change is right; shown in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A name, or YAML's `null`: as a type it is that of the same name, and as a name it is one that was left out.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum NameOrNull {
    Name(String),
    Null,
}

impl NameOrNull {
    fn name(self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name),
            Self::Null => None,
        }
    }
}

fn name_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NameOrNull>, D::Error> {
    Ok(Some(Option::deserialize(deserializer)?.map_or(NameOrNull::Null, NameOrNull::Name)))
}

/// A type, which YAML may write as `null` without quotes.
fn type_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BsonType>, D::Error> {
    Ok(Some(Option::deserialize(deserializer)?.unwrap_or(BsonType::Null)))
}

/// A value that is stated, also if it is `null`.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// What `values` may hold.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "DeclaredValues")]
#[expect(dead_code, reason = "describes the schema; the kind that takes the key parses it")]
enum RawValues {
    /// Of a converted field: whether its values are proven.
    Check(ValueCheck),
    /// Of an added field: the values that it may have.
    Allowed(Vec<serde_json::Value>),
}

impl Serialize for DeclaredChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawDeclaredChange::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DeclaredChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawDeclaredChange::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl JsonSchema for DeclaredChange {
    fn schema_name() -> Cow<'static, str> {
        RawDeclaredChange::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawDeclaredChange::json_schema(generator)
    }
}

/// The digits of a BSON decimal.
const MAX_ROUNDING: u8 = 34;

/// Takes the keys of one kind out of a declaration. `None`: it is not of that kind.
type ParseKind = fn(&mut RawDeclaredChange) -> Result<Option<ChangeKind>, String>;

/// Every kind, by the key that names it.
const KINDS: [(&str, ParseKind); 11] = [
    ("addedField", parse_added_field),
    ("removedField", |raw| Ok(raw.removed_field.take().map(ChangeKind::RemovedField))),
    ("renamedField", parse_renamed_field),
    ("retypedField", parse_retyped_field),
    ("addedIndex", |raw| Ok(raw.added_index.take().map(ChangeKind::AddedIndex))),
    ("removedIndex", |raw| Ok(raw.removed_index.take().map(ChangeKind::RemovedIndex))),
    // the name of the collection is taken later
    ("addedCollection", |raw| Ok(raw.added_collection.is_some().then_some(ChangeKind::AddedCollection))),
    ("removedCollection", |raw| Ok(raw.removed_collection.is_some().then_some(ChangeKind::RemovedCollection))),
    ("renamedCollection", parse_renamed_collection),
    ("addedDocuments", parse_added_documents),
    ("removedDocuments", parse_removed_documents),
];

fn parse_added_field(raw: &mut RawDeclaredChange) -> Result<Option<ChangeKind>, String> {
    let Some(path) = raw.added_field.take() else { return Ok(None) };
    let field_type = raw.field_type.take().ok_or("`addedField` requires `type`, such as `bool`")?;
    let values = match (raw.value.take(), raw.values.take()) {
        (None, None) => Vec::new(),
        (Some(value), None) => vec![value],
        (None, Some(serde_json::Value::Array(values))) if !values.is_empty() => values,
        (None, Some(_)) => return Err("`values` of `addedField` is a list, such as [open, closed]".to_owned()),
        (Some(_), Some(_)) => return Err("`addedField` takes `value` or `values`, not both".to_owned()),
    };
    let presence = raw.present.take().unwrap_or_default();
    Ok(Some(ChangeKind::AddedField(AddedField { path, field_type, values, presence })))
}

fn parse_renamed_field(raw: &mut RawDeclaredChange) -> Result<Option<ChangeKind>, String> {
    let Some(from) = raw.renamed_field.take() else { return Ok(None) };
    let to: FieldPath =
        raw.to.take().and_then(NameOrNull::name).ok_or("`renamedField` requires `to`, the new name")?.try_into()?;
    if !(from.is_top_level() && to.is_top_level()) {
        return Err(format!(
            "`renamedField: {from}` is not supported for nested fields: declare one `removedField` and one `addedField`"
        ));
    }
    Ok(Some(ChangeKind::RenamedField(RenamedField { from, to })))
}

fn parse_retyped_field(raw: &mut RawDeclaredChange) -> Result<Option<ChangeKind>, String> {
    let Some(path) = raw.retyped_field.take() else { return Ok(None) };
    let from = raw.from.take().ok_or("`retypedField` requires `from`, the old type")?;
    let to = raw.to.take().ok_or("`retypedField` requires `to`, the new type")?;
    let to = to.name().unwrap_or_else(|| BsonType::Null.to_string());
    let to: BsonType = serde_json::from_value(to.clone().into())
        .map_err(|_| format!("unknown BSON type `{to}`: use a `$type` alias, such as `int` or `date`"))?;
    let rounding = raw.rounding.take();
    if let Some(digits) = rounding.filter(|digits| *digits > MAX_ROUNDING) {
        return Err(format!("`rounding: {digits}` is not possible: at most {MAX_ROUNDING} digits after the point"));
    }
    let is_number = |kind| matches!(kind, BsonType::Int | BsonType::Long | BsonType::Double | BsonType::Decimal);
    if rounding.is_some() && !(is_number(to) || to == BsonType::String) {
        return Err(format!("`rounding` needs numbers: a {to} is not rounded"));
    }
    let values = match raw.values.take() {
        None => ValueCheck::default(),
        Some(values) => serde_json::from_value(values)
            .map_err(|_| "`values` of `retypedField` is `compared` or `ignored`".to_owned())?,
    };
    Ok(Some(ChangeKind::RetypedField(RetypedField { path, from, to, rounding, values })))
}

fn parse_renamed_collection(raw: &mut RawDeclaredChange) -> Result<Option<ChangeKind>, String> {
    if raw.renamed_collection.is_none() {
        return Ok(None);
    }
    let to = raw.to.take().and_then(NameOrNull::name).ok_or("`renamedCollection` requires `to`, the new name")?;
    Ok(Some(ChangeKind::RenamedCollection(to)))
}

fn parse_added_documents(raw: &mut RawDeclaredChange) -> Result<Option<ChangeKind>, String> {
    let filter = raw.added_documents.take();
    Ok(parse_filter(raw, "addedDocuments", filter)?.map(ChangeKind::AddedDocuments))
}

fn parse_removed_documents(raw: &mut RawDeclaredChange) -> Result<Option<ChangeKind>, String> {
    let filter = raw.removed_documents.take();
    Ok(parse_filter(raw, "removedDocuments", filter)?.map(ChangeKind::RemovedDocuments))
}

fn parse_filter(
    raw: &mut RawDeclaredChange,
    key: &str,
    filter: Option<serde_json::Value>,
) -> Result<Option<DocumentFilter>, String> {
    let Some(filter) = filter else { return Ok(None) };
    if !filter.is_object() {
        return Err(format!("`{key}` requires a filter document, such as {{status: cancelled}}"));
    }
    Ok(Some(DocumentFilter { filter, max_documents: raw.max_documents.take() }))
}

impl RawDeclaredChange {
    /// The one kind that the declaration names, with its key.
    fn parse_kind(&mut self) -> Result<(&'static str, ChangeKind), String> {
        let mut kinds: Vec<(&str, ChangeKind)> = Vec::new();
        for (key, parse) in KINDS {
            kinds.extend(parse(self)?.map(|kind| (key, kind)));
        }
        match kinds.len() {
            1 => Ok(kinds.remove(0)),
            0 => Err(format!("a declared change requires one of {}", KINDS.map(|(key, _)| key).join(", "))),
            _ => {
                let keys: Vec<&str> = kinds.iter().map(|(key, _)| *key).collect();
                Err(format!("a declared change is of one kind; this one has {}", keys.join(", ")))
            }
        }
    }

    /// The collection, named by `collection` or by the kind itself.
    fn parse_collection(&mut self, key: &str) -> Result<String, String> {
        let mut names = [&mut self.added_collection, &mut self.removed_collection, &mut self.renamed_collection];
        let named_by_kind = names.iter_mut().find_map(|name| name.take());
        match (named_by_kind, self.collection.take()) {
            (Some(name), None) | (None, Some(name)) => Ok(name),
            (Some(_), Some(_)) => Err(format!("`{key}` already names the collection: remove `collection`")),
            (None, None) => Err(format!("`{key}` requires `collection`, the collection that changes")),
        }
    }

    /// A key that was given and that no kind took.
    fn left_over_key(&self) -> Option<&'static str> {
        let keys = [
            ("type", self.field_type.is_some()),
            ("present", self.present.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("rounding", self.rounding.is_some()),
            ("value", self.value.is_some()),
            ("values", self.values.is_some()),
            ("maxDocuments", self.max_documents.is_some()),
        ];
        keys.into_iter().find(|(_, is_given)| *is_given).map(|(key, _)| key)
    }
}

impl TryFrom<RawDeclaredChange> for DeclaredChange {
    type Error = String;

    fn try_from(mut raw: RawDeclaredChange) -> Result<Self, String> {
        let (key, kind) = raw.parse_kind()?;
        if let Some(left_over) = raw.left_over_key() {
            return Err(format!("`{left_over}` cannot be combined with `{key}`"));
        }
        let collection = raw.parse_collection(key)?;
        Ok(Self { collection, kind, reason: raw.reason })
    }
}

impl From<DeclaredChange> for RawDeclaredChange {
    fn from(change: DeclaredChange) -> Self {
        let mut raw = Self { reason: change.reason, ..Self::default() };
        let mut collection = Some(change.collection);
        match change.kind {
            ChangeKind::AddedField(AddedField { path, field_type, mut values, presence }) => {
                raw.added_field = Some(path);
                raw.field_type = Some(field_type);
                raw.present = (presence != FieldPresence::All).then_some(presence);
                match values.len() {
                    0 => {}
                    1 => raw.value = values.pop(),
                    _ => raw.values = Some(values.into()),
                }
            }
            ChangeKind::RemovedField(path) => raw.removed_field = Some(path),
            ChangeKind::RenamedField(RenamedField { from, to }) => {
                raw.renamed_field = Some(from);
                raw.to = Some(NameOrNull::Name(to.to_string()));
            }
            ChangeKind::RetypedField(RetypedField { path, from, to, rounding, values }) => {
                raw.retyped_field = Some(path);
                raw.from = Some(from);
                raw.to = Some(NameOrNull::Name(to.to_string()));
                raw.rounding = rounding;
                raw.values = (values == ValueCheck::Ignored).then(|| "ignored".into());
            }
            ChangeKind::AddedIndex(name) => raw.added_index = Some(name),
            ChangeKind::RemovedIndex(name) => raw.removed_index = Some(name),
            ChangeKind::AddedCollection => raw.added_collection = collection.take(),
            ChangeKind::RemovedCollection => raw.removed_collection = collection.take(),
            ChangeKind::RenamedCollection(to) => {
                raw.renamed_collection = collection.take();
                raw.to = Some(NameOrNull::Name(to));
            }
            ChangeKind::AddedDocuments(documents) => {
                raw.added_documents = Some(documents.filter);
                raw.max_documents = documents.max_documents;
            }
            ChangeKind::RemovedDocuments(documents) => {
                raw.removed_documents = Some(documents.filter);
                raw.max_documents = documents.max_documents;
            }
        }
        raw.collection = collection;
        raw
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
            json!({"collection": "orders", "addedField": "a", "type": "bool", "value": false}),
            json!({"collection": "orders", "addedField": "a", "type": "string", "values": ["x", "y"]}),
            json!({"collection": "orders", "removedField": "legacy.code"}),
            json!({"collection": "orders", "renamedField": "mail", "to": "email"}),
            json!({"collection": "orders", "retypedField": "total", "from": "double", "to": "decimal"}),
            json!({"collection": "orders", "retypedField": "total", "from": "double", "to": "decimal", "rounding": 2}),
            json!({"collection": "orders", "retypedField": "a", "from": "object", "to": "null", "values": "ignored"}),
            json!({"collection": "orders", "addedIndex": "email_1"}),
            json!({"collection": "orders", "removedIndex": "email_1"}),
            json!({"addedCollection": "audit"}),
            json!({"removedCollection": "audit"}),
            json!({"renamedCollection": "carts", "to": "baskets"}),
            json!({"collection": "orders", "addedDocuments": {"seed": true}, "maxDocuments": 3}),
            json!({"collection": "orders", "removedDocuments": {"status": "cancelled"}}),
        ] {
            let change: DeclaredChange = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&change).unwrap(), written, "the order of keys does not matter");
        }
    }

    #[test]
    fn null_needs_no_quotes() {
        let read = |written| serde_json::from_value::<DeclaredChange>(written);
        for (plain, quoted) in [
            (
                json!({"collection": "orders", "retypedField": "a", "from": null, "to": "int"}),
                json!({"collection": "orders", "retypedField": "a", "from": "null", "to": "int"}),
            ),
            (
                json!({"collection": "orders", "retypedField": "a", "from": "object", "to": null}),
                json!({"collection": "orders", "retypedField": "a", "from": "object", "to": "null"}),
            ),
            (
                json!({"collection": "orders", "addedField": "a", "type": null}),
                json!({"collection": "orders", "addedField": "a", "type": "null"}),
            ),
        ] {
            assert_eq!(read(plain.clone()).unwrap(), read(quoted).unwrap(), "{plain}");
        }
        // as a value it is one, and as a name it is none
        let stated = json!({"collection": "orders", "addedField": "a", "type": "null", "value": null});
        assert_eq!(serde_json::to_value(read(stated.clone()).unwrap()).unwrap(), stated);
        let nameless = read(json!({"collection": "orders", "renamedField": "a", "to": null})).unwrap_err();
        assert!(nameless.to_string().contains("requires `to`, the new name"), "{nameless}");
    }

    #[test]
    fn a_key_that_is_missing_or_cannot_be_combined_is_named() {
        let cases = [
            json!({"collection": "orders"}),
            json!({"collection": "orders", "addedField": "a"}),
            json!({"collection": "orders", "addedField": "a", "type": "bool", "removedField": "b"}),
            json!({"collection": "orders", "addedField": "a", "type": "bool", "values": "ignored"}),
            json!({"collection": "orders", "addedField": "a", "type": "int", "value": 1, "values": [1, 2]}),
            json!({"collection": "orders", "retypedField": "a", "from": "int", "to": "bool", "values": [1, 2]}),
            json!({"collection": "orders", "removedField": "a", "value": 1}),
            json!({"collection": "orders", "removedField": "a", "maxDocuments": 3}),
            json!({"collection": "orders", "renamedField": "a.b", "to": "c"}),
            json!({"collection": "orders", "retypedField": "a", "from": "int", "to": "integer"}),
            json!({"collection": "orders", "retypedField": "a", "from": "double", "to": "decimal", "rounding": 35}),
            json!({"collection": "orders", "retypedField": "a", "from": "string", "to": "date", "rounding": 2}),
            json!({"collection": "orders", "removedField": "a", "rounding": 2}),
            json!({"collection": "orders", "addedCollection": "audit"}),
            json!({"renamedCollection": "carts"}),
            json!({"collection": "carts", "renamedCollection": "carts", "to": "baskets"}),
            json!({"removedField": "a"}),
            json!({"collection": "orders", "removedField": "_id"}),
            json!({"collection": "orders", "removedField": "a..b"}),
            json!({"collection": "orders", "removedDocuments": "all"}),
        ];
        let errors = cases.map(|case| serde_json::from_value::<DeclaredChange>(case).unwrap_err().to_string());
        insta::assert_snapshot!(errors.join("\n"), @"
            a declared change requires one of addedField, removedField, renamedField, retypedField, addedIndex, removedIndex, addedCollection, removedCollection, renamedCollection, addedDocuments, removedDocuments
            `addedField` requires `type`, such as `bool`
            a declared change is of one kind; this one has addedField, removedField
            `values` of `addedField` is a list, such as [open, closed]
            `addedField` takes `value` or `values`, not both
            `values` of `retypedField` is `compared` or `ignored`
            `value` cannot be combined with `removedField`
            `maxDocuments` cannot be combined with `removedField`
            `renamedField: a.b` is not supported for nested fields: declare one `removedField` and one `addedField`
            unknown BSON type `integer`: use a `$type` alias, such as `int` or `date`
            `rounding: 35` is not possible: at most 34 digits after the point
            `rounding` needs numbers: a date is not rounded
            `rounding` cannot be combined with `removedField`
            `addedCollection` already names the collection: remove `collection`
            `renamedCollection` requires `to`, the new name
            `renamedCollection` already names the collection: remove `collection`
            `removedField` requires `collection`, the collection that changes
            `_id` cannot be declared: a document with another `_id` is another document
            invalid field path `a..b`: expected names joined by dots, such as `total` or `customer.email`
            `removedDocuments` requires a filter document, such as {status: cancelled}
        ");
    }

    #[test]
    fn the_key_of_stored_documents_is_unknown_to_a_configuration() {
        let old = json!({"collection": "orders", "removedDocuments": {"status": "void"}, "most": 3});
        let error = serde_json::from_value::<DeclaredChange>(old).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `most`"), "{error}");
    }
}
