//! Large objects read in ranges, each conditional on the object's `ETag`.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use aws_sdk_s3::types::ChecksumMode;
use sha2::{Digest as _, Sha256};
use taster_census::ReadAt;
use tokio::runtime::Handle;

use super::{
    Bucket, SHA256,
    failure::S3Failure,
    read_body,
    requests::{self, Operation, RequestOutcome},
};
use crate::{
    backend::{Digest, OpenOutcome},
    error::StoreError,
};

/// Bytes of the smallest read. A request costs as much as transferring this many bytes, and the next read is usually close.
const MIN_READ_AHEAD: u64 = 1 << 20;
/// Bytes of the largest read, which sequential reads reach.
const MAX_READ_AHEAD: u64 = 8 << 20;

impl Bucket {
    /// Opens an object, if its length and its digest are the expected ones.
    pub(super) async fn open_streamed(&self, key: &str, digest: Digest<'_>) -> Result<OpenOutcome, StoreError> {
        let url = self.object_url(key);
        let request = || async {
            let head = self.client.head_object().bucket(&self.location.bucket).key(self.object_key(key));
            head.send().await.map_err(S3Failure::from_sdk)
        };
        let head = match requests::send(self.retry_policy, Operation { action: "read", url: &url }, request).await? {
            RequestOutcome::Done(head) => head,
            RequestOutcome::NotFound => return Ok(OpenOutcome::NotFound),
            RequestOutcome::PreconditionFailed { .. } => return Err(super::unexpected_condition("read", &url)),
        };
        let length = head.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        if length != digest.length {
            return Ok(OpenOutcome::wrong_length(length, digest));
        }
        let Some(etag) = head.e_tag().map(str::to_owned) else { return Err(super::unexpected_condition("read", &url)) };
        let ranges = RangeReader {
            bucket: self.clone(),
            key: key.to_owned(),
            etag,
            length,
            runtime: Handle::current(),
            read_ahead: Mutex::default(),
        };
        let sha256 = match head.metadata().and_then(|metadata| metadata.get(SHA256)) {
            Some(sha256) => sha256.clone(),
            // a store without metadata: only the bytes themselves show the digest
            None => ranges.digest().await?,
        };
        if sha256 != digest.sha256 {
            return Ok(OpenOutcome::Mismatch(format!("its SHA-256 is {sha256}, and was {}", digest.sha256)));
        }
        Ok(OpenOutcome::Confirmed(Box::new(ranges)))
    }
}

/// Reads ranges of one object. If the object is replaced, reading fails.
struct RangeReader {
    bucket: Bucket,
    key: String,
    etag: String,
    length: u64,
    runtime: Handle,
    read_ahead: Mutex<ReadAhead>,
}

/// The bytes that were read last, and those read ahead.
#[derive(Default)]
struct ReadAhead {
    offset: u64,
    bytes: Vec<u8>,
    /// Bytes of the last request. It grows while reads follow one another.
    ahead: u64,
}

impl ReadAhead {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl RangeReader {
    async fn read_range(&self, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let url = self.bucket.object_url(&self.key);
        let request = || async {
            let bucket = &self.bucket;
            let get = bucket.client.get_object().bucket(&bucket.location.bucket).key(bucket.object_key(&self.key));
            let get = get.range(format!("bytes={offset}-{}", offset + length - 1)).if_match(&self.etag);
            let answer = get.checksum_mode(ChecksumMode::Enabled).send().await.map_err(S3Failure::from_sdk)?;
            read_body(answer.body, i64::try_from(length).ok()).await
        };
        match requests::send(self.bucket.retry_policy, Operation { action: "read", url: &url }, request).await? {
            RequestOutcome::Done(bytes) => Ok(bytes),
            RequestOutcome::NotFound => Err(StoreError::damaged(&self.key, "it was removed while it was being read")),
            RequestOutcome::PreconditionFailed { .. } => {
                Err(StoreError::damaged(&self.key, "it was replaced while it was being read"))
            }
        }
    }

    /// The SHA-256 of the whole object, in hexadecimal.
    async fn digest(&self) -> Result<String, StoreError> {
        let mut digest = Sha256::new();
        let mut offset = 0;
        while offset < self.length {
            let length = MAX_READ_AHEAD.min(self.length - offset);
            digest.update(self.read_range(offset, length).await?);
            offset += length;
        }
        Ok(hex::encode(digest.finalize()))
    }
}

impl ReadAt for RangeReader {
    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let wanted = length as u64;
        let end = offset.checked_add(wanted).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let mut read_ahead = self.read_ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if offset < read_ahead.offset || end > read_ahead.end() {
            // a read that starts where the last one ended is usually one of many sequential reads
            let sequential = offset >= read_ahead.offset && offset <= read_ahead.end();
            let ahead =
                if sequential { (read_ahead.ahead * 2).clamp(MIN_READ_AHEAD, MAX_READ_AHEAD) } else { MIN_READ_AHEAD };
            let fetched = wanted.max(ahead).min(self.length - offset);
            let bytes = self.runtime.block_on(self.read_range(offset, fetched)).map_err(io::Error::other)?;
            *read_ahead = ReadAhead { offset, bytes, ahead };
        }
        let start = usize::try_from(offset - read_ahead.offset).map_err(io::Error::other)?;
        Ok(read_ahead.bytes[start..start + length].to_vec())
    }
}
