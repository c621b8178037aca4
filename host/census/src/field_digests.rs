//! What a census with `detail: fields` keeps of the top-level fields of a document, in their order and without `_id`.
//!
//! ```text
//! digest u64 of each field | order-free digest u32 of each field that holds others | what is kept of the values (values.rs)
//! ```
//! Two fields that hold others and have the same order-free digest differ in nothing but the order of the fields within them.
//! Four bytes are enough: the document is changed in any case, and only what is said of it depends on them.

use crate::{
    CensusOptions,
    raw::{ARRAY, DOCUMENT},
    shape,
    values::{self, KeptValue},
};

/// A top-level field of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldDigests<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) hash: u64,
    /// `None`: it holds no other fields, or the census has no such digests.
    pub(crate) order_free: Option<u32>,
    pub(crate) value: Option<KeptValue<'a>>,
}

/// What follows the digests of a census' fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldColumns {
    order_free: bool,
    values: bool,
}

impl FieldColumns {
    pub(crate) fn of(options: &CensusOptions) -> Self {
        Self { order_free: options.order_free_digests, values: options.values }
    }

    /// The fields of a document, of its shape and of what is kept of them. `None`: it could not be read to its end or has too
    /// many fields.
    pub(crate) fn read<'a>(self, shape: &'a [u8], kept: &'a [u8]) -> Option<Vec<FieldDigests<'a>>> {
        let mut id_seen = false;
        let fields = shape::fields(shape)?.filter(|(_, name)| {
            let is_id = *name == b"_id" && !id_seen;
            id_seen |= is_id;
            !is_id
        });
        let fields: Vec<(u8, &[u8])> = fields.collect();
        let is_nested = |kind: u8| self.order_free && matches!(kind, DOCUMENT | ARRAY);
        let nested = fields.iter().filter(|(kind, _)| is_nested(*kind)).count();
        let (digests, rest) = kept.split_at_checked(8 * fields.len())?;
        let (order_free, rest) = rest.split_at_checked(4 * nested)?;
        let values = match self.values {
            true => values::read(rest, fields.len())?,
            false if rest.is_empty() => vec![None; fields.len()],
            false => return None,
        };
        let mut order_free = order_free.as_chunks::<4>().0.iter().map(|digest| u32::from_le_bytes(*digest));
        let columns = fields.into_iter().zip(digests.as_chunks::<8>().0).zip(values);
        let field = |(((kind, name), hash), value): (((u8, _), &[u8; 8]), _)| FieldDigests {
            name,
            hash: u64::from_le_bytes(*hash),
            order_free: if is_nested(kind) { order_free.next() } else { None },
            value,
        };
        Some(columns.map(field).collect())
    }
}

/// The digest of the contents of a field, of the sum of their hashes.
pub(crate) fn order_free_digest(contents: u64) -> [u8; 4] {
    (contents as u32).to_le_bytes()
}
