//! Stores for tests on both back ends. Each has a folder in which its objects lie as files.

use std::path::{Path, PathBuf};

use taster_store::{AppStore, Settings, Store};
use taster_testkit::s3::Server;
use tempfile::TempDir;

use crate::{s3_settings::settings, shop};

/// A store that is removed when this value is dropped.
pub(crate) struct TestStore {
    /// Holds the store, and the notes of child processes.
    pub(crate) folder: TempDir,
    server: Option<Server>,
}

impl TestStore {
    /// A store of files, and a bucket of a real S3 server.
    pub(crate) async fn on_both_backends() -> [Self; 2] {
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

    /// The server's endpoint, for child processes.
    pub(crate) fn endpoint(&self) -> Option<String> {
        self.settings().s3.endpoint
    }

    pub(crate) async fn app(&self) -> AppStore {
        Store::open_unverified(self.settings()).await.unwrap().app(&shop::app_name())
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

    /// Makes the server forget its checksums, so that it serves objects that are damaged from now on.
    pub(crate) fn forget_checksums(&self) {
        if let Some(server) = &self.server {
            server.forget_checksums();
        }
    }

    /// The path of a child process's note.
    pub(crate) fn note(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Every how many bytes of an object a test alters: a server takes longer than a folder.
    pub(crate) fn sampling_step(&self) -> usize {
        if self.server.is_some() { 13 } else { 1 }
    }
}
