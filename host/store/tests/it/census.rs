//! Stored censuses: written once, never overwritten, and read only if they are the ones that their captures list.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use taster_model::{Capture, CensusFacts, Diagnostic, Side};
use taster_store::{AppStore, Censuses, StoreError};

use crate::{child_process, shop, stored_censuses, test_store::TestStore};

/// A stored census of a capture, and its file.
struct StoredCensus {
    backend: TestStore,
    store: AppStore,
    capture: Capture,
    facts: CensusFacts,
    path: PathBuf,
}

impl StoredCensus {
    async fn on_both_backends(documents: i32) -> Vec<Self> {
        let mut stored = Vec::new();
        for backend in TestStore::on_both_backends().await {
            stored.push(Self::create(backend, documents).await);
        }
        stored
    }

    async fn create(backend: TestStore, documents: i32) -> Self {
        let store = backend.app().await;
        let mut capture = shop::capture(&shop::run("one"), Side::Pre);
        let recorded = stored_censuses::with_documents(&stored_censuses::place(&capture, "orders"), documents);
        let object = store.run(&capture.run).put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap();
        let path = backend.file(&format!("v1/pxbbq/one/{}", object.key));
        let facts = stored_censuses::add_to(&mut capture, &recorded, object);
        store.run(&capture.run).commit_pre(&capture).await.unwrap();
        backend.forget_checksums();
        Self { backend, store, capture, facts, path }
    }

    async fn open(&self) -> Result<u64, StoreError> {
        self.open_as(&self.capture, &self.facts).await
    }

    /// Whether reading all of it ends in an error. The digest of a file is checked when it is opened; the blocks of an S3
    /// object are checked when they are read.
    async fn is_refused(&self) -> bool {
        match self.store.run(&self.capture.run).censuses().of(&self.capture).open(&self.facts).await {
            Err(error) => {
                assert!(["T0406", "T0407", "T0410", "T0412"].contains(&error.code()), "{error}");
                true
            }
            Ok(census) => {
                assert_eq!(self.backend.kind(), "s3", "the digest of a file is checked when it is opened");
                tokio::task::spawn_blocking(move || census.check()).await.unwrap().is_err()
            }
        }
    }

    async fn open_as(&self, capture: &Capture, facts: &CensusFacts) -> Result<u64, StoreError> {
        self.store.run(&capture.run).censuses().of(capture).open(facts).await.map(|census| census.documents())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_is_stored_under_the_name_of_its_collection() {
    for census in StoredCensus::on_both_backends(3).await {
        assert_eq!(census.facts.object, format!("pre/{}/pxbbq.orders.census", census.capture.attempt));
        if census.backend.kind() == "file" {
            assert_eq!(fs::metadata(&census.path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(census.open().await.unwrap(), 3);
        // and from its capture file, outside of a store
        let file = census.path.parent().unwrap().with_file_name("capture.json");
        let beside = Censuses::beside_capture(&file, Side::Pre);
        assert_eq!(beside.of(&census.capture).open(&census.facts).await.unwrap().documents(), 3);
        let elsewhere = Censuses::beside_capture(&census.path, Side::Pre);
        let error = elsewhere.of(&census.capture).open(&census.facts).await.err().unwrap();
        assert_eq!(error.code(), "T0410", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_is_never_overwritten_and_storing_it_twice_returns_the_same_object() {
    for backend in TestStore::on_both_backends().await {
        let capture = shop::capture(&shop::run("one"), Side::Post);
        let run = backend.app().await.run(&capture.run);
        let census = |bytes: &[u8]| stored_censuses::from_bytes(stored_censuses::place(&capture, "orders"), bytes);
        let put = async |bytes: &[u8]| run.put_census(Side::Post, &capture.attempt, &census(bytes)).await.unwrap();
        let (first, second) = (put(b"one").await, put(b"two").await);
        assert!(first.key.ends_with("/pxbbq.orders.census") && second.key.ends_with("/pxbbq.orders.2.census"));
        assert_eq!((put(b"one").await, put(b"two").await), (first.clone(), second));
        assert_eq!(fs::read(backend.file(&format!("v1/pxbbq/one/{}", first.key))).unwrap(), b"one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_of_another_attempt_or_with_another_digest_is_not_stored() {
    for backend in TestStore::on_both_backends().await {
        let capture = shop::capture(&shop::run("one"), Side::Pre);
        let run = backend.app().await.run(&capture.run);
        let other = shop::capture(&shop::run("one"), Side::Pre).attempt;
        let belongs = stored_censuses::place(&capture, "orders");
        let put = async |attempt, recorded| run.put_census(Side::Pre, attempt, &recorded).await.unwrap_err().code();
        assert_eq!(put(&other, stored_censuses::from_bytes(belongs.clone(), b"bytes")).await, "T0407");
        // the scratch file is shorter than recorded, or has another digest
        let mut cut = stored_censuses::from_bytes(belongs.clone(), b"bytes");
        cut.length += 1;
        assert_eq!(put(&capture.attempt, cut).await, "T0404");
        let mut altered = stored_censuses::from_bytes(belongs, b"bytes");
        altered.sha256 = "00".repeat(32);
        // the S3 back end refuses it before the upload is completed
        let refused = if backend.kind() == "s3" { "T0416" } else { "T0404" };
        assert_eq!(put(&capture.attempt, altered).await, refused);
        assert_eq!(backend.objects(), [] as [&Path; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_altered_byte_and_every_other_length_of_a_census_is_an_error() {
    for census in StoredCensus::on_both_backends(3).await {
        let whole = fs::read(&census.path).unwrap();
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1 << (at % 8);
            fs::write(&census.path, &altered).unwrap();
            assert!(census.is_refused().await, "byte {at}");
            fs::write(&census.path, &whole[..at]).unwrap();
            assert!(census.is_refused().await, "{at} bytes");
        }
        fs::write(&census.path, [&whole[..], b"\0"].concat()).unwrap();
        assert!(census.is_refused().await, "a byte more");
        fs::remove_file(&census.path).unwrap();
        let error = census.open().await.unwrap_err();
        assert_eq!(error.code(), "T0410", "{error}");
        fs::write(&census.path, &whole).unwrap();
        census.open().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_census_is_taken_for_another() {
    for census in StoredCensus::on_both_backends(3).await {
        let whole = fs::read(&census.path).unwrap();
        let mut elsewhere = vec![
            shop::capture(&shop::run("two"), Side::Pre),
            shop::capture(&shop::run("one"), Side::Pre),
            shop::capture(&shop::run("one"), Side::Post),
        ];
        let mut database = census.capture.clone();
        database.server.database = "another".to_owned();
        elsewhere.push(database);
        let mut places: Vec<_> = elsewhere.iter().map(|capture| stored_censuses::place(capture, "orders")).collect();
        places.push(stored_censuses::place(&census.capture, "menu"));
        places.push(taster_census::CensusIdentity {
            id: "orders-2".to_owned(),
            ..stored_censuses::place(&census.capture, "orders")
        });
        places.push(taster_census::CensusIdentity {
            probe: "other".to_owned(),
            ..stored_censuses::place(&census.capture, "orders")
        });
        for place in places {
            let other = stored_censuses::with_documents(&place, 3);
            let mut bytes = vec![0; usize::try_from(other.length).unwrap()];
            std::os::unix::fs::FileExt::read_exact_at(&other.file, &mut bytes, 0).unwrap();
            fs::write(&census.path, &bytes).unwrap();
            assert!(census.is_refused().await, "{place:?}");
            // and if the capture was altered along with it
            let mut capture = census.capture.clone();
            capture.objects[0].length = other.length;
            capture.objects[0].sha256.clone_from(&other.sha256);
            let error = census.open_as(&capture, &census.facts).await.unwrap_err();
            // the metadata of the S3 object shows another digest
            let expected: &[&str] = if census.backend.kind() == "s3" { &["T0406", "T0407"] } else { &["T0407"] };
            assert!(expected.contains(&error.code()), "{place:?}: {error}");
        }
        fs::write(&census.path, &whole).unwrap();
        census.open().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_differ_between_capture_and_census_are_an_error() {
    for census in StoredCensus::on_both_backends(3).await {
        let altered = [
            CensusFacts { documents: 4, ..census.facts.clone() },
            CensusFacts { sum: "00".repeat(16), ..census.facts.clone() },
            CensusFacts { options: serde_json::json!({"detail": "fields"}), ..census.facts.clone() },
        ];
        for facts in altered {
            let error = census.open_as(&census.capture, &facts).await.unwrap_err();
            assert_eq!(error.code(), "T0406", "{error}");
        }
        let unlisted = CensusFacts { object: "pre/x.census".to_owned(), ..census.facts.clone() };
        assert_eq!(census.open_as(&census.capture, &unlisted).await.unwrap_err().code(), "T0411");
        // nothing outside of the capture's attempt is read, whatever keys it lists
        for key in ["../../../../etc/passwd", "/etc/passwd", "post/x/pxbbq.orders.census", "pre/capture.json"] {
            let mut capture = census.capture.clone();
            capture.objects[0].key = key.to_owned();
            let facts = CensusFacts { object: key.to_owned(), ..census.facts.clone() };
            assert_eq!(census.open_as(&capture, &facts).await.unwrap_err().code(), "T0407", "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_processes_do_not_overwrite_censuses() {
    for backend in TestStore::on_both_backends().await {
        let names: Vec<String> = (0..4).map(|n| format!("child{n}")).collect();
        let children: Vec<_> =
            names.iter().map(|name| child_process::spawn("store censuses", &backend, name)).collect();
        for name in &names {
            child_process::wait_for(&backend.note(&format!("{name}.ready")));
        }
        fs::write(backend.note("go"), "").unwrap();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let mut keys = Vec::new();
        for name in &names {
            let noted = fs::read_to_string(backend.note(&format!("{name}.noted"))).unwrap();
            for (round, key) in noted.lines().enumerate() {
                let bytes = fs::read(backend.file(&format!("v1/pxbbq/one/{key}"))).unwrap();
                assert_eq!(bytes, format!("{name} {round}").into_bytes());
                keys.push(key.to_owned());
            }
        }
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(
            (keys.len(), all),
            (4 * child_process::CENSUSES_PER_PROCESS, 4 * child_process::CENSUSES_PER_PROCESS)
        );
    }
}
