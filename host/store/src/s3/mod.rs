//! The back end for S3 buckets.
//!
//! A create carries `If-None-Match: *`, a swap `If-Match` with the `ETag` that was read. When the answer to a write is lost,
//! the next attempt may fail its condition because of that very write; if the object then holds the bytes that were to be
//! written, the write succeeded.

mod client;
mod failure;
mod ranges;
mod requests;
mod upload;

use std::sync::Arc;

use aws_sdk_s3::{
    Client,
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::ByteStream,
    types::{ChecksumMode, ServerSideEncryption},
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use taster_retry::RetryPolicy;

use crate::{
    backend::{
        CreateOutcome, Digest, ObjectBackend, ObjectInfo, OpenOutcome, StoredObject, StreamedObject, SwapOutcome,
        Version,
    },
    error::StoreError,
    fault,
    retention::GcMode,
    settings::{ConditionalWrites, Encryption, Settings},
};
pub(crate) use client::Location;
use failure::S3Failure;
use requests::{Operation, RequestOutcome};

/// The metadata key of a large object's SHA-256, in hexadecimal.
const SHA256: &str = "sha256";

/// Opens the back end of `s3://bucket/prefix`.
pub(crate) async fn open(location: Location, settings: &Settings) -> Result<Arc<dyn ObjectBackend>, StoreError> {
    let client = client::connect(settings).await?;
    Ok(Arc::new(Bucket {
        client,
        location,
        encryption: settings.s3.encryption.clone(),
        conditional: settings.s3.conditional_writes == ConditionalWrites::Required,
        retry_policy: requests::retry_policy(settings.s3.retry_timeout),
    }))
}

/// A bucket, or a prefix in it. Clones share the connections.
#[derive(Clone)]
struct Bucket {
    client: Client,
    location: Location,
    encryption: Option<Encryption>,
    /// Whether the store checks the condition of a write. Otherwise it is checked before the write, which leaves a gap.
    conditional: bool,
    retry_policy: RetryPolicy,
}

/// What a write depends on.
#[derive(Debug, Clone, Copy)]
enum Condition<'a> {
    Absent,
    Version(&'a Version),
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteOutcome {
    Done,
    /// The condition does not hold. With `answer_lost`, the object in the way may be this process's own write.
    ConditionFailed {
        answer_lost: bool,
    },
}

impl Bucket {
    fn object_key(&self, key: &str) -> String {
        format!("{}{key}", self.location.prefix)
    }

    fn object_url(&self, key: &str) -> String {
        format!("s3://{}/{}", self.location.bucket, self.object_key(key))
    }

    /// A request that writes an object, encrypted as the settings say.
    fn put(&self, key: &str) -> PutObjectFluentBuilder {
        let put = self.client.put_object().bucket(&self.location.bucket).key(self.object_key(key));
        match &self.encryption {
            None => put,
            Some(Encryption::Aes256) => put.server_side_encryption(ServerSideEncryption::Aes256),
            Some(Encryption::Kms { key }) => {
                put.server_side_encryption(ServerSideEncryption::AwsKms).set_ssekms_key_id(key.clone())
            }
        }
    }

    async fn write(
        &self,
        key: &str,
        condition: Condition<'_>,
        bytes: &[u8],
        sha256: Option<&str>,
    ) -> Result<WriteOutcome, StoreError> {
        if !self.conditional && !self.condition_holds(key, condition).await? {
            return Ok(WriteOutcome::ConditionFailed { answer_lost: false });
        }
        let url = self.object_url(key);
        let request = || async {
            let put = self.put(key).body(ByteStream::from(bytes.to_vec()));
            let put = if let Some(sha256) = sha256 { put.metadata(SHA256, sha256) } else { put };
            let put = match condition {
                _ if !self.conditional => put,
                Condition::Absent => put.if_none_match("*"),
                Condition::Version(Version(etag)) => put.if_match(etag),
            };
            put.send().await.map_err(S3Failure::from_sdk)
        };
        fault::point("s3: writing");
        let outcome = requests::send(self.retry_policy, Operation { action: "write", url: &url }, request).await?;
        fault::point("s3: written");
        Ok(match outcome {
            RequestOutcome::Done(_) => WriteOutcome::Done,
            RequestOutcome::PreconditionFailed { answer_lost } => WriteOutcome::ConditionFailed { answer_lost },
            // a swap of an object that does not exist
            RequestOutcome::NotFound => WriteOutcome::ConditionFailed { answer_lost: false },
        })
    }

    /// Whether a condition holds now.
    async fn condition_holds(&self, key: &str, condition: Condition<'_>) -> Result<bool, StoreError> {
        let stored = self.read_object(key).await?.map(|stored| stored.version);
        Ok(match condition {
            Condition::Absent => stored.is_none(),
            Condition::Version(version) => stored.as_ref() == Some(version),
        })
    }

    /// Whether the object holds these bytes: then a write whose answer was lost succeeded.
    async fn has_bytes(&self, key: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        Ok(self.read_object(key).await?.is_some_and(|stored| stored.bytes == bytes))
    }

    async fn read_object(&self, key: &str) -> Result<Option<StoredObject>, StoreError> {
        let url = self.object_url(key);
        let request = || async {
            let get = self.client.get_object().bucket(&self.location.bucket).key(self.object_key(key));
            let answer = get.checksum_mode(ChecksumMode::Enabled).send().await.map_err(S3Failure::from_sdk)?;
            let (etag, length) = (answer.e_tag.clone(), answer.content_length);
            let bytes = read_body(answer.body, length).await?;
            let version = Version(etag.ok_or_else(|| S3Failure::Permanent("the answer has no ETag".to_owned()))?);
            Ok(StoredObject { bytes, version })
        };
        match requests::send(self.retry_policy, Operation { action: "read", url: &url }, request).await? {
            RequestOutcome::Done(stored) => Ok(Some(stored)),
            RequestOutcome::NotFound => Ok(None),
            RequestOutcome::PreconditionFailed { .. } => Err(unexpected_condition("read", &url)),
        }
    }

    async fn list_all(&self, prefix: &str, delimiter: Option<&str>) -> Result<Listing, StoreError> {
        let url = self.object_url(prefix);
        let mut listing = Listing::default();
        let mut next: Option<String> = None;
        loop {
            let request = || async {
                let list = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(self.object_key(prefix));
                let list = list.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(next.clone());
                list.send().await.map_err(S3Failure::from_sdk)
            };
            let page = match requests::send(self.retry_policy, Operation { action: "list", url: &url }, request).await?
            {
                RequestOutcome::Done(page) => page,
                RequestOutcome::NotFound => {
                    return Err(Operation { action: "list", url: &url }.refused("not found"));
                }
                RequestOutcome::PreconditionFailed { .. } => return Err(unexpected_condition("list", &url)),
            };
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| key.strip_prefix(&self.location.prefix)) else { continue };
                let modified = object.last_modified().and_then(|at| Timestamp::from_second(at.secs()).ok());
                listing.objects.push(ObjectInfo {
                    key: key.to_owned(),
                    size: object.size().and_then(|size| size.try_into().ok()).unwrap_or_default(),
                    modified: modified.unwrap_or(Timestamp::MIN),
                });
            }
            let folders = page.common_prefixes().iter().filter_map(|common| common.prefix());
            let below = self.object_key(prefix);
            listing
                .folders
                .extend(folders.filter_map(|f| f.strip_prefix(&below)).map(|f| f.trim_end_matches('/').to_owned()));
            next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() {
                return Ok(listing);
            }
        }
    }

    async fn sweep_unfinished(&self, prefix: &str, before: Timestamp, mode: GcMode) -> Result<u64, StoreError> {
        let mut swept = 0;
        let proofs = self.list_all(prefix, None).await?.objects;
        let proof = |key: &str| key.rsplit('/').next().is_some_and(|name| name.starts_with(".proof-"));
        for object in proofs.into_iter().filter(|object| proof(&object.key) && object.modified < before) {
            if mode == GcMode::Remove {
                self.remove_object(&object.key).await?;
            }
            swept += 1;
        }
        for (key, id) in self.unfinished_uploads(prefix, before).await? {
            if mode == GcMode::Remove {
                self.abort(&key, &id).await;
            }
            swept += 1;
        }
        Ok(swept)
    }

    async fn remove_object(&self, key: &str) -> Result<(), StoreError> {
        let url = self.object_url(key);
        let request = || async {
            let delete = self.client.delete_object().bucket(&self.location.bucket).key(self.object_key(key));
            delete.send().await.map_err(S3Failure::from_sdk)
        };
        requests::send(self.retry_policy, Operation { action: "remove", url: &url }, request).await?;
        Ok(())
    }
}

/// The result of a listing.
#[derive(Default)]
struct Listing {
    objects: Vec<ObjectInfo>,
    folders: Vec<String>,
}

/// Reads a body to its end. One that is shorter than announced is an error: the connection broke.
async fn read_body(body: ByteStream, length: Option<i64>) -> Result<Vec<u8>, S3Failure> {
    let bytes = body.collect().await.map_err(|error| {
        let text = failure::error_chain(&error);
        if text.contains("checksum") { S3Failure::Corrupted(text) } else { S3Failure::Retryable(text) }
    })?;
    let bytes = bytes.to_vec();
    match length.and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length != bytes.len() => {
            let [received, announced] = [bytes.len(), length].map(|bytes| taster_text::grouped(bytes as u64));
            Err(S3Failure::Retryable(format!("received {received} of {announced} bytes")))
        }
        _ => Ok(bytes),
    }
}

/// The error of a store that answers a request without a condition as if it had one.
fn unexpected_condition(action: &'static str, url: &str) -> StoreError {
    Operation { action, url }.refused("the store says that a condition does not hold, and the request had none")
}

impl ObjectBackend for Bucket {
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<CreateOutcome, StoreError>> {
        Box::pin(async move {
            match self.write(key, Condition::Absent, bytes, None).await? {
                WriteOutcome::Done => Ok(CreateOutcome::Created),
                WriteOutcome::ConditionFailed { answer_lost: true } if self.has_bytes(key, bytes).await? => {
                    Ok(CreateOutcome::Created)
                }
                WriteOutcome::ConditionFailed { .. } => Ok(CreateOutcome::AlreadyExists),
            }
        })
    }

    fn create_from<'a>(
        &'a self,
        key: &'a str,
        object: StreamedObject<'a>,
    ) -> BoxFuture<'a, Result<CreateOutcome, StoreError>> {
        Box::pin(self.upload(key, object))
    }

    fn open<'a>(&'a self, key: &'a str, digest: Digest<'a>) -> BoxFuture<'a, Result<OpenOutcome, StoreError>> {
        Box::pin(self.open_streamed(key, digest))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>, StoreError>> {
        Box::pin(self.read_object(key))
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<SwapOutcome, StoreError>> {
        Box::pin(async move {
            let condition = expected.map_or(Condition::Absent, Condition::Version);
            match self.write(key, condition, bytes, None).await? {
                WriteOutcome::Done => Ok(SwapOutcome::Swapped),
                WriteOutcome::ConditionFailed { answer_lost: true } if self.has_bytes(key, bytes).await? => {
                    Ok(SwapOutcome::Swapped)
                }
                WriteOutcome::ConditionFailed { .. } => Ok(SwapOutcome::Conflict),
            }
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<ObjectInfo>, StoreError>> {
        Box::pin(async move {
            let mut objects = self.list_all(prefix, None).await?.objects;
            objects.retain(|object| !object.key.split('/').any(|part| part.starts_with('.')));
            objects.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
    }

    fn list_folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let mut folders = self.list_all(prefix, Some("/")).await?.folders;
            folders.retain(|name| !name.starts_with('.'));
            folders.sort();
            Ok(folders)
        })
    }

    fn sweep<'a>(&'a self, prefix: &'a str, before: Timestamp, mode: GcMode) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.sweep_unfinished(prefix, before, mode))
    }

    fn remove_empty_folders<'a>(&'a self, _prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.remove_object(key))
    }

    fn url(&self, key: &str) -> String {
        self.object_url(key)
    }
}
