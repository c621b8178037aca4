//! Documents that a comparison names: how many, and the first ones by their ids.

use std::collections::BTreeMap;

use bson::{Bson, RawDocument};
use serde_json::{Value, json};
use taster_model::{DocumentDetail, DocumentSet};

use crate::{builder::REDACTED, record::sort_key};

/// So many different fields are counted one by one.
const MOST_FIELDS: usize = 1000;
/// Longest id that is shown whole.
const LONGEST: usize = 4 << 10;

/// Some documents.
pub(crate) struct Named {
    most: usize,
    pub(crate) count: u64,
    first: BTreeMap<Key, Vec<String>>,
    pub(crate) fields: BTreeMap<String, u64>,
}

/// Sorts as ids do; the last part tells documents of one id apart.
type Key = (u128, u8, Vec<u8>, u64);

impl Named {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, count: 0, first: BTreeMap::new(), fields: BTreeMap::new() }
    }

    /// One more, with the fields that changed in it.
    pub(crate) fn push(&mut self, (kind, id): (u8, &[u8]), fields: Vec<String>) {
        self.count += 1;
        for field in &fields {
            let known = self.fields.len() < MOST_FIELDS || self.fields.contains_key(field);
            let field = if known { field.as_str() } else { "(other fields)" };
            *self.fields.entry(field.to_owned()).or_default() += 1;
        }
        let sorted = sort_key(kind, id);
        let full = self.first.len() >= self.most;
        if full && self.first.last_key_value().is_none_or(|((last, ..), _)| sorted > *last) {
            return;
        }
        self.first.insert((sorted, kind, id.to_vec(), self.count), fields);
        if full {
            self.first.pop_last();
        }
    }

    /// All of another.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.count += other.count;
        for (field, count) in other.fields {
            *self.fields.entry(field).or_default() += count;
        }
        self.first.extend(other.first);
        while self.first.len() > self.most {
            self.first.pop_last();
        }
    }

    /// As reports have it. `sample` is the same document before and after, as far as it was kept.
    pub(crate) fn into_set(self, sample: impl Fn(&Value) -> (Option<Value>, Option<Value>)) -> DocumentSet {
        let mut set = DocumentSet { count: self.count, fields: self.fields, ..DocumentSet::default() };
        for ((_, kind, id, _), fields) in self.first {
            let id = extended_json(kind, &id);
            let (before, after) = sample(&id);
            if !fields.is_empty() || before.is_some() || after.is_some() {
                set.details.push(DocumentDetail { id: id.clone(), fields, before, after });
            }
            set.ids.push(id);
        }
        set
    }
}

/// An id in canonical Extended JSON. What that cannot say (invalid UTF-8, unknown types) is told in hexadecimal.
pub(crate) fn extended_json(kind: u8, id: &[u8]) -> Value {
    match kind {
        0 => return json!({"$missing": true}),
        REDACTED => return json!({"$redacted": hex::encode(id)}),
        _ => {}
    }
    let unsaid = || {
        let (shown, more) = id.split_at(id.len().min(64));
        let dots = if more.is_empty() { "" } else { "…" };
        json!({"$bytes": format!("{}{dots}", hex::encode(shown)), "$type": kind, "$length": id.len()})
    };
    if id.len() > LONGEST {
        return unsaid();
    }
    let mut document = vec![0; 4];
    document.push(kind);
    document.extend_from_slice(b"_id\0");
    document.extend_from_slice(id);
    document.push(0);
    let length = u32::try_from(document.len()).unwrap_or(u32::MAX);
    document[..4].copy_from_slice(&length.to_le_bytes());
    id_of(&document).unwrap_or_else(unsaid)
}

/// The id of a document in canonical Extended JSON.
pub(crate) fn id_of(document: &[u8]) -> Option<Value> {
    let value = RawDocument::from_bytes(document).ok()?.get("_id").ok()??;
    let value = Bson::try_from(value).ok()?;
    // hexadecimal of a binary value of subtype 0 and 16 bytes: what a redacted id was kept as
    Some(value.into_canonical_extjson())
}

/// A document in canonical Extended JSON.
pub(crate) fn document_of(document: &[u8]) -> Option<Value> {
    let document = bson::Document::try_from(RawDocument::from_bytes(document).ok()?).ok()?;
    Some(Bson::Document(document).into_canonical_extjson())
}
