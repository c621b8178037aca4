//! Records by the top bits of their ids' hashes, in memory and past a limit in an unlinked temporary file.

use std::{
    fs::File,
    io::{BufWriter, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
};

use crate::{CensusError, Scratch};

/// Logarithm of the number of partitions.
pub(crate) const BITS: u32 = 10;
/// Partitions.
pub(crate) const PARTITIONS: usize = 1 << BITS;
/// What a partition grows by at least.
const GROWTH: usize = 1024;

/// Records of one builder.
pub(crate) struct Partitions {
    scratch: Scratch,
    buffers: Vec<Vec<u8>>,
    /// Bytes that the buffers hold, used or not.
    held: usize,
    file: Option<File>,
    /// For each time that the buffers went to the file, where each partition begins there, and where the last ends.
    spills: Vec<Box<[u64]>>,
}

impl Partitions {
    pub(crate) fn new(scratch: Scratch) -> Self {
        Self { scratch, buffers: vec![Vec::new(); PARTITIONS], held: 0, file: None, spills: Vec::new() }
    }

    /// The partition of a document.
    pub(crate) fn of(place: u64) -> usize {
        (place >> (u64::BITS - BITS)) as usize
    }

    /// The bits behind those that decide the partition.
    pub(crate) fn bits_of(place: u64) -> u16 {
        (place << BITS >> (u64::BITS - u16::BITS)) as u16
    }

    /// Adds a record.
    #[inline]
    pub(crate) fn push(&mut self, partition: usize, record: &[u8]) -> Result<(), CensusError> {
        let buffer = &mut self.buffers[partition];
        if buffer.capacity() - buffer.len() < record.len() {
            // by half, not by doubling: all partitions are about equally full, and all would be half empty
            let more = record.len().max(GROWTH).max(buffer.len() / 2);
            let before = buffer.capacity();
            buffer.reserve_exact(more);
            self.held += buffer.capacity() - before;
        }
        buffer.extend_from_slice(record);
        if self.held > self.scratch.memory { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), CensusError> {
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
        let spilt: u64 = self.spills.iter().map(|begins| begins[partition + 1] - begins[partition]).sum();
        spilt + self.buffers[partition].len() as u64
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

impl Scratch {
    /// An unlinked temporary file.
    pub(crate) fn file(&self) -> Result<File, CensusError> {
        match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
        .map_err(|source| self.failed("make", source))
    }

    pub(crate) fn failed(&self, action: &'static str, source: std::io::Error) -> CensusError {
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        CensusError::Scratch { action, folder: folder.display().to_string(), source }
    }
}
