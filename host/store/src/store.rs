//! The store of all apps: opening it, and verifying the guarantees of its back end.

use std::{path::Path, sync::Arc};

use taster_model::AppName;

use crate::{
    app::AppStore,
    backend::{CreateOutcome, ObjectBackend, SwapOutcome, VERIFICATION_PREFIX},
    error::StoreError,
    fault, file, s3,
    settings::Settings,
    url::StoreUrl,
};

/// The results of all apps.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectBackend>,
}

impl Store {
    /// Whether a URL names a bucket or a folder. Nothing is opened.
    pub fn check_url(url: &str) -> Result<(), StoreError> {
        StoreUrl::parse(url).map(|_| ())
    }

    /// The folder of a store, if it is one in a folder and the URL is right.
    #[must_use]
    pub fn folder(url: &str) -> Option<&Path> {
        match StoreUrl::parse(url) {
            Ok(StoreUrl::Folder(path)) => Some(path),
            Ok(StoreUrl::S3(_)) | Err(_) => None,
        }
    }

    /// Opens a store for reading. Nothing is verified, and nothing is written.
    pub async fn open_unverified(settings: impl Into<Settings>) -> Result<Self, StoreError> {
        let settings = settings.into();
        let objects: Arc<dyn ObjectBackend> = match StoreUrl::parse(&settings.url)? {
            StoreUrl::S3(location) => s3::open(location, &settings).await?,
            StoreUrl::Folder(path) => Arc::new(file::Files::new(path.to_owned())),
        };
        Ok(Self { objects })
    }

    /// Opens a store for writing, and verifies that it accepts objects, refuses to overwrite them and refuses to swap a stale
    /// version. Otherwise that would show only after the scan, or never.
    pub async fn open_verified(settings: impl Into<Settings>) -> Result<Self, StoreError> {
        let settings = settings.into();
        let url = settings.url.clone();
        let store = Self::open_unverified(settings).await?;
        store.verify(&url).await?;
        Ok(store)
    }

    /// Checks the guarantees of the back end with an object of its own.
    async fn verify(&self, url: &str) -> Result<(), StoreError> {
        let key = format!("{VERIFICATION_PREFIX}{}", ulid::Ulid::generate());
        let broken = |what: &'static str| Err(StoreError::ConditionalWritesBroken { url: url.to_owned(), what });
        let first = self.objects.create(&key, b"first").await.map_err(|error| error.not_writable(url))?;
        if first != CreateOutcome::Created {
            return broken("it refused to create a new object");
        }
        fault::point("store: verifying");
        let verification = async {
            if self.objects.create(&key, b"second").await? != CreateOutcome::AlreadyExists {
                return broken("it did not refuse to create an object twice");
            }
            let Some(stored) = self.objects.get(&key).await? else {
                return broken("an object was missing after it was written");
            };
            if stored.bytes != b"first" {
                return broken("it returned other bytes than were written");
            }
            if self.objects.swap(&key, None, b"third").await? != SwapOutcome::Conflict {
                return broken("it did not refuse to create an existing object by a swap");
            }
            if self.objects.swap(&key, Some(&stored.version), b"fourth").await? != SwapOutcome::Swapped {
                return broken("it refused a swap of the current version");
            }
            if self.objects.swap(&key, Some(&stored.version), b"fifth").await? != SwapOutcome::Conflict {
                return broken("it did not refuse a swap of a stale version");
            }
            if self.objects.get(&key).await?.is_none_or(|stored| stored.bytes != b"fourth") {
                return broken("it carried out a write that it refused");
            }
            Ok(())
        };
        let result = verification.await;
        // `gc` removes a verification object that cannot be removed now
        let _ = self.objects.remove(&key).await;
        result
    }

    /// Lists the apps that have results, sorted by name.
    pub async fn apps(&self) -> Result<Vec<AppName>, StoreError> {
        let mut apps: Vec<AppName> =
            self.objects.list_folders("v1/").await?.into_iter().filter_map(|name| name.parse().ok()).collect();
        apps.sort();
        Ok(apps)
    }

    /// The results of one app.
    #[must_use]
    pub fn app(&self, app: &AppName) -> AppStore {
        AppStore::new(Arc::clone(&self.objects), app.clone())
    }
}

#[cfg(test)]
mod tests;
