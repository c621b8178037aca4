//! Two censuses, document by document.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value;
use taster_model::{CensusDifference, DeclaredChange, Documents as Sets};

use crate::{
    Census, CensusError, Options, ReadAt,
    format::Entry,
    named::{self, Named},
    pair::{Outcome, Pairs},
    paths::{self, PathSum},
    quick::{self, Few},
    side::{Document, Documents},
};

/// How two censuses are compared.
#[derive(Debug, Clone)]
pub struct Comparing<'a> {
    /// What the migration was meant to do to this collection, in the order of the configuration.
    pub changes: &'a [DeclaredChange],
    /// So many ids are named of each kind of difference.
    pub most_ids: usize,
}

/// So many paths are named.
const MOST_PATHS: usize = 1000;

/// Says which documents are missing, extra or changed, and what became of the declared changes. Reads only the parts
/// that differ, unless something was declared: then each document has a say.
pub fn diff<A: ReadAt, B: ReadAt>(
    before: &Census<A>,
    after: &Census<B>,
    comparing: &Comparing<'_>,
) -> Result<CensusDifference, CensusError> {
    comparable(before, after)?;
    let most = comparing.most_ids;
    let mut found = Found {
        pairs: Pairs::new(&before.header, &after.header, comparing.changes, most),
        now: after.header.now,
        missing: Named::new(most),
        extra: Named::new(most),
        changed: Named::new(most),
        expired: Named::new(most),
    };
    let (old, new) = (&before.footer.buckets, &after.footer.buckets);
    let buckets = old.len().min(new.len());
    for bucket in 0..buckets {
        let range = |all: usize| bucket * (all / buckets)..(bucket + 1) * (all / buckets);
        let (old_range, new_range) = (range(old.len()), range(new.len()));
        if found.pairs.is_plain() && sum(&old[old_range.clone()]) == sum(&new[new_range.clone()]) {
            continue;
        }
        if found.pairs.is_simple()
            && old.len() == new.len()
            && let Some(few) = quick::compare(before, after, bucket)?
        {
            found.few(&few);
            continue;
        }
        // One of the ranges is a single bucket. It waits while those of the other side come one after the other: a
        // collection that was emptied must not be read into memory whole.
        if old_range.len() == 1 {
            let mut before = Documents::read(before, old_range.start)?;
            for place in new_range {
                found.bucket(&mut before, &mut Documents::read(after, place)?, Waiting::Before);
            }
            before.unseen().for_each(|document| found.missing(&document));
        } else {
            let mut after = Documents::read(after, new_range.start)?;
            for place in old_range {
                found.bucket(&mut Documents::read(before, place)?, &mut after, Waiting::After);
            }
            after.unseen().for_each(|document| found.extra(&document));
        }
    }
    Ok(found.finish(before, after))
}

fn sum(buckets: &[Entry]) -> (u64, u128) {
    buckets
        .iter()
        .fold((0, 0), |(documents, sum), entry| (documents + u64::from(entry.documents), sum.wrapping_add(entry.sum)))
}

fn comparable<A, B>(before: &Census<A>, after: &Census<B>) -> Result<(), CensusError> {
    // how many are kept whole changes nothing about the others
    let options = |options: &Options| Options { sample: 0, ..options.clone() };
    let (old, new) = (&before.header, &after.header);
    let places = |header: &crate::format::Header| (header.place.database.clone(), header.place.collection.clone());
    let what = [
        ("their keys", old.key != new.key),
        ("their collections", places(old) != places(new)),
        ("their options", options(&old.options) != options(&new.options)),
        ("their sides: one is of before the sync, the other of after it; these", {
            old.place.side == taster_model::Side::Post || new.place.side == taster_model::Side::Pre
        }),
    ];
    match what.into_iter().find(|(_, differ)| *differ) {
        Some((what, _)) => Err(CensusError::Incomparable { what: what.to_owned() }),
        None => Ok(()),
    }
}

/// Which side's bucket stays while buckets of the other are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Before,
    After,
}

/// What was found so far.
struct Found {
    pairs: Pairs,
    now: i64,
    missing: Named,
    extra: Named,
    changed: Named,
    expired: Named,
}

impl Found {
    /// Pairs the documents of both sides by id. What only the side that does not wait has is told at once.
    fn bucket(&mut self, before: &mut Documents, after: &mut Documents, waiting: Waiting) {
        self.pairs.next_bucket();
        let (mut i, mut j) = (0, 0);
        while i < before.len() || j < after.len() {
            let order = match (i < before.len(), j < after.len()) {
                (true, true) => before.get(i).order(&after.get(j)),
                (true, false) => Ordering::Less,
                _ => Ordering::Greater,
            };
            match order {
                Ordering::Less => {
                    if waiting == Waiting::After {
                        self.missing(&before.get(i));
                    }
                    i += 1;
                }
                Ordering::Greater => {
                    if waiting == Waiting::Before {
                        self.extra(&after.get(j));
                    }
                    j += 1;
                }
                Ordering::Equal => {
                    let (old, new) = (run(before, i), run(after, j));
                    if old == 1 && new == 1 {
                        self.pair(&before.get(i), &after.get(j));
                    } else {
                        self.group(&before.group(i, old), &after.group(j, new));
                    }
                    before.see(i, old);
                    after.see(j, new);
                    i += old;
                    j += new;
                }
            }
        }
    }

    /// The few documents of a bucket that differ.
    fn few(&mut self, few: &Few) {
        few.missing.iter().for_each(|place| self.missing(&few.before.get(*place)));
        few.extra.iter().for_each(|place| self.extra(&few.after.get(*place)));
        few.changed.iter().for_each(|(_, place)| self.changed.push(few.after.get(*place).id(), Vec::new()));
    }

    fn pair(&mut self, before: &Document<'_>, after: &Document<'_>) {
        if let Outcome::Changed(fields) = self.pairs.pair(before, after) {
            self.changed.push(after.id(), fields);
        }
    }

    /// Several documents of one id, sorted: those that are the same are paired first, the others in their order.
    fn group(&mut self, before: &[Document<'_>], after: &[Document<'_>]) {
        let apart = self.pairs.apart();
        let (mut i, mut j) = (0, 0);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        while i < before.len() || j < after.len() {
            let order = match (before.get(i), after.get(j)) {
                (Some(before), Some(after)) => before.order_of_contents(after, apart),
                (Some(_), None) => Ordering::Less,
                _ => Ordering::Greater,
            };
            match order {
                Ordering::Less => old.push(before[i]),
                Ordering::Greater => new.push(after[j]),
                Ordering::Equal => self.pair(&before[i], &after[j]),
            }
            i += usize::from(order.is_le());
            j += usize::from(order.is_ge());
        }
        let paired = old.len().min(new.len());
        for (old, new) in old.iter().zip(&new) {
            self.pair(old, new);
        }
        old[paired..].iter().for_each(|old| self.missing(old));
        new[paired..].iter().for_each(|new| self.extra(new));
    }

    fn missing(&mut self, document: &Document<'_>) {
        if self.pairs.excuse_missing(document) {
            return;
        }
        let named = if document.expiry() <= self.now { &mut self.expired } else { &mut self.missing };
        named.push(document.id(), Vec::new());
    }

    fn extra(&mut self, document: &Document<'_>) {
        if !self.pairs.excuse_extra(document) {
            self.extra.push(document.id(), Vec::new());
        }
    }

    fn finish<A, B>(mut self, before: &Census<A>, after: &Census<B>) -> CensusDifference {
        let complete = !self.pairs.has_excused() && self.expired.count == 0;
        let complete = complete && self.missing.count == 0 && self.extra.count == 0;
        let paths = if complete && self.changed.count > 0 {
            self.paths(&before.footer.paths, &after.footer.paths, before.footer.rest != after.footer.rest)
        } else {
            Vec::new()
        };
        let changes = self.pairs.finish(&mut self.missing, &mut self.extra);
        let nothing = |_: &Value| (None, None);
        let (old, new) = (samples(&before.footer.samples), samples(&after.footer.samples));
        let sample = |id: &Value| {
            let id = sample_id(id).to_string();
            let whole =
                |documents: &BTreeMap<String, &[u8]>| documents.get(&id).and_then(|bytes| named::document_of(bytes));
            (whole(&old), whole(&new))
        };
        let mut altered = self.changed.into_set(sample);
        altered.paths.clone_from(&paths);
        CensusDifference {
            before: before.footer.documents,
            after: after.footer.documents,
            documents: Sets {
                missing: self.missing.into_set(nothing),
                extra: self.extra.into_set(nothing),
                changed: altered,
            },
            paths,
            changes,
            expired: self.expired.into_set(nothing),
        }
    }

    /// The deepest paths whose sums differ.
    fn paths(&self, before: &[PathSum], after: &[PathSum], others: bool) -> Vec<String> {
        let (old, new) = (by_path(before), by_path(after));
        let mut differing: Vec<&[u8]> = old
            .keys()
            .chain(new.keys())
            .copied()
            .filter(|path| old.get(path) != new.get(path) && !self.pairs.is_declared(path))
            .collect();
        differing.sort_unstable();
        differing.dedup();
        let mut told: Vec<String> = differing
            .iter()
            .enumerate()
            // a path that lies within another comes right behind it
            .filter(|(place, path)| !differing.get(place + 1).is_some_and(|next| next.starts_with(path)))
            .map(|(_, path)| paths::shown(path))
            .collect();
        told.truncate(MOST_PATHS);
        if others {
            told.push("(other paths)".to_owned());
        }
        told
    }
}

/// How many documents from here on have one id.
fn run(side: &Documents, begin: usize) -> usize {
    let first = side.get(begin);
    (begin + 1..side.len()).take_while(|at| side.get(*at).order(&first) == Ordering::Equal).count() + 1
}

fn by_path(sums: &[PathSum]) -> BTreeMap<&[u8], u128> {
    sums.iter().map(|PathSum { path, sum }| (&**path, *sum)).collect()
}

/// Documents that were kept whole, by their ids.
fn samples(samples: &[Box<[u8]>]) -> BTreeMap<String, &[u8]> {
    samples.iter().filter_map(|document| Some((named::id_of(document)?.to_string(), &**document))).collect()
}

/// A redacted id as it stands in a document that was kept whole: binary.
fn sample_id(id: &Value) -> Value {
    match id.get("$redacted").and_then(Value::as_str).and_then(|text| hex::decode(text).ok()) {
        Some(bytes) => bson::Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes })
            .into_canonical_extjson(),
        None => id.clone(),
    }
}
