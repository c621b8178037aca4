//! Writes a census: turns partitions of records into sorted buckets, several at a time, then writes the footer.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::Arc,
    thread,
};

use sha2::{Digest as _, Sha256};

use crate::{
    CensusError, CensusFile, ScratchSpace,
    bucket::BucketWriter,
    format::{self, BucketEntry, Footer, Header, buckets_for},
    record::{self, ChangeColumns, Columns, Record, sort_key},
    scratch::{PARTITIONS, Partitions},
    shape::{INLINE, Shapes},
};

/// Units that each thread writes per round. More rounds cost time for starting threads, larger rounds cost memory.
const UNITS_PER_THREAD: usize = 16;
/// Bytes of records that all threads process per round, unless a single unit has more.
const MAX_ROUND_BYTES: u64 = 16 << 20;

/// The records of all parts of a collection.
pub(crate) struct Records {
    pub(crate) columns: Columns,
    pub(crate) parts: Vec<(Shapes, Partitions)>,
    pub(crate) documents: u64,
    /// The shapes of all documents, if the footer holds them.
    pub(crate) shared: Option<Arc<[Box<[u8]>]>>,
}

/// A bucket that was written.
struct WrittenBucket {
    bytes: Vec<u8>,
    front: u32,
    documents: u32,
    sum: u128,
}

/// Buckets that are written together, from the same partitions.
struct WorkUnit {
    partitions: std::ops::Range<usize>,
    /// Logarithm of the number of its buckets.
    bits: u32,
}

/// Writes a census into a temporary file.
pub(crate) fn write(
    header: &Header,
    records: Records,
    mut footer: Footer,
    scratch: &ScratchSpace,
) -> Result<CensusFile, CensusError> {
    let failed = |source| scratch.failed("write", source);
    let head = header.write()?;
    let mut out = HashingWriter::new(scratch.file()?);
    out.write_all(&head).map_err(failed)?;
    let mut offset = head.len() as u64;
    let units = work_units(buckets_for(records.documents));
    let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
    let mut left = &units[..];
    while !left.is_empty() {
        let (round, later) = left.split_at(records.units_that_fit(left, workers * UNITS_PER_THREAD));
        left = later;
        for bucket in records.write_round(round, workers)? {
            if let Some(budget) = &scratch.budget {
                budget.take(bucket.bytes.len() as u64)?;
            }
            out.write_all(&bucket.bytes).map_err(failed)?;
            let entry = BucketEntry {
                offset,
                length: u32::try_from(bucket.bytes.len()).map_err(|_| bucket_too_large())?,
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
    Ok(CensusFile {
        identity: header.identity.clone(),
        options: header.options.clone(),
        file,
        length: offset + (foot.len() + trailer.len()) as u64,
        sha256,
        documents: footer.documents,
        bytes: footer.bytes,
        sum: format!("{:032x}", footer.sum),
    })
}

fn bucket_too_large() -> CensusError {
    CensusError::Damaged("a bucket has more than 4 GiB".to_owned())
}

/// If there are few buckets, each takes several partitions; if there are many, several share a partition.
fn work_units(buckets: u64) -> Vec<WorkUnit> {
    let each = (PARTITIONS as u64 / buckets).max(1) as usize;
    let bits = (buckets / PARTITIONS as u64).max(1).ilog2();
    (0..PARTITIONS).step_by(each).map(|begin| WorkUnit { partitions: begin..begin + each, bits }).collect()
}

impl Records {
    /// Number of units of the next round; at least one.
    fn units_that_fit(&self, units: &[WorkUnit], max_units: usize) -> usize {
        let size = |unit: &WorkUnit| -> u64 {
            let size_of_part =
                |(_, records): &(Shapes, Partitions)| unit.partitions.clone().map(|p| records.size(p)).sum::<u64>();
            self.parts.iter().map(size_of_part).sum()
        };
        let mut bytes = 0;
        let fitting = units.iter().take(max_units).take_while(|unit| {
            bytes += size(unit);
            bytes <= MAX_ROUND_BYTES
        });
        fitting.count().max(1)
    }

    /// Writes the buckets of one round of units, in their order.
    fn write_round(&self, units: &[WorkUnit], workers: usize) -> Result<Vec<WrittenBucket>, CensusError> {
        let mut chunks = units.chunks(units.len().div_ceil(workers));
        let own = chunks.next().unwrap_or_default();
        let done: Vec<Result<Vec<WrittenBucket>, CensusError>> = thread::scope(|scope| {
            let others: Vec<_> = chunks.map(|chunk| scope.spawn(move || self.write_units(chunk))).collect();
            let own = self.write_units(own);
            let others = others.into_iter().map(|worker| worker.join().expect("writing a bucket does not panic"));
            std::iter::once(own).chain(others).collect()
        });
        let mut buckets = Vec::new();
        for chunk in done {
            buckets.extend(chunk?);
        }
        Ok(buckets)
    }

    fn write_units(&self, units: &[WorkUnit]) -> Result<Vec<WrittenBucket>, CensusError> {
        let mut writer = BucketWriter::new()?;
        let mut buckets = Vec::new();
        for unit in units {
            self.write_unit(unit, &mut writer, &mut buckets)?;
        }
        Ok(buckets)
    }

    fn write_unit(
        &self,
        unit: &WorkUnit,
        writer: &mut BucketWriter,
        out: &mut Vec<WrittenBucket>,
    ) -> Result<(), CensusError> {
        let mut pieces: Vec<(&Shapes, Vec<u8>)> = Vec::new();
        for partition in unit.partitions.clone() {
            for (shapes, records) in &self.parts {
                records.read(partition, |bytes| pieces.push((shapes, bytes)))?;
            }
        }
        let mut found = ChangeColumns::default();
        let mut read = Vec::new();
        for (shapes, bytes) in &pieces {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let mut one = record::read(rest, self.columns, &mut found).ok_or_else(scratch_file_changed)?;
                rest = one.rest;
                if one.shape != INLINE {
                    one.record.shape = shapes.get(one.shape);
                }
                read.push((one.record, one.bits));
            }
        }
        let mut buckets: Vec<Vec<Record<'_>>> = (0..1_usize << unit.bits).map(|_| Vec::new()).collect();
        let (mut separate, mut converted, mut undos) = (&found.separate[..], &found.converted[..], &found.undos[..]);
        for (mut record, bits) in read {
            (record.separate, separate) = separate.split_at(self.columns.separate);
            (record.converted, converted) = converted.split_at(self.columns.converted);
            (record.undos, undos) = undos.split_at(self.columns.undos);
            buckets[(u32::from(bits) >> (u16::BITS - unit.bits)) as usize].push(record);
        }
        for records in &buckets {
            out.push(self.write_bucket(writer, records)?);
        }
        Ok(())
    }

    fn write_bucket(&self, writer: &mut BucketWriter, records: &[Record<'_>]) -> Result<WrittenBucket, CensusError> {
        let records = sort_records(records);
        let mut sum = 0_u128;
        let mut buffer = Vec::new();
        let mut last: Option<(*const u8, u128)> = None;
        for record in &records {
            let shape = match last {
                Some((address, hash)) if address == record.shape.as_ptr() => hash,
                _ => format::shape_hash(record.shape),
            };
            last = Some((record.shape.as_ptr(), shape));
            let separate = record.separate.iter().copied();
            sum = sum.wrapping_add(format::document_share(
                (record.kind, record.id),
                record.digest,
                shape,
                separate,
                &mut buffer,
            ));
        }
        let (bytes, front) = writer.write(&records, self.columns, self.shared.as_deref())?;
        Ok(WrittenBucket {
            documents: u32::try_from(records.len()).map_err(|_| bucket_too_large())?,
            bytes,
            front,
            sum,
        })
    }
}

fn scratch_file_changed() -> CensusError {
    CensusError::Damaged("its scratch file changed while it was used".to_owned())
}

/// Sorts records by id, then by everything else. The first sixteen bytes of the id decide nearly always.
fn sort_records<'a>(records: &[Record<'a>]) -> Vec<Record<'a>> {
    let mut keys: Vec<(u128, u32)> = records.iter().map(|record| sort_key(record.kind, record.id)).zip(0..).collect();
    keys.sort_unstable_by(|(a, i), (b, j)| a.cmp(b).then_with(|| records[*i as usize].order(&records[*j as usize])));
    keys.iter().map(|(_, index)| records[*index as usize]).collect()
}

/// A file, and the SHA-256 of what was written to it.
struct HashingWriter {
    out: BufWriter<File>,
    sha: Sha256,
}

impl HashingWriter {
    fn new(file: File) -> Self {
        Self { out: BufWriter::with_capacity(256 << 10, file), sha: Sha256::new() }
    }

    fn finish(self) -> io::Result<(File, String)> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, hex::encode(self.sha.finalize())))
    }
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sha.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
