//! The record of one document while a census is taken, and its format in memory and in scratch files.

use std::cmp::Ordering;

use crate::{CensusOptions, DetailLevel, shape::INLINE};

/// Type of a redacted id, which is stored as its keyed hash. Not a BSON type.
pub(crate) const REDACTED: u8 = 0xEF;
/// The digest of a value that a conversion does not give.
pub(crate) const NOT_CONVERTED: u64 = 0;
/// The expiry of a document that does not expire.
pub(crate) const NEVER: i64 = i64::MAX;

/// The columns of a census beside id, digest and shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) marks: bool,
    pub(crate) expiries: bool,
    /// Number of separate fields.
    pub(crate) separate: usize,
    /// Number of digests of converted values: one of each reading before the sync, one of each conversion after it.
    pub(crate) converted: usize,
    /// Number of declared changes that can be reversed.
    pub(crate) undos: usize,
    pub(crate) fields: FieldColumn,
}

/// What is recorded of each field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FieldColumn {
    /// Nothing.
    #[default]
    None,
    /// A digest.
    Digests,
    /// A digest, and small values after the digests of all fields.
    Values,
}

impl FieldColumn {
    pub(crate) fn of(options: &CensusOptions) -> Self {
        match options.detail {
            DetailLevel::Documents => Self::None,
            DetailLevel::Fields if options.values => Self::Values,
            DetailLevel::Fields => Self::Digests,
        }
    }
}

/// A field whose digest is kept beside the document's: its type, 0 if it does not exist, and its hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeparateField {
    pub(crate) kind: u8,
    pub(crate) hash: u64,
}

/// What is needed to reverse a declared change in a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Undo {
    pub(crate) state: UndoState,
    /// What the change added to the document's digest.
    pub(crate) delta: u64,
}

/// Whether a document has a declared change after the sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum UndoState {
    /// It does not.
    #[default]
    Absent = 0,
    /// It does, as declared.
    Complete = 1,
    /// The field has another type or value.
    Other = 2,
    /// Only some elements of an array have it.
    Partial = 3,
    /// There is no place for it, as in an empty array.
    NoPlace = 4,
}

impl SeparateField {
    pub(crate) fn exists(self) -> bool {
        self.kind != 0
    }
}

impl UndoState {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Absent, Self::Complete, Self::Other, Self::Partial, Self::NoPlace]
            .into_iter()
            .find(|state| *state as u8 == byte)
    }
}

/// One document. Slices are borrowed from the encoded record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: u8,
    pub(crate) id: &'a [u8],
    pub(crate) digest: u64,
    pub(crate) shape: &'a [u8],
    pub(crate) mark: u8,
    pub(crate) expiry: i64,
    pub(crate) separate: &'a [SeparateField],
    /// Digests of converted values; [`NOT_CONVERTED`] where there is no such value.
    pub(crate) converted: &'a [u64],
    pub(crate) undos: &'a [Undo],
    /// What is kept of each field (`field_digests.rs`).
    pub(crate) fields: &'a [u8],
}

impl Record<'_> {
    /// The order of documents in a bucket: by id, then by everything else.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        (sort_key(self.kind, self.id), self.id, self.digest, self.shape, self.separate, self.fields)
            .cmp(&(sort_key(other.kind, other.id), other.id, other.digest, other.shape, other.separate, other.fields))
            .then_with(|| {
                (self.mark, self.expiry, self.converted, self.undos).cmp(&(
                    other.mark,
                    other.expiry,
                    other.converted,
                    other.undos,
                ))
            })
    }
}

/// The first 16 bytes of an id, so that numbers sort by their bits and all other types by their bytes. This is not MongoDB's
/// order; it is the same on every machine and puts similar ids next to each other.
pub(crate) fn sort_key(kind: u8, id: &[u8]) -> u128 {
    let mut key = [0; 16];
    key[0] = kind;
    match (kind, id.len()) {
        (0x01 | 0x09 | 0x10 | 0x11 | 0x12, 4 | 8) => {
            for (to, from) in key[1..].iter_mut().zip(id.iter().rev()) {
                *to = *from;
            }
        }
        (0x02, 5..) => copy_prefix(&mut key[1..], &id[4..]),
        _ => copy_prefix(&mut key[1..], id),
    }
    u128::from_be_bytes(key)
}

fn copy_prefix(to: &mut [u8], from: &[u8]) {
    let length = to.len().min(from.len());
    to[..length].copy_from_slice(&from[..length]);
}

/// Writes a record: with the number of its shape, or [`crate::shape::INLINE`] and the shape itself; and with the bits of its
/// id's hash that select the bucket within its partition.
pub(crate) fn write(out: &mut Vec<u8>, columns: Columns, record: &Record<'_>, shape: u32, bits: u16) {
    out.extend_from_slice(&record.digest.to_le_bytes());
    out.extend_from_slice(&shape.to_le_bytes());
    out.extend_from_slice(&bits.to_le_bytes());
    out.push(record.kind);
    write_bytes(out, record.id);
    if shape == INLINE {
        write_bytes(out, record.shape);
    }
    if columns.marks {
        out.push(record.mark);
    }
    if columns.expiries {
        out.extend_from_slice(&record.expiry.to_le_bytes());
    }
    for separate in record.separate {
        out.push(separate.kind);
        out.extend_from_slice(&separate.hash.to_le_bytes());
    }
    for hash in record.converted {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    for undo in record.undos {
        out.push(undo.state as u8);
        out.extend_from_slice(&undo.delta.to_le_bytes());
    }
    if columns.fields != FieldColumn::None {
        write_bytes(out, record.fields);
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).expect("a document has at most 16 MiB").to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A record that was read; what it has of each declared change is returned beside it.
pub(crate) struct ReadRecord<'a> {
    /// Its shape is empty if it has a number.
    pub(crate) record: Record<'a>,
    pub(crate) shape: u32,
    pub(crate) bits: u16,
    pub(crate) rest: &'a [u8],
}

/// What some records have of each declared change, one record after the other.
#[derive(Debug, Default)]
pub(crate) struct ChangeColumns {
    pub(crate) separate: Vec<SeparateField>,
    pub(crate) converted: Vec<u64>,
    pub(crate) undos: Vec<Undo>,
}

/// Reads a record that [`write`] wrote. What it has of each declared change is appended to `found`.
pub(crate) fn read<'a>(bytes: &'a [u8], columns: Columns, found: &mut ChangeColumns) -> Option<ReadRecord<'a>> {
    let mut rest = ByteReader(bytes);
    let digest = rest.u64()?;
    let number = rest.u32()?;
    let bits = u16::from_le_bytes(*rest.take::<2>()?);
    let [kind] = *rest.take::<1>()?;
    let id = rest.bytes()?;
    let shape = if number == INLINE { rest.bytes()? } else { &[] };
    let mark = if columns.marks { rest.take::<1>()?[0] } else { 0 };
    let expiry = if columns.expiries { i64::from_le_bytes(*rest.take::<8>()?) } else { NEVER };
    for _ in 0..columns.separate {
        found.separate.push(SeparateField { kind: rest.take::<1>()?[0], hash: rest.u64()? });
    }
    for _ in 0..columns.converted {
        found.converted.push(rest.u64()?);
    }
    for _ in 0..columns.undos {
        found.undos.push(Undo { state: UndoState::from_byte(rest.take::<1>()?[0])?, delta: rest.u64()? });
    }
    let fields = if columns.fields == FieldColumn::None { &[] } else { rest.bytes()? };
    let record = Record { kind, id, digest, shape, mark, expiry, fields, ..Record::default() };
    Some(ReadRecord { record, shape: number, bits, rest: rest.0 })
}

/// Reads little-endian numbers and slices from bytes; what is left is in `0`.
pub(crate) struct ByteReader<'a>(pub(crate) &'a [u8]);

impl<'a> ByteReader<'a> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(|bytes| u32::from_le_bytes(*bytes))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(|bytes| u64::from_le_bytes(*bytes))
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.take().map(|bytes| u128::from_le_bytes(*bytes))
    }

    /// A length of four bytes, and that many bytes.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.slice(length as usize)
    }

    /// A number in seven-bit groups.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take::<1>()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// Writes what [`ByteReader::varint`] reads.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
