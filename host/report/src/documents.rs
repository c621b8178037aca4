//! The documents of a finding: how many are missing, extra or changed, their ids, and the fields that changed.
//!
//! Ids, names and values come from the database. They are shown as compact JSON on one line, without control characters.
//! The module of each format escapes the markup of that format.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use serde_json::Value as Json;
use taster_model::{ChangedValue, DocumentDetail, DocumentSet, Finding, ReasonCode};
use taster_text::{escape_hidden, grouped, truncate_chars};

/// Longer ids are cut to this many characters; `verdict.json` has the whole ids.
const MAX_ID_CHARS: usize = 256;
/// Longer values of fields are cut to this many characters.
const MAX_VALUE_CHARS: usize = 80;
/// Longer documents are cut to this many characters.
const MAX_DOCUMENT_CHARS: usize = 2000;

/// The documents of a finding that differ in one way.
#[derive(Debug)]
pub struct DifferenceGroup<'a> {
    /// `missing`, `extra`, `changed` or `without the change`.
    pub what: &'static str,
    /// The documents.
    pub set: &'a DocumentSet,
}

/// The documents of a finding, grouped by the way in which they differ. Empty groups are left out.
#[must_use]
pub fn groups(finding: &Finding) -> Vec<DifferenceGroup<'_>> {
    let Some(documents) = &finding.documents else { return Vec::new() };
    // for a declared change, these are the documents that do not have the change
    let changed = if finding.code == ReasonCode::ChangeMissing { "without the change" } else { "changed" };
    [("missing", &documents.missing), ("extra", &documents.extra), (changed, &documents.changed)]
        .into_iter()
        .filter(|(_, set)| set.count > 0)
        .map(|(what, set)| DifferenceGroup { what, set })
        .collect()
}

/// One document that differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DocumentLine {
    /// Compact canonical Extended JSON.
    pub id: String,
    /// Fields that changed.
    pub fields: Vec<String>,
    /// The whole document before, if the census kept it.
    pub before: Option<String>,
    /// The whole document after.
    pub after: Option<String>,
}

impl DifferenceGroup<'_> {
    /// `34 missing`, `2 changed: total in 2, status in 1`.
    #[must_use]
    pub fn heading(&self, most: usize) -> String {
        let what = format!("{} {}", grouped(self.set.count), self.what);
        let mut heading = what;
        let fields = counted(&self.set.fields);
        if !fields.is_empty() {
            let _ = write!(heading, ": {}", first_of(&fields, most));
        }
        if !self.has_paths() {
            return heading;
        }
        let paths: Vec<String> = self.set.paths.iter().map(|path| escape_hidden(path)).collect();
        let _ = write!(heading, "; what differs in the collection: {}", first_of(&paths, most));
        heading
    }

    /// Whether the paths of the collection say more than the fields of the documents, which are known of some documents only.
    #[must_use]
    pub fn has_paths(&self) -> bool {
        let named: u64 = self.set.fields.values().sum();
        !self.set.paths.is_empty() && named < self.set.count
    }

    /// The first `most` documents.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<DocumentLine> {
        let details: HashMap<String, &DocumentDetail> =
            self.set.details.iter().map(|detail| (detail.id.to_string(), detail)).collect();
        let whole =
            |document: &serde_json::Value| truncate_chars(&escape_hidden(&document.to_string()), MAX_DOCUMENT_CHARS);
        self.set
            .ids
            .iter()
            .take(most)
            .map(|id| {
                let line = DocumentLine { id: id_text(id), ..DocumentLine::default() };
                match details.get(&id.to_string()) {
                    Some(detail) => DocumentLine {
                        fields: changed_fields(detail),
                        before: detail.before.as_ref().map(whole),
                        after: detail.after.as_ref().map(whole),
                        ..line
                    },
                    None => line,
                }
            })
            .collect()
    }

    /// How many documents are not shown after the first `shown`: `… and 29 more in the report`.
    #[must_use]
    pub fn rest(&self, shown: usize) -> Option<String> {
        self.rest_in(shown, "the report")
    }

    /// How many documents are not shown after the first `shown`; `place` is where all known ids are listed.
    #[must_use]
    pub fn rest_in(&self, shown: usize, place: &str) -> Option<String> {
        let named = self.set.ids.len() as u64;
        let hidden = named.saturating_sub(shown as u64);
        let counted = self.set.count.saturating_sub(named);
        match (hidden, counted) {
            (0, 0) => None,
            (hidden, 0) => Some(format!("… and {} more in {place}", grouped(hidden))),
            (0, counted) if named == 0 => Some(format!("… the ids of the {} were not kept", grouped(counted))),
            (0, counted) => Some(format!("… and {} more, which were only counted", grouped(counted))),
            (hidden, counted) => Some(format!(
                "… and {} more in {place}; another {} were only counted",
                grouped(hidden),
                grouped(counted)
            )),
        }
    }
}

/// The fields that changed in a document, with both values where the census kept them: `total 12.345 → 12.35`.
#[must_use]
pub fn changed_fields(detail: &DocumentDetail) -> Vec<String> {
    let fields = detail.fields.iter().map(|field| match detail.values.get(field) {
        Some(ChangedValue { before, after }) => {
            let text =
                |value: &Option<Json>, show: fn(&Json) -> String| value.as_ref().map_or("(none)".to_owned(), show);
            let mut both = (text(before, scalar_text), text(after, scalar_text));
            if both.0 == both.1 {
                // the same digits in another type
                both = (text(before, whole_text), text(after, whole_text));
            }
            format!("{} {} → {}", escape_hidden(field), both.0, both.1)
        }
        None => escape_hidden(field),
    });
    fields.collect()
}

fn whole_text(value: &Json) -> String {
    truncate_chars(&escape_hidden(&value.to_string()), MAX_VALUE_CHARS)
}

/// A scalar of Extended JSON on one line, numbers by their digits alone.
fn scalar_text(value: &Json) -> String {
    let digits = value.as_object().filter(|object| object.len() == 1).and_then(|object| {
        let (name, digits) = object.iter().next()?;
        name.starts_with("$number").then_some(digits.as_str()?)
    });
    digits.map_or_else(|| whole_text(value), |digits| truncate_chars(&escape_hidden(digits), MAX_VALUE_CHARS))
}

/// An id on one line.
fn id_text(id: &serde_json::Value) -> String {
    truncate_chars(&escape_hidden(&id.to_string()), MAX_ID_CHARS)
}

/// Fields, and in how many documents each one changed, the most frequent first.
pub fn most_frequent(fields: &BTreeMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    let mut fields: Vec<(&str, u64)> = fields.iter().map(|(field, n)| (field.as_str(), *n)).collect();
    fields.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    fields.into_iter()
}

fn counted(fields: &BTreeMap<String, u64>) -> Vec<String> {
    most_frequent(fields).map(|(field, n)| format!("{} in {}", escape_hidden(field), grouped(n))).collect()
}

/// The first items of a list, and how many more there are.
#[must_use]
pub fn first_of(items: &[String], most: usize) -> String {
    let shown = &items[..items.len().min(most)];
    match items.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), grouped(more as u64)),
    }
}
