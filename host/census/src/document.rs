//! Turns one document into the record that a census keeps of it.

use taster_model::{AddedField, ChangeKind, DeclaredChange, FieldPath, RenamedField, RetypedField, Side};

use crate::{
    CensusOptions, Redaction,
    conversion::{Conversion, Reading},
    declared_value::DeclaredValue,
    field_digests,
    hash::Hasher,
    paths::PathSums,
    raw::{ARRAY, DOCUMENT, Element, Elements, Unreadable},
    record::{Columns, FieldColumn, NEVER, NOT_CONVERTED, SeparateField, Undo, UndoState},
    rewrite::{MIXED, Rewrite, Rewritten, rewrite},
    shape::{self, ShapeCursor, Shapes},
    values::ValueWriter,
};

/// What is recorded of each document beside its id, digest and shape.
pub(crate) struct RecordPlan {
    pub(crate) columns: Columns,
    ignored: Vec<Box<[u8]>>,
    separate: Vec<(FieldPath, Rewrite<'static>)>,
    conversions: Vec<ConversionPlan>,
    /// Changes that are reversed after the sync, in the order of the declared changes.
    reversible: Vec<ReversibleChange>,
    /// Top-level fields that declared changes are about: they need more than a hash.
    declared_names: Vec<Box<[u8]>>,
    expiries: Vec<Expiry>,
    /// Whether digests of fields that hold others are followed by those that do not depend on an order.
    order_free: bool,
    /// What is redacted, and so kept of no field.
    redaction: Option<Redaction>,
}

/// A rule by which documents expire.
struct Expiry {
    path: Vec<String>,
    seconds: i64,
    /// The bit of its filter. `None`: it has no filter.
    filter: Option<u8>,
}

impl Expiry {
    fn all(options: &CensusOptions) -> Vec<Self> {
        let mut bits = (0..u8::BITS).map(|bit| 1_u8 << bit);
        let rules = options.expiries.iter().filter_map(|index| {
            // beyond eight filters there is no bit, and its documents never count as expired
            let filter = index.filter.as_ref().map(|_| bits.next());
            let path = index.field.split('.').map(ToOwned::to_owned).collect();
            (filter != Some(None)).then(|| Self { path, seconds: index.seconds, filter: filter.flatten() })
        });
        rules.collect()
    }
}

/// A change that is reversed after the sync.
struct ReversibleChange {
    kind: ChangeKind,
    /// The values that an added field may have; empty: any.
    values: Vec<DeclaredValue>,
}

impl ReversibleChange {
    fn new(change: &DeclaredChange) -> Self {
        let values = match &change.kind {
            ChangeKind::AddedField(added) => DeclaredValue::all_of(added),
            _ => Vec::new(),
        };
        Self { kind: change.kind.clone(), values }
    }
}

/// What is recorded of a conversion: before the sync a digest of the converted value under each reading, after it one of the
/// value that was found.
struct ConversionPlan {
    conversion: Conversion,
    /// Position among the digests of converted values.
    first: usize,
    /// `None`: after the sync.
    readings: Option<Vec<Reading>>,
}

impl ConversionPlan {
    fn all(options: &CensusOptions, side: Side) -> Vec<Self> {
        let mut first = 0;
        let plans = options.conversions.iter().map(|conversion| {
            let readings = (side == Side::Pre).then(|| conversion.readings());
            let plan = Self { conversion: conversion.clone(), first, readings };
            first += plan.digests();
            plan
        });
        plans.collect()
    }

    /// How many digests it records.
    fn digests(&self) -> usize {
        self.readings.as_ref().map_or(1, Vec::len)
    }
}

impl RecordPlan {
    pub(crate) fn new(options: &CensusOptions, side: Side, changes: &[DeclaredChange]) -> Self {
        let reversible: Vec<ReversibleChange> = reversible_changes(side, changes).map(ReversibleChange::new).collect();
        let mut declared_names: Vec<Box<[u8]>> = options
            .separate
            .iter()
            .chain(reversible.iter().flat_map(|change| change.kind.fields()))
            .map(top_level_bytes)
            .collect();
        declared_names.sort_unstable();
        declared_names.dedup();
        let marks = match side {
            Side::Pre => !options.removed_filters.is_empty(),
            Side::Post => CensusOptions::added_document_filters(changes).next().is_some(),
        };
        let conversions = ConversionPlan::all(options, side);
        Self {
            columns: Columns {
                marks,
                expiries: side == Side::Pre && !options.expiries.is_empty(),
                separate: options.separate.len(),
                converted: conversions.iter().map(ConversionPlan::digests).sum(),
                undos: reversible.len(),
                fields: FieldColumn::of(options),
            },
            ignored: options.ignored.iter().map(|name| name.as_bytes().into()).collect(),
            separate: options.separate.iter().map(|path| (path.clone(), separation(options, path))).collect(),
            conversions,
            reversible,
            declared_names,
            expiries: match side {
                Side::Pre => Expiry::all(options),
                Side::Post => Vec::new(),
            },
            order_free: options.order_free_digests,
            redaction: options.redaction.clone(),
        }
    }

    /// When a document expires, in milliseconds since 1970: by the rules without a filter, and by those whose bit is set.
    pub(crate) fn expiry(&self, document: &[u8], filters: u8) -> i64 {
        let applies = |rule: &&Expiry| rule.filter.is_none_or(|bit| filters & bit != 0);
        let times = self.expiries.iter().filter(applies).filter_map(|rule| {
            Some(earliest_date(document, &rule.path)?.saturating_add(rule.seconds.saturating_mul(1000)))
        });
        times.min().unwrap_or(NEVER)
    }

    #[inline]
    fn ignores(&self, element: Element<'_>) -> bool {
        self.ignored.iter().any(|name| **name == *element.name())
    }

    #[inline]
    fn is_declared(&self, element: Element<'_>) -> bool {
        self.declared_names.iter().any(|name| **name == *element.name())
    }

    /// Number of fields of a document that are recorded; 0 for documents that are too short to have very many.
    fn count_fields(&self, document: &[u8]) -> Result<usize, Unreadable> {
        // a field has at least a type byte and the NUL of its name
        if document.len() < shape::MAX_FIELDS * 2 {
            return Ok(0);
        }
        let mut count = 0;
        for element in Elements::of_document(document)? {
            count += usize::from(!self.ignores(element?));
        }
        Ok(count)
    }
}

fn top_level_bytes(path: &FieldPath) -> Box<[u8]> {
    path.top_level_name().as_bytes().into()
}

/// How a field is separated from the document's digest.
fn separation(options: &CensusOptions, path: &FieldPath) -> Rewrite<'static> {
    if options.retyped.contains(path) { Rewrite::Blank } else { Rewrite::Remove }
}

/// Declared changes that are reversed after the sync, because a digest of eight bytes is enough to prove them.
pub(crate) fn reversible_changes(side: Side, changes: &[DeclaredChange]) -> impl Iterator<Item = &DeclaredChange> {
    changes.iter().filter(move |change| {
        side == Side::Post
            && match &change.kind {
                ChangeKind::AddedField(_) | ChangeKind::RenamedField(_) => true,
                ChangeKind::RetypedField(retyped) => retyped.is_reversible(),
                _ => false,
            }
    })
}

/// The digest of one document, and what else is recorded of it. Reused for the next document.
#[derive(Default)]
pub(crate) struct DocumentDigest {
    pub(crate) digest: u64,
    pub(crate) shape: u32,
    /// The shape itself, if it has no number.
    pub(crate) inline: Option<Box<[u8]>>,
    pub(crate) expiry: i64,
    pub(crate) separate: Vec<SeparateField>,
    pub(crate) converted: Vec<u64>,
    pub(crate) undos: Vec<Undo>,
    pub(crate) fields: Vec<u8>,
    order_free: Vec<u8>,
    values: ValueWriter,
}

/// The `_id` of a document: its type and value; type 0 if it has none.
pub(crate) fn id_of(document: &[u8]) -> (u8, &[u8]) {
    let Ok(elements) = Elements::of_document(document) else { return (0, &[]) };
    let mut readable = elements.map_while(Result::ok);
    readable.find(|element| element.name() == b"_id").map_or((0, &[]), |element| (element.kind(), element.value()))
}

/// A top-level field that a declared change is about.
#[derive(Clone, Copy)]
struct DeclaredField<'a> {
    element: Element<'a>,
    /// Hash of the document's id.
    id_hash: u64,
    /// Number of fields of the same name before it.
    number: u64,
}

impl DeclaredField<'_> {
    fn is_at(&self, path: &FieldPath) -> bool {
        path.top_level_name().as_bytes() == self.element.name()
    }

    /// Hash of what is left of the field; 0 if nothing is.
    fn hash(&self, hasher: &Hasher, bytes: &[u8]) -> u64 {
        if bytes.is_empty() { 0 } else { hasher.field_hash(self.id_hash, bytes, self.number) }
    }
}

/// Computes the digests of the documents of a collection, with its shapes and the sums of its paths.
pub(crate) struct DocumentDigester {
    pub(crate) hasher: Hasher,
    pub(crate) plan: RecordPlan,
    pub(crate) shapes: Shapes,
    pub(crate) paths: PathSums,
}

impl DocumentDigester {
    /// Computes the digest of a document. `id_hash` is the hash of its id.
    pub(crate) fn digest(&mut self, document: &[u8], id_hash: u64, digest: &mut DocumentDigest) {
        // the digest of a document with no field but its id is keyed, too
        digest.digest = self.hasher.mix(id_hash, id_hash, 2);
        digest.inline = None;
        digest.separate.clear();
        digest.separate.resize(self.plan.separate.len(), SeparateField::default());
        digest.converted.clear();
        digest.converted.resize(self.plan.columns.converted, NOT_CONVERTED);
        digest.undos.clear();
        digest.undos.resize(self.plan.reversible.len(), Undo::default());
        digest.fields.clear();
        digest.order_free.clear();
        digest.values.clear();
        self.paths.begin(&self.hasher);
        let walked = match self.plan.count_fields(document) {
            Ok(shape::MAX_FIELDS..) => self.walk_wide(document, id_hash, digest),
            Ok(_) => self.walk(document, id_hash, digest),
            Err(Unreadable) => Err(Unreadable),
        };
        if walked.is_err() {
            // its fields cannot be told apart: the document is hashed as a whole
            digest.digest = self.hasher.field_hash(id_hash, document, 2);
            (digest.shape, digest.inline) = self.shapes.number(shape::OPAQUE.into());
            digest.separate.fill(SeparateField::default());
            digest.converted.fill(NOT_CONVERTED);
            digest.undos.fill(Undo::default());
            digest.fields.clear();
        }
    }

    fn walk(&mut self, document: &[u8], id_hash: u64, digest: &mut DocumentDigest) -> Result<(), Unreadable> {
        let mut cursor: ShapeCursor = self.shapes.begin();
        let mut id_seen = false;
        let mut declared_seen: Vec<Box<[u8]>> = Vec::new();
        for element in Elements::of_document(document)? {
            let element = element?;
            if self.plan.ignores(element) {
                continue;
            }
            let (next, number) = self.shapes.step(cursor, element);
            cursor = next;
            if !id_seen && element.name() == b"_id" {
                id_seen = true;
                continue;
            }
            let hash = if self.plan.is_declared(element) {
                declared_seen.push(element.name().into());
                self.digest_declared_field(DeclaredField { element, id_hash, number }, digest)?
            } else {
                self.hasher.field_hash(id_hash, element.bytes, number)
            };
            digest.digest = digest.digest.wrapping_add(hash);
            if self.plan.columns.fields != FieldColumn::None {
                digest.fields.extend_from_slice(&hash.to_le_bytes());
            }
            if self.plan.columns.fields == FieldColumn::Values {
                digest.values.push(element, self.plan.redaction.as_ref());
            }
            let contents = self.paths.add(&self.hasher, id_hash, element, hash);
            if self.plan.order_free && element.is_nested() && self.plan.columns.fields != FieldColumn::None {
                digest.order_free.extend_from_slice(&field_digests::order_free_digest(contents));
            }
        }
        digest.fields.extend_from_slice(&digest.order_free);
        digest.fields.extend_from_slice(digest.values.bytes());
        self.reject_renamings_with_both_names(&declared_seen, &mut digest.undos);
        (digest.shape, digest.inline) = self.shapes.end(&self.hasher, cursor);
        Ok(())
    }

    /// A document that still has the old name was not renamed.
    fn reject_renamings_with_both_names(&self, names: &[Box<[u8]>], undos: &mut [Undo]) {
        for (ReversibleChange { kind, .. }, undo) in self.plan.reversible.iter().zip(undos) {
            if let ChangeKind::RenamedField(RenamedField { from, .. }) = kind
                && undo.state == UndoState::Complete
                && names.iter().any(|name| **name == *from.top_level_name().as_bytes())
            {
                *undo = Undo { state: UndoState::Other, delta: 0 };
            }
        }
    }

    /// A document with very many fields: its shape is hashed, so that its names do not fill the memory of shapes.
    fn walk_wide(&mut self, document: &[u8], id_hash: u64, digest: &mut DocumentDigest) -> Result<(), Unreadable> {
        let mut heads = 0;
        let mut id_seen = false;
        let mut number = 0;
        for element in Elements::of_document(document)? {
            let element = element?;
            if self.plan.ignores(element) {
                continue;
            }
            number += 1;
            heads = self.hasher.mix(self.hasher.hash(element.head()), heads, 0);
            if !id_seen && element.name() == b"_id" {
                id_seen = true;
                continue;
            }
            let hash = self.hasher.field_hash(id_hash, element.bytes, number);
            digest.digest = digest.digest.wrapping_add(hash);
            self.paths.add(&self.hasher, id_hash, element, hash);
        }
        (digest.shape, digest.inline) = self.shapes.number(shape::hash_of_wide_shape(&self.hasher, heads));
        Ok(())
    }

    /// Records what declared changes need of a field. Returns the hash of the field for the document's digest.
    fn digest_declared_field(&self, field: DeclaredField<'_>, digest: &mut DocumentDigest) -> Result<u64, Unreadable> {
        let remaining = self.separate(field, digest)?;
        let hash = field.hash(&self.hasher, &remaining);
        self.record_undos(field, remaining, hash, &mut digest.undos)?;
        Ok(hash)
    }

    /// Takes the separate fields out of a field and records their digests. Returns what is left.
    fn separate(&self, field: DeclaredField<'_>, digest: &mut DocumentDigest) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = field.element.bytes.to_vec();
        for ((path, operation), column) in self.plan.separate.iter().zip(&mut digest.separate) {
            if !field.is_at(path) || bytes.is_empty() {
                continue;
            }
            let rewritten = rewrite(parse_element(&bytes)?, path, *operation)?;
            if rewritten.changed > 0 {
                // the hashes of several fields of the same name are added up
                let hash = self.hasher.field_hash(field.id_hash, &rewritten.removed, field.number);
                column.hash = column.hash.wrapping_add(hash);
                let is_first = column.kind == 0;
                column.kind = if is_first || column.kind == rewritten.kind { rewritten.kind } else { MIXED };
                self.record_converted(field, path, &rewritten.removed, &mut digest.converted);
                bytes = rewritten.element;
            }
        }
        Ok(bytes)
    }

    /// Records what the values of a retyped field become, or became. Of several fields with one name, only the first is proven:
    /// the others leave no digest that could agree.
    fn record_converted(&self, field: DeclaredField<'_>, path: &FieldPath, removed: &[u8], digests: &mut [u64]) {
        for plan in self.plan.conversions.iter().filter(|plan| plan.conversion.path == *path) {
            let hash = |form: Option<Vec<u8>>| match form {
                // zero is no digest
                Some(form) if field.number == 0 => self.hasher.field_hash(field.id_hash, &form, field.number).max(1),
                _ => NOT_CONVERTED,
            };
            let digests = &mut digests[plan.first..plan.first + plan.digests()];
            match &plan.readings {
                Some(readings) => {
                    for (reading, digest) in readings.iter().zip(digests) {
                        *digest = hash(plan.conversion.converted(removed, *reading));
                    }
                }
                None => digests.fill(hash(plan.conversion.found(removed))),
            }
        }
    }

    /// Records for each reversible change whether the field has it, and what the digest would be without it.
    fn record_undos(
        &self,
        field: DeclaredField<'_>,
        mut bytes: Vec<u8>,
        hash: u64,
        undos: &mut [Undo],
    ) -> Result<(), Unreadable> {
        // changes of the same field are reversed one after the other
        let mut last_hash = hash;
        for (ReversibleChange { kind, values }, undo) in self.plan.reversible.iter().zip(undos) {
            if bytes.is_empty() {
                break;
            }
            let (path, operation) = match kind {
                ChangeKind::AddedField(AddedField { path, field_type, .. }) => {
                    (path, Rewrite::RemoveIf(field_type.code(), values))
                }
                ChangeKind::RetypedField(RetypedField { path, from, to, .. }) => (path, Rewrite::Retype(*from, *to)),
                ChangeKind::RenamedField(renamed) => {
                    if field.is_at(&renamed.to) && field.number == 0 {
                        let old_hash = self.hash_with_old_name(field, renamed, &bytes)?;
                        *undo = Undo { state: UndoState::Complete, delta: hash.wrapping_sub(old_hash) };
                    }
                    continue;
                }
                _ => continue,
            };
            if !field.is_at(path) {
                continue;
            }
            let rewritten = rewrite(parse_element(&bytes)?, path, operation)?;
            undo.state = undo_state(kind, &rewritten);
            if rewritten.changed > 0 {
                let remaining_hash = field.hash(&self.hasher, &rewritten.element);
                undo.delta = last_hash.wrapping_sub(remaining_hash);
                last_hash = remaining_hash;
                bytes = rewritten.element;
            }
        }
        Ok(())
    }

    /// Hash of a renamed field under its old name.
    fn hash_with_old_name(
        &self,
        field: DeclaredField<'_>,
        renamed: &RenamedField,
        bytes: &[u8],
    ) -> Result<u64, Unreadable> {
        let mut old = vec![field.element.kind()];
        old.extend_from_slice(renamed.from.top_level_name().as_bytes());
        old.push(0);
        old.extend_from_slice(parse_element(bytes)?.value());
        Ok(self.hasher.field_hash(field.id_hash, &old, 0))
    }
}

/// Whether a field has a declared change, by what was rewritten to reverse it.
fn undo_state(kind: &ChangeKind, rewritten: &Rewritten) -> UndoState {
    match kind {
        _ if rewritten.other > 0 => UndoState::Other,
        ChangeKind::RetypedField(_) if rewritten.original > 0 => UndoState::Partial,
        _ if rewritten.changed == 0 && rewritten.absent == 0 => UndoState::NoPlace,
        _ if rewritten.changed == 0 => UndoState::Absent,
        ChangeKind::AddedField(_) if rewritten.absent > 0 => UndoState::Partial,
        _ => UndoState::Complete,
    }
}

/// The element in bytes that were rewritten.
fn parse_element(bytes: &[u8]) -> Result<Element<'_>, Unreadable> {
    Elements::of_fields(bytes).next().ok_or(Unreadable)?
}

/// The earliest date at a path, in milliseconds since 1970. Arrays are searched as TTL indexes do: a name that is the
/// position of an element selects that element, and any other name is looked for in all elements. An array that is selected at
/// the end of the path is a value of its own.
fn earliest_date(document: &[u8], path: &[String]) -> Option<i64> {
    let (name, rest) = path.split_first()?;
    let fields = Elements::of_document(document).ok()?.map_while(Result::ok);
    let field = fields.into_iter().find(|element| element.name() == name.as_bytes())?;
    earliest_date_in(field, rest)
}

fn earliest_date_in(element: Element<'_>, rest: &[String]) -> Option<i64> {
    match element.kind() {
        0x09 if rest.is_empty() => Some(i64::from_le_bytes(element.value().try_into().ok()?)),
        DOCUMENT if !rest.is_empty() => earliest_date(element.value(), rest),
        ARRAY => {
            let elements = || Some(Elements::of_document(element.value()).ok()?.map_while(Result::ok));
            if let Some((name, rest)) = rest.split_first()
                && let Some(selected) = elements()?.find(|inner| inner.name() == name.as_bytes())
            {
                let is_value = rest.is_empty() && selected.kind() == ARRAY;
                return if is_value { None } else { earliest_date_in(selected, rest) };
            }
            elements()?.filter(|inner| inner.kind() != ARRAY).filter_map(|inner| earliest_date_in(inner, rest)).min()
        }
        _ => None,
    }
}
