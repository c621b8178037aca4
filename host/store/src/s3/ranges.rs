//! Large objects, read in parts: by ranges of the very object that was looked at.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use aws_sdk_s3::types::ChecksumMode;
use sha2::{Digest, Sha256};
use taster_census::ReadAt;
use tokio::runtime::Handle;

use super::{
    Bucket, SHA256,
    patience::{Doing, Ended},
    whole,
    words::trouble,
};
use crate::{
    StoreError,
    objects::{Opened, Print},
};

/// The least that is read at a time: a request costs as much as so many bytes, and the next read is mostly near.
const WINDOW: u64 = 1 << 20;
/// The most, where one read follows the other.
const WIDEST: u64 = 8 << 20;

impl Bucket {
    /// Opens an object by its length and its digest.
    pub(super) async fn look(&self, key: &str, print: Print<'_>) -> Result<Opened, StoreError> {
        let url = self.name(key);
        let request = || async {
            let head = self.client.head_object().bucket(&self.location.bucket).key(self.full(key));
            head.send().await.map_err(trouble)
        };
        let head = match self.patience.with(Doing { action: "read", url: &url }, request).await? {
            Ended::Done(head) => head,
            Ended::Absent => return Ok(Opened::Absent),
            Ended::Condition { .. } => return Err(super::unasked("read", &url)),
        };
        let length = head.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        if length != print.length {
            return Ok(Opened::Other(format!("it has {length} bytes, and {} were written", print.length)));
        }
        let Some(etag) = head.e_tag().map(str::to_owned) else { return Err(super::unasked("read", &url)) };
        let ranges = Ranges {
            bucket: self.clone(),
            key: key.to_owned(),
            etag,
            length,
            runtime: Handle::current(),
            window: Mutex::default(),
        };
        let sha256 = match head.metadata().and_then(|metadata| metadata.get(SHA256)) {
            Some(sha256) => sha256.clone(),
            // a store that keeps no metadata: there is no other way than to read all of it
            None => ranges.digest().await?,
        };
        if sha256 != print.sha256 {
            return Ok(Opened::Other(format!("its SHA-256 is {sha256}, and was {}", print.sha256)));
        }
        Ok(Opened::Confirmed(Box::new(ranges)))
    }
}

/// An object that stays the one that it was, or cannot be read.
struct Ranges {
    bucket: Bucket,
    key: String,
    etag: String,
    length: u64,
    runtime: Handle,
    window: Mutex<Window>,
}

/// What was read last, and a little more.
#[derive(Default)]
struct Window {
    offset: u64,
    bytes: Vec<u8>,
    /// How much is read ahead: more, the longer reads follow one another.
    ahead: u64,
}

impl Window {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl Ranges {
    async fn range(&self, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let url = self.bucket.name(&self.key);
        let request = || async {
            let bucket = &self.bucket;
            let get = bucket.client.get_object().bucket(&bucket.location.bucket).key(bucket.full(&self.key));
            let get = get.range(format!("bytes={offset}-{}", offset + length - 1)).if_match(&self.etag);
            let answer = get.checksum_mode(ChecksumMode::Enabled).send().await.map_err(trouble)?;
            whole(answer.body, i64::try_from(length).ok()).await
        };
        match self.bucket.patience.with(Doing { action: "read", url: &url }, request).await? {
            Ended::Done(bytes) => Ok(bytes),
            Ended::Absent => Err(StoreError::damaged(&self.key, "it vanished while it was read")),
            Ended::Condition { .. } => Err(StoreError::damaged(&self.key, "it was replaced while it was read")),
        }
    }

    /// The SHA-256 of all of it, in hexadecimal.
    async fn digest(&self) -> Result<String, StoreError> {
        let mut digest = Sha256::new();
        let mut at = 0;
        while at < self.length {
            let length = WIDEST.min(self.length - at);
            digest.update(self.range(at, length).await?);
            at += length;
        }
        Ok(hex::encode(digest.finalize()))
    }
}

impl ReadAt for Ranges {
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
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if offset < window.offset || end > window.end() {
            // a read that goes on where the last one ended is one of many
            let follows = offset >= window.offset && offset <= window.end();
            let ahead = if follows { (window.ahead * 2).clamp(WINDOW, WIDEST) } else { WINDOW };
            let fetched = wanted.max(ahead).min(self.length - offset);
            let bytes = self.runtime.block_on(self.range(offset, fetched)).map_err(io::Error::other)?;
            *window = Window { offset, bytes, ahead };
        }
        let start = usize::try_from(offset - window.offset).map_err(io::Error::other)?;
        Ok(window.bytes[start..start + length].to_vec())
    }
}
