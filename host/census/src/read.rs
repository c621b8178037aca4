//! Reads parts of a stored census.

use std::{
    fs::File,
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    CensusError, CensusIdentity, CensusOptions,
    bucket::{self, Bucket},
    document::RecordPlan,
    format::{self, FORMAT, Footer, Header, MAGIC, SCHEMA, TRAILER_BYTES},
    record::{ByteReader, Columns},
};

/// Longest header: room for a thousand ignored fields and a hundred declared changes.
const MAX_HEADER_BYTES: usize = 4 << 20;

/// Bytes that can be read at any offset.
pub trait ReadAt: Send + Sync {
    /// Number of bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reads exactly `length` bytes at `offset`.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        std::os::unix::fs::FileExt::read_exact_at(self, &mut bytes, offset)?;
        Ok(bytes)
    }
}

impl ReadAt for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = begin.checked_add(length).and_then(|end| self.get(begin..end));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl<R: ReadAt + ?Sized> ReadAt for Box<R> {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        (**self).read_at(offset, length)
    }
}

/// An open census: its header and footer are read and checked; its documents are read on demand.
pub struct Census<R> {
    source: R,
    pub(crate) header: Header,
    pub(crate) footer: Footer,
    columns: Columns,
    read: AtomicU64,
}

impl<R: ReadAt> Census<R> {
    /// Opens a census.
    pub fn open(source: R) -> Result<Self, CensusError> {
        let length = source.length()?;
        let least = (MAGIC.len() + 4 + TRAILER_BYTES) as u64;
        if length < least {
            let [length, least] = [length, least].map(taster_text::grouped);
            return Err(damaged(format!("it has {length} bytes, but the shortest census has {least}")));
        }
        let start = source.read_at(0, MAGIC.len() + 4)?;
        let end = source.read_at(length - TRAILER_BYTES as u64, TRAILER_BYTES)?;
        if !start.starts_with(MAGIC) || !end.ends_with(MAGIC) {
            return Err(damaged("it does not begin and end like a census: it was truncated, or is another file"));
        }
        let header_length = ByteReader(&start[MAGIC.len()..]).u32().unwrap_or_default() as usize;
        let footer_length = ByteReader(&end).u64().unwrap_or_default();
        let body = (length - TRAILER_BYTES as u64).checked_sub((MAGIC.len() + 4) as u64 + header_length as u64);
        let buckets = body.and_then(|body| body.checked_sub(footer_length));
        let Some(buckets) = buckets.filter(|_| header_length <= MAX_HEADER_BYTES) else {
            return Err(damaged("its parts are longer than the file"));
        };
        let head = source.read_at(0, MAGIC.len() + 4 + header_length)?;
        let at = head.len() as u64 + buckets;
        let foot = source.read_at(at, usize::try_from(footer_length).unwrap_or(usize::MAX))?;
        if format::checksum(&head, &foot) != end[8..40] {
            return Err(damaged("the checksum of its header and footer does not match"));
        }
        let header = read_header(&head[MAGIC.len() + 4..])?;
        let footer = Footer::read(&foot, head.len() as u64).ok_or_else(|| damaged("its footer is invalid"))?;
        if footer.buckets.last().is_none_or(|last| last.offset + u64::from(last.length) != at) {
            return Err(damaged("its buckets do not fill the space between header and footer"));
        }
        let columns = RecordPlan::new(&header.options, header.identity.side, &header.changes).columns;
        let read = (head.len() + foot.len() + TRAILER_BYTES) as u64;
        Ok(Self { source, header, footer, columns, read: AtomicU64::new(read) })
    }

    /// The capture, probe and collection that it belongs to. The caller must compare it with the object that was opened.
    #[must_use]
    pub fn identity(&self) -> &CensusIdentity {
        &self.header.identity
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &CensusOptions {
        &self.header.options
    }

    /// Number of documents.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.footer.documents
    }

    /// Sum over all documents, in hexadecimal.
    #[must_use]
    pub fn sum(&self) -> String {
        format!("{:032x}", self.footer.sum)
    }

    /// Number of bytes that were read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Reads and checks every bucket. A comparison checks only the buckets that it reads.
    pub fn check(&self) -> Result<(), CensusError> {
        (0..self.footer.buckets.len()).try_for_each(|index| self.bucket(index).map(|_| ()))
    }

    /// The documents of a bucket by its front, with only the first byte of each digest. The front has no checksum: the caller
    /// must check what it finds against the bucket's sum. `None`: the front is damaged.
    pub(crate) fn front(&self, index: usize) -> Result<Option<Bucket>, CensusError> {
        let entry = self.footer.buckets[index];
        let bytes = self.source.read_at(entry.offset, entry.front as usize)?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let mut rest = ByteReader(&bytes);
        Ok(Bucket::read_front(&mut rest, entry.documents as usize, self.columns, self.footer.shapes.as_ref())
            .filter(|_| rest.0.is_empty()))
    }

    /// The digest of one document without its first byte, which [`Census::front`] returns.
    pub(crate) fn rest_of_digest(&self, bucket: usize, document: usize) -> Result<u64, CensusError> {
        let entry = self.footer.buckets[bucket];
        let at = entry.offset + u64::from(entry.front) + bucket::digest_rest_offset(document);
        let bytes = self.source.read_at(at, bucket::DIGEST_REST_BYTES)?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.first_chunk().copied().map(bucket::digest_without_first_byte).unwrap_or_default())
    }

    /// The documents of a bucket.
    pub(crate) fn bucket(&self, index: usize) -> Result<Bucket, CensusError> {
        let entry = self.footer.buckets[index];
        let bytes = self.source.read_at(entry.offset, entry.length as usize)?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if format::bucket_checksum(&bytes) != entry.checksum {
            return Err(damaged(format!("the checksum of its bucket {index} does not match")));
        }
        Bucket::read(&bytes, entry.documents as usize, self.columns, self.footer.shapes.as_ref())
            .ok_or_else(|| damaged(format!("its bucket {index} is invalid")))
    }
}

impl<R> std::fmt::Debug for Census<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Census").field("identity", &self.header.identity).finish_non_exhaustive()
    }
}

fn read_header(json: &[u8]) -> Result<Header, CensusError> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema: String,
        format: u32,
    }
    let unreadable = |error: serde_json::Error| damaged(format!("its header is invalid ({error})"));
    let version: Version = serde_json::from_slice(json).map_err(unreadable)?;
    if version.schema != SCHEMA {
        let schema = taster_text::escape_hidden(&version.schema);
        return Err(damaged(format!("its schema is `{schema}` instead of `{SCHEMA}`")));
    }
    if version.format != FORMAT {
        return Err(CensusError::Format { found: version.format, known: FORMAT });
    }
    serde_json::from_slice(json).map_err(unreadable)
}

fn damaged(what: impl Into<String>) -> CensusError {
    CensusError::Damaged(what.into())
}
