//! Uploads of large objects: in parts, a few at a time. The object exists once all parts are put together.

use std::{fs::File, os::unix::fs::FileExt};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesOrdered};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    Bucket, Condition, SHA256, WriteOutcome,
    failure::S3Failure,
    requests::{self, Operation, RequestOutcome},
};
use crate::{
    backend::{CreateOutcome, StreamedObject},
    error::StoreError,
    fault,
    settings::Encryption,
};

/// Bytes of a part, at least; an object that is no larger is uploaded in one request. S3 takes 5 MiB or more.
const PART_BYTES: u64 = 8 << 20;
/// S3 takes no more parts of one object.
const MAX_PARTS: u64 = 10_000;
/// Parts in flight at a time. Each is held in memory.
const MAX_CONCURRENT_PARTS: usize = 3;
/// How often an upload is started again because another one of the same key came in between.
const MAX_UPLOAD_ATTEMPTS: u32 = 5;

/// How putting the parts together ended.
enum CompleteOutcome {
    Done,
    /// The object exists. With `answer_lost`, it may be this process's own.
    ConditionFailed {
        answer_lost: bool,
    },
    /// S3 wants all parts again.
    Restart,
}

impl Bucket {
    /// Creates an object from a file, if there is none with that key.
    pub(super) async fn upload(&self, key: &str, object: StreamedObject<'_>) -> Result<CreateOutcome, StoreError> {
        let written = if object.digest.length <= PART_BYTES {
            let bytes = self.read_file_part(key, object.file, 0, object.digest.length).await?;
            self.check_digest(key, object, &hex::encode(Sha256::digest(&bytes)))?;
            self.write(key, Condition::Absent, &bytes, Some(object.digest.sha256)).await?
        } else {
            self.upload_multipart(key, object).await?
        };
        match written {
            WriteOutcome::Done => Ok(CreateOutcome::Created),
            WriteOutcome::ConditionFailed { answer_lost: true } if self.is_stored(key, object).await? => {
                Ok(CreateOutcome::Created)
            }
            WriteOutcome::ConditionFailed { .. } => Ok(CreateOutcome::AlreadyExists),
        }
    }

    async fn is_stored(&self, key: &str, object: StreamedObject<'_>) -> Result<bool, StoreError> {
        Ok(matches!(self.open_streamed(key, object.digest).await?, crate::backend::OpenOutcome::Confirmed(_)))
    }

    fn check_digest(&self, key: &str, object: StreamedObject<'_>, found: &str) -> Result<(), StoreError> {
        if found == object.digest.sha256 {
            return Ok(());
        }
        let why = "the local file changed after its digest was recorded";
        Err(Operation { action: "write", url: &self.object_url(key) }.refused(why))
    }

    /// Reads a part of the file outside of the runtime's threads, because reading blocks.
    async fn read_file_part(&self, key: &str, file: &File, offset: u64, length: u64) -> Result<Bytes, StoreError> {
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

    async fn upload_multipart(&self, key: &str, object: StreamedObject<'_>) -> Result<WriteOutcome, StoreError> {
        if !self.conditional && !self.condition_holds(key, Condition::Absent).await? {
            return Ok(WriteOutcome::ConditionFailed { answer_lost: false });
        }
        for _ in 0..MAX_UPLOAD_ATTEMPTS {
            let id = self.create_upload(key, object).await?;
            let guard = UploadGuard { bucket: self, key, id: Some(id) };
            match self.upload_parts(key, &guard, object).await {
                Ok(CompleteOutcome::Done) => {
                    guard.disarm();
                    return Ok(WriteOutcome::Done);
                }
                Ok(CompleteOutcome::ConditionFailed { answer_lost }) => {
                    guard.abort().await;
                    return Ok(WriteOutcome::ConditionFailed { answer_lost });
                }
                Ok(CompleteOutcome::Restart) => guard.abort().await,
                Err(error) => {
                    guard.abort().await;
                    return Err(error);
                }
            }
        }
        Err(StoreError::Contended { key: key.to_owned(), tries: MAX_UPLOAD_ATTEMPTS })
    }

    async fn create_upload(&self, key: &str, object: StreamedObject<'_>) -> Result<String, StoreError> {
        let url = self.object_url(key);
        let request = || async {
            let create = self.client.create_multipart_upload().bucket(&self.location.bucket).key(self.object_key(key));
            let create = create.metadata(SHA256, object.digest.sha256).checksum_algorithm(ChecksumAlgorithm::Crc32C);
            let create = match &self.encryption {
                None => create,
                Some(Encryption::Aes256) => create.server_side_encryption(ServerSideEncryption::Aes256),
                Some(Encryption::Kms { key }) => {
                    create.server_side_encryption(ServerSideEncryption::AwsKms).set_ssekms_key_id(key.clone())
                }
            };
            let created = create.send().await.map_err(S3Failure::from_sdk)?;
            created.upload_id.ok_or_else(|| S3Failure::Permanent("the upload has no id".to_owned()))
        };
        fault::point("s3: upload beginning");
        match requests::send(self.retry_policy, Operation { action: "write", url: &url }, request).await? {
            RequestOutcome::Done(id) => Ok(id),
            RequestOutcome::NotFound | RequestOutcome::PreconditionFailed { .. } => {
                Err(super::unexpected_condition("write", &url))
            }
        }
    }

    /// Uploads the parts, hashes them in their order on the way, and puts them together.
    async fn upload_parts(
        &self,
        key: &str,
        guard: &UploadGuard<'_>,
        object: StreamedObject<'_>,
    ) -> Result<CompleteOutcome, StoreError> {
        let length = object.digest.length;
        let size = PART_BYTES.max(length.div_ceil(MAX_PARTS));
        let id = guard.id.as_deref().unwrap_or_default();
        let mut digest = Sha256::new();
        let mut parts = Vec::new();
        let mut in_flight = FuturesOrdered::new();
        for index in 0..length.div_ceil(size) {
            let offset = index * size;
            let bytes = self.read_file_part(key, object.file, offset, size.min(length - offset)).await?;
            digest.update(&bytes);
            if in_flight.len() == MAX_CONCURRENT_PARTS
                && let Some(part) = in_flight.next().await
            {
                parts.push(part?);
            }
            in_flight.push_back(self.upload_part(key, id, index, bytes));
        }
        while let Some(part) = in_flight.next().await {
            parts.push(part?);
        }
        self.check_digest(key, object, &hex::encode(digest.finalize()))?;
        fault::point("s3: parts written");
        self.complete(key, id, parts).await
    }

    async fn upload_part(&self, key: &str, id: &str, index: u64, bytes: Bytes) -> Result<CompletedPart, StoreError> {
        let url = self.object_url(key);
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let request = || async {
            let upload =
                self.client.upload_part().bucket(&self.location.bucket).key(self.object_key(key)).upload_id(id);
            let upload = upload.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32C);
            upload.body(ByteStream::from(bytes.clone())).send().await.map_err(S3Failure::from_sdk)
        };
        match requests::send(self.retry_policy, Operation { action: "write", url: &url }, request).await? {
            RequestOutcome::Done(sent) => Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32_c(sent.checksum_crc32_c)
                .build()),
            RequestOutcome::NotFound | RequestOutcome::PreconditionFailed { .. } => {
                Err(Operation { action: "write", url: &url }.refused("another process aborted the upload"))
            }
        }
    }

    async fn complete(&self, key: &str, id: &str, parts: Vec<CompletedPart>) -> Result<CompleteOutcome, StoreError> {
        let url = self.object_url(key);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = || async {
            let complete =
                self.client.complete_multipart_upload().bucket(&self.location.bucket).key(self.object_key(key));
            let complete = complete.upload_id(id).multipart_upload(parts.clone());
            let complete = if self.conditional { complete.if_none_match("*") } else { complete };
            match complete.send().await.map_err(S3Failure::from_sdk) {
                Ok(_) => Ok(CompleteOutcome::Done),
                Err(S3Failure::ConcurrentWrite) => Ok(CompleteOutcome::Restart),
                Err(other) => Err(other),
            }
        };
        Ok(match requests::send(self.retry_policy, Operation { action: "write", url: &url }, request).await? {
            RequestOutcome::Done(completed) => completed,
            RequestOutcome::PreconditionFailed { answer_lost } => CompleteOutcome::ConditionFailed { answer_lost },
            // the upload was completed before and the answer was lost; or another process aborted it
            RequestOutcome::NotFound => CompleteOutcome::ConditionFailed { answer_lost: true },
        })
    }

    /// Aborts an upload. `sweep` finds those that cannot be aborted.
    pub(super) async fn abort(&self, key: &str, id: &str) {
        let abort = self.client.abort_multipart_upload().bucket(&self.location.bucket).key(self.object_key(key));
        let _ = abort.upload_id(id).send().await;
    }

    /// Keys and ids of the uploads below `prefix` that began before a moment.
    pub(super) async fn unfinished_uploads(
        &self,
        prefix: &str,
        before: Timestamp,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let url = self.object_url(prefix);
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let request = || async {
                let list =
                    self.client.list_multipart_uploads().bucket(&self.location.bucket).prefix(self.object_key(prefix));
                let list = list.set_key_marker(key.clone()).set_upload_id_marker(id.clone());
                match list.send().await {
                    Ok(page) => Ok(Some(page)),
                    // some stores do not list uploads; their lifecycle rules remove them
                    Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 501) => {
                        Ok(None)
                    }
                    Err(error) => Err(S3Failure::from_sdk(error)),
                }
            };
            let page = match requests::send(self.retry_policy, Operation { action: "list", url: &url }, request).await?
            {
                RequestOutcome::Done(Some(page)) => page,
                RequestOutcome::Done(None) | RequestOutcome::NotFound => return Ok(found),
                RequestOutcome::PreconditionFailed { .. } => return Err(super::unexpected_condition("list", &url)),
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

/// Aborts its upload when it is dropped, unless it was disarmed.
struct UploadGuard<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    id: Option<String>,
}

impl UploadGuard<'_> {
    fn disarm(mut self) {
        self.id = None;
    }

    async fn abort(mut self) {
        if let Some(id) = self.id.take() {
            self.bucket.abort(self.key, &id).await;
        }
    }
}

impl Drop for UploadGuard<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        // a process that ends does not wait for it; `sweep` removes what is left then
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (bucket, key) = (self.bucket.clone(), self.key.to_owned());
            runtime.spawn(async move { bucket.abort(&key, &id).await });
        }
    }
}
