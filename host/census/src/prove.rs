//! Compares one document before and after the sync: unchanged, changed as declared, or changed otherwise.

use std::collections::{BTreeMap, HashMap};

use taster_model::{ChangeKind, ChangeOutcome, ChangedValue, DeclaredChange, FieldPath, RenamedField};

use crate::{
    DetailLevel,
    attempt::Attempt,
    bucket_documents::DocumentRef,
    document_pair::{ChangeStatus, DocumentPair, FieldTypes},
    field_digests::{FieldColumns, FieldDigests},
    format::Header,
    listed::{ChangedField, ListedDocuments},
    paths,
    proof::{ConvertedTogether, ProofMethod, proof_method},
    shape,
    values::KeptValue,
};

/// Proves or disproves the declared changes, document by document.
pub(crate) struct ChangeProver {
    changes: Vec<TrackedChange>,
    /// Fields whose digest is kept beside the document's.
    separate: Vec<FieldPath>,
    /// Whether every field has a digest.
    is_detailed: bool,
    /// What follows the digests of fields.
    columns: FieldColumns,
    /// Types of the declared fields, by the addresses of two shapes.
    types_by_shapes: HashMap<(usize, usize), Vec<FieldTypes>>,
}

/// A declared change, and its outcome so far.
struct TrackedChange {
    declared: DeclaredChange,
    method: Box<dyn ProofMethod>,
    happened: u64,
    /// Documents by the readings that explain a converted value, each a bit.
    converted: BTreeMap<u8, u64>,
    already_before: u64,
    not_happened: ListedDocuments,
    /// Missing or extra documents that the change covers, until it is known whether they are too many.
    covered: ListedDocuments,
}

/// The result of comparing one document.
pub(crate) enum PairOutcome {
    /// Unchanged, or changed as declared.
    Fine,
    /// Changed otherwise, with the changed fields as far as they are known.
    Changed(Vec<ChangedField>),
}

impl ChangeProver {
    pub(crate) fn new(before: &Header, after: &Header, changes: &[DeclaredChange], max_ids: usize) -> Self {
        let changes = changes.iter().filter(|change| change.kind.needs_census()).map(|declared| TrackedChange {
            method: proof_method(declared, before, after),
            declared: declared.clone(),
            happened: 0,
            converted: BTreeMap::new(),
            already_before: 0,
            not_happened: ListedDocuments::new(max_ids),
            covered: ListedDocuments::new(max_ids),
        });
        Self {
            changes: changes.collect(),
            separate: before.options.separate.clone(),
            is_detailed: before.options.detail == DetailLevel::Fields,
            columns: FieldColumns::of(&before.options),
            types_by_shapes: HashMap::new(),
        }
    }

    /// Whether no change was declared: then equal buckets need not be read.
    pub(crate) fn is_plain(&self) -> bool {
        self.changes.is_empty()
    }

    /// Number of separate fields.
    pub(crate) fn separate_fields(&self) -> usize {
        self.separate.len()
    }

    /// Whether documents consist of ids, digests and shapes only.
    pub(crate) fn is_simple(&self) -> bool {
        self.is_plain() && self.separate.is_empty() && !self.is_detailed
    }

    /// Forgets the shapes of the last buckets: their addresses are no longer valid.
    pub(crate) fn next_bucket(&mut self) {
        self.types_by_shapes.clear();
    }

    /// Whether a document is unchanged.
    fn is_same(&self, pair: DocumentPair<'_>) -> bool {
        let DocumentPair { before, after } = pair;
        before.digest() == after.digest()
            && before.shape() == after.shape()
            && (0..self.separate.len()).all(|column| before.separate(column) == after.separate(column))
    }

    /// Compares a document that is in both censuses.
    pub(crate) fn compare(&mut self, before: DocumentRef<'_>, after: DocumentRef<'_>) -> PairOutcome {
        let pair = DocumentPair { before, after };
        let is_same = self.is_same(pair);
        if self.is_plain() {
            return if is_same {
                PairOutcome::Fine
            } else {
                PairOutcome::Changed(self.changed_fields(pair, &Attempt::default()))
            };
        }
        let types = self.field_types(before.shape(), after.shape());
        let statuses = if is_same {
            self.statuses_of_unchanged(pair, &types)
        } else {
            let attempt = self.attempt(pair, &types);
            match attempt.settle(&self.separate, pair) {
                Some(statuses) => statuses,
                None => return PairOutcome::Changed(self.changed_fields(pair, &attempt)),
            }
        };
        for (change, status) in self.changes.iter_mut().zip(statuses) {
            match status {
                ChangeStatus::NotConcerned => {}
                ChangeStatus::Happened => change.happened += 1,
                ChangeStatus::Converted(readings) => {
                    change.happened += 1;
                    *change.converted.entry(readings).or_default() += 1;
                }
                ChangeStatus::AlreadyBefore => change.already_before += 1,
                ChangeStatus::NotHappened => change.not_happened.push(before.id(), Vec::new()),
            }
        }
        PairOutcome::Fine
    }

    fn statuses_of_unchanged(&self, pair: DocumentPair<'_>, types: &[FieldTypes]) -> Vec<ChangeStatus> {
        // of a document that cannot be read to its end, only equality is known
        let is_unreadable = shape::fields(pair.before.shape()).is_none();
        let status = |(change, types): (&TrackedChange, &FieldTypes)| {
            if is_unreadable && !change.declared.kind.fields().is_empty() {
                return ChangeStatus::NotHappened;
            }
            change.method.status_of_unchanged(*types, pair)
        };
        self.changes.iter().zip(types).map(status).collect()
    }

    fn field_types(&mut self, before: &[u8], after: &[u8]) -> Vec<FieldTypes> {
        let key = (before.as_ptr().addr(), after.as_ptr().addr());
        if let Some(known) = self.types_by_shapes.get(&key) {
            return known.clone();
        }
        let kind_at = |shape, path: &FieldPath| shape::kind_of(shape, path.top_level_name().as_bytes());
        let types_of = |change: &TrackedChange| match &change.declared.kind {
            ChangeKind::RenamedField(RenamedField { from, to }) => FieldTypes {
                before: kind_at(before, from),
                after: kind_at(after, from),
                new_name_before: kind_at(before, to),
            },
            kind => match kind.fields().first() {
                Some(path) => {
                    FieldTypes { before: kind_at(before, path), after: kind_at(after, path), new_name_before: None }
                }
                None => FieldTypes::default(),
            },
        };
        let types: Vec<FieldTypes> = self.changes.iter().map(types_of).collect();
        self.types_by_shapes.insert(key, types.clone());
        types
    }

    /// Reverses every declared change that can be reversed in this document.
    fn attempt<'a>(&'a self, pair: DocumentPair<'_>, types: &[FieldTypes]) -> Attempt<'a> {
        let mut attempt = Attempt::default();
        for (change, types) in self.changes.iter().zip(types) {
            let status = change.method.status_of_changed(*types, pair, &mut attempt);
            attempt.statuses.push(status);
        }
        attempt
    }

    /// Fields that changed otherwise than declared, by name if every field has a digest.
    fn changed_fields(&self, pair: DocumentPair<'_>, attempt: &Attempt<'_>) -> Vec<ChangedField> {
        let DocumentPair { before, after } = pair;
        let mut changed: Vec<ChangedField> = (0..self.separate.len())
            .filter(|column| !attempt.excused.contains(column) && before.separate(*column) != after.separate(*column))
            .map(|column| ChangedField::named(self.separate[column].to_string()))
            .collect();
        if self.is_detailed {
            let old = self.columns.read(before.shape(), before.fields());
            let new = self.columns.read(after.shape(), after.fields());
            let (Some(old), Some(new)) = (old, new) else { return changed };
            changed.extend(self.differing_fields(attempt, &old, &new));
        }
        // a digest is the sum of its fields' digests
        let only_order = self.is_detailed || before.digest() == after.digest();
        if changed.is_empty() && only_order && before.shape() != after.shape() {
            changed.push(ChangedField::order());
        }
        changed.sort_by(|a, b| a.name.cmp(&b.name));
        changed.dedup_by(|a, b| a.name == b.name);
        changed
    }

    /// Fields whose digests differ, except by what was declared.
    fn differing_fields(
        &self,
        attempt: &Attempt<'_>,
        old: &[FieldDigests<'_>],
        new: &[FieldDigests<'_>],
    ) -> Vec<ChangedField> {
        let mut by_name: BTreeMap<&[u8], [Vec<&FieldDigests<'_>>; 2]> = BTreeMap::new();
        for (side, fields) in [old, new].into_iter().enumerate() {
            for field in fields {
                by_name.entry(field.name).or_default()[side].push(field);
            }
        }
        let hashes = |fields: &[&FieldDigests<'_>]| fields.iter().map(|field| field.hash).collect::<Vec<u64>>();
        let mut changed = Vec::new();
        for (name, [old, new]) in &by_name {
            let old_name = self.old_name(attempt, name).and_then(|old_name| by_name.get(old_name.as_bytes()));
            let original = old_name.map_or(old, |[fields, _]| fields);
            let (old_hashes, new_hashes) = (hashes(old), hashes(new));
            if old_hashes != new_hashes && !self.is_explained(attempt, name, &hashes(original), &new_hashes) {
                let name = paths::format_name(name);
                changed.push(if is_same_but_for_order(original, new) {
                    ChangedField::order_within(&name)
                } else {
                    ChangedField { name, values: changed_value(original, new) }
                });
            }
        }
        changed
    }

    /// Whether a top-level field changed as declared and in no other way.
    fn is_explained(&self, attempt: &Attempt<'_>, name: &[u8], original: &[u64], new: &[u64]) -> bool {
        let applied = attempt.applied.iter().filter(|(change, _)| self.is_about(*change, name));
        let delta = applied.fold(0_u64, |sum, (_, delta)| sum.wrapping_add(*delta));
        let single = |hashes: &[u64]| match hashes {
            [] => Some(0),
            [hash] => Some(*hash),
            _ => None,
        };
        match (single(original), single(new)) {
            (Some(old), Some(new)) => new.wrapping_sub(delta) == old || self.is_renamed_away(attempt, name),
            _ => false,
        }
    }

    /// Whether a change is about this top-level field; of a renaming, about its new name.
    fn is_about(&self, change: usize, name: &[u8]) -> bool {
        let kind = &self.changes[change].declared.kind;
        kind.fields().last().is_some_and(|path| path.top_level_name().as_bytes() == name)
    }

    /// The old name of a field that was renamed in this document.
    fn old_name(&self, attempt: &Attempt<'_>, name: &[u8]) -> Option<&str> {
        self.renamings(attempt).find(|(_, to)| to.as_bytes() == name).map(|(from, _)| from)
    }

    /// Whether a field was renamed in this document: whether its value changed is reported under the new name.
    fn is_renamed_away(&self, attempt: &Attempt<'_>, name: &[u8]) -> bool {
        self.renamings(attempt).any(|(from, _)| from.as_bytes() == name)
    }

    fn renamings(&self, attempt: &Attempt<'_>) -> impl Iterator<Item = (&str, &str)> {
        attempt.applied.iter().filter_map(|(change, _)| match &self.changes[*change].declared.kind {
            ChangeKind::RenamedField(RenamedField { from, to }) => Some((from.top_level_name(), to.top_level_name())),
            _ => None,
        })
    }

    /// Whether a declared change covers a missing document. The change then counts it.
    pub(crate) fn cover_missing(&mut self, before: DocumentRef<'_>) -> bool {
        let covering = self.changes.iter_mut().find(|change| change.method.covers_missing(before.mark()));
        cover(covering, before)
    }

    /// Whether a declared change covers an extra document. The change then counts it.
    pub(crate) fn cover_extra(&mut self, after: DocumentRef<'_>) -> bool {
        let covering = self.changes.iter_mut().find(|change| change.method.covers_extra(after.mark()));
        cover(covering, after)
    }

    /// The outcome of each change. If a change covers more documents than it allows, all of them become `missing` or
    /// `extra`.
    pub(crate) fn finish(self, missing: &mut ListedDocuments, extra: &mut ListedDocuments) -> Vec<ChangeOutcome> {
        let mut outcomes = Vec::new();
        for mut change in self.changes {
            let limit = match &change.declared.kind {
                ChangeKind::AddedDocuments(documents) | ChangeKind::RemovedDocuments(documents) => {
                    documents.max_documents
                }
                _ => None,
            };
            let is_exceeded = limit.is_some_and(|limit| change.covered.count > limit);
            match &change.declared.kind {
                ChangeKind::RemovedDocuments(_) if is_exceeded => missing.absorb(change.covered),
                ChangeKind::AddedDocuments(_) if is_exceeded => extra.absorb(change.covered),
                _ => change.happened += change.covered.count,
            }
            let ConvertedTogether { readings, contradiction } = change.method.converted_together(&change.converted);
            let unproven_reason = change.method.unproven_reason().or(contradiction);
            outcomes.push(ChangeOutcome {
                readings,
                unproven_reason: unproven_reason.map(ToOwned::to_owned),
                change: change.declared,
                happened: change.happened,
                already_before: change.already_before,
                not_happened: change.not_happened.into_set(|_| (None, None)),
            });
        }
        outcomes
    }

    /// Whether a declared change covers any missing or extra document.
    pub(crate) fn has_covered(&self) -> bool {
        self.changes.iter().any(|change| change.covered.count > 0)
    }

    /// Whether a declared change is about this path, or about a path around or within it.
    pub(crate) fn is_declared(&self, path: &[u8]) -> bool {
        let names: Vec<&[u8]> = path
            .strip_suffix(&[0])
            .unwrap_or(path)
            .split(|byte| *byte == 0)
            .filter(|name| *name != paths::ELEMENT)
            .collect();
        let fields = self.changes.iter().flat_map(|change| change.declared.kind.fields());
        fields.into_iter().any(|field| field.names().iter().zip(&names).all(|(a, b)| a.as_bytes() == *b))
    }
}

fn cover(change: Option<&mut TrackedChange>, document: DocumentRef<'_>) -> bool {
    let Some(change) = change else { return false };
    change.covered.push(document.id(), Vec::new());
    true
}

/// Whether a field differs in nothing but the order of the fields within it.
fn is_same_but_for_order(old: &[&FieldDigests<'_>], new: &[&FieldDigests<'_>]) -> bool {
    let ([old], [new]) = (old, new) else { return false };
    old.order_free.is_some() && old.order_free == new.order_free
}

/// The values of a field on both sides, if one of them was kept and neither side has the field twice.
fn changed_value(old: &[&FieldDigests<'_>], new: &[&FieldDigests<'_>]) -> Option<ChangedValue> {
    if old.len() > 1 || new.len() > 1 {
        return None;
    }
    let value = |fields: &[&FieldDigests<'_>]| fields.first().and_then(|field| field.value).map(KeptValue::to_json);
    let values = ChangedValue { before: value(old), after: value(new) };
    // the value of a field that is there was not kept: half of the story would read as the whole
    let is_whole = values.before.is_some() != old.is_empty() && values.after.is_some() != new.is_empty();
    is_whole.then_some(values)
}
