//! Which fields changed anywhere: one sum for each path of the collection.
//!
//! A path is a list of names, so that `a.b` is not `a: {b: …}`; elements of arrays share one path. Where there are too
//! many (maps by id), those with the smallest keyed hashes stay and all others share one sum: which ones stay depends on
//! the paths that there are and not on the order in which they came.

use std::collections::HashMap;

use crate::{
    hash::Hasher,
    raw::{ARRAY, Element, Elements, same},
};

/// So many paths have a sum of their own.
const MOST: usize = 4096;
/// So many places of documents are remembered before they are forgotten and learned again.
const REMEMBERED: usize = 1 << 16;
/// So many bytes of names, too.
const REMEMBERED_BYTES: usize = 8 << 20;
/// Longer paths have no sum of their own.
const LONGEST: usize = 1024;
/// What lies deeper is looked at as a whole.
const DEEPEST: usize = 24;
/// The place of the document itself.
const ROOT: u32 = 0;
/// The sum of all paths that have none of their own.
const REST: u32 = u32::MAX;

/// Stands for the elements of an array among the names of a path.
pub(crate) const ELEMENT: &[u8] = b"\x01";

/// A path and its sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathSum {
    /// Names, each ended by NUL, [`ELEMENT`] for the elements of an array.
    pub(crate) path: Box<[u8]>,
    pub(crate) sum: u128,
}

/// The sums of a collection.
#[derive(Default)]
pub(crate) struct PathSums {
    slots: Vec<Slot>,
    by_hash: HashMap<u64, u32>,
    rest: u128,
    /// Whether any path has no sum of its own.
    overflowed: bool,
    /// Paths with a greater hash have none.
    threshold: Option<u64>,
    places: Vec<Place>,
    /// Bytes of their names.
    bytes: usize,
    /// The field of this document that came last.
    last: Option<u32>,
    children: HashMap<(u32, Box<[u8]>), u32>,
}

struct Slot {
    hash: u64,
    sum: u128,
    path: Box<[u8]>,
}

/// A place in documents: how a path is found without hashing its names again.
struct Place {
    parent: u32,
    name: Box<[u8]>,
    /// Length of the path up to here.
    length: usize,
    hash: u64,
    slot: u32,
    /// The place that came after this one last time, and the one that came first within it.
    next: u32,
    first: u32,
    /// Whether it stands for another field every time: there was no room to remember it.
    passing: bool,
}

impl PathSums {
    /// A document begins.
    pub(crate) fn begin(&mut self, hasher: &Hasher) {
        self.last = None;
        if self.places.len() > REMEMBERED || self.bytes > REMEMBERED_BYTES {
            self.bytes = 0;
            self.places.clear();
            self.children.clear();
        }
        if self.places.is_empty() {
            let hash = hasher.bytes(b"");
            for passing in std::iter::once(false).chain([true; DEEPEST + 1]) {
                let name = Box::default();
                let place = Place { parent: ROOT, name, length: 0, hash, slot: REST, next: ROOT, first: ROOT, passing };
                self.places.push(place);
            }
        }
    }

    /// Adds a top-level field and all beneath it. `own` is the hash of the field itself.
    pub(crate) fn add(&mut self, hasher: &Hasher, place: u64, element: Element<'_>, own: u64) {
        let here = self.child(hasher, (ROOT, 0), self.last, element.name());
        self.last = Some(here);
        self.count(here, own);
        if element.is_nested() {
            self.inside(hasher, place, element, here, 1);
        }
    }

    fn inside(&mut self, hasher: &Hasher, place: u64, element: Element<'_>, parent: u32, depth: usize) {
        let Ok(elements) = Elements::of(element.value()) else { return };
        let array = element.kind() == ARRAY;
        let mut last = None;
        for inner in elements {
            let Ok(inner) = inner else { return };
            let here = self.child(hasher, (parent, depth), last, if array { ELEMENT } else { inner.name() });
            last = Some(here);
            if inner.is_nested() && depth < DEEPEST {
                self.inside(hasher, place, inner, here, depth + 1);
                if inner.value().len() > 5 {
                    continue;
                }
            }
            let hash = hasher.field(place, inner.bytes, self.places[here as usize].hash);
            self.count(here, hash);
        }
    }

    fn count(&mut self, place: u32, hash: u64) {
        let slot = self.places[place as usize].slot;
        let sum = if slot == REST { &mut self.rest } else { &mut self.slots[slot as usize].sum };
        *sum = sum.wrapping_add(u128::from(hash));
    }

    /// Fields of one document mostly come in the order in which they came in the last one.
    #[inline]
    fn child(&mut self, hasher: &Hasher, (parent, depth): (u32, usize), after: Option<u32>, name: &[u8]) -> u32 {
        let guess = match after {
            Some(after) => self.places[after as usize].next,
            None => self.places[parent as usize].first,
        };
        if guess != ROOT {
            let known = &self.places[guess as usize];
            if known.parent == parent && !known.passing && same(&known.name, name) {
                return guess;
            }
        }
        let found = self.find(hasher, (parent, depth), name);
        match after {
            Some(after) => self.places[after as usize].next = found,
            None => self.places[parent as usize].first = found,
        }
        found
    }

    #[cold]
    fn find(&mut self, hasher: &Hasher, (parent, depth): (u32, usize), name: &[u8]) -> u32 {
        if let Some(found) = self.children.get(&(parent, name.into())) {
            return *found;
        }
        let hash = hasher.within(hasher.bytes(name), self.places[parent as usize].hash, u64::from(name == ELEMENT));
        let length = self.places[parent as usize].length + name.len() + 1;
        let known = if length > LONGEST {
            self.overflowed = true;
            Found::Known(REST)
        } else {
            self.slot(hash, || {
                let mut path = Vec::new();
                self.write_path(parent, &mut path);
                path.extend_from_slice(name);
                path.push(0);
                path.into()
            })
        };
        let slot = match known {
            Found::Known(slot) => slot,
            Found::New(path) => self.insert(hash, path, 0),
        };
        let place = Place { parent, name: name.into(), length, hash, slot, next: ROOT, first: ROOT, passing: false };
        // one document of a million fields must not be remembered whole
        let full = self.places.len() >= 2 * REMEMBERED || self.bytes > 2 * REMEMBERED_BYTES;
        if full || self.places[parent as usize].passing {
            let here = depth + 1;
            self.places[here] = Place { passing: true, ..place };
            return here as u32;
        }
        let here = self.places.len() as u32;
        self.places.push(place);
        self.bytes += 2 * name.len();
        self.children.insert((parent, name.into()), here);
        here
    }

    fn write_path(&self, place: u32, path: &mut Vec<u8>) {
        if place == ROOT {
            return;
        }
        let Place { parent, name, .. } = &self.places[place as usize];
        self.write_path(*parent, path);
        path.extend_from_slice(name);
        path.push(0);
    }

    fn slot(&self, hash: u64, path: impl FnOnce() -> Box<[u8]>) -> Found {
        match self.by_hash.get(&hash) {
            Some(slot) => Found::Known(*slot),
            None if self.threshold.is_some_and(|threshold| hash > threshold) => Found::Known(REST),
            None => Found::New(path()),
        }
    }

    fn insert(&mut self, hash: u64, path: Box<[u8]>, sum: u128) -> u32 {
        if self.slots.len() >= 2 * MOST {
            self.prune(MOST);
            if self.threshold.is_some_and(|threshold| hash > threshold) {
                self.rest = self.rest.wrapping_add(sum);
                return REST;
            }
        }
        let slot = self.slots.len() as u32;
        self.slots.push(Slot { hash, sum, path });
        self.by_hash.insert(hash, slot);
        slot
    }

    /// Only so many stay.
    fn prune(&mut self, most: usize) {
        if self.slots.len() <= most {
            return;
        }
        self.slots.sort_unstable_by_key(|slot| slot.hash);
        for slot in self.slots.drain(most..) {
            self.rest = self.rest.wrapping_add(slot.sum);
        }
        self.threshold = self.slots.last().map(|slot| slot.hash);
        self.overflowed = true;
        self.by_hash = self.slots.iter().zip(0..).map(|(slot, index)| (slot.hash, index)).collect();
        for place in &mut self.places {
            place.slot = self.by_hash.get(&place.hash).copied().unwrap_or(REST);
        }
    }

    /// Takes over the sums of another part.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.rest = self.rest.wrapping_add(other.rest);
        self.overflowed |= other.overflowed;
        if let Some(threshold) = other.threshold {
            self.threshold = Some(self.threshold.map_or(threshold, |own| own.min(threshold)));
        }
        for Slot { hash, sum, path } in other.slots {
            match self.slot(hash, || path) {
                Found::Known(REST) => {
                    self.rest = self.rest.wrapping_add(sum);
                    self.overflowed = true;
                }
                Found::Known(slot) => {
                    let own = &mut self.slots[slot as usize].sum;
                    *own = own.wrapping_add(sum);
                }
                Found::New(path) => {
                    self.insert(hash, path, sum);
                }
            }
        }
    }

    /// The sums by path, and that of all other paths, if there are others.
    pub(crate) fn finish(mut self) -> (Vec<PathSum>, Option<u128>) {
        self.prune_to_threshold();
        self.prune(MOST);
        let rest = self.overflowed.then_some(self.rest);
        let mut sums: Vec<PathSum> =
            self.slots.into_iter().map(|Slot { path, sum, .. }| PathSum { path, sum }).collect();
        sums.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        (sums, rest)
    }

    /// After merging, some may be past the threshold of another part.
    fn prune_to_threshold(&mut self) {
        let Some(threshold) = self.threshold else { return };
        let most = self.slots.iter().filter(|slot| slot.hash <= threshold).count();
        self.prune(most);
    }
}

enum Found {
    Known(u32),
    New(Box<[u8]>),
}

/// A path as people write it: `items[].price`. A name that has a dot, a bracket or a quote in it stands in quotes.
pub(crate) fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for name in path.strip_suffix(&[0]).unwrap_or(path).split(|byte| *byte == 0) {
        if name == ELEMENT {
            text.push_str("[]");
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&shown_name(name));
    }
    text
}

/// One name of a path.
pub(crate) fn shown_name(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if text.is_empty() || text.contains(['.', '[', ']', '"']) || text.chars().any(char::is_control) => {
            format!("{text:?}")
        }
        Ok(text) => text.to_owned(),
        Err(_) => format!("\"{}\"", name.escape_ascii()),
    }
}
