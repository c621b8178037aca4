//! Records partitioned by the top bits of their ids' hashes, in memory and beyond a limit in an unlinked temporary file.

use std::{
    fs::File,
    io::{BufWriter, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
};

use crate::{CensusError, ScratchSpace};

/// Logarithm of the number of partitions.
pub(crate) const PARTITION_BITS: u32 = 10;
/// Number of partitions.
pub(crate) const PARTITIONS: usize = 1 << PARTITION_BITS;
/// Bytes by which a partition grows at least.
const MIN_GROWTH_BYTES: usize = 1024;

/// Records of one builder.
pub(crate) struct Partitions {
    scratch: ScratchSpace,
    buffers: Vec<Vec<u8>>,
    /// Bytes that are allocated for the buffers.
    held: usize,
    file: Option<File>,
    /// Bytes in the file.
    spilled: u64,
    /// For each time that the buffers were written to the file: where each partition begins, and where the last one ends.
    spills: Vec<Box<[u64]>>,
}

impl Partitions {
    pub(crate) fn new(scratch: ScratchSpace) -> Self {
        Self { scratch, buffers: vec![Vec::new(); PARTITIONS], held: 0, file: None, spilled: 0, spills: Vec::new() }
    }

    /// The partition of a document.
    pub(crate) fn index_of(id_hash: u64) -> usize {
        (id_hash >> (u64::BITS - PARTITION_BITS)) as usize
    }

    /// The bits after those that select the partition; they select the bucket.
    pub(crate) fn bucket_bits(id_hash: u64) -> u16 {
        (id_hash << PARTITION_BITS >> (u64::BITS - u16::BITS)) as u16
    }

    /// Adds a record.
    #[inline]
    pub(crate) fn push(&mut self, partition: usize, record: &[u8]) -> Result<(), CensusError> {
        let buffer = &mut self.buffers[partition];
        if buffer.capacity() - buffer.len() < record.len() {
            // grows by half: all partitions are about equally full, so that doubling would leave all of them half empty
            let more = record.len().max(MIN_GROWTH_BYTES).max(buffer.len() / 2);
            let before = buffer.capacity();
            buffer.reserve_exact(more);
            self.held += buffer.capacity() - before;
        }
        buffer.extend_from_slice(record);
        if self.held > self.scratch.memory { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), CensusError> {
        let bytes = self.buffers.iter().map(|buffer| buffer.len() as u64).sum();
        if let Some(budget) = &self.scratch.budget {
            budget.take(bytes)?;
        }
        self.spilled += bytes;
        let failed = |source| self.scratch.failed("write", source);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.scratch.file()?,
        };
        let mut at = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut begins = Vec::with_capacity(PARTITIONS + 1);
        let mut out = BufWriter::with_capacity(256 << 10, &mut file);
        for buffer in &mut self.buffers {
            begins.push(at);
            out.write_all(buffer).map_err(failed)?;
            at += buffer.len() as u64;
            *buffer = Vec::new();
        }
        begins.push(at);
        out.flush().map_err(failed)?;
        drop(out);
        self.held = 0;
        self.file = Some(file);
        self.spills.push(begins.into());
        Ok(())
    }

    /// Bytes of the records of a partition.
    pub(crate) fn size(&self, partition: usize) -> u64 {
        let spilled: u64 = self.spills.iter().map(|begins| begins[partition + 1] - begins[partition]).sum();
        spilled + self.buffers[partition].len() as u64
    }

    /// The records of a partition, in pieces.
    pub(crate) fn read(&self, partition: usize, mut each: impl FnMut(Vec<u8>)) -> Result<(), CensusError> {
        if let Some(file) = &self.file {
            for begins in &self.spills {
                let (begin, end) = (begins[partition], begins[partition + 1]);
                let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or(usize::MAX)];
                file.read_exact_at(&mut bytes, begin).map_err(|source| self.scratch.failed("read", source))?;
                each(bytes);
            }
        }
        each(self.buffers[partition].clone());
        Ok(())
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        if let Some(budget) = &self.scratch.budget {
            budget.give_back(self.spilled);
        }
    }
}

impl ScratchSpace {
    /// An unlinked temporary file.
    pub(crate) fn file(&self) -> Result<File, CensusError> {
        match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
        .map_err(|source| self.failed("create", source))
    }

    pub(crate) fn failed(&self, action: &'static str, source: std::io::Error) -> CensusError {
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        CensusError::Scratch { action, folder: folder.display().to_string(), source }
    }
}
