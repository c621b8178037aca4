//! Both back ends, each with the folder in which its objects lie as files: whatever is promised is promised by both.

use std::path::{Path, PathBuf};

use taster_store::{AppStore, Settings, Store};
use taster_testkit::s3::Server;
use tempfile::TempDir;

use crate::{s3_settings::settings, shop};

/// A store, gone with this value.
pub(crate) struct Place {
    /// For what is left beside the store: notes of other processes.
    pub(crate) folder: TempDir,
    server: Option<Server>,
}

impl Place {
    /// A store of files, and a bucket of a real S3 server.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::files(), Self::s3().await]
    }

    fn files() -> Self {
        Self { folder: TempDir::new().unwrap(), server: None }
    }

    async fn s3() -> Self {
        Self { folder: TempDir::new().unwrap(), server: Some(Server::start().await) }
    }

    /// `file` or `s3`.
    pub(crate) fn kind(&self) -> &'static str {
        if self.server.is_some() { "s3" } else { "file" }
    }

    pub(crate) fn settings(&self) -> Settings {
        match &self.server {
            Some(server) => settings(&server.endpoint()),
            None => Settings::from(self.folder.path().join("results").to_str().unwrap()),
        }
    }

    /// Where the server listens, for other processes.
    pub(crate) fn endpoint(&self) -> Option<String> {
        self.settings().s3.endpoint
    }

    pub(crate) async fn app(&self) -> AppStore {
        Store::at(self.settings()).await.unwrap().app(&shop::app_name())
    }

    /// The file of an object.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        match &self.server {
            Some(server) => server.file(key),
            None => self.folder.path().join("results").join(key),
        }
    }

    /// The files of all objects, sorted.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let root = self.file("v1");
        if root.exists() { shop::files(&root) } else { Vec::new() }
    }

    /// What is damaged from now on is damaged where nobody but the client can tell.
    pub(crate) fn forget_checksums(&self) {
        if let Some(server) = &self.server {
            server.forget_checksums();
        }
    }

    /// A note of another process.
    pub(crate) fn note(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How often something is done to an object: a server takes longer than a file.
    pub(crate) fn step(&self) -> usize {
        if self.server.is_some() { 13 } else { 1 }
    }
}
