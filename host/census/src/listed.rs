//! Lists of documents in a difference: their number, and the ids of the first ones.

use std::collections::BTreeMap;

use bson::{Bson, RawDocument};
use serde_json::{Value, json};
use taster_model::{ChangedValue, DocumentDetail, DocumentSet};

use crate::{
    extended_json::extended_json,
    record::{REDACTED, sort_key},
};

/// Number of different fields that are counted separately.
const MAX_FIELDS: usize = 1000;
/// What is said where nothing but an order changed.
pub(crate) const ORDER: &str = "(order of fields)";
/// Longest id that is shown in full.
const MAX_SHOWN_ID_BYTES: usize = 4 << 10;

/// A number of documents, and the first ones in the order of their ids.
pub(crate) struct ListedDocuments {
    max_ids: usize,
    pub(crate) count: u64,
    first: BTreeMap<SortKey, Vec<ChangedField>>,
    pub(crate) fields: BTreeMap<String, u64>,
}

/// A field that changed in a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ChangedField {
    pub(crate) name: String,
    /// Its values in canonical Extended JSON, as far as they were kept.
    pub(crate) values: Option<ChangedValue>,
}

impl ChangedField {
    /// Nothing but the order of fields changed.
    pub(crate) fn order() -> Self {
        Self::named(ORDER.to_owned())
    }

    /// Nothing but the order of the fields within a field changed.
    pub(crate) fn order_within(name: &str) -> Self {
        Self::named(format!("{name} {ORDER}"))
    }

    pub(crate) fn named(name: String) -> Self {
        Self { name, values: None }
    }
}

/// Sorts like ids; the last part distinguishes documents with the same id.
type SortKey = (u128, u8, Vec<u8>, u64);

impl ListedDocuments {
    pub(crate) fn new(max_ids: usize) -> Self {
        Self { max_ids, count: 0, first: BTreeMap::new(), fields: BTreeMap::new() }
    }

    /// Adds a document, with the fields that changed in it.
    pub(crate) fn push(&mut self, (kind, id): (u8, &[u8]), fields: Vec<ChangedField>) {
        self.count += 1;
        for ChangedField { name, .. } in &fields {
            let known = self.fields.len() < MAX_FIELDS || self.fields.contains_key(name);
            let field = if known { name.as_str() } else { "(other fields)" };
            *self.fields.entry(field.to_owned()).or_default() += 1;
        }
        let sorted = sort_key(kind, id);
        let full = self.first.len() >= self.max_ids;
        if full && self.first.last_key_value().is_none_or(|((last, ..), _)| sorted > *last) {
            return;
        }
        self.first.insert((sorted, kind, id.to_vec(), self.count), fields);
        if full {
            self.first.pop_last();
        }
    }

    /// Adds all documents of another list.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.count += other.count;
        for (field, count) in other.fields {
            *self.fields.entry(field).or_default() += count;
        }
        self.first.extend(other.first);
        while self.first.len() > self.max_ids {
            self.first.pop_last();
        }
    }

    /// The list as reports contain it. `sample` returns the document before and after the sync, if it was kept.
    pub(crate) fn into_set(self, sample: impl Fn(&Value) -> (Option<Value>, Option<Value>)) -> DocumentSet {
        let mut set = DocumentSet { count: self.count, fields: self.fields, ..DocumentSet::default() };
        for ((_, kind, id, _), fields) in self.first {
            let id = id_value_extended_json(kind, &id);
            let (before, after) = sample(&id);
            if !fields.is_empty() || before.is_some() || after.is_some() {
                let names = fields.iter().map(|field| field.name.clone()).collect();
                let values =
                    fields.into_iter().filter_map(|ChangedField { name, values }| Some((name, values?))).collect();
                set.details.push(DocumentDetail { id: id.clone(), fields: names, values, before, after });
            }
            set.ids.push(id);
        }
        set
    }
}

/// An id in canonical Extended JSON. Ids that it cannot express (invalid UTF-8, unknown types) are shown in hexadecimal.
pub(crate) fn id_value_extended_json(kind: u8, id: &[u8]) -> Value {
    match kind {
        0 => return json!({"$missing": true}),
        REDACTED => return json!({"$redacted": hex::encode(id)}),
        _ => {}
    }
    let as_hexadecimal = || {
        let (shown, more) = id.split_at(id.len().min(64));
        let dots = if more.is_empty() { "" } else { "…" };
        json!({"$bytes": format!("{}{dots}", hex::encode(shown)), "$type": kind, "$length": id.len()})
    };
    if id.len() > MAX_SHOWN_ID_BYTES {
        return as_hexadecimal();
    }
    let mut document = vec![0; 4];
    document.push(kind);
    document.extend_from_slice(b"_id\0");
    document.extend_from_slice(id);
    document.push(0);
    let length = u32::try_from(document.len()).unwrap_or(u32::MAX);
    document[..4].copy_from_slice(&length.to_le_bytes());
    id_extended_json(&document).unwrap_or_else(as_hexadecimal)
}

/// The id of a document in canonical Extended JSON.
pub(crate) fn id_extended_json(document: &[u8]) -> Option<Value> {
    let value = RawDocument::from_bytes(document).ok()?.get("_id").ok()??;
    let value = Bson::try_from(value).ok()?;
    Some(extended_json(value))
}

/// A document in canonical Extended JSON.
pub(crate) fn document_extended_json(document: &[u8]) -> Option<Value> {
    let document = bson::Document::try_from(RawDocument::from_bytes(document).ok()?).ok()?;
    Some(extended_json(Bson::Document(document)))
}
