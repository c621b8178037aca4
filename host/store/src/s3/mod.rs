//! Objects of an S3 bucket.
//!
//! A create carries `If-None-Match: *`, a swap `If-Match` with the `ETag` that was read. An answer that is lost leaves open
//! whether the write was done: the next try finds out by its condition, and one's own bytes are one's own success.

mod client;
mod patience;
mod ranges;
mod upload;
mod words;

use std::sync::Arc;

use aws_sdk_s3::{
    Client,
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::ByteStream,
    types::{ChecksumMode, ServerSideEncryption},
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::{
    ConditionalWrites, Encryption, Settings, StoreError, fault,
    objects::{Created, Large, Listed, Objects, Opened, Print, Stored, Swapped, Version},
};
use client::Location;
use patience::{Doing, Ended, Patience};
use words::{Trouble, trouble};

/// The metadata of a large object that says which one it is: SHA-256 in hexadecimal.
const SHA256: &str = "sha256";

/// The objects of `s3://bucket/prefix`.
pub(crate) async fn open(settings: &Settings) -> Result<Arc<dyn Objects>, StoreError> {
    let location = Location::parse(&settings.url)?;
    let client = client::connect(settings).await?;
    Ok(Arc::new(Bucket {
        client,
        location,
        encryption: settings.s3.encryption.clone(),
        conditional: settings.s3.conditional_writes == ConditionalWrites::Required,
        patience: settings.s3.patience.map_or_else(Patience::default, Patience::of),
    }))
}

/// A part of a bucket. Clones share the connections.
#[derive(Clone)]
struct Bucket {
    client: Client,
    location: Location,
    encryption: Option<Encryption>,
    /// Whether the store is asked to check what a write depends on; else it is looked at before, which is no guard.
    conditional: bool,
    patience: Patience,
}

/// What a write depends on.
#[derive(Debug, Clone, Copy)]
enum Condition<'a> {
    Absent,
    Version(&'a Version),
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Done,
    /// The condition did not hold. `lost` says that it may be one's own write that stands in the way.
    Refused {
        lost: bool,
    },
}

impl Bucket {
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.location.prefix)
    }

    fn name(&self, key: &str) -> String {
        format!("s3://{}/{}", self.location.bucket, self.full(key))
    }

    /// A write of an object, encrypted as the settings say.
    fn put(&self, key: &str) -> PutObjectFluentBuilder {
        let put = self.client.put_object().bucket(&self.location.bucket).key(self.full(key));
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
    ) -> Result<Written, StoreError> {
        if !self.conditional && !self.holds(key, condition).await? {
            return Ok(Written::Refused { lost: false });
        }
        let url = self.name(key);
        let request = || async {
            let put = self.put(key).body(ByteStream::from(bytes.to_vec()));
            let put = if let Some(sha256) = sha256 { put.metadata(SHA256, sha256) } else { put };
            let put = match condition {
                _ if !self.conditional => put,
                Condition::Absent => put.if_none_match("*"),
                Condition::Version(Version(etag)) => put.if_match(etag),
            };
            put.send().await.map_err(trouble)
        };
        fault::point("s3: writing");
        let ended = self.patience.with(Doing { action: "write", url: &url }, request).await?;
        fault::point("s3: written");
        Ok(match ended {
            Ended::Done(_) => Written::Done,
            Ended::Condition { lost } => Written::Refused { lost },
            // there is nothing that could be what was expected
            Ended::Absent => Written::Refused { lost: false },
        })
    }

    /// Whether a condition holds at this moment.
    async fn holds(&self, key: &str, condition: Condition<'_>) -> Result<bool, StoreError> {
        let stored = self.read(key).await?.map(|stored| stored.version);
        Ok(match condition {
            Condition::Absent => stored.is_none(),
            Condition::Version(version) => stored.as_ref() == Some(version),
        })
    }

    /// Whether those bytes stand there: the answer to one's own write was lost.
    async fn is_own(&self, key: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        Ok(self.read(key).await?.is_some_and(|stored| stored.bytes == bytes))
    }

    async fn read(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let url = self.name(key);
        let request = || async {
            let get = self.client.get_object().bucket(&self.location.bucket).key(self.full(key));
            let answer = get.checksum_mode(ChecksumMode::Enabled).send().await.map_err(trouble)?;
            let (etag, length) = (answer.e_tag.clone(), answer.content_length);
            let bytes = whole(answer.body, length).await?;
            let version = Version(etag.ok_or_else(|| Trouble::No("the answer has no ETag".to_owned()))?);
            Ok(Stored { bytes, version })
        };
        match self.patience.with(Doing { action: "read", url: &url }, request).await? {
            Ended::Done(stored) => Ok(Some(stored)),
            Ended::Absent => Ok(None),
            Ended::Condition { .. } => Err(unasked("read", &url)),
        }
    }

    async fn pages(&self, prefix: &str, delimiter: Option<&str>) -> Result<Pages, StoreError> {
        let url = self.name(prefix);
        let mut pages = Pages::default();
        let mut next: Option<String> = None;
        loop {
            let request = || async {
                let list = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(self.full(prefix));
                let list = list.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(next.clone());
                list.send().await.map_err(trouble)
            };
            let page = match self.patience.with(Doing { action: "list", url: &url }, request).await? {
                Ended::Done(page) => page,
                Ended::Absent => {
                    return Err(patience::refused(Doing { action: "list", url: &url }, "not found".to_owned()));
                }
                Ended::Condition { .. } => return Err(unasked("list", &url)),
            };
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| key.strip_prefix(&self.location.prefix)) else { continue };
                let modified = object.last_modified().and_then(|at| Timestamp::from_second(at.secs()).ok());
                pages.objects.push(Listed {
                    key: key.to_owned(),
                    size: object.size().and_then(|size| size.try_into().ok()).unwrap_or_default(),
                    modified: modified.unwrap_or(Timestamp::MIN),
                });
            }
            let folders = page.common_prefixes().iter().filter_map(|common| common.prefix());
            let below = self.full(prefix);
            pages
                .folders
                .extend(folders.filter_map(|f| f.strip_prefix(&below)).map(|f| f.trim_end_matches('/').to_owned()));
            next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() {
                return Ok(pages);
            }
        }
    }

    async fn swept(&self, prefix: &str, before: Timestamp, dry: bool) -> Result<u64, StoreError> {
        let mut swept = 0;
        let proofs = self.pages(prefix, None).await?.objects;
        let proof = |key: &str| key.rsplit('/').next().is_some_and(|name| name.starts_with(".proof-"));
        for object in proofs.into_iter().filter(|object| proof(&object.key) && object.modified < before) {
            if !dry {
                self.removed(&object.key).await?;
            }
            swept += 1;
        }
        for (key, id) in self.begun(prefix, before).await? {
            if !dry {
                self.abort(&key, &id).await;
            }
            swept += 1;
        }
        Ok(swept)
    }

    async fn removed(&self, key: &str) -> Result<(), StoreError> {
        let url = self.name(key);
        let request = || async {
            let delete = self.client.delete_object().bucket(&self.location.bucket).key(self.full(key));
            delete.send().await.map_err(trouble)
        };
        self.patience.with(Doing { action: "remove", url: &url }, request).await?;
        Ok(())
    }
}

/// What a listing found.
#[derive(Default)]
struct Pages {
    objects: Vec<Listed>,
    folders: Vec<String>,
}

/// A body to its end, and no less: a connection that broke is no short object.
async fn whole(body: ByteStream, length: Option<i64>) -> Result<Vec<u8>, Trouble> {
    let bytes = body.collect().await.map_err(|error| {
        let said = words::chain(&error);
        if said.contains("checksum") { Trouble::Garbled(said) } else { Trouble::Again(said) }
    })?;
    let bytes = bytes.to_vec();
    match length.and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length != bytes.len() => Err(Trouble::Again(format!("{} of {length} bytes came", bytes.len()))),
        _ => Ok(bytes),
    }
}

/// A store that refuses what it was not asked to check.
fn unasked(action: &'static str, url: &str) -> StoreError {
    patience::refused(Doing { action, url }, "it says that a condition does not hold, and none was made".to_owned())
}

impl Objects for Bucket {
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            match self.write(key, Condition::Absent, bytes, None).await? {
                Written::Done => Ok(Created::New),
                Written::Refused { lost: true } if self.is_own(key, bytes).await? => Ok(Created::New),
                Written::Refused { .. } => Ok(Created::Exists),
            }
        })
    }

    fn create_from<'a>(&'a self, key: &'a str, large: Large<'a>) -> BoxFuture<'a, Result<Created, StoreError>> {
        Box::pin(self.upload(key, large))
    }

    fn open<'a>(&'a self, key: &'a str, print: Print<'a>) -> BoxFuture<'a, Result<Opened, StoreError>> {
        Box::pin(self.look(key, print))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(self.read(key))
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        Box::pin(async move {
            let condition = expected.map_or(Condition::Absent, Condition::Version);
            match self.write(key, condition, bytes, None).await? {
                Written::Done => Ok(Swapped::Done),
                Written::Refused { lost: true } if self.is_own(key, bytes).await? => Ok(Swapped::Done),
                Written::Refused { .. } => Ok(Swapped::Conflict),
            }
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            let mut objects = self.pages(prefix, None).await?.objects;
            objects.retain(|object| !object.key.split('/').any(|part| part.starts_with('.')));
            objects.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let mut folders = self.pages(prefix, Some("/")).await?.folders;
            folders.retain(|name| !name.starts_with('.'));
            folders.sort();
            Ok(folders)
        })
    }

    fn sweep<'a>(&'a self, prefix: &'a str, before: Timestamp, dry: bool) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.swept(prefix, before, dry))
    }

    fn forget<'a>(&'a self, _prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.removed(key))
    }

    fn url(&self, key: &str) -> String {
        self.name(key)
    }
}
