//! The shape of a document: its top-level fields in their order, each with its type.
//!
//! A shape is encoded as a sequence of type byte, name and NUL. Documents of a collection share few shapes, so that a record
//! holds the number of its shape; beyond a limit it holds the shape itself. The census is the same in both cases.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use crate::{
    hash::Hasher,
    raw::{Element, equal_names},
};

/// Shape of a document that could not be read to its end.
pub(crate) const OPAQUE: &[u8] = &[0];
/// First byte of the hash of a shape that is too long to be kept.
const WIDE: u8 = 0xFE;
/// Longest shape that is kept.
const MAX_SHAPE_BYTES: usize = 64 << 10;
/// Largest number of fields of a shape that is kept.
pub(crate) const MAX_FIELDS: usize = 4096;
/// Bytes of shapes up to which they get numbers.
const MAX_NUMBERED_BYTES: usize = 4 << 20;
/// Number of steps that are remembered; beyond it, all are forgotten and learned again.
const MAX_STEPS: usize = 1 << 16;
/// Bytes of their names up to which steps are remembered.
const MAX_STEP_BYTES: usize = 8 << 20;
const ROOT: u32 = 0;
/// The number of shapes that have none.
pub(crate) const INLINE: u32 = u32::MAX;

/// The shapes of a collection by number, and the steps that find the number while a document is read.
pub(crate) struct Shapes {
    numbered: Vec<Box<[u8]>>,
    numbers: HashMap<Box<[u8]>, u32>,
    bytes: usize,
    steps: Vec<Step>,
    /// Bytes of their names.
    step_bytes: usize,
    children: HashMap<(u32, Box<[u8]>), u32>,
}

/// A prefix of shapes.
struct Step {
    parent: u32,
    /// Type and name of its last field, as in BSON.
    head: Box<[u8]>,
    /// Number of fields of the same name before it.
    number: u64,
    /// Length of the shape up to here.
    length: usize,
    /// The shape that ends here, if any does.
    shape: Option<u32>,
    /// The step that followed this one in the last document.
    next: u32,
}

/// How much of a document's shape was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShapeCursor(u32);

impl Shapes {
    pub(crate) fn new() -> Self {
        let mut shapes = Self {
            numbered: Vec::new(),
            numbers: HashMap::new(),
            bytes: 0,
            steps: Vec::new(),
            step_bytes: 0,
            children: HashMap::new(),
        };
        shapes.forget();
        shapes
    }

    fn forget(&mut self) {
        self.steps.clear();
        self.step_bytes = 0;
        self.children.clear();
        self.steps.push(Step { parent: ROOT, head: Box::default(), number: 0, length: 0, shape: None, next: ROOT });
    }

    /// Begins a document.
    pub(crate) fn begin(&mut self) -> ShapeCursor {
        if self.steps.len() > MAX_STEPS || self.step_bytes > MAX_STEP_BYTES {
            self.forget();
        }
        ShapeCursor(ROOT)
    }

    /// Adds the next field of the document; also returns the number of fields of the same name before it.
    #[inline]
    pub(crate) fn step(&mut self, cursor: ShapeCursor, element: Element<'_>) -> (ShapeCursor, u64) {
        let guess = self.steps[cursor.0 as usize].next;
        if guess != ROOT && equal_names(&self.steps[guess as usize].head, element.head()) {
            return (ShapeCursor(guess), self.steps[guess as usize].number);
        }
        let found = self.find(cursor.0, element);
        self.steps[cursor.0 as usize].next = found;
        (ShapeCursor(found), self.steps[found as usize].number)
    }

    #[cold]
    fn find(&mut self, parent: u32, element: Element<'_>) -> u32 {
        let head: Box<[u8]> = element.head().into();
        if let Some(found) = self.children.get(&(parent, head.clone())) {
            return *found;
        }
        let mut number = 0;
        let mut before = parent;
        while before != ROOT {
            let step = &self.steps[before as usize];
            if step.head[1..] == head[1..] {
                number = step.number + 1;
                break;
            }
            before = step.parent;
        }
        let here = self.steps.len() as u32;
        let length = self.steps[parent as usize].length + head.len();
        self.step_bytes += 2 * head.len();
        self.steps.push(Step { parent, head: head.clone(), number, length, shape: None, next: ROOT });
        self.children.insert((parent, head), here);
        here
    }

    /// Ends the document: the number of its shape, or [`INLINE`] and the shape itself.
    #[inline]
    pub(crate) fn end(&mut self, hasher: &Hasher, cursor: ShapeCursor) -> (u32, Option<Box<[u8]>>) {
        if let Some(shape) = self.steps[cursor.0 as usize].shape {
            return (shape, None);
        }
        let shape = self.encode(hasher, cursor);
        let (number, inline) = self.number(shape);
        if inline.is_none() {
            self.steps[cursor.0 as usize].shape = Some(number);
        }
        (number, inline)
    }

    /// The number of a shape, or [`INLINE`] and the shape itself.
    pub(crate) fn number(&mut self, shape: Box<[u8]>) -> (u32, Option<Box<[u8]>>) {
        if let Some(number) = self.numbers.get(&shape) {
            return (*number, None);
        }
        if self.bytes + shape.len() > MAX_NUMBERED_BYTES {
            return (INLINE, Some(shape));
        }
        self.bytes += shape.len();
        let number = self.numbered.len() as u32;
        self.numbered.push(shape.clone());
        self.numbers.insert(shape, number);
        (number, None)
    }

    fn encode(&self, hasher: &Hasher, ShapeCursor(at): ShapeCursor) -> Box<[u8]> {
        let mut heads = Vec::new();
        let mut step = at;
        while step != ROOT {
            let Step { parent, head, .. } = &self.steps[step as usize];
            heads.push(&**head);
            step = *parent;
        }
        heads.reverse();
        let shape = heads.concat();
        if shape.len() <= MAX_SHAPE_BYTES {
            return shape.into();
        }
        let mut hash = vec![WIDE];
        hash.extend_from_slice(&hasher.hash128(&shape).to_le_bytes());
        hash.into()
    }

    /// All shapes that have numbers.
    pub(crate) fn all(&self) -> &[Box<[u8]>] {
        &self.numbered
    }

    /// The shape with this number.
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        &self.numbered[number as usize]
    }
}

/// Shape of a document with more than [`MAX_FIELDS`] fields, from the combined hash of its types and names.
pub(crate) fn hash_of_wide_shape(hasher: &Hasher, heads: u64) -> Box<[u8]> {
    let mut hash = vec![WIDE];
    hash.extend_from_slice(&hasher.hash128(&heads.to_le_bytes()).to_le_bytes());
    hash.into()
}

/// Bytes of shapes up to which the footer holds them once for all buckets.
const MAX_SHARED_BYTES: usize = 256 << 10;

/// The sorted shapes of all parts of a collection, if they are few. `None`: each bucket has its own. This does not depend on
/// how the collection was divided, because with few shapes no part ran out of numbers.
pub(crate) fn shared<'a>(parts: impl Iterator<Item = &'a Shapes>) -> Option<Vec<Box<[u8]>>> {
    let all: BTreeSet<&Box<[u8]>> = parts.flat_map(Shapes::all).collect();
    let bytes: usize = all.iter().map(|shape| shape.len()).sum();
    (bytes <= MAX_SHARED_BYTES).then(|| all.into_iter().cloned().collect())
}

/// The fields of a shape: type and name. `None`: the shape is a hash, or of an unreadable document.
pub(crate) fn fields(shape: &[u8]) -> Option<impl Iterator<Item = (u8, &[u8])>> {
    if shape.first().is_some_and(|first| matches!(*first, 0 | WIDE)) {
        return None;
    }
    let mut rest = shape;
    Some(std::iter::from_fn(move || {
        let (kind, named) = rest.split_first()?;
        let end = named.iter().position(|byte| *byte == 0)?;
        rest = &named[end + 1..];
        Some((*kind, &named[..end]))
    }))
}

/// The type of the first top-level field with this name.
pub(crate) fn kind_of(shape: &[u8], name: &[u8]) -> Option<u8> {
    fields(shape)?.find(|(_, other)| *other == name).map(|(kind, _)| kind)
}

/// A shape without the fields of these names.
pub(crate) fn without_fields<'a>(shape: &'a [u8], names: &[&[u8]]) -> Cow<'a, [u8]> {
    let Some(fields) = fields(shape).filter(|_| !names.is_empty()) else { return Cow::Borrowed(shape) };
    let mut left = Vec::with_capacity(shape.len());
    for (kind, name) in fields.filter(|(_, name)| !names.contains(name)) {
        left.push(kind);
        left.extend_from_slice(name);
        left.push(0);
    }
    Cow::Owned(left)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::{CensusKey, raw::Elements};

    fn shape(shapes: &mut Shapes, hasher: &Hasher, document: &[u8]) -> (Vec<u8>, Vec<u64>) {
        let mut at = shapes.begin();
        let mut numbers = Vec::new();
        for element in Elements::of_document(document).unwrap() {
            let (next, number) = shapes.step(at, element.unwrap());
            at = next;
            numbers.push(number);
        }
        let (number, inline) = shapes.end(hasher, at);
        (inline.map_or_else(|| shapes.get(number).to_vec(), Vec::from), numbers)
    }

    #[test]
    fn order_types_and_repeated_names_matter() {
        let hasher = Hasher::new(&CensusKey::random().unwrap());
        let mut shapes = Shapes::new();
        let mut of = |document: &[u8]| shape(&mut shapes, &hasher, document);
        let (ab, _) = of(rawdoc! {"_id": 1, "a": 1, "b": "x"}.as_bytes());
        assert_eq!(ab, b"\x10_id\0\x10a\0\x02b\0");
        assert_eq!(of(rawdoc! {"_id": 2, "a": 7, "b": "y"}.as_bytes()).0, ab);
        assert_ne!(of(rawdoc! {"_id": 2, "b": "y", "a": 7}.as_bytes()).0, ab);
        assert_ne!(of(rawdoc! {"_id": 2, "a": 7_i64, "b": "y"}.as_bytes()).0, ab);
        let twice = b"\x1a\0\0\0\x10a\0\x01\0\0\0\x0aa\0\x10a\0\x02\0\0\0\0";
        assert_eq!(of(twice), (b"\x10a\0\x0aa\0\x10a\0".to_vec(), vec![0, 1, 2]));
        assert_eq!(kind_of(&ab, b"b"), Some(2));
        assert_eq!(&*without_fields(&ab, &[b"a"]), b"\x10_id\0\x02b\0");
        assert_eq!(of(rawdoc! {}.as_bytes()).0, b"");
    }

    #[test]
    fn too_many_and_too_long_shapes_are_still_distinguished() {
        let hasher = Hasher::new(&CensusKey::random().unwrap());
        let mut shapes = Shapes::new();
        let name = "n".repeat(40 << 10);
        let document_with = |fields: bson::Document| bson::RawDocumentBuf::try_from(&fields).unwrap();
        for index in 0..300 {
            let document = document_with(bson::doc! {format!("{name}{index}"): index});
            let (encoded, _) = shape(&mut shapes, &hasher, document.as_bytes());
            assert_eq!(encoded.len(), document.as_bytes().len() - 4 - 4 - 1);
        }
        let wide = document_with(bson::doc! {&name: 1, format!("{name}x"): 1, "z": 1});
        let one = shape(&mut shapes, &hasher, wide.as_bytes()).0;
        let two = shape(&mut shapes, &hasher, document_with(bson::doc! {&name: 1, format!("{name}x"): 1}).as_bytes()).0;
        assert_eq!((one.len(), two.len()), (17, 17));
        assert_ne!(one, two);
        assert!(fields(&one).is_none());
    }
}
