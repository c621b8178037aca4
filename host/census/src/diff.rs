//! Compares two censuses document by document.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value;
use taster_model::{CensusDifference, DeclaredChange, DifferingDocuments};

use crate::{
    Census, CensusError, CensusOptions, ReadAt,
    bucket_documents::{BucketDocuments, DocumentRef},
    format::{BucketEntry, Header},
    listed::{self, ChangedField, ListedDocuments},
    paths::{self, PathSum},
    prove::{ChangeProver, PairOutcome},
    quick_diff::{self, FewDifferences},
};

/// How two censuses are compared.
#[derive(Debug, Clone)]
pub struct DiffOptions<'a> {
    /// Declared changes of this collection, in the order of the configuration.
    pub changes: &'a [DeclaredChange],
    /// Number of ids that are listed of each kind of difference.
    pub max_ids: usize,
    /// The collection's name before the sync, if it has another one after it.
    pub renamed_from: Option<&'a str>,
}

/// Number of paths that are listed.
const MAX_PATHS: usize = 1000;

/// Lists missing, extra and changed documents, and proves the declared changes. Without declared changes, only the buckets
/// that differ are read; with them, all buckets are.
pub fn diff<A: ReadAt, B: ReadAt>(
    before: &Census<A>,
    after: &Census<B>,
    options: &DiffOptions<'_>,
) -> Result<CensusDifference, CensusError> {
    check_comparable(&before.header, &after.header, options.renamed_from)?;
    let mut diff = Diff::new(&before.header, &after.header, options);
    let (old, new) = (&before.footer.buckets, &after.footer.buckets);
    let buckets = old.len().min(new.len());
    for bucket in 0..buckets {
        let range = |all: usize| bucket * (all / buckets)..(bucket + 1) * (all / buckets);
        let (old_range, new_range) = (range(old.len()), range(new.len()));
        if diff.prover.is_plain() && total(&old[old_range.clone()]) == total(&new[new_range.clone()]) {
            continue;
        }
        if diff.prover.is_simple()
            && old.len() == new.len()
            && let Some(few) = quick_diff::compare(before, after, bucket)?
        {
            diff.add_few(&few);
            continue;
        }
        // One of the ranges is a single bucket. It is held while the buckets of the other side are read one after the
        // other, so that a collection that was emptied is not read into memory as a whole.
        if old_range.len() == 1 {
            let mut before = BucketDocuments::read(before, old_range.start)?;
            for index in new_range {
                diff.compare_buckets(&mut before, &mut BucketDocuments::read(after, index)?, HeldBucket::Before);
            }
            before.unpaired().for_each(|document| diff.add_missing(document));
        } else {
            let mut after = BucketDocuments::read(after, new_range.start)?;
            for index in old_range {
                diff.compare_buckets(&mut BucketDocuments::read(before, index)?, &mut after, HeldBucket::After);
            }
            after.unpaired().for_each(|document| diff.add_extra(document));
        }
    }
    Ok(diff.finish(before, after))
}

/// Number of documents and sum of some buckets.
fn total(buckets: &[BucketEntry]) -> (u64, u128) {
    buckets
        .iter()
        .fold((0, 0), |(documents, sum), entry| (documents + u64::from(entry.documents), sum.wrapping_add(entry.sum)))
}

fn check_comparable(before: &Header, after: &Header, renamed_from: Option<&str>) -> Result<(), CensusError> {
    // the size of the sample does not affect digests
    let options = |options: &CensusOptions| CensusOptions { sample: 0, ..options.clone() };
    let (old, new) = (&before.identity, &after.identity);
    let old_name = renamed_from.unwrap_or(&new.collection);
    let (old_side, new_side) = (before.identity.side, after.identity.side);
    let reasons = [
        ("their keys differ", before.key != after.key),
        ("they are of different collections", (&*old.database, &*old.collection) != (&*new.database, old_name)),
        ("their options differ", options(&before.options) != options(&after.options)),
        (
            "one must be taken by `pre` and the other by `post`",
            old_side == taster_model::Side::Post || new_side == taster_model::Side::Pre,
        ),
    ];
    match reasons.into_iter().find(|(_, applies)| *applies) {
        Some((reason, _)) => Err(CensusError::Incomparable { reason }),
        None => Ok(()),
    }
}

/// Which side's bucket is held while buckets of the other side are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeldBucket {
    Before,
    After,
}

/// The difference so far.
struct Diff {
    prover: ChangeProver,
    now: i64,
    missing: ListedDocuments,
    extra: ListedDocuments,
    changed: ListedDocuments,
    expired: ListedDocuments,
}

impl Diff {
    fn new(before: &Header, after: &Header, options: &DiffOptions<'_>) -> Self {
        let listed = || ListedDocuments::new(options.max_ids);
        Self {
            prover: ChangeProver::new(before, after, options.changes, options.max_ids),
            now: after.now,
            missing: listed(),
            extra: listed(),
            changed: listed(),
            expired: listed(),
        }
    }

    /// Pairs the documents of two buckets by id. Unpaired documents of the held bucket may be in the next bucket of the
    /// other side; all other unpaired documents are missing or extra.
    fn compare_buckets(&mut self, before: &mut BucketDocuments, after: &mut BucketDocuments, held: HeldBucket) {
        self.prover.next_bucket();
        let (mut i, mut j) = (0, 0);
        while i < before.len() || j < after.len() {
            let order = match (i < before.len(), j < after.len()) {
                (true, true) => before.get(i).order(&after.get(j)),
                (true, false) => Ordering::Less,
                _ => Ordering::Greater,
            };
            match order {
                Ordering::Less => {
                    if held == HeldBucket::After {
                        self.add_missing(before.get(i));
                    }
                    i += 1;
                }
                Ordering::Greater => {
                    if held == HeldBucket::Before {
                        self.add_extra(after.get(j));
                    }
                    j += 1;
                }
                Ordering::Equal => {
                    let (old, new) = (same_id_run(before, i), same_id_run(after, j));
                    if old == 1 && new == 1 {
                        self.compare_document(before.get(i), after.get(j));
                    } else {
                        self.compare_same_id(&before.group(i, old), &after.group(j, new));
                    }
                    before.mark_paired(i, old);
                    after.mark_paired(j, new);
                    i += old;
                    j += new;
                }
            }
        }
    }

    /// The few differing documents of a bucket.
    fn add_few(&mut self, few: &FewDifferences) {
        few.missing.iter().for_each(|index| self.add_missing(few.before.get(*index)));
        few.extra.iter().for_each(|index| self.add_extra(few.after.get(*index)));
        for (_, index) in &few.changed {
            let fields = if few.reordered.contains(index) { vec![ChangedField::order()] } else { Vec::new() };
            self.changed.push(few.after.get(*index).id(), fields);
        }
    }

    fn compare_document(&mut self, before: DocumentRef<'_>, after: DocumentRef<'_>) {
        if let PairOutcome::Changed(fields) = self.prover.compare(before, after) {
            self.changed.push(after.id(), fields);
        }
    }

    /// Several sorted documents with the same id: equal ones are paired first, the others in their order.
    fn compare_same_id(&mut self, before: &[DocumentRef<'_>], after: &[DocumentRef<'_>]) {
        let separate = self.prover.separate_fields();
        let (mut i, mut j) = (0, 0);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        while i < before.len() || j < after.len() {
            let order = match (before.get(i), after.get(j)) {
                (Some(before), Some(after)) => before.order_of_contents(after, separate),
                (Some(_), None) => Ordering::Less,
                _ => Ordering::Greater,
            };
            match order {
                Ordering::Less => old.push(before[i]),
                Ordering::Greater => new.push(after[j]),
                Ordering::Equal => self.compare_document(before[i], after[j]),
            }
            i += usize::from(order.is_le());
            j += usize::from(order.is_ge());
        }
        let paired = old.len().min(new.len());
        for (old, new) in old.iter().zip(&new) {
            self.compare_document(*old, *new);
        }
        old[paired..].iter().for_each(|old| self.add_missing(*old));
        new[paired..].iter().for_each(|new| self.add_extra(*new));
    }

    fn add_missing(&mut self, document: DocumentRef<'_>) {
        if self.prover.cover_missing(document) {
            return;
        }
        let list = if document.expiry() <= self.now { &mut self.expired } else { &mut self.missing };
        list.push(document.id(), Vec::new());
    }

    fn add_extra(&mut self, document: DocumentRef<'_>) {
        if !self.prover.cover_extra(document) {
            self.extra.push(document.id(), Vec::new());
        }
    }

    fn finish<A, B>(mut self, before: &Census<A>, after: &Census<B>) -> CensusDifference {
        // the sums of paths cover the same documents only if no document was added or removed
        let same_documents =
            !self.prover.has_covered() && self.expired.count == 0 && self.missing.count == 0 && self.extra.count == 0;
        let differing =
            if same_documents && self.changed.count > 0 { self.differing_paths(before, after) } else { Vec::new() };
        let changes = self.prover.finish(&mut self.missing, &mut self.extra);
        let no_sample = |_: &Value| (None, None);
        let (old, new) = (samples_by_id(&before.footer.samples), samples_by_id(&after.footer.samples));
        let sample = |id: &Value| {
            let id = id_in_sample(id).to_string();
            let document =
                |kept: &BTreeMap<String, &[u8]>| kept.get(&id).and_then(|bytes| listed::document_extended_json(bytes));
            (document(&old), document(&new))
        };
        let mut altered = self.changed.into_set(sample);
        altered.paths.clone_from(&differing);
        CensusDifference {
            before: before.footer.documents,
            after: after.footer.documents,
            documents: DifferingDocuments {
                missing: self.missing.into_set(no_sample),
                extra: self.extra.into_set(no_sample),
                changed: altered,
            },
            paths: differing,
            changes,
            expired: self.expired.into_set(no_sample),
        }
    }

    /// The innermost paths whose sums differ.
    fn differing_paths<A, B>(&self, before: &Census<A>, after: &Census<B>) -> Vec<String> {
        let (old, new) = (sums_by_path(&before.footer.paths), sums_by_path(&after.footer.paths));
        let mut differing: Vec<&[u8]> = old
            .keys()
            .chain(new.keys())
            .copied()
            .filter(|path| old.get(path) != new.get(path) && !paths::is_order_free(path))
            .filter(|path| !self.prover.is_declared(path))
            .collect();
        differing.sort_unstable();
        differing.dedup();
        let name = |path: &[u8]| {
            let name = paths::format_path(path);
            let order_free = paths::order_free_path(path);
            match (old.get(&*order_free), new.get(&*order_free)) {
                // everything within it is where it was
                (Some(old), Some(new)) if old == new => ChangedField::order_within(&name).name,
                _ => name,
            }
        };
        // a path is followed by the paths within it
        let mut shown: Vec<String> = (0..differing.len())
            .filter(|index| !differing.get(index + 1).is_some_and(|next| next.starts_with(differing[*index])))
            .take(MAX_PATHS)
            .map(|index| name(differing[index]))
            .collect();
        if before.footer.rest != after.footer.rest {
            shown.push("(other paths)".to_owned());
        }
        shown
    }
}

/// Number of documents from `begin` on that have the same id.
fn same_id_run(side: &BucketDocuments, begin: usize) -> usize {
    let first = side.get(begin);
    (begin + 1..side.len()).take_while(|index| side.get(*index).order(&first) == Ordering::Equal).count() + 1
}

fn sums_by_path(sums: &[PathSum]) -> BTreeMap<&[u8], u128> {
    sums.iter().map(|PathSum { path, sum }| (&**path, *sum)).collect()
}

/// Documents that were kept whole, by their ids.
fn samples_by_id(samples: &[Box<[u8]>]) -> BTreeMap<String, &[u8]> {
    let id = |document: &[u8]| listed::id_extended_json(document).map(|id| id.to_string());
    samples.iter().filter_map(|document| Some((id(document)?, &**document))).collect()
}

/// An id as documents that were kept whole have it: a redacted id is binary there.
fn id_in_sample(id: &Value) -> Value {
    match id.get("$redacted").and_then(Value::as_str).and_then(|text| hex::decode(text).ok()) {
        Some(bytes) => bson::Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes })
            .into_canonical_extjson(),
        None => id.clone(),
    }
}
