//! Damaged objects are errors.

use std::{
    fs,
    path::{Path, PathBuf},
};

use taster_model::Diagnostic;
use taster_store::{AppStore, StoreError};

use crate::{shop, test_store::TestStore};

/// A complete run and the files of its documents.
struct StoredRun {
    backend: TestStore,
    store: AppStore,
    documents: Vec<PathBuf>,
}

impl StoredRun {
    async fn on_both_backends() -> Vec<Self> {
        let mut runs = Vec::new();
        for backend in TestStore::on_both_backends().await {
            runs.push(Self::create(backend).await);
        }
        runs
    }

    async fn create(backend: TestStore) -> Self {
        let store = backend.app().await;
        shop::whole_run(&store, &shop::run("one")).await;
        let documents: Vec<PathBuf> =
            backend.objects().into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        assert_eq!(documents.len(), 6, "{documents:?}");
        backend.forget_checksums();
        Self { backend, store, documents }
    }

    /// Reads every document of the run.
    async fn read(&self) -> Result<(), StoreError> {
        let run = self.store.run(&shop::run("one"));
        self.store.current().await?;
        run.pre().await?;
        let attempt = run.latest_post().await?.map(|post| post.into_inner().attempt);
        run.verdict().await?;
        run.accepted().await?;
        if let Some(attempt) = attempt {
            run.post(&attempt).await?;
        }
        Ok(())
    }

    /// The documents that the store reads. The verdict beside its capture is a copy for people.
    fn read_documents(&self) -> impl Iterator<Item = &Path> {
        let copy = |path: &Path| path.ends_with("verdict.json") && path.components().any(|c| c.as_os_str() == "post");
        self.documents.iter().map(PathBuf::as_path).filter(move |path| !copy(path))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_altered_byte_of_every_document_is_an_error() {
    for stored in StoredRun::on_both_backends().await {
        stored.read().await.unwrap();
        for path in stored.read_documents() {
            let whole = fs::read(path).unwrap();
            for at in (0..whole.len()).step_by(stored.backend.sampling_step()) {
                let mut altered = whole.clone();
                altered[at] ^= 1 << (at % 8);
                fs::write(path, &altered).unwrap();
                let error = stored.read().await.expect_err(&format!("byte {at} of {}", path.display()));
                assert_eq!(error.code(), "T0406", "byte {at} of {}: {error}", path.display());
            }
            fs::write(path, &whole).unwrap();
        }
        stored.read().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_truncation_and_every_addition_is_an_error() {
    for stored in StoredRun::on_both_backends().await {
        for path in stored.read_documents() {
            let whole = fs::read(path).unwrap();
            for length in (0..whole.len()).step_by(stored.backend.sampling_step()) {
                fs::write(path, &whole[..length]).unwrap();
                assert!(stored.read().await.is_err(), "{length} bytes of {}", path.display());
            }
            for more in [&b"\n"[..], b" ", b"{}", b"\0"] {
                fs::write(path, [&whole, more].concat()).unwrap();
                assert!(stored.read().await.is_err(), "{more:?} behind {}", path.display());
            }
            fs::write(path, &whole).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_document_is_taken_for_another() {
    for stored in StoredRun::on_both_backends().await {
        shop::whole_run(&stored.store, &shop::run("two")).await;
        stored.backend.forget_checksums();
        let all: Vec<PathBuf> =
            stored.backend.objects().into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        for path in stored.read_documents() {
            let whole = fs::read(path).unwrap();
            for other in &all {
                let foreign = fs::read(other).unwrap();
                if foreign == whole {
                    continue;
                }
                fs::write(path, &foreign).unwrap();
                let error = stored.read().await.expect_err(&format!("{} at {}", other.display(), path.display()));
                assert_eq!(error.code(), "T0407", "{} at {}: {error}", other.display(), path.display());
            }
            fs::write(path, &whole).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_run_hides_no_other() {
    for stored in StoredRun::on_both_backends().await {
        shop::whole_run(&stored.store, &shop::run("two")).await;
        stored.backend.forget_checksums();
        for path in stored.read_documents().filter(|path| !path.ends_with("current.json")) {
            let whole = fs::read(path).unwrap();
            fs::write(path, &whole[1..]).unwrap();
            let runs = stored.store.runs().await.unwrap();
            let [two, one] = runs.as_slice() else { panic!("{runs:?}") };
            assert_eq!((two.run.as_str(), &two.damaged), ("two", &None));
            assert!(two.pre.is_some() && two.post.is_some() && two.verdict.is_some() && two.accepted);
            let damage = one.damaged.as_ref().unwrap();
            assert!(damage.contains(path.file_name().unwrap().to_str().unwrap()), "{damage}");
            fs::write(path, &whole).unwrap();
        }
    }
}
