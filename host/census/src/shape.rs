//! The shape of a document: its top-level fields in their order, each with its type.
//!
//! Written as a sequence of type byte and name, each name ended by NUL. Documents of one collection share few shapes, so
//! a record holds a number; past a limit it holds the shape itself, and what is written in the end does not tell which.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use crate::{
    hash::Hasher,
    raw::{Element, same},
};

/// Shape of a document that could not be read to its end.
pub(crate) const OPAQUE: &[u8] = &[0];
/// Begins the hash of a shape that is too long to be kept.
const WIDE: u8 = 0xFE;
/// Longest shape that is kept.
const LONGEST: usize = 64 << 10;
/// Most fields of a shape that is kept.
pub(crate) const FIELDS: usize = 4096;
/// Bytes of shapes that are numbered.
const NUMBERED: usize = 4 << 20;
/// So many prefixes of shapes are remembered before they are forgotten and learned again.
const REMEMBERED: usize = 1 << 16;
/// So many bytes of names, too.
const REMEMBERED_BYTES: usize = 8 << 20;
const ROOT: u32 = 0;
/// Stands for the number of a shape that has none.
pub(crate) const INLINE: u32 = u32::MAX;

/// Shapes by number, and how to find the number while a document is walked.
pub(crate) struct Shapes {
    numbered: Vec<Box<[u8]>>,
    numbers: HashMap<Box<[u8]>, u32>,
    bytes: usize,
    steps: Vec<Step>,
    /// Bytes of their names.
    step_bytes: usize,
    children: HashMap<(u32, Box<[u8]>), u32>,
}

/// A beginning of shapes.
struct Step {
    parent: u32,
    /// Type and name of its last field, as in BSON.
    head: Box<[u8]>,
    /// Fields of the same name before it.
    number: u64,
    /// Length of the shape up to here.
    length: usize,
    /// The shape that ends here, once one did.
    shape: Option<u32>,
    /// The step that came after this one last time.
    next: u32,
}

/// How far into its shape a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At(u32);

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

    /// A document begins.
    pub(crate) fn begin(&mut self) -> At {
        if self.steps.len() > REMEMBERED || self.step_bytes > REMEMBERED_BYTES {
            self.forget();
        }
        At(ROOT)
    }

    /// The next field of the document, and how many of its name came before.
    #[inline]
    pub(crate) fn step(&mut self, at: At, element: Element<'_>) -> (At, u64) {
        let guess = self.steps[at.0 as usize].next;
        if guess != ROOT && same(&self.steps[guess as usize].head, element.head()) {
            return (At(guess), self.steps[guess as usize].number);
        }
        let found = self.find(at.0, element);
        self.steps[at.0 as usize].next = found;
        (At(found), self.steps[found as usize].number)
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

    /// The document ended: the number of its shape, or the shape where it has none.
    #[inline]
    pub(crate) fn end(&mut self, hasher: &Hasher, at: At) -> (u32, Option<Box<[u8]>>) {
        if let Some(shape) = self.steps[at.0 as usize].shape {
            return (shape, None);
        }
        let shape = self.written(hasher, at);
        let (number, inline) = self.number(shape);
        if inline.is_none() {
            self.steps[at.0 as usize].shape = Some(number);
        }
        (number, inline)
    }

    /// The number of a shape.
    pub(crate) fn number(&mut self, shape: Box<[u8]>) -> (u32, Option<Box<[u8]>>) {
        if let Some(number) = self.numbers.get(&shape) {
            return (*number, None);
        }
        if self.bytes + shape.len() > NUMBERED {
            return (INLINE, Some(shape));
        }
        self.bytes += shape.len();
        let number = self.numbered.len() as u32;
        self.numbered.push(shape.clone());
        self.numbers.insert(shape, number);
        (number, None)
    }

    fn written(&self, hasher: &Hasher, At(at): At) -> Box<[u8]> {
        let mut heads = Vec::new();
        let mut step = at;
        while step != ROOT {
            let Step { parent, head, .. } = &self.steps[step as usize];
            heads.push(&**head);
            step = *parent;
        }
        heads.reverse();
        let shape = heads.concat();
        if shape.len() <= LONGEST {
            return shape.into();
        }
        let mut hash = vec![WIDE];
        hash.extend_from_slice(&hasher.wide(&shape).to_le_bytes());
        hash.into()
    }

    /// All shapes that have numbers.
    pub(crate) fn all(&self) -> &[Box<[u8]>] {
        &self.numbered
    }

    /// The shape of a number.
    pub(crate) fn of(&self, number: u32) -> &[u8] {
        &self.numbered[number as usize]
    }
}

/// Shape of a document of more than [`FIELDS`] fields, from the hashes of their heads one after the other.
pub(crate) fn wide(hasher: &Hasher, heads: u64) -> Box<[u8]> {
    let mut hash = vec![WIDE];
    hash.extend_from_slice(&hasher.wide(&heads.to_le_bytes()).to_le_bytes());
    hash.into()
}

/// Bytes of shapes that stand in the footer, once for all buckets.
const SHARED: usize = 256 << 10;

/// The shapes of all parts of a collection, sorted, if they are few: whether they are depends on them alone, for no part
/// ran out of numbers then. `None`: each bucket has its own.
pub(crate) fn shared<'a>(parts: impl Iterator<Item = &'a Shapes>) -> Option<Vec<Box<[u8]>>> {
    let all: BTreeSet<&Box<[u8]>> = parts.flat_map(Shapes::all).collect();
    let bytes: usize = all.iter().map(|shape| shape.len()).sum();
    (bytes <= SHARED).then(|| all.into_iter().cloned().collect())
}

/// The fields of a shape: type and name. `None` where it does not say.
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

/// The type of a top-level field. `None` where there is none; a field of that name that comes a second time is another.
pub(crate) fn kind_of(shape: &[u8], name: &[u8]) -> Option<u8> {
    fields(shape)?.find(|(_, other)| *other == name).map(|(kind, _)| kind)
}

/// A shape without the fields of these names.
pub(crate) fn without<'a>(shape: &'a [u8], names: &[&[u8]]) -> Cow<'a, [u8]> {
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
    use crate::{Key, raw::Elements};

    fn shape(shapes: &mut Shapes, hasher: &Hasher, document: &[u8]) -> (Vec<u8>, Vec<u64>) {
        let mut at = shapes.begin();
        let mut numbers = Vec::new();
        for element in Elements::of(document).unwrap() {
            let (next, number) = shapes.step(at, element.unwrap());
            at = next;
            numbers.push(number);
        }
        let (number, inline) = shapes.end(hasher, at);
        (inline.map_or_else(|| shapes.of(number).to_vec(), Vec::from), numbers)
    }

    #[test]
    fn order_types_and_repetition_count() {
        let hasher = Hasher::new(&Key::random().unwrap());
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
        assert_eq!(&*without(&ab, &[b"a"]), b"\x10_id\0\x02b\0");
        assert_eq!(of(rawdoc! {}.as_bytes()).0, b"");
    }

    #[test]
    fn too_many_shapes_and_too_long_ones_are_still_told_apart() {
        let hasher = Hasher::new(&Key::random().unwrap());
        let mut shapes = Shapes::new();
        let name = "n".repeat(40 << 10);
        let of = |fields: bson::Document| bson::RawDocumentBuf::try_from(&fields).unwrap();
        for index in 0..300 {
            let document = of(bson::doc! {format!("{name}{index}"): index});
            let (written, _) = shape(&mut shapes, &hasher, document.as_bytes());
            assert_eq!(written.len(), document.as_bytes().len() - 4 - 4 - 1);
        }
        let wide = of(bson::doc! {&name: 1, format!("{name}x"): 1, "z": 1});
        let one = shape(&mut shapes, &hasher, wide.as_bytes()).0;
        let two = shape(&mut shapes, &hasher, of(bson::doc! {&name: 1, format!("{name}x"): 1}).as_bytes()).0;
        assert_eq!((one.len(), two.len()), (17, 17));
        assert_ne!(one, two);
        assert!(fields(&one).is_none());
    }
}
