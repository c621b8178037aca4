//! Writing a census: partitions of records into sorted buckets, several at a time, then the footer.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::Arc,
    thread,
};

use sha2::{Digest as _, Sha256};

use crate::{
    CensusError, Recorded, Scratch,
    block::Writer,
    format::{self, Entry, Footer, Header, buckets_for},
    record::{self, Columns, Record, sort_key},
    scratch::{PARTITIONS, Partitions},
    shape::{INLINE, Shapes},
};

/// So many units a thread writes before the others are waited for: starting threads costs time, waiting memory.
const TOGETHER: usize = 16;
/// Bytes of records that all threads together work on, unless a unit has more.
const TOGETHER_BYTES: u64 = 16 << 20;

/// What was recorded of all parts of a collection.
pub(crate) struct Records {
    pub(crate) columns: Columns,
    pub(crate) parts: Vec<(Shapes, Partitions)>,
    pub(crate) documents: u64,
    /// The shapes of all documents, where they stand in the footer.
    pub(crate) shared: Option<Arc<[Box<[u8]>]>>,
}

/// A bucket that was written.
struct Bucket {
    bytes: Vec<u8>,
    front: u32,
    documents: u32,
    sum: u128,
}

/// Buckets that are written together, from the same partitions.
struct Unit {
    partitions: std::ops::Range<usize>,
    /// Logarithm of the buckets in it.
    bits: u32,
}

/// Writes a census into a temporary file.
pub(crate) fn write(
    header: &Header,
    records: Records,
    mut footer: Footer,
    scratch: &Scratch,
) -> Result<Recorded, CensusError> {
    let failed = |source| scratch.failed("write", source);
    let head = header.write()?;
    let mut out = Hashing::new(scratch.file()?);
    out.write_all(&head).map_err(failed)?;
    let mut offset = head.len() as u64;
    let units = units(buckets_for(records.documents));
    let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
    let mut left = &units[..];
    while !left.is_empty() {
        let (round, later) = left.split_at(records.fits(left, workers * TOGETHER));
        left = later;
        for bucket in records.round(round, workers)? {
            out.write_all(&bucket.bytes).map_err(failed)?;
            let entry = Entry {
                offset,
                length: u32::try_from(bucket.bytes.len()).map_err(|_| too_large())?,
                front: bucket.front,
                documents: bucket.documents,
                sum: bucket.sum,
                checksum: format::bucket_checksum(&bucket.bytes),
            };
            offset += u64::from(entry.length);
            footer.sum = footer.sum.wrapping_add(entry.sum);
            footer.buckets.push(entry);
        }
    }
    footer.shapes = records.shared;
    let foot = footer.write();
    out.write_all(&foot).map_err(failed)?;
    let trailer = format::trailer(&head, &foot);
    out.write_all(&trailer).map_err(failed)?;
    let (file, sha256) = out.finish().map_err(failed)?;
    Ok(Recorded {
        place: header.place.clone(),
        options: header.options.clone(),
        file,
        length: offset + (foot.len() + trailer.len()) as u64,
        sha256,
        documents: footer.documents,
        bytes: footer.bytes,
        sum: format!("{:032x}", footer.sum),
    })
}

fn too_large() -> CensusError {
    CensusError::Damaged("a bucket of more than 4 GiB".to_owned())
}

/// Few buckets take several partitions each, many share one.
fn units(buckets: u64) -> Vec<Unit> {
    let each = (PARTITIONS as u64 / buckets).max(1) as usize;
    let bits = (buckets / PARTITIONS as u64).max(1).ilog2();
    (0..PARTITIONS).step_by(each).map(|begin| Unit { partitions: begin..begin + each, bits }).collect()
}

impl Records {
    /// How many units may be worked on together: one at least.
    fn fits(&self, units: &[Unit], most: usize) -> usize {
        let size = |unit: &Unit| -> u64 {
            let of =
                |(_, records): &(Shapes, Partitions)| unit.partitions.clone().map(|p| records.size(p)).sum::<u64>();
            self.parts.iter().map(of).sum()
        };
        let mut bytes = 0;
        let fitting = units.iter().take(most).take_while(|unit| {
            bytes += size(unit);
            bytes <= TOGETHER_BYTES
        });
        fitting.count().max(1)
    }

    /// The buckets of some units, in their order.
    fn round(&self, units: &[Unit], workers: usize) -> Result<Vec<Bucket>, CensusError> {
        let mut chunks = units.chunks(units.len().div_ceil(workers));
        let own = chunks.next().unwrap_or_default();
        let done: Vec<Result<Vec<Bucket>, CensusError>> = thread::scope(|scope| {
            let others: Vec<_> = chunks.map(|chunk| scope.spawn(move || self.units(chunk))).collect();
            let own = self.units(own);
            let others = others.into_iter().map(|worker| worker.join().expect("writing a bucket does not panic"));
            std::iter::once(own).chain(others).collect()
        });
        let mut buckets = Vec::new();
        for chunk in done {
            buckets.extend(chunk?);
        }
        Ok(buckets)
    }

    fn units(&self, units: &[Unit]) -> Result<Vec<Bucket>, CensusError> {
        let mut writer = Writer::new()?;
        let mut buckets = Vec::new();
        for unit in units {
            self.unit(unit, &mut writer, &mut buckets)?;
        }
        Ok(buckets)
    }

    fn unit(&self, unit: &Unit, writer: &mut Writer, out: &mut Vec<Bucket>) -> Result<(), CensusError> {
        let mut pieces: Vec<(&Shapes, Vec<u8>)> = Vec::new();
        for partition in unit.partitions.clone() {
            for (shapes, records) in &self.parts {
                records.read(partition, |bytes| pieces.push((shapes, bytes)))?;
            }
        }
        let (mut apart, mut undos) = (Vec::new(), Vec::new());
        let mut read = Vec::new();
        for (shapes, bytes) in &pieces {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let mut one = record::read(rest, self.columns, &mut apart, &mut undos).ok_or_else(spoilt)?;
                rest = one.rest;
                if one.shape != INLINE {
                    one.record.shape = shapes.of(one.shape);
                }
                read.push((one.record, one.bits));
            }
        }
        let mut buckets: Vec<Vec<Record<'_>>> = (0..1_usize << unit.bits).map(|_| Vec::new()).collect();
        let (mut apart, mut undos) = (&apart[..], &undos[..]);
        for (mut record, bits) in read {
            (record.apart, apart) = apart.split_at(self.columns.apart);
            (record.undos, undos) = undos.split_at(self.columns.undos);
            buckets[(u32::from(bits) >> (u16::BITS - unit.bits)) as usize].push(record);
        }
        for records in &buckets {
            out.push(self.bucket(writer, records)?);
        }
        Ok(())
    }

    fn bucket(&self, writer: &mut Writer, records: &[Record<'_>]) -> Result<Bucket, CensusError> {
        let records = sorted(records);
        let mut sum = 0_u128;
        let mut buffer = Vec::new();
        let mut last: Option<(*const u8, u128)> = None;
        for record in &records {
            let shape = match last {
                Some((address, hash)) if address == record.shape.as_ptr() => hash,
                _ => format::shape_hash(record.shape),
            };
            last = Some((record.shape.as_ptr(), shape));
            let apart = record.apart.iter().copied();
            sum = sum.wrapping_add(format::share((record.kind, record.id), record.digest, shape, apart, &mut buffer));
        }
        let (bytes, front) = writer.write(&records, self.columns, self.shared.as_deref())?;
        Ok(Bucket { documents: u32::try_from(records.len()).map_err(|_| too_large())?, bytes, front, sum })
    }
}

fn spoilt() -> CensusError {
    CensusError::Damaged("a scratch file changed while it was used".to_owned())
}

/// By id, then by everything else. The first sixteen bytes decide for nearly all, and need no look at the record.
fn sorted<'a>(records: &[Record<'a>]) -> Vec<Record<'a>> {
    let mut keys: Vec<(u128, u32)> = records.iter().map(|record| sort_key(record.kind, record.id)).zip(0..).collect();
    keys.sort_unstable_by(|(a, i), (b, j)| a.cmp(b).then_with(|| records[*i as usize].order(&records[*j as usize])));
    keys.iter().map(|(_, index)| records[*index as usize]).collect()
}

/// A file, and the SHA-256 of what was written to it.
struct Hashing {
    out: BufWriter<File>,
    sha: Sha256,
}

impl Hashing {
    fn new(file: File) -> Self {
        Self { out: BufWriter::with_capacity(256 << 10, file), sha: Sha256::new() }
    }

    fn finish(self) -> io::Result<(File, String)> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, hex::encode(self.sha.finalize())))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sha.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
