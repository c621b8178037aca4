//! Large objects on their way up: in parts, a few at a time, and not there before all of them are.

use std::{fs::File, os::unix::fs::FileExt};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesOrdered};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Bucket, Condition, SHA256, Written,
    patience::{self, Doing, Ended},
    words::{Trouble, trouble},
};
use crate::{
    Encryption, StoreError, fault,
    objects::{Created, Large},
};

/// Parts are so large, and what is no larger goes up whole. The least that S3 takes is 5 MiB.
const PART: u64 = 8 << 20;
/// As many as S3 takes.
const MOST_PARTS: u64 = 10_000;
/// Parts on their way at a time: each is held in memory.
const AT_A_TIME: usize = 3;
/// How often an upload is begun anew because another one of the same key came between.
const UPLOADS: u32 = 5;

/// What came of putting the parts together.
enum Completed {
    Done,
    Refused {
        lost: bool,
    },
    /// All of it has to be done again.
    Anew,
}

impl Bucket {
    /// Creates an object out of a file, if there is none of that key.
    pub(super) async fn upload(&self, key: &str, large: Large<'_>) -> Result<Created, StoreError> {
        let written = if large.print.length <= PART {
            let bytes = self.piece(key, large.file, 0, large.print.length).await?;
            self.known(key, large, &hex::encode(Sha256::digest(&bytes)))?;
            self.write(key, Condition::Absent, &bytes, Some(large.print.sha256)).await?
        } else {
            self.in_parts(key, large).await?
        };
        match written {
            Written::Done => Ok(Created::New),
            Written::Refused { lost: true } if self.stands(key, large).await? => Ok(Created::New),
            Written::Refused { .. } => Ok(Created::Exists),
        }
    }

    async fn stands(&self, key: &str, large: Large<'_>) -> Result<bool, StoreError> {
        Ok(matches!(self.look(key, large.print).await?, crate::objects::Opened::Confirmed(_)))
    }

    fn known(&self, key: &str, large: Large<'_>, found: &str) -> Result<(), StoreError> {
        if found == large.print.sha256 {
            return Ok(());
        }
        let why = "what was to be stored changed after it was recorded".to_owned();
        Err(patience::refused(Doing { action: "write", url: &self.name(key) }, why))
    }

    /// A piece of the file. Files block, and the runtime's threads must not.
    async fn piece(&self, key: &str, file: &File, offset: u64, length: u64) -> Result<Bytes, StoreError> {
        let local = |error: std::io::Error| StoreError::Io { key: key.to_owned(), action: "write", source: error };
        let file = file.try_clone().map_err(local)?;
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
            // by position: clones of a file share its cursor
            file.read_exact_at(&mut bytes, offset)?;
            Ok(Bytes::from(bytes))
        });
        read.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(local)
    }

    async fn in_parts(&self, key: &str, large: Large<'_>) -> Result<Written, StoreError> {
        if !self.conditional && !self.holds(key, Condition::Absent).await? {
            return Ok(Written::Refused { lost: false });
        }
        for _ in 0..UPLOADS {
            let id = self.begin(key, large).await?;
            let begun = Begun { bucket: self, key, id: Some(id) };
            match self.fill(key, &begun, large).await {
                Ok(Completed::Done) => {
                    begun.keep();
                    return Ok(Written::Done);
                }
                Ok(Completed::Refused { lost }) => {
                    begun.drop_now().await;
                    return Ok(Written::Refused { lost });
                }
                Ok(Completed::Anew) => begun.drop_now().await,
                Err(error) => {
                    begun.drop_now().await;
                    return Err(error);
                }
            }
        }
        Err(StoreError::Contended { key: key.to_owned(), tries: UPLOADS })
    }

    async fn begin(&self, key: &str, large: Large<'_>) -> Result<String, StoreError> {
        let url = self.name(key);
        let request = || async {
            let create = self.client.create_multipart_upload().bucket(&self.location.bucket).key(self.full(key));
            let create = create.metadata(SHA256, large.print.sha256).checksum_algorithm(ChecksumAlgorithm::Crc32C);
            let create = match &self.encryption {
                None => create,
                Some(Encryption::Aes256) => create.server_side_encryption(ServerSideEncryption::Aes256),
                Some(Encryption::Kms { key }) => {
                    create.server_side_encryption(ServerSideEncryption::AwsKms).set_ssekms_key_id(key.clone())
                }
            };
            let created = create.send().await.map_err(trouble)?;
            created.upload_id.ok_or_else(|| Trouble::No("the upload has no id".to_owned()))
        };
        fault::point("s3: upload beginning");
        match self.patience.with(Doing { action: "write", url: &url }, request).await? {
            Ended::Done(id) => Ok(id),
            Ended::Absent | Ended::Condition { .. } => Err(super::unasked("write", &url)),
        }
    }

    /// Sends the parts, hashed in their order on the way, and puts them together.
    async fn fill(&self, key: &str, begun: &Begun<'_>, large: Large<'_>) -> Result<Completed, StoreError> {
        let length = large.print.length;
        let size = PART.max(length.div_ceil(MOST_PARTS));
        let id = begun.id.as_deref().unwrap_or_default();
        let mut digest = Sha256::new();
        let mut parts = Vec::new();
        let mut flying = FuturesOrdered::new();
        for index in 0..length.div_ceil(size) {
            let offset = index * size;
            let bytes = self.piece(key, large.file, offset, size.min(length - offset)).await?;
            digest.update(&bytes);
            if flying.len() == AT_A_TIME
                && let Some(part) = flying.next().await
            {
                parts.push(part?);
            }
            flying.push_back(self.part(key, id, index, bytes));
        }
        while let Some(part) = flying.next().await {
            parts.push(part?);
        }
        self.known(key, large, &hex::encode(digest.finalize()))?;
        fault::point("s3: parts written");
        self.complete(key, id, parts).await
    }

    async fn part(&self, key: &str, id: &str, index: u64, bytes: Bytes) -> Result<CompletedPart, StoreError> {
        let url = self.name(key);
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let request = || async {
            let upload = self.client.upload_part().bucket(&self.location.bucket).key(self.full(key)).upload_id(id);
            let upload = upload.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32C);
            upload.body(ByteStream::from(bytes.clone())).send().await.map_err(trouble)
        };
        match self.patience.with(Doing { action: "write", url: &url }, request).await? {
            Ended::Done(sent) => Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32_c(sent.checksum_crc32_c)
                .build()),
            Ended::Absent | Ended::Condition { .. } => {
                let why = "the upload was aborted by somebody else".to_owned();
                Err(patience::refused(Doing { action: "write", url: &url }, why))
            }
        }
    }

    async fn complete(&self, key: &str, id: &str, parts: Vec<CompletedPart>) -> Result<Completed, StoreError> {
        let url = self.name(key);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = || async {
            let complete = self.client.complete_multipart_upload().bucket(&self.location.bucket).key(self.full(key));
            let complete = complete.upload_id(id).multipart_upload(parts.clone());
            let complete = if self.conditional { complete.if_none_match("*") } else { complete };
            match complete.send().await.map_err(trouble) {
                Ok(_) => Ok(Completed::Done),
                // S3 wants all parts again
                Err(Trouble::Busy) => Ok(Completed::Anew),
                Err(other) => Err(other),
            }
        };
        Ok(match self.patience.with(Doing { action: "write", url: &url }, request).await? {
            Ended::Done(completed) => completed,
            Ended::Condition { lost } => Completed::Refused { lost },
            // an upload that is no more was completed before, and the answer lost; or somebody aborted it
            Ended::Absent => Completed::Refused { lost: true },
        })
    }

    /// Takes back an upload. One that stays is litter, which `sweep` finds.
    pub(super) async fn abort(&self, key: &str, id: &str) {
        let abort = self.client.abort_multipart_upload().bucket(&self.location.bucket).key(self.full(key));
        let _ = abort.upload_id(id).send().await;
    }

    /// Uploads below `prefix` that were begun before a moment: keys and ids.
    pub(super) async fn begun(&self, prefix: &str, before: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        let url = self.name(prefix);
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let request = || async {
                let list = self.client.list_multipart_uploads().bucket(&self.location.bucket).prefix(self.full(prefix));
                let list = list.set_key_marker(key.clone()).set_upload_id_marker(id.clone());
                match list.send().await {
                    Ok(page) => Ok(Some(page)),
                    // not every store lists them, and those have lifecycle rules for it
                    Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 501) => {
                        Ok(None)
                    }
                    Err(error) => Err(trouble(error)),
                }
            };
            let page = match self.patience.with(Doing { action: "list", url: &url }, request).await? {
                Ended::Done(Some(page)) => page,
                Ended::Done(None) | Ended::Absent => return Ok(found),
                Ended::Condition { .. } => return Err(super::unasked("list", &url)),
            };
            for upload in page.uploads() {
                let old = upload
                    .initiated()
                    .and_then(|at| Timestamp::from_second(at.secs()).ok())
                    .is_some_and(|at| at < before);
                let key = upload.key().and_then(|key| key.strip_prefix(&self.location.prefix));
                if let (true, Some(key), Some(id)) = (old, key, upload.upload_id()) {
                    found.push((key.to_owned(), id.to_owned()));
                }
            }
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
            if page.is_truncated != Some(true) || key.is_none() {
                return Ok(found);
            }
        }
    }
}

/// An upload that is taken back unless it is kept, whatever becomes of the task that fills it.
struct Begun<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    id: Option<String>,
}

impl Begun<'_> {
    fn keep(mut self) {
        self.id = None;
    }

    async fn drop_now(mut self) {
        if let Some(id) = self.id.take() {
            self.bucket.abort(self.key, &id).await;
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        // whoever asked us to stop does not wait for it; what is left then is swept
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (bucket, key) = (self.bucket.clone(), self.key.to_owned());
            runtime.spawn(async move { bucket.abort(&key, &id).await });
        }
    }
}
