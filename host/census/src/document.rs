//! One document into one record.

use taster_model::{ChangeKind, DeclaredChange, FieldPath, Side};

use crate::{
    Options,
    hash::Hasher,
    paths::PathSums,
    raw::{ARRAY, DOCUMENT, Element, Elements, Unreadable},
    record::{Apart, Columns, NEVER, Undo, UndoState},
    rewrite::{MIXED, Rewrite, rewrite},
    shape::{self, At, Shapes},
};

/// What is recorded of each document beside its id, digest and shape.
pub(crate) struct Plan {
    pub(crate) columns: Columns,
    ignored: Vec<Box<[u8]>>,
    apart: Vec<(FieldPath, Rewrite)>,
    /// What can be taken off after the sync, in the order of the declared changes.
    undos: Vec<ChangeKind>,
    /// Top-level fields that need more than a hash.
    special: Vec<Box<[u8]>>,
    expiries: Vec<(Vec<String>, i64)>,
}

impl Plan {
    pub(crate) fn new(options: &Options, side: Side, changes: &[DeclaredChange]) -> Self {
        let undos: Vec<ChangeKind> = undoable(side, changes).map(|change| change.kind.clone()).collect();
        let mut special: Vec<Box<[u8]>> = options.apart.iter().map(|path| path.top().as_bytes().into()).collect();
        special.extend(undos.iter().flat_map(ChangeKind::fields).map(|path| Box::from(path.top().as_bytes())));
        special.sort_unstable();
        special.dedup();
        let marks = match side {
            Side::Pre => !options.leaving.is_empty(),
            Side::Post => Options::arriving(changes).next().is_some(),
        };
        let names = |field: &str| field.split('.').map(ToOwned::to_owned).collect();
        Self {
            columns: Columns {
                marks,
                expiries: side == Side::Pre && !options.expiries.is_empty(),
                apart: options.apart.len(),
                undos: undos.len(),
                fields: options.detail == crate::Detail::Fields,
            },
            ignored: options.ignored.iter().map(|name| name.as_bytes().into()).collect(),
            apart: options.apart.iter().map(|path| (path.clone(), apart(options, path))).collect(),
            undos,
            special,
            expiries: match side {
                Side::Pre => options.expiries.iter().map(|expiry| (names(&expiry.field), expiry.seconds)).collect(),
                Side::Post => Vec::new(),
            },
        }
    }
}

/// How a field is kept apart.
fn apart(options: &Options, path: &FieldPath) -> Rewrite {
    if options.retyped.contains(path) { Rewrite::Blank } else { Rewrite::Remove }
}

impl Plan {
    #[inline]
    fn ignores(&self, element: Element<'_>) -> bool {
        self.ignored.iter().any(|name| **name == *element.name())
    }

    /// How many fields of a document are looked at.
    fn fields_of(&self, document: &[u8]) -> Result<usize, Unreadable> {
        // a field has a type and the end of a name at least: shorter documents cannot have too many
        if document.len() < shape::FIELDS * 2 {
            return Ok(0);
        }
        let mut count = 0;
        for element in Elements::of(document)? {
            count += usize::from(!self.ignores(element?));
        }
        Ok(count)
    }
}

/// Declared changes that are taken off after the sync, because eight bytes a document can prove them.
pub(crate) fn undoable(side: Side, changes: &[DeclaredChange]) -> impl Iterator<Item = &DeclaredChange> {
    changes.iter().filter(move |change| {
        side == Side::Post
            && match &change.kind {
                ChangeKind::AddedField { .. } | ChangeKind::RenamedField { .. } => true,
                kind @ ChangeKind::RetypedField { .. } => !kind.needs_before(),
                _ => false,
            }
    })
}

/// What was found of one document; reused for the next.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) digest: u64,
    pub(crate) shape: u32,
    /// The shape, where it has no number.
    pub(crate) inline: Option<Box<[u8]>>,
    pub(crate) expiry: i64,
    pub(crate) apart: Vec<Apart>,
    pub(crate) undos: Vec<Undo>,
    pub(crate) fields: Vec<u8>,
}

/// The `_id` of a document: its type and value; type 0 where it has none.
pub(crate) fn id_of(document: &[u8]) -> (u8, &[u8]) {
    let Ok(elements) = Elements::of(document) else { return (0, &[]) };
    let mut readable = elements.map_while(Result::ok);
    readable.find(|element| element.name() == b"_id").map_or((0, &[]), |element| (element.kind(), element.value()))
}

/// What documents are looked at with.
pub(crate) struct Look {
    pub(crate) hasher: Hasher,
    pub(crate) plan: Plan,
    pub(crate) shapes: Shapes,
    pub(crate) paths: PathSums,
}

impl Look {
    /// Looks at a document. `place` is the hash of its id.
    pub(crate) fn at(&mut self, document: &[u8], place: u64, found: &mut Found) {
        // documents with nothing but an id have a keyed digest too
        found.digest = self.hasher.within(place, place, 2);
        found.expiry = NEVER;
        found.inline = None;
        found.apart.clear();
        found.apart.resize(self.plan.apart.len(), Apart::default());
        found.undos.clear();
        found.undos.resize(self.plan.undos.len(), Undo::default());
        found.fields.clear();
        self.paths.begin(&self.hasher);
        let walked = match self.plan.fields_of(document) {
            Ok(shape::FIELDS..) => self.walk_wide(document, place, found),
            Ok(_) => self.walk(document, place, found),
            Err(Unreadable) => Err(Unreadable),
        };
        if walked.is_err() {
            // nobody knows where the fields end: the document counts as a whole
            found.digest = self.hasher.field(place, document, 2);
            (found.shape, found.inline) = self.shapes.number(shape::OPAQUE.into());
            found.apart.fill(Apart::default());
            found.undos.fill(Undo::default());
            found.fields.clear();
        }
        for (field, seconds) in &self.plan.expiries {
            if let Some(date) = earliest(document, field) {
                found.expiry = found.expiry.min(date.saturating_add(seconds.saturating_mul(1000)));
            }
        }
    }

    fn walk(&mut self, document: &[u8], place: u64, found: &mut Found) -> Result<(), Unreadable> {
        let mut at: At = self.shapes.begin();
        let mut id_seen = false;
        let mut seen = Vec::new();
        for element in Elements::of(document)? {
            let element = element?;
            if self.plan.ignores(element) {
                continue;
            }
            let (next, number) = self.shapes.step(at, element);
            at = next;
            if !id_seen && element.name() == b"_id" {
                id_seen = true;
                continue;
            }
            let hash = if self.plan.special.iter().any(|name| **name == *element.name()) {
                self.special(element, place, number, found, &mut seen)?
            } else {
                self.hasher.field(place, element.bytes, number)
            };
            found.digest = found.digest.wrapping_add(hash);
            if self.plan.columns.fields {
                found.fields.extend_from_slice(&hash.to_le_bytes());
            }
            self.paths.add(&self.hasher, place, element, hash);
        }
        for (kind, undo) in self.plan.undos.iter().zip(&mut found.undos) {
            // both names are there: it is no renaming
            if let ChangeKind::RenamedField { from, .. } = kind
                && undo.state == UndoState::There
                && seen.iter().any(|name| **name == *from.top().as_bytes())
            {
                *undo = Undo { state: UndoState::Other, delta: 0 };
            }
        }
        (found.shape, found.inline) = self.shapes.end(&self.hasher, at);
        Ok(())
    }

    /// A document of very many fields: what is remembered of others' shapes is not flooded with its names.
    fn walk_wide(&mut self, document: &[u8], place: u64, found: &mut Found) -> Result<(), Unreadable> {
        let mut heads = 0;
        let mut id_seen = false;
        let mut number = 0;
        for element in Elements::of(document)? {
            let element = element?;
            if self.plan.ignores(element) {
                continue;
            }
            number += 1;
            heads = self.hasher.within(self.hasher.bytes(element.head()), heads, 0);
            if !id_seen && element.name() == b"_id" {
                id_seen = true;
                continue;
            }
            let hash = self.hasher.field(place, element.bytes, number);
            found.digest = found.digest.wrapping_add(hash);
            self.paths.add(&self.hasher, place, element, hash);
        }
        (found.shape, found.inline) = self.shapes.number(shape::wide(&self.hasher, heads));
        Ok(())
    }

    /// A field that a declared change speaks of. Returns the hash that stands in the digest.
    fn special(
        &self,
        element: Element<'_>,
        place: u64,
        number: u64,
        found: &mut Found,
        seen: &mut Vec<Box<[u8]>>,
    ) -> Result<u64, Unreadable> {
        let hasher = &self.hasher;
        seen.push(element.name().into());
        let mut bytes = element.bytes.to_vec();
        for ((path, how), apart) in self.plan.apart.iter().zip(&mut found.apart) {
            if path.top().as_bytes() != element.name() || bytes.is_empty() {
                continue;
            }
            let taken = rewrite(again(&bytes)?, path, *how)?;
            if taken.done > 0 {
                // several fields of one name add up
                apart.hash = apart.hash.wrapping_add(hasher.field(place, &taken.taken, number));
                apart.kind = if matches!(apart.kind, 0) || apart.kind == taken.kind { taken.kind } else { MIXED };
                bytes = taken.element;
            }
        }
        let hash = |bytes: &[u8]| if bytes.is_empty() { 0 } else { hasher.field(place, bytes, number) };
        let own = hash(&bytes);
        let mut last = own;
        for (kind, undo) in self.plan.undos.iter().zip(&mut found.undos) {
            if bytes.is_empty() {
                break;
            }
            let (path, how) = match kind {
                ChangeKind::AddedField { path, to, .. } => (path, Rewrite::RemoveIf(to.code())),
                ChangeKind::RetypedField { path, from, to } => (path, Rewrite::Retype(*from, *to)),
                ChangeKind::RenamedField { from, to } => {
                    if to.top().as_bytes() == element.name() && number == 0 {
                        let mut before = vec![element.kind()];
                        before.extend_from_slice(from.top().as_bytes());
                        before.push(0);
                        before.extend_from_slice(again(&bytes)?.value());
                        *undo =
                            Undo { state: UndoState::There, delta: own.wrapping_sub(hasher.field(place, &before, 0)) };
                    }
                    continue;
                }
                _ => continue,
            };
            if path.top().as_bytes() != element.name() {
                continue;
            }
            // one after the other: what is taken off a field with two declared changes is taken off both
            let taken = rewrite(again(&bytes)?, path, how)?;
            undo.state = match kind {
                _ if taken.other > 0 => UndoState::Other,
                ChangeKind::RetypedField { .. } if taken.still > 0 => UndoState::Partly,
                _ if taken.done == 0 && taken.absent == 0 => UndoState::NoPlace,
                _ if taken.done == 0 => UndoState::Absent,
                ChangeKind::AddedField { .. } if taken.absent > 0 => UndoState::Partly,
                _ => UndoState::There,
            };
            if taken.done > 0 {
                let left = hash(&taken.element);
                undo.delta = last.wrapping_sub(left);
                last = left;
                bytes = taken.element;
            }
        }
        Ok(own)
    }
}

fn again(bytes: &[u8]) -> Result<Element<'_>, Unreadable> {
    // the fields of a document without its length and end
    Elements::inner(bytes).next().ok_or(Unreadable)?
}

/// The earliest date at a path, in milliseconds since 1970; arrays are stepped into, as TTL indexes do.
fn earliest(document: &[u8], path: &[String]) -> Option<i64> {
    let (name, rest) = path.split_first()?;
    let fields = Elements::of(document).ok()?.map_while(Result::ok);
    let field = fields.into_iter().find(|element| element.name() == name.as_bytes())?;
    dates(field, rest)
}

fn dates(element: Element<'_>, rest: &[String]) -> Option<i64> {
    match element.kind() {
        0x09 if rest.is_empty() => Some(i64::from_le_bytes(element.value().try_into().ok()?)),
        DOCUMENT if !rest.is_empty() => earliest(element.value(), rest),
        ARRAY => {
            let inner = Elements::of(element.value()).ok()?.map_while(Result::ok);
            inner.filter(|inner| inner.kind() != ARRAY).filter_map(|inner| dates(inner, rest)).min()
        }
        _ => None,
    }
}
