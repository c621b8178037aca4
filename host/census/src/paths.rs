//! One sum per field path of a collection, which shows the paths whose values changed in any document.
//!
//! A path is a list of names, so that a field `a.b` differs from `a: {b: …}`; the elements of an array share one path. If
//! there are too many paths (as in maps by id), those with the smallest keyed hashes are kept and all others share one sum.
//! Which ones are kept does not depend on the order of the documents.
//!
//! A top-level field that holds others has a second sum, in which the order of the fields within it does not count.

use std::collections::HashMap;

use crate::{
    hash::Hasher,
    raw::{ARRAY, Element, Elements, equal_names},
};

/// Number of paths that have their own sum.
const MAX_PATHS: usize = 4096;
/// Number of positions that are remembered; beyond it, all are forgotten and learned again.
const MAX_POSITIONS: usize = 1 << 16;
/// Bytes of their names up to which positions are remembered.
const MAX_REMEMBERED_BYTES: usize = 8 << 20;
/// Length of a path up to which it has its own sum.
const MAX_PATH_BYTES: usize = 1024;
/// Nesting depth; values below it are hashed as a whole.
const MAX_DEPTH: usize = 24;
/// The position of the document itself.
const ROOT: u32 = 0;
/// The slot of all paths that have no sum of their own.
const NO_SLOT: u32 = u32::MAX;

/// The name of array elements in a path.
pub(crate) const ELEMENT: &[u8] = b"\x01";

/// The last name of the path of a second sum.
const ORDER_FREE: &[u8] = b"\x01order-free";

/// A path and its sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathSum {
    /// Names, each followed by NUL; [`ELEMENT`] for array elements.
    pub(crate) path: Box<[u8]>,
    pub(crate) sum: u128,
}

/// Whether each top-level field that holds others has a second sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderFreeSums {
    /// There are second sums.
    Included,
    /// There are none.
    Omitted,
}

/// The sums of a collection.
pub(crate) struct PathSums {
    order_free: OrderFreeSums,
    slots: Vec<Slot>,
    by_hash: HashMap<u64, u32>,
    rest: u128,
    /// Whether any path has no sum of its own.
    overflowed: bool,
    /// Paths with a greater hash have no sum of their own.
    threshold: Option<u64>,
    positions: Vec<Position>,
    /// Bytes of their names.
    bytes: usize,
    /// The last top-level field of the current document.
    last: Option<u32>,
    children: HashMap<(u32, Box<[u8]>), u32>,
}

struct Slot {
    hash: u64,
    sum: u128,
    path: Box<[u8]>,
}

/// A position in documents: finds a path without hashing its names again.
struct Position {
    parent: u32,
    name: Box<[u8]>,
    /// Length of the path up to here.
    length: usize,
    hash: u64,
    slot: u32,
    /// The position that followed this one in the last document, and the first one within it.
    next: u32,
    first: u32,
    /// The position of a top-level field's second sum.
    order_free: u32,
    /// Whether it is reused for other fields, because there was no memory left for them.
    transient: bool,
}

impl PathSums {
    /// The sums of no documents.
    pub(crate) fn new(order_free: OrderFreeSums) -> Self {
        Self {
            order_free,
            slots: Vec::new(),
            by_hash: HashMap::new(),
            rest: 0,
            overflowed: false,
            threshold: None,
            positions: Vec::new(),
            bytes: 0,
            last: None,
            children: HashMap::new(),
        }
    }

    /// Begins a document.
    pub(crate) fn begin(&mut self, hasher: &Hasher) {
        self.last = None;
        if self.positions.len() > MAX_POSITIONS || self.bytes > MAX_REMEMBERED_BYTES {
            self.bytes = 0;
            self.positions.clear();
            self.children.clear();
        }
        if self.positions.is_empty() {
            let hash = hasher.hash(b"");
            for transient in std::iter::once(false).chain([true; MAX_DEPTH + 1]) {
                let name = Box::default();
                self.positions.push(Position { transient, ..Position::new(ROOT, name, (0, hash), NO_SLOT) });
            }
        }
    }

    /// Adds a top-level field and everything within it. `field_hash` is the hash of the field itself. Returns the sum of the
    /// hashes of its type and of what is within it, which does not depend on the order of fields.
    pub(crate) fn add(&mut self, hasher: &Hasher, id_hash: u64, element: Element<'_>, field_hash: u64) -> u64 {
        let position = self.child(hasher, (ROOT, 0), self.last, element.name());
        self.last = Some(position);
        self.add_to_sum(position, field_hash);
        if !element.is_nested() {
            return 0;
        }
        let kind = hasher.mix(element.kind().into(), id_hash, 0);
        let sum = kind.wrapping_add(self.add_nested(hasher, id_hash, element, (position, 1), 0));
        if self.order_free == OrderFreeSums::Included {
            let position = self.order_free_position(hasher, position);
            self.add_to_sum(position, sum);
        }
        sum
    }

    /// The position of a top-level field's second sum.
    fn order_free_position(&mut self, hasher: &Hasher, position: u32) -> u32 {
        let Position { order_free: known, transient, .. } = self.positions[position as usize];
        if known != ROOT && !transient {
            return known;
        }
        let found = self.find(hasher, (position, 1), ORDER_FREE);
        self.positions[position as usize].order_free = found;
        found
    }

    /// Adds what is within a field. `place` stands for its position in the arrays around it. Returns the sum of the hashes.
    fn add_nested(
        &mut self,
        hasher: &Hasher,
        id_hash: u64,
        element: Element<'_>,
        (parent, depth): (u32, usize),
        place: u64,
    ) -> u64 {
        // what cannot be read to its end counts as a whole, in its order
        let unreadable = || hasher.field_hash(id_hash, element.bytes, place);
        let Ok(elements) = Elements::of_document(element.value()) else { return unreadable() };
        let array = element.kind() == ARRAY;
        let mut last = None;
        let mut sum = 0_u64;
        for (inner, number) in elements.zip(1..) {
            let Ok(inner) = inner else { return sum.wrapping_add(unreadable()) };
            let position = self.child(hasher, (parent, depth), last, if array { ELEMENT } else { inner.name() });
            last = Some(position);
            // an element of an array has a place, a field of a document only its name
            let place = if array { hasher.mix(number, place, 0) } else { place };
            if inner.is_nested() && depth < MAX_DEPTH {
                sum = sum.wrapping_add(self.add_nested(hasher, id_hash, inner, (position, depth + 1), place));
                if inner.value().len() > 5 {
                    continue;
                }
            }
            let hash = hasher.field_hash(id_hash, inner.bytes, self.positions[position as usize].hash);
            self.add_to_sum(position, hash);
            sum = sum.wrapping_add(if place == 0 { hash } else { hasher.mix(hash, place, 0) });
        }
        sum
    }

    fn add_to_sum(&mut self, position: u32, hash: u64) {
        let slot = self.positions[position as usize].slot;
        let sum = if slot == NO_SLOT { &mut self.rest } else { &mut self.slots[slot as usize].sum };
        *sum = sum.wrapping_add(u128::from(hash));
    }

    /// The position of a field. Fields usually have the same order as in the last document, so that one is tried first.
    #[inline]
    fn child(&mut self, hasher: &Hasher, (parent, depth): (u32, usize), after: Option<u32>, name: &[u8]) -> u32 {
        let guess = match after {
            Some(after) => self.positions[after as usize].next,
            None => self.positions[parent as usize].first,
        };
        if guess != ROOT {
            let known = &self.positions[guess as usize];
            if known.parent == parent && !known.transient && equal_names(&known.name, name) {
                return guess;
            }
        }
        let found = self.find(hasher, (parent, depth), name);
        match after {
            Some(after) => self.positions[after as usize].next = found,
            None => self.positions[parent as usize].first = found,
        }
        found
    }

    #[cold]
    fn find(&mut self, hasher: &Hasher, (parent, depth): (u32, usize), name: &[u8]) -> u32 {
        if let Some(found) = self.children.get(&(parent, name.into())) {
            return *found;
        }
        let hash = hasher.mix(hasher.hash(name), self.positions[parent as usize].hash, u64::from(name == ELEMENT));
        let length = self.positions[parent as usize].length + name.len() + 1;
        let known = if length > MAX_PATH_BYTES {
            self.overflowed = true;
            SlotLookup::Known(NO_SLOT)
        } else {
            self.find_slot(hash, || {
                let mut path = Vec::new();
                self.write_path(parent, &mut path);
                path.extend_from_slice(name);
                path.push(0);
                path.into()
            })
        };
        let slot = match known {
            SlotLookup::Known(slot) => slot,
            SlotLookup::New(path) => self.insert(hash, path, 0),
        };
        let position = Position::new(parent, name.into(), (length, hash), slot);
        // the memory for positions is bounded, even if one document has a million fields
        let full = self.positions.len() >= 2 * MAX_POSITIONS || self.bytes > 2 * MAX_REMEMBERED_BYTES;
        if full || self.positions[parent as usize].transient {
            let index = depth + 1;
            self.positions[index] = Position { transient: true, ..position };
            return index as u32;
        }
        let index = self.positions.len() as u32;
        self.positions.push(position);
        self.bytes += 2 * name.len();
        self.children.insert((parent, name.into()), index);
        index
    }

    fn write_path(&self, position: u32, path: &mut Vec<u8>) {
        if position == ROOT {
            return;
        }
        let Position { parent, name, .. } = &self.positions[position as usize];
        self.write_path(*parent, path);
        path.extend_from_slice(name);
        path.push(0);
    }

    fn find_slot(&self, hash: u64, path: impl FnOnce() -> Box<[u8]>) -> SlotLookup {
        match self.by_hash.get(&hash) {
            Some(slot) => SlotLookup::Known(*slot),
            None if self.threshold.is_some_and(|threshold| hash > threshold) => SlotLookup::Known(NO_SLOT),
            None => SlotLookup::New(path()),
        }
    }

    fn insert(&mut self, hash: u64, path: Box<[u8]>, sum: u128) -> u32 {
        if self.slots.len() >= 2 * MAX_PATHS {
            self.prune(MAX_PATHS);
            if self.threshold.is_some_and(|threshold| hash > threshold) {
                self.rest = self.rest.wrapping_add(sum);
                return NO_SLOT;
            }
        }
        let slot = self.slots.len() as u32;
        self.slots.push(Slot { hash, sum, path });
        self.by_hash.insert(hash, slot);
        slot
    }

    /// Keeps only the paths with the smallest hashes.
    fn prune(&mut self, max_paths: usize) {
        if self.slots.len() <= max_paths {
            return;
        }
        self.slots.sort_unstable_by_key(|slot| slot.hash);
        for slot in self.slots.drain(max_paths..) {
            self.rest = self.rest.wrapping_add(slot.sum);
        }
        self.threshold = self.slots.last().map(|slot| slot.hash);
        self.overflowed = true;
        self.by_hash = self.slots.iter().zip(0..).map(|(slot, index)| (slot.hash, index)).collect();
        for position in &mut self.positions {
            position.slot = self.by_hash.get(&position.hash).copied().unwrap_or(NO_SLOT);
        }
    }

    /// Adds the sums of another part of the collection.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.rest = self.rest.wrapping_add(other.rest);
        self.overflowed |= other.overflowed;
        if let Some(threshold) = other.threshold {
            self.threshold = Some(self.threshold.map_or(threshold, |own| own.min(threshold)));
        }
        for Slot { hash, sum, path } in other.slots {
            match self.find_slot(hash, || path) {
                SlotLookup::Known(NO_SLOT) => {
                    self.rest = self.rest.wrapping_add(sum);
                    self.overflowed = true;
                }
                SlotLookup::Known(slot) => {
                    let own = &mut self.slots[slot as usize].sum;
                    *own = own.wrapping_add(sum);
                }
                SlotLookup::New(path) => {
                    self.insert(hash, path, sum);
                }
            }
        }
    }

    /// The sums by path, and the sum of all other paths if there are any.
    pub(crate) fn finish(mut self) -> (Vec<PathSum>, Option<u128>) {
        self.prune_to_threshold();
        self.prune(MAX_PATHS);
        let rest = self.overflowed.then_some(self.rest);
        let mut sums: Vec<PathSum> =
            self.slots.into_iter().map(|Slot { path, sum, .. }| PathSum { path, sum }).collect();
        sums.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        (sums, rest)
    }

    /// Drops paths whose hash exceeds the threshold of another part.
    fn prune_to_threshold(&mut self) {
        let Some(threshold) = self.threshold else { return };
        let max_paths = self.slots.iter().filter(|slot| slot.hash <= threshold).count();
        self.prune(max_paths);
    }
}

impl Position {
    fn new(parent: u32, name: Box<[u8]>, (length, hash): (usize, u64), slot: u32) -> Self {
        Self { parent, name, length, hash, slot, next: ROOT, first: ROOT, order_free: ROOT, transient: false }
    }
}

enum SlotLookup {
    Known(u32),
    New(Box<[u8]>),
}

/// A path in the usual notation: `items[].price`. Names that contain a dot, a bracket or a quote are quoted.
pub(crate) fn format_path(path: &[u8]) -> String {
    let mut text = String::new();
    for name in path.strip_suffix(&[0]).unwrap_or(path).split(|byte| *byte == 0) {
        if name == ELEMENT {
            text.push_str("[]");
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&format_name(name));
    }
    text
}

/// The path of a field's second sum.
pub(crate) fn order_free_path(path: &[u8]) -> Vec<u8> {
    [path, ORDER_FREE, &[0]].concat()
}

/// Whether a path is the one of a second sum.
pub(crate) fn is_order_free(path: &[u8]) -> bool {
    path.strip_suffix(&[0]).is_some_and(|path| path.ends_with(ORDER_FREE))
}

/// One name of a path, quoted if necessary.
pub(crate) fn format_name(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if text.is_empty() || text.contains(['.', '[', ']', '"']) || text.contains(taster_text::is_hidden) => {
            format!("{text:?}")
        }
        Ok(text) => text.to_owned(),
        Err(_) => format!("\"{}\"", name.escape_ascii()),
    }
}
