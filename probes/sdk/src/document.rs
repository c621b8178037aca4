//! Owned documents: filters, projections, pipeline stages, values of metrics.

use std::fmt;

use crate::{Kind, Malformed, RawDocument, RawValue};

/// One BSON document, owned.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(Vec<u8>);

impl Document {
    /// `{}`
    #[must_use]
    pub fn new() -> Self {
        Self(vec![5, 0, 0, 0, 0])
    }

    /// Takes the bytes of a document.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Malformed> {
        RawDocument::from_bytes(&bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn copy_of(document: RawDocument<'_>) -> Self {
        Self(document.as_bytes().to_vec())
    }

    /// Adds an element at the end and returns the document. A name ends at its first NUL, which BSON cannot represent.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl ToBson) -> Self {
        self.push(name, value);
        self
    }

    /// Adds an element at the end.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl ToBson) {
        let name = name.as_ref().split(|byte| *byte == 0).next().unwrap_or_default();
        self.0.pop();
        self.0.push(value.kind().0);
        self.0.extend_from_slice(name);
        self.0.push(0);
        value.write(&mut self.0);
        self.0.push(0);
        // lengths in BSON are i32; a document of 2 GiB does not fit into a guest's memory
        let length = i32::try_from(self.0.len()).unwrap_or(i32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes the bytes out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Borrows the document, to read its elements.
    #[must_use]
    pub fn as_raw(&self) -> RawDocument<'_> {
        RawDocument::from_bytes(&self.0).expect("every constructor keeps the length right")
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 5
    }
}

impl RawDocument<'_> {
    /// An owned copy.
    #[must_use]
    pub fn to_owned(self) -> Document {
        Document::copy_of(self)
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_raw().fmt(f)
    }
}

/// A document of a few elements: `doc(&[("_id", &0), ("status", &"open")])`.
#[must_use]
pub fn doc(elements: &[(&str, &dyn ToBson)]) -> Document {
    let mut document = Document::new();
    for (name, value) in elements {
        document.push(name, *value);
    }
    document
}

/// A type that can be the value of an element.
pub trait ToBson {
    /// Its type.
    fn kind(&self) -> Kind;
    /// Appends its bytes.
    fn write(&self, to: &mut Vec<u8>);
}

impl<T: ToBson + ?Sized> ToBson for &T {
    fn kind(&self) -> Kind {
        (**self).kind()
    }
    fn write(&self, to: &mut Vec<u8>) {
        (**self).write(to);
    }
}

macro_rules! plain {
    ($($type:ty: $kind:ident),*) => {$(
        impl ToBson for $type {
            fn kind(&self) -> Kind {
                Kind::$kind
            }
            fn write(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
plain!(i32: INT32, i64: INT64, f64: DOUBLE);

impl ToBson for bool {
    fn kind(&self) -> Kind {
        Kind::BOOLEAN
    }
    fn write(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
}

impl ToBson for str {
    fn kind(&self) -> Kind {
        Kind::STRING
    }
    fn write(&self, to: &mut Vec<u8>) {
        let length = i32::try_from(self.len() + 1).unwrap_or(i32::MAX);
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(self.as_bytes());
        to.push(0);
    }
}

impl ToBson for String {
    fn kind(&self) -> Kind {
        Kind::STRING
    }
    fn write(&self, to: &mut Vec<u8>) {
        self.as_str().write(to);
    }
}

impl ToBson for Document {
    fn kind(&self) -> Kind {
        Kind::DOCUMENT
    }
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.0);
    }
}

/// An array, made of a document whose names are `0`, `1` and so on.
pub struct Array(pub Document);

impl ToBson for Array {
    fn kind(&self) -> Kind {
        Kind::ARRAY
    }
    fn write(&self, to: &mut Vec<u8>) {
        self.0.write(to);
    }
}

impl ToBson for RawValue<'_> {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.bytes);
    }
}
