//! Borrowed BSON: documents are read in place, without copies.
//!
//! For speed, iterating checks only lengths; a value is checked when it is read. Names are bytes, because a server stores names
//! that are not UTF-8, empty, dotted or duplicate.

use std::fmt;

use crate::Decimal;

/// A truncated or malformed document. A server does not send any; a test or a file may have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document is not BSON: a length in it does not fit")
    }
}

impl std::error::Error for Malformed {}

/// The type byte of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

#[expect(missing_docs, reason = "the types of bsonspec.org, named as there")]
impl Kind {
    pub const DOUBLE: Self = Self(0x01);
    pub const STRING: Self = Self(0x02);
    pub const DOCUMENT: Self = Self(0x03);
    pub const ARRAY: Self = Self(0x04);
    pub const BINARY: Self = Self(0x05);
    pub const UNDEFINED: Self = Self(0x06);
    pub const OBJECT_ID: Self = Self(0x07);
    pub const BOOLEAN: Self = Self(0x08);
    pub const DATE: Self = Self(0x09);
    pub const NULL: Self = Self(0x0a);
    pub const REGEX: Self = Self(0x0b);
    pub const DB_POINTER: Self = Self(0x0c);
    pub const CODE: Self = Self(0x0d);
    pub const SYMBOL: Self = Self(0x0e);
    pub const CODE_WITH_SCOPE: Self = Self(0x0f);
    pub const INT32: Self = Self(0x10);
    pub const TIMESTAMP: Self = Self(0x11);
    pub const INT64: Self = Self(0x12);
    pub const DECIMAL128: Self = Self(0x13);
    pub const MAX_KEY: Self = Self(0x7f);
    pub const MIN_KEY: Self = Self(0xff);

    /// Its name in `$type`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::DOUBLE => "double",
            Self::STRING => "string",
            Self::DOCUMENT => "object",
            Self::ARRAY => "array",
            Self::BINARY => "binData",
            Self::UNDEFINED => "undefined",
            Self::OBJECT_ID => "objectId",
            Self::BOOLEAN => "bool",
            Self::DATE => "date",
            Self::NULL => "null",
            Self::REGEX => "regex",
            Self::DB_POINTER => "dbPointer",
            Self::CODE => "javascript",
            Self::SYMBOL => "symbol",
            Self::CODE_WITH_SCOPE => "javascriptWithScope",
            Self::INT32 => "int",
            Self::TIMESTAMP => "timestamp",
            Self::INT64 => "long",
            Self::DECIMAL128 => "decimal",
            Self::MAX_KEY => "maxKey",
            Self::MIN_KEY => "minKey",
            _ => return None,
        })
    }

    /// The length of the value of this type at the beginning of `rest`.
    #[inline]
    pub fn value_length(self, rest: &[u8]) -> Result<usize, Malformed> {
        // fixed lengths by type; 255 for lengths that are in the bytes
        const FIXED: [u8; 20] = [255, 8, 255, 255, 255, 255, 0, 12, 1, 8, 0, 255, 255, 255, 255, 255, 4, 8, 8, 16];
        match FIXED.get(usize::from(self.0)) {
            Some(&length) if length != 255 => Ok(usize::from(length)),
            Some(_) => self.stated_length(rest),
            None if self == Self::MAX_KEY || self == Self::MIN_KEY => Ok(0),
            None => Err(Malformed),
        }
    }

    fn stated_length(self, rest: &[u8]) -> Result<usize, Malformed> {
        let stated = || length_at(rest);
        match self {
            Self::STRING | Self::CODE | Self::SYMBOL => stated()?.checked_add(4),
            Self::DOCUMENT | Self::ARRAY | Self::CODE_WITH_SCOPE => Some(stated()?),
            Self::BINARY => stated()?.checked_add(5),
            Self::DB_POINTER => stated()?.checked_add(16),
            Self::REGEX => {
                let pattern = name_length(rest)? + 1;
                Some(pattern + name_length(&rest[pattern..])? + 1)
            }
            _ => None,
        }
        .ok_or(Malformed)
    }
}

#[inline]
fn length_at(bytes: &[u8]) -> Result<usize, Malformed> {
    match bytes.first_chunk() {
        Some(length) => usize::try_from(i32::from_le_bytes(*length)).map_err(|_| Malformed),
        None => Err(Malformed),
    }
}

#[inline]
fn name_length(bytes: &[u8]) -> Result<usize, Malformed> {
    bytes.iter().position(|byte| *byte == 0).ok_or(Malformed)
}

/// A borrowed document. Its own length is checked; its elements are checked while they are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawDocument<'a>(&'a [u8]);

impl<'a> RawDocument<'a> {
    /// The document at the beginning of `bytes`.
    #[inline]
    pub fn first_of(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let length = length_at(bytes)?;
        match bytes.get(..length) {
            Some(document) if length >= 5 && document[length - 1] == 0 => Ok(Self(document)),
            _ => Err(Malformed),
        }
    }

    /// Exactly one document.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let document = Self::first_of(bytes)?;
        if document.0.len() == bytes.len() { Ok(document) } else { Err(Malformed) }
    }

    /// Its bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its bytes without the length and the last byte: elements back to back.
    #[inline]
    #[must_use]
    pub fn body(self) -> &'a [u8] {
        &self.0[4..self.0.len() - 1]
    }

    /// Its elements, in order.
    #[inline]
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements(self.body())
    }

    /// The first element with that name.
    pub fn get(self, name: &str) -> Result<Option<Element<'a>>, Malformed> {
        for element in self.elements() {
            let element = element?;
            if element.name == name.as_bytes() {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }
}

/// The elements of a document.
#[derive(Clone)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    #[inline]
    fn step(&mut self) -> Result<Element<'a>, Malformed> {
        let (&kind, rest) = self.0.split_first().ok_or(Malformed)?;
        let name = name_length(rest)?;
        let (name, rest) = (&rest[..name], &rest[name + 1..]);
        let length = Kind(kind).value_length(rest)?;
        let (bytes, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Element { name, value: RawValue { kind: Kind(kind), bytes } })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let element = self.step();
        if element.is_err() {
            self.0 = &[];
        }
        Some(element)
    }
}

/// A name and its value.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The name, which need not be UTF-8.
    pub name: &'a [u8],
    /// The value.
    pub value: RawValue<'a>,
}

/// A borrowed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawValue<'a> {
    /// Its type.
    pub kind: Kind,
    /// Its bytes, without type and name.
    pub bytes: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// A document's or an array's elements.
    #[must_use]
    pub fn as_document(self) -> Option<RawDocument<'a>> {
        match self.kind {
            Kind::DOCUMENT | Kind::ARRAY => RawDocument::from_bytes(self.bytes).ok(),
            _ => None,
        }
    }

    /// The text of a string, when it is UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self.kind {
            Kind::STRING | Kind::SYMBOL | Kind::CODE => self.text_bytes().and_then(|text| str::from_utf8(text).ok()),
            _ => None,
        }
    }

    /// The bytes of a string, UTF-8 or not.
    #[must_use]
    pub fn text_bytes(self) -> Option<&'a [u8]> {
        match self.kind {
            Kind::STRING | Kind::SYMBOL | Kind::CODE => self.bytes.get(4..self.bytes.len().checked_sub(1)?),
            _ => None,
        }
    }

    /// An integer of 32 or 64 bits.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.kind {
            Kind::INT32 => self.bytes.try_into().ok().map(i32::from_le_bytes).map(i64::from),
            Kind::INT64 => self.bits(),
            _ => None,
        }
    }

    /// A double.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        if self.kind == Kind::DOUBLE { self.bytes.try_into().ok().map(f64::from_le_bytes) } else { None }
    }

    /// A `Decimal128`.
    #[must_use]
    pub fn as_decimal(self) -> Option<Decimal> {
        match self.kind {
            Kind::DECIMAL128 => self.bytes.try_into().ok().map(|bytes| Decimal::from_bid(u128::from_le_bytes(bytes))),
            _ => None,
        }
    }

    /// The 64 bits of a date (milliseconds since 1970), a timestamp or a long.
    #[must_use]
    pub fn bits(self) -> Option<i64> {
        match self.kind {
            Kind::DATE | Kind::TIMESTAMP | Kind::INT64 => self.bytes.try_into().ok().map(i64::from_le_bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extjson;

    #[test]
    fn elements_are_walked_in_order_and_none_is_copied() {
        let json = serde_json::json!({"a": 1, "b": {"c": [true, null]}, "d": "x", "r": {"$regularExpression": {"pattern": "^a", "options": "i"}}, "e": 1.5});
        let document = extjson::to_document(&json, "filter").unwrap();
        let names: Vec<_> = document.as_raw().elements().map(|e| e.unwrap().name.to_vec()).collect();
        assert_eq!(names, [b"a", b"b", b"d", b"r", b"e"]);
    }

    #[test]
    fn a_length_that_does_not_fit_is_found_wherever_it_is_cut() {
        let json =
            serde_json::json!({"a": "text", "b": {"c": [1, 2]}, "d": {"$binary": {"base64": "AAAA", "subType": "00"}}});
        let document = extjson::to_document(&json, "filter").unwrap();
        let bytes = document.as_bytes();
        for end in 0..bytes.len() {
            assert!(RawDocument::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        // an inner length beyond the end
        let mut broken = bytes.to_vec();
        broken[7] = 200;
        let walked: Result<Vec<_>, _> = RawDocument::from_bytes(&broken).unwrap().elements().collect();
        assert_eq!(walked.err(), Some(Malformed));
    }
}
