//! The object store: where captures, verdicts and reports live, so that they survive the pod.
//!
//! Two promises carry everything above: an object is created once and never overwritten, and the few that move do so by
//! compare-and-swap. A back end that does not keep them is refused when the store is opened. Every document carries its
//! schema, its place and a checksum; one that is truncated, altered or lies at another's place is an error.

mod app;
mod census;
mod document;
mod error;
pub mod fault;
mod file;
mod gc;
mod objects;
mod run;
mod s3;
mod settings;

use std::{path::PathBuf, sync::Arc};

use taster_model::AppName;

pub use app::{AppStore, RunEntry, RunSummary};
pub use census::{CensusBytes, Censuses};
pub use document::{Committed, read_capture};
pub use error::StoreError;
pub use gc::{Collected, Collection, Fate, Retention};
pub use run::{CommitPre, RunStore};
pub use settings::{ConditionalWrites, Encryption, Keys, S3Settings, Settings};

use objects::{Created, Objects, Swapped};

/// What the keys of proofs begin with: they belong to no app.
const PROOFS: &str = "v1/.proof-";

/// Results of all apps.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn Objects>,
}

impl Store {
    /// A store that is only read: nothing is proven, and nothing is made.
    pub async fn at(settings: impl Into<Settings>) -> Result<Self, StoreError> {
        let settings = settings.into();
        let path = match settings.url.split_once("://") {
            Some(("s3", _)) => return Ok(Self { objects: s3::open(&settings).await? }),
            Some(("file", path)) if !path.is_empty() => path,
            Some((scheme, _)) => return Err(StoreError::Unsupported { scheme: scheme.to_owned() }),
            None => &settings.url,
        };
        Ok(Self { objects: Arc::new(file::Files::new(PathBuf::from(path))) })
    }

    /// A store that will be written: proves that it takes objects, refuses to overwrite them, and refuses to swap on a
    /// stale version. Anything else would be found out after the scan, or never.
    pub async fn open(settings: impl Into<Settings>) -> Result<Self, StoreError> {
        let settings = settings.into();
        let url = settings.url.clone();
        let store = Self::at(settings).await?;
        store.prove(&url).await?;
        Ok(store)
    }

    async fn prove(&self, url: &str) -> Result<(), StoreError> {
        let key = format!("{PROOFS}{}", ulid::Ulid::generate());
        let broken = |what: &'static str| Err(StoreError::NotHonest { url: url.to_owned(), what });
        let first = self.objects.create(&key, b"first").await.map_err(|error| error.not_writable(url))?;
        if first != Created::New {
            return broken("a new object was refused");
        }
        fault::point("store: proving");
        let proven = async {
            if self.objects.create(&key, b"second").await? != Created::Exists {
                return broken("a second create of one object was not refused");
            }
            let Some(stored) = self.objects.get(&key).await? else { return broken("an object vanished") };
            if stored.bytes != b"first" {
                return broken("an object came back with other bytes");
            }
            if self.objects.swap(&key, None, b"third").await? != Swapped::Conflict {
                return broken("a swap of nothing was not refused where there is something");
            }
            if self.objects.swap(&key, Some(&stored.version), b"fourth").await? != Swapped::Done {
                return broken("a swap on the current version was refused");
            }
            if self.objects.swap(&key, Some(&stored.version), b"fifth").await? != Swapped::Conflict {
                return broken("a swap on a stale version was not refused");
            }
            if self.objects.get(&key).await?.is_none_or(|stored| stored.bytes != b"fourth") {
                return broken("a refused write was done");
            }
            Ok(())
        };
        let result = proven.await;
        // a proof that cannot be removed is litter, not a reason to stop
        let _ = self.objects.remove(&key).await;
        result
    }

    /// The apps that have results, by name.
    pub async fn apps(&self) -> Result<Vec<AppName>, StoreError> {
        let mut apps: Vec<AppName> =
            self.objects.folders("v1/").await?.into_iter().filter_map(|name| name.parse().ok()).collect();
        apps.sort();
        Ok(apps)
    }

    /// Results of one app.
    #[must_use]
    pub fn app(&self, app: &AppName) -> AppStore {
        AppStore::new(Arc::clone(&self.objects), app.clone())
    }
}

#[cfg(test)]
mod tests;
