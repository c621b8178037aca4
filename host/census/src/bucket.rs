//! The format of one bucket of documents: one column per kind of information.

use std::sync::Arc;

use crate::{
    CensusError,
    ids::{self, Ids},
    record::{
        ByteReader, Columns, FieldColumn, NEVER, NOT_CONVERTED, Record, SeparateField, Undo, UndoState, write_varint,
    },
};

/// Fast, and nearly as small as higher levels, because digests do not compress.
const COMPRESSION_LEVEL: i32 = 3;
/// Longest column of a bucket: 16 384 documents with 4096 field digests each.
const MAX_COLUMN_BYTES: usize = 1 << 30;

/// Writes buckets.
pub(crate) struct BucketWriter {
    compressor: zstd::bulk::Compressor<'static>,
}

impl BucketWriter {
    pub(crate) fn new() -> Result<Self, CensusError> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(COMPRESSION_LEVEL)? })
    }

    /// Writes sorted records. Also returns the length of the front, which is enough to find a few differing documents: it
    /// holds one byte of each digest. The other seven follow at [`digest_rest_offset`].
    pub(crate) fn write(
        &mut self,
        records: &[Record<'_>],
        columns: Columns,
        shared: Option<&[Box<[u8]>]>,
    ) -> Result<(Vec<u8>, u32), CensusError> {
        let mut out = Vec::with_capacity(records.len() * 12);
        match shared {
            Some(shapes) => self.write_column(&mut out, &write_shape_numbers(records, shapes))?,
            None => {
                let shapes = shape_dictionary(records);
                self.write_column(&mut out, &write_dictionary(&shapes))?;
                self.write_column(&mut out, &write_shape_numbers(records, &shapes))?;
            }
        }
        let ids: Vec<(u8, &[u8])> = records.iter().map(|record| (record.kind, record.id)).collect();
        self.write_column(&mut out, &ids::write(&ids))?;
        write_raw_column(&mut out, &records.iter().map(|record| record.digest as u8).collect::<Vec<_>>());
        if columns.marks {
            self.write_column(&mut out, &records.iter().map(|record| record.mark).collect::<Vec<_>>())?;
        }
        if columns.expiries {
            let expiries: Vec<u8> = records.iter().flat_map(|record| record.expiry.to_le_bytes()).collect();
            self.write_column(&mut out, &expiries)?;
        }
        let front = out.len() as u32;
        let digests: Vec<u8> =
            records.iter().flat_map(|record| record.digest.to_le_bytes().into_iter().skip(1)).collect();
        write_raw_column(&mut out, &digests);
        for index in 0..columns.separate {
            let kinds: Vec<u8> = records.iter().map(|record| record.separate[index].kind).collect();
            self.write_column(&mut out, &kinds)?;
            let hashes: Vec<u8> = records.iter().flat_map(|record| record.separate[index].hash.to_le_bytes()).collect();
            self.write_column(&mut out, &hashes)?;
        }
        for index in 0..columns.converted {
            let hashes: Vec<u8> = records.iter().flat_map(|record| record.converted[index].to_le_bytes()).collect();
            self.write_column(&mut out, &hashes)?;
        }
        for index in 0..columns.undos {
            let states: Vec<u8> = records.iter().map(|record| record.undos[index].state as u8).collect();
            self.write_column(&mut out, &states)?;
            let deltas: Vec<u8> = records.iter().flat_map(|record| record.undos[index].delta.to_le_bytes()).collect();
            self.write_column(&mut out, &deltas)?;
        }
        if columns.fields != FieldColumn::None {
            let mut counts = Vec::new();
            for record in records {
                write_varint(&mut counts, record.fields.len() as u64);
            }
            self.write_column(&mut out, &counts)?;
            let fields: Vec<u8> = records.iter().flat_map(|record| record.fields).copied().collect();
            if columns.fields == FieldColumn::Values {
                self.write_column(&mut out, &fields)?;
            } else {
                write_raw_column(&mut out, &fields);
            }
        }
        Ok((out, front))
    }

    fn write_column(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), CensusError> {
        let packed = self.compressor.compress(bytes)?;
        if packed.len() >= bytes.len() {
            write_raw_column(out, bytes);
            return Ok(());
        }
        out.push(1);
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        out.extend_from_slice(&packed);
        Ok(())
    }
}

fn write_raw_column(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(0);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The sorted shapes of a bucket. They do not depend on the numbers that the shapes had.
fn shape_dictionary<'a>(records: &[Record<'a>]) -> Vec<&'a [u8]> {
    let mut shapes: Vec<&[u8]> = Vec::new();
    let mut last: Option<*const u8> = None;
    for record in records {
        // neighbours usually have the same shape
        if last != Some(record.shape.as_ptr()) {
            last = Some(record.shape.as_ptr());
            shapes.push(record.shape);
        }
    }
    shapes.sort_unstable();
    shapes.dedup();
    shapes
}

fn write_shape_numbers<S: AsRef<[u8]>>(records: &[Record<'_>], shapes: &[S]) -> Vec<u8> {
    if shapes.len() < 2 {
        return Vec::new();
    }
    let number = |record: &Record<'_>| {
        let position = shapes.binary_search_by(|shape| shape.as_ref().cmp(record.shape));
        position.expect("the shape_dictionary holds every shape")
    };
    let bytes = if shapes.len() <= 256 { 1 } else { 4 };
    let numbers: Vec<u32> = records.iter().map(|record| number(record) as u32).collect();
    (0..bytes).flat_map(|byte| numbers.iter().map(move |number| (number >> (8 * byte)) as u8)).collect()
}

/// A bucket that was read.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) ids: Ids,
    pub(crate) digests: Vec<u64>,
    pub(crate) shapes: Arc<[Box<[u8]>]>,
    pub(crate) shape_of: Vec<u32>,
    marks: Vec<u8>,
    expiries: Vec<i64>,
    separate: Vec<Vec<SeparateField>>,
    converted: Vec<Vec<u64>>,
    undos: Vec<Vec<Undo>>,
    field_ends: Vec<u32>,
    fields: Vec<u8>,
}

impl Bucket {
    pub(crate) fn len(&self) -> usize {
        self.digests.len()
    }

    pub(crate) fn mark(&self, index: usize) -> u8 {
        self.marks.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn expiry(&self, index: usize) -> i64 {
        self.expiries.get(index).copied().unwrap_or(NEVER)
    }

    pub(crate) fn separate(&self, index: usize, column: usize) -> SeparateField {
        self.separate.get(column).map(|column| column[index]).unwrap_or_default()
    }

    pub(crate) fn converted(&self, index: usize, column: usize) -> u64 {
        self.converted.get(column).map_or(NOT_CONVERTED, |column| column[index])
    }

    pub(crate) fn undo(&self, index: usize, column: usize) -> Undo {
        self.undos.get(column).map(|column| column[index]).unwrap_or_default()
    }

    pub(crate) fn shape(&self, index: usize) -> &[u8] {
        &self.shapes[self.shape_of[index] as usize]
    }

    /// One digest per field, and the values that are kept.
    pub(crate) fn fields(&self, index: usize) -> &[u8] {
        let Some(end) = self.field_ends.get(index) else { return &[] };
        let begin = if index == 0 { 0 } else { self.field_ends[index - 1] };
        &self.fields[begin as usize..*end as usize]
    }

    /// The key that pairs documents of both sides.
    pub(crate) fn key(&self, index: usize) -> (u8, &[u8]) {
        (self.ids.kinds[index], self.ids.get(index))
    }

    /// Reads a bucket with this number of documents. `None`: the bytes are not what [`BucketWriter`] writes.
    pub(crate) fn read(
        bytes: &[u8],
        documents: usize,
        columns: Columns,
        shared: Option<&Arc<[Box<[u8]>]>>,
    ) -> Option<Self> {
        let mut rest = ByteReader(bytes);
        let mut bucket = Self::read_front(&mut rest, documents, columns, shared)?;
        let digests = read_column(&mut rest)?;
        let (rests, left) = digests.as_chunks::<DIGEST_REST_BYTES>();
        if rests.len() != documents || !left.is_empty() {
            return None;
        }
        bucket.digests.iter_mut().zip(rests).for_each(|(digest, rest)| *digest |= digest_without_first_byte(*rest));
        for _ in 0..columns.separate {
            let kinds = byte_column(read_column(&mut rest)?, documents)?;
            let hashes = u64_column(&read_column(&mut rest)?, documents)?;
            bucket
                .separate
                .push(kinds.into_iter().zip(hashes).map(|(kind, hash)| SeparateField { kind, hash }).collect());
        }
        for _ in 0..columns.converted {
            bucket.converted.push(u64_column(&read_column(&mut rest)?, documents)?);
        }
        for _ in 0..columns.undos {
            let states = byte_column(read_column(&mut rest)?, documents)?;
            let deltas = u64_column(&read_column(&mut rest)?, documents)?;
            let undo = |(state, delta)| Some(Undo { state: UndoState::from_byte(state)?, delta });
            bucket.undos.push(states.into_iter().zip(deltas).map(undo).collect::<Option<_>>()?);
        }
        if columns.fields != FieldColumn::None {
            let counts = read_column(&mut rest)?;
            let mut counts = ByteReader(&counts);
            let mut end = 0_u32;
            for _ in 0..documents {
                end = end.checked_add(u32::try_from(counts.varint()?).ok()?)?;
                bucket.field_ends.push(end);
            }
            bucket.fields = read_column(&mut rest)?;
            if !counts.0.is_empty() || bucket.fields.len() != end as usize {
                return None;
            }
        }
        rest.0.is_empty().then_some(bucket)
    }

    /// Reads the front of a bucket, with only the first byte of each digest.
    pub(crate) fn read_front(
        rest: &mut ByteReader<'_>,
        documents: usize,
        columns: Columns,
        shared: Option<&Arc<[Box<[u8]>]>>,
    ) -> Option<Self> {
        let shapes = match shared {
            Some(shapes) => Arc::clone(shapes),
            None => read_dictionary(&read_column(rest)?)?.into(),
        };
        let mut bucket = Self { shapes, ..Self::default() };
        bucket.shape_of = read_shape_numbers(&read_column(rest)?, documents, bucket.shapes.len())?;
        bucket.ids = ids::read(&read_column(rest)?, documents)?;
        bucket.digests = byte_column(read_column(rest)?, documents)?.into_iter().map(u64::from).collect();
        if columns.marks {
            bucket.marks = byte_column(read_column(rest)?, documents)?;
        }
        if columns.expiries {
            bucket.expiries = u64_column(&read_column(rest)?, documents)?.into_iter().map(u64::cast_signed).collect();
        }
        Some(bucket)
    }
}

/// Bytes of a digest that are not in the front.
pub(crate) const DIGEST_REST_BYTES: usize = 7;

/// Offset of the rest of a document's digest from the end of the front. The column begins with a byte and its length.
pub(crate) fn digest_rest_offset(index: usize) -> u64 {
    (1 + 4 + DIGEST_REST_BYTES * index) as u64
}

/// A digest without its first byte.
pub(crate) fn digest_without_first_byte(rest: [u8; DIGEST_REST_BYTES]) -> u64 {
    rest.iter().rev().fold(0, |digest, byte| digest << 8 | u64::from(*byte)) << 8
}

fn read_column(rest: &mut ByteReader<'_>) -> Option<Vec<u8>> {
    match rest.take::<1>()?[0] {
        0 => Some(rest.bytes()?.to_vec()),
        1 => {
            let length = rest.u32()? as usize;
            let packed = rest.bytes()?;
            if length > MAX_COLUMN_BYTES {
                return None;
            }
            let bytes = zstd::bulk::decompress(packed, length).ok()?;
            (bytes.len() == length).then_some(bytes)
        }
        _ => None,
    }
}

/// Encodes a list of shapes.
pub(crate) fn write_dictionary<S: AsRef<[u8]>>(shapes: &[S]) -> Vec<u8> {
    let mut out = Vec::new();
    write_varint(&mut out, shapes.len() as u64);
    for shape in shapes {
        write_varint(&mut out, shape.as_ref().len() as u64);
        out.extend_from_slice(shape.as_ref());
    }
    out
}

/// Reads what [`write_dictionary`] writes.
pub(crate) fn read_dictionary(bytes: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let mut rest = ByteReader(bytes);
    let count = rest.varint()?;
    let mut shapes: Vec<Box<[u8]>> = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(rest.varint()?).ok()?;
        let shape = rest.slice(length)?;
        // sorted without duplicates, so that a damaged count cannot allocate more than the bytes hold
        if shapes.last().is_some_and(|last| **last >= *shape) {
            return None;
        }
        shapes.push(shape.into());
    }
    rest.0.is_empty().then_some(shapes)
}

fn read_shape_numbers(bytes: &[u8], documents: usize, shapes: usize) -> Option<Vec<u32>> {
    let planes = match shapes {
        0 | 1 => 0,
        2..=256 => 1,
        _ => 4,
    };
    if bytes.len() != planes * documents || (shapes == 0 && documents > 0) {
        return None;
    }
    let number =
        |index: usize| (0..planes).fold(0, |n, plane| n | u32::from(bytes[plane * documents + index]) << (8 * plane));
    let numbers: Vec<u32> = (0..documents).map(number).collect();
    numbers.iter().all(|number| (*number as usize) < shapes).then_some(numbers)
}

fn byte_column(bytes: Vec<u8>, documents: usize) -> Option<Vec<u8>> {
    (bytes.len() == documents).then_some(bytes)
}

fn u64_column(bytes: &[u8], documents: usize) -> Option<Vec<u64>> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    (rest.is_empty() && chunks.len() == documents)
        .then(|| chunks.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
}
