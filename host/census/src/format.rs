//! The format of a census: header, buckets, footer, and a trailer with the length of the footer.
//!
//! ```text
//! magic 8 | length of header u32 | header, JSON
//! bucket, bucket, …                                     (bucket.rs)
//! footer: documents u64 | bytes u64 | sum u128
//!         buckets u32, each: length varint, length of its front varint, documents varint, sum u128, checksum u64
//!         paths u32, each: length u32, path, sum u128 | 1 if there are other paths u8, their sum u128
//!         samples u32, each: length u32, document
//!         1 if the shapes are in the footer u8, length u32, compressed length u32, shapes
//! length of footer u64 | SHA-256 of header and footer 32 | magic 8
//! ```
//! All numbers are little-endian. Buckets follow the header without gaps; bucket `i` holds the documents whose ids' hashes
//! begin with the bits of `i`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use taster_model::DeclaredChange;

use crate::{
    CensusError, CensusIdentity, CensusOptions,
    bucket::{read_dictionary, write_dictionary},
    paths::PathSum,
    record::{ByteReader, SeparateField, write_varint},
};

/// First and last bytes of every census.
pub(crate) const MAGIC: &[u8; 8] = b"TASTERC1";
/// Version of the format and of the digests. Censuses of different versions are never compared.
pub(crate) const FORMAT: u32 = 1;
/// Name of the schema, as in other stored objects.
pub(crate) const SCHEMA: &str = "taster.dev/census/v1";
/// Length of the trailer.
pub(crate) const TRAILER_BYTES: usize = 8 + 32 + 8;
/// Average number of documents in a bucket.
pub(crate) const DOCUMENTS_PER_BUCKET: u64 = 1 << 9;
/// Longest encoding of the shapes in a footer.
const MAX_SHAPE_DICTIONARY_BYTES: usize = 1 << 20;
/// Largest number of buckets.
const MAX_BUCKETS: u64 = 1 << 20;

/// The header, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    pub(crate) schema: String,
    pub(crate) format: u32,
    /// Id of the key, which does not reveal it.
    pub(crate) key: String,
    #[serde(rename = "place")]
    pub(crate) identity: CensusIdentity,
    pub(crate) options: CensusOptions,
    /// Changes of this collection that were declared when the census was taken.
    #[serde(with = "taster_model::stored_changes")]
    pub(crate) changes: Vec<DeclaredChange>,
    /// The server's time, in milliseconds since 1970.
    pub(crate) now: i64,
}

/// The footer's entry of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketEntry {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    /// Length of the first part, which is enough to find a few differing documents.
    pub(crate) front: u32,
    pub(crate) documents: u32,
    pub(crate) sum: u128,
    pub(crate) checksum: u64,
}

/// The footer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    pub(crate) sum: u128,
    pub(crate) buckets: Vec<BucketEntry>,
    pub(crate) paths: Vec<PathSum>,
    /// Sum of all other paths, if there are too many.
    pub(crate) rest: Option<u128>,
    pub(crate) samples: Vec<Box<[u8]>>,
    /// The shapes of all documents, sorted. `None`: each bucket has its own.
    pub(crate) shapes: Option<Arc<[Box<[u8]>]>>,
}

/// Number of buckets of a census with this many documents.
pub(crate) fn buckets_for(documents: u64) -> u64 {
    documents.div_ceil(DOCUMENTS_PER_BUCKET).next_power_of_two().clamp(1, MAX_BUCKETS)
}

impl Header {
    pub(crate) fn write(&self) -> Result<Vec<u8>, CensusError> {
        let json = serde_json::to_vec(self).map_err(|error| CensusError::Damaged(error.to_string()))?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&(json.len() as u32).to_le_bytes());
        out.extend_from_slice(&json);
        Ok(out)
    }
}

impl Footer {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let count = |out: &mut Vec<u8>, count: usize| out.extend_from_slice(&(count as u32).to_le_bytes());
        out.extend_from_slice(&self.documents.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.sum.to_le_bytes());
        count(&mut out, self.buckets.len());
        for entry in &self.buckets {
            for number in [entry.length, entry.front, entry.documents] {
                write_varint(&mut out, number.into());
            }
            out.extend_from_slice(&entry.sum.to_le_bytes());
            out.extend_from_slice(&entry.checksum.to_le_bytes());
        }
        count(&mut out, self.paths.len());
        for PathSum { path, sum } in &self.paths {
            count(&mut out, path.len());
            out.extend_from_slice(path);
            out.extend_from_slice(&sum.to_le_bytes());
        }
        out.push(u8::from(self.rest.is_some()));
        out.extend_from_slice(&self.rest.unwrap_or_default().to_le_bytes());
        count(&mut out, self.samples.len());
        for sample in &self.samples {
            count(&mut out, sample.len());
            out.extend_from_slice(sample);
        }
        out.push(u8::from(self.shapes.is_some()));
        let shapes = write_dictionary(self.shapes.as_deref().unwrap_or_default());
        let packed = zstd::bulk::compress(&shapes, 3).expect("compression in memory does not fail");
        count(&mut out, shapes.len());
        count(&mut out, packed.len());
        out.extend_from_slice(&packed);
        out
    }

    /// Reads a footer; buckets begin at `offset`.
    pub(crate) fn read(bytes: &[u8], mut offset: u64) -> Option<Self> {
        let mut rest = ByteReader(bytes);
        let (documents, size, sum) = (rest.u64()?, rest.u64()?, rest.u128()?);
        let mut footer = Self { documents, bytes: size, sum, ..Self::default() };
        for _ in 0..rest.u32()? {
            let mut number = || u32::try_from(rest.varint()?).ok();
            let (length, front, documents) = (number()?, number()?, number()?);
            // the digest of each document has eight bytes
            if front > length || u64::from(documents) * 8 > u64::from(length) {
                return None;
            }
            let entry = BucketEntry { offset, length, front, documents, sum: rest.u128()?, checksum: rest.u64()? };
            offset = offset.checked_add(u64::from(length))?;
            footer.buckets.push(entry);
        }
        for _ in 0..rest.u32()? {
            let path = rest.bytes()?.into();
            footer.paths.push(PathSum { path, sum: rest.u128()? });
        }
        let others = rest.take::<1>()?[0] == 1;
        let sum = rest.u128()?;
        footer.rest = others.then_some(sum);
        for _ in 0..rest.u32()? {
            footer.samples.push(rest.bytes()?.into());
        }
        let shared = rest.take::<1>()?[0] == 1;
        let length = rest.u32()? as usize;
        let packed = rest.bytes()?;
        if length > MAX_SHAPE_DICTIONARY_BYTES {
            return None;
        }
        let shapes = read_dictionary(&zstd::bulk::decompress(packed, length).ok()?)?;
        footer.shapes = shared.then(|| shapes.into());
        let whole = footer.buckets.len().is_power_of_two()
            && footer.buckets.iter().map(|entry| u64::from(entry.documents)).sum::<u64>() == footer.documents
            && footer.buckets.iter().fold(0_u128, |sum, entry| sum.wrapping_add(entry.sum)) == footer.sum;
        (rest.0.is_empty() && whole).then_some(footer)
    }
}

/// The trailer, which follows the footer.
pub(crate) fn trailer(header: &[u8], footer: &[u8]) -> Vec<u8> {
    let mut out = (footer.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(&checksum(header, footer));
    out.extend_from_slice(MAGIC);
    out
}

pub(crate) fn checksum(header: &[u8], footer: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(header);
    sha.update(footer);
    sha.finalize().into()
}

/// What a document adds to the sum of its bucket. The keyed digest is the seed, so that comparing needs no key.
pub(crate) fn document_share(
    (kind, id): (u8, &[u8]),
    digest: u64,
    shape: u128,
    separate: impl Iterator<Item = SeparateField>,
    buffer: &mut Vec<u8>,
) -> u128 {
    buffer.clear();
    buffer.push(kind);
    buffer.extend_from_slice(&(id.len() as u32).to_le_bytes());
    buffer.extend_from_slice(id);
    buffer.extend_from_slice(&shape.to_le_bytes());
    for separate in separate {
        buffer.push(separate.kind);
        buffer.extend_from_slice(&separate.hash.to_le_bytes());
    }
    xxhash_rust::xxh3::xxh3_128_with_seed(buffer, digest)
}

/// Hash of a shape, for [`document_share`].
pub(crate) fn shape_hash(shape: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(shape)
}

/// The checksum of a bucket.
pub(crate) fn bucket_checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}
