//! Reads BSON as bytes: types, names and lengths of fields only.
//!
//! The server stores invalid UTF-8, empty and dotted names, repeated names, and types that it does not know. Only unknown
//! types cannot be read, because the length of their values is unknown.

use crate::CensusError;

/// Type of a document.
pub(crate) const DOCUMENT: u8 = 0x03;
/// Type of an array.
pub(crate) const ARRAY: u8 = 0x04;

/// One field, as a slice of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// Type, name, NUL, value.
    pub(crate) bytes: &'a [u8],
    /// Length of type, name and NUL.
    head: usize,
}

impl<'a> Element<'a> {
    #[inline]
    pub(crate) fn kind(&self) -> u8 {
        self.bytes[0]
    }

    #[inline]
    pub(crate) fn name(&self) -> &'a [u8] {
        &self.bytes[1..self.head - 1]
    }

    /// Type, name and NUL.
    #[inline]
    pub(crate) fn head(&self) -> &'a [u8] {
        &self.bytes[..self.head]
    }

    #[inline]
    pub(crate) fn value(&self) -> &'a [u8] {
        &self.bytes[self.head..]
    }

    /// Whether the value holds other fields.
    #[inline]
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self.kind(), DOCUMENT | ARRAY)
    }
}

/// The fields of a document, without its length and its end.
#[derive(Clone)]
pub(crate) struct Elements<'a>(&'a [u8]);

/// The rest of the document cannot be read: an unknown type, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl<'a> Elements<'a> {
    /// The fields of a whole document or array.
    #[inline]
    pub(crate) fn of_document(document: &'a [u8]) -> Result<Self, Unreadable> {
        match document {
            [_, _, _, _, inner @ .., 0] => Ok(Self(inner)),
            _ => Err(Unreadable),
        }
    }

    /// The fields in bytes without a document around them.
    pub(crate) fn of_fields(fields: &'a [u8]) -> Self {
        Self(fields)
    }
}

/// Which fields are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldOrder {
    /// Those of the document itself.
    TopLevel,
    /// Also those of documents within it. Elements of arrays keep their order.
    AnyDepth,
}

/// Deeper than any document that a server stores.
const MAX_SORTED_DEPTH: usize = 200;

/// The document with its fields sorted by name. One whose fields cannot be told apart stays as it is.
pub(crate) fn with_sorted_fields(document: &[u8], order: FieldOrder) -> Vec<u8> {
    let depth = if order == FieldOrder::AnyDepth { MAX_SORTED_DEPTH } else { 0 };
    let mut sorted = Vec::with_capacity(document.len());
    write_sorted(&mut sorted, document, DOCUMENT, depth);
    sorted
}

/// Sorting changes no length, so that every length prefix stays true.
fn write_sorted(out: &mut Vec<u8>, document: &[u8], kind: u8, depth: usize) {
    let elements = Elements::of_document(document).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let Ok(mut elements) = elements else {
        out.extend_from_slice(document);
        return;
    };
    if kind != ARRAY {
        elements.sort_by(|a: &Element<'_>, b| a.name().cmp(b.name()));
    }
    out.extend_from_slice(&document[..4]);
    for element in elements {
        match depth.checked_sub(1).filter(|_| element.is_nested()) {
            Some(below) => {
                out.extend_from_slice(element.head());
                write_sorted(out, element.value(), element.kind(), below);
            }
            None => out.extend_from_slice(element.bytes),
        }
    }
    out.push(0);
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Unreadable>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        let (kind, rest) = bytes.split_first()?;
        let element = (|| {
            let head = rest.iter().position(|byte| *byte == 0)? + 2;
            let length = value_length(*kind, &bytes[head..])?;
            Some(Element { bytes: bytes.get(..head.checked_add(length)?)?, head })
        })();
        match element {
            Some(element) => {
                self.0 = &bytes[element.bytes.len()..];
                Some(Ok(element))
            }
            None => {
                self.0 = &[];
                Some(Err(Unreadable))
            }
        }
    }
}

/// Length of a value, by its type and its own length prefix.
#[inline]
fn value_length(kind: u8, rest: &[u8]) -> Option<usize> {
    let declared_length = |more: usize| {
        let (length, _) = rest.split_first_chunk::<4>()?;
        usize::try_from(i32::from_le_bytes(*length)).ok()?.checked_add(more)
    };
    match kind {
        0x01 | 0x09 | 0x11 | 0x12 => Some(8),
        0x02 | 0x0D | 0x0E => declared_length(4),
        DOCUMENT | ARRAY | 0x0F => declared_length(0).filter(|length| *length >= 5),
        0x05 => declared_length(5),
        0x06 | 0x0A | 0x7F | 0xFF => Some(0),
        0x07 => Some(12),
        0x08 => Some(1),
        0x0B => {
            let first = rest.iter().position(|byte| *byte == 0)? + 1;
            let second = rest.get(first..)?.iter().position(|byte| *byte == 0)? + 1;
            Some(first + second)
        }
        0x0C => declared_length(16),
        0x10 => Some(4),
        0x13 => Some(16),
        _ => None,
    }
}

/// Whether two names are equal. Names are short: a call of `memcmp` costs more than this comparison.
#[inline]
pub(crate) fn equal_names(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ((eights, rest), (other_eights, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut differ = 0;
    for (a, b) in eights.iter().zip(other_eights) {
        differ |= u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
    }
    for (a, b) in rest.iter().zip(other_rest) {
        differ |= u64::from(a ^ b);
    }
    differ == 0
}

/// Splits the first document off documents that are stored back to back.
#[inline]
pub(crate) fn split_first_document(documents: &[u8]) -> Result<(&[u8], &[u8]), CensusError> {
    let (length, _) = documents.split_first_chunk::<4>().ok_or(CensusError::NotBson("it has no length"))?;
    let length =
        usize::try_from(i32::from_le_bytes(*length)).map_err(|_| CensusError::NotBson("its length is negative"))?;
    if length < 5 {
        return Err(CensusError::NotBson("it is shorter than an empty document"));
    }
    documents.split_at_checked(length).ok_or(CensusError::NotBson("it is longer than the data that were sent"))
}
