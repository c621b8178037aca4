//! Documents by id: how many are missing, extra or changed, which they are, and what changed in them.
//!
//! Ids, names and values come from the database: they are shown as compact JSON on one line, with nothing in it that a
//! terminal would obey. What else a format takes for markup is escaped where that format is written.

use std::collections::{BTreeMap, HashMap};

use taster_model::{DocumentDetail, DocumentSet, Finding, ReasonCode};
use taster_text::{escape_hidden, grouped, truncate_chars};

/// Longer ids are cut; `verdict.json` has them whole.
const LONGEST_ID: usize = 256;
/// Longer documents are cut.
const LONGEST_DOCUMENT: usize = 2000;

/// One kind of difference that a finding has documents of.
#[derive(Debug)]
pub struct Part<'a> {
    /// `missing`, `extra`, `changed` or `without the change`.
    pub what: &'static str,
    /// The documents.
    pub set: &'a DocumentSet,
}

/// What a finding says of documents; nothing where it says that there are none.
#[must_use]
pub fn parts(finding: &Finding) -> Vec<Part<'_>> {
    let Some(documents) = &finding.documents else { return Vec::new() };
    // of a declared change those are named in which it did not happen
    let changed = if finding.code == ReasonCode::ChangeMissing { "without the change" } else { "changed" };
    [("missing", &documents.missing), ("extra", &documents.extra), (changed, &documents.changed)]
        .into_iter()
        .filter(|(_, set)| set.count > 0)
        .map(|(what, set)| Part { what, set })
        .collect()
}

/// One document: its id and what is known of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Compact canonical Extended JSON.
    pub id: String,
    /// Fields that changed.
    pub fields: Vec<String>,
    /// The whole document before, where the census kept it.
    pub before: Option<String>,
    /// The whole document after.
    pub after: Option<String>,
}

impl Part<'_> {
    /// `34 missing`, `2 changed: total in 2, status in 1`.
    #[must_use]
    pub fn heading(&self, most: usize) -> String {
        let what = format!("{} {}", grouped(self.set.count), self.what);
        let fields = counted(&self.set.fields);
        let (label, told) = if fields.is_empty() {
            ("; what differs in the collection: ", self.set.paths.iter().map(|path| escape_hidden(path)).collect())
        } else {
            (": ", fields)
        };
        if told.is_empty() { what } else { format!("{what}{label}{}", some(&told, most)) }
    }

    /// The first `most` documents.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<Line> {
        let details: HashMap<String, &DocumentDetail> =
            self.set.details.iter().map(|detail| (detail.id.to_string(), detail)).collect();
        let whole =
            |document: &serde_json::Value| truncate_chars(&escape_hidden(&document.to_string()), LONGEST_DOCUMENT);
        self.set
            .ids
            .iter()
            .take(most)
            .map(|id| {
                let line = Line { id: self::id(id), ..Line::default() };
                match details.get(&id.to_string()) {
                    Some(detail) => Line {
                        fields: detail.fields.iter().map(|field| escape_hidden(field)).collect(),
                        before: detail.before.as_ref().map(whole),
                        after: detail.after.as_ref().map(whole),
                        ..line
                    },
                    None => line,
                }
            })
            .collect()
    }

    /// What becomes of the documents after the first `shown`: `… and 29 more in the report`.
    #[must_use]
    pub fn rest(&self, shown: usize) -> Option<String> {
        self.rest_in(shown, "the report")
    }

    /// The same, where another place has those whose ids are known.
    #[must_use]
    pub fn rest_in(&self, shown: usize, place: &str) -> Option<String> {
        let named = self.set.ids.len() as u64;
        let hidden = named.saturating_sub(shown as u64);
        let counted = self.set.count.saturating_sub(named);
        match (hidden, counted) {
            (0, 0) => None,
            (hidden, 0) => Some(format!("… and {} more in {place}", grouped(hidden))),
            (0, counted) if named == 0 => Some(format!("… no id of the {} was kept", grouped(counted))),
            (0, counted) => Some(format!("… and {} more, which were only counted", grouped(counted))),
            (hidden, counted) => Some(format!(
                "… and {} more in {place}; another {} were only counted",
                grouped(hidden),
                grouped(counted)
            )),
        }
    }
}

/// An id on one line.
fn id(id: &serde_json::Value) -> String {
    truncate_chars(&escape_hidden(&id.to_string()), LONGEST_ID)
}

/// Fields with their numbers of documents, the most frequent first.
pub fn most_frequent(fields: &BTreeMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    let mut fields: Vec<(&str, u64)> = fields.iter().map(|(field, n)| (field.as_str(), *n)).collect();
    fields.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    fields.into_iter()
}

fn counted(fields: &BTreeMap<String, u64>) -> Vec<String> {
    most_frequent(fields).map(|(field, n)| format!("{} in {}", escape_hidden(field), grouped(n))).collect()
}

/// The first of a list, and how many more.
#[must_use]
pub fn some(items: &[String], most: usize) -> String {
    let shown = &items[..items.len().min(most)];
    match items.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), grouped(more as u64)),
    }
}
