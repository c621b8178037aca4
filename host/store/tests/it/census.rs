//! Censuses: stored once, never overwritten, and taken for nothing but what their captures list.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use taster_model::{Capture, CensusFacts, Coded, Side};
use taster_store::{AppStore, Censuses, StoreError};

use crate::{child, larder, shop};

/// One real census of one capture, and where it lies.
struct Shelf {
    _folder: tempfile::TempDir,
    store: AppStore,
    capture: Capture,
    facts: CensusFacts,
    path: PathBuf,
}

impl Shelf {
    async fn with(documents: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = shop::app(folder.path()).await;
        let mut capture = shop::capture(&shop::run("one"), Side::Pre);
        let recorded = larder::real(&larder::place(&capture, "orders"), documents);
        let object = store.run(&capture.run).put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap();
        let path = folder.path().join("v1/pxbbq/one").join(&object.key);
        let facts = larder::list(&mut capture, &recorded, object);
        store.run(&capture.run).commit_pre(&capture).await.unwrap();
        Self { _folder: folder, store, capture, facts, path }
    }

    async fn open(&self) -> Result<u64, StoreError> {
        self.open_as(&self.capture, &self.facts).await
    }

    async fn open_as(&self, capture: &Capture, facts: &CensusFacts) -> Result<u64, StoreError> {
        self.store.run(&capture.run).censuses().open(capture, facts).await.map(|census| census.documents())
    }
}

#[tokio::test]
async fn a_census_is_stored_under_its_collection_for_its_owner() {
    let shelf = Shelf::with(3).await;
    assert_eq!(shelf.facts.object, format!("pre/{}/pxbbq.orders.census", shelf.capture.attempt));
    assert_eq!(fs::metadata(&shelf.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(shelf.open().await.unwrap(), 3);
    // and from the file of the capture, wherever the folder was copied
    let file = shelf.path.parent().unwrap().with_file_name("capture.json");
    let beside = Censuses::beside(&file, Side::Pre);
    assert_eq!(beside.open(&shelf.capture, &shelf.facts).await.unwrap().documents(), 3);
    let elsewhere = Censuses::beside(&shelf.path, Side::Pre);
    let error = elsewhere.open(&shelf.capture, &shelf.facts).await.err().unwrap();
    assert_eq!(error.code(), "T0410", "{error}");
}

#[tokio::test]
async fn none_is_overwritten_and_a_lost_answer_finds_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let capture = shop::capture(&shop::run("one"), Side::Post);
    let run = shop::app(folder.path()).await.run(&capture.run);
    let census = |bytes: &[u8]| larder::of_bytes(larder::place(&capture, "orders"), bytes);
    let put = async |bytes: &[u8]| run.put_census(Side::Post, &capture.attempt, &census(bytes)).await.unwrap();
    let (first, second) = (put(b"one").await, put(b"two").await);
    assert!(first.key.ends_with("/pxbbq.orders.census") && second.key.ends_with("/pxbbq.orders.2.census"));
    assert_eq!((put(b"one").await, put(b"two").await), (first.clone(), second));
    assert_eq!(fs::read(folder.path().join("v1/pxbbq/one").join(&first.key)).unwrap(), b"one");
}

#[tokio::test]
async fn one_of_another_attempt_or_that_changed_meanwhile_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let capture = shop::capture(&shop::run("one"), Side::Pre);
    let run = shop::app(folder.path()).await.run(&capture.run);
    let other = shop::capture(&shop::run("one"), Side::Pre).attempt;
    let place = larder::place(&capture, "orders");
    let put = async |attempt, recorded| run.put_census(Side::Pre, attempt, &recorded).await.unwrap_err().code();
    assert_eq!(put(&other, larder::of_bytes(place.clone(), b"bytes")).await, "T0407");
    // the scratch file is shorter than it was, or another
    let mut cut = larder::of_bytes(place.clone(), b"bytes");
    cut.length += 1;
    assert_eq!(put(&capture.attempt, cut).await, "T0404");
    let mut altered = larder::of_bytes(place, b"bytes");
    altered.sha256 = "00".repeat(32);
    assert_eq!(put(&capture.attempt, altered).await, "T0404");
    assert_eq!(shop::files(folder.path()), [] as [&Path; 0]);
}

#[tokio::test]
async fn every_altered_byte_and_every_other_length_is_an_error() {
    let shelf = Shelf::with(3).await;
    let whole = fs::read(&shelf.path).unwrap();
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 1 << (at % 8);
        fs::write(&shelf.path, &altered).unwrap();
        assert_eq!(shelf.open().await.unwrap_err().code(), "T0406", "byte {at}");
        fs::write(&shelf.path, &whole[..at]).unwrap();
        assert_eq!(shelf.open().await.unwrap_err().code(), "T0406", "{at} bytes");
    }
    fs::write(&shelf.path, [&whole[..], b"\0"].concat()).unwrap();
    assert_eq!(shelf.open().await.unwrap_err().code(), "T0406", "a byte more");
    fs::remove_file(&shelf.path).unwrap();
    let error = shelf.open().await.unwrap_err();
    assert_eq!(error.code(), "T0410", "{error}");
    fs::write(&shelf.path, &whole).unwrap();
    shelf.open().await.unwrap();
}

#[tokio::test]
async fn no_census_is_taken_for_another() {
    let shelf = Shelf::with(3).await;
    let whole = fs::read(&shelf.path).unwrap();
    let mut elsewhere = vec![
        shop::capture(&shop::run("two"), Side::Pre),
        shop::capture(&shop::run("one"), Side::Pre),
        shop::capture(&shop::run("one"), Side::Post),
    ];
    let mut database = shelf.capture.clone();
    database.server.database = "another".to_owned();
    elsewhere.push(database);
    let mut places: Vec<_> = elsewhere.iter().map(|capture| larder::place(capture, "orders")).collect();
    places.push(larder::place(&shelf.capture, "menu"));
    places.push(taster_census::Place { id: "orders-2".to_owned(), ..larder::place(&shelf.capture, "orders") });
    places.push(taster_census::Place { probe: "other".to_owned(), ..larder::place(&shelf.capture, "orders") });
    for place in places {
        let other = larder::real(&place, 3);
        let mut bytes = vec![0; usize::try_from(other.length).unwrap()];
        std::os::unix::fs::FileExt::read_exact_at(&other.file, &mut bytes, 0).unwrap();
        fs::write(&shelf.path, &bytes).unwrap();
        assert_eq!(shelf.open().await.unwrap_err().code(), "T0406", "{place:?}");
        // and where the capture was altered along with it
        let mut capture = shelf.capture.clone();
        capture.objects[0].length = other.length;
        capture.objects[0].sha256.clone_from(&other.sha256);
        let error = shelf.open_as(&capture, &shelf.facts).await.unwrap_err();
        assert_eq!(error.code(), "T0407", "{place:?}: {error}");
    }
    fs::write(&shelf.path, &whole).unwrap();
    shelf.open().await.unwrap();
}

#[tokio::test]
async fn what_the_capture_says_must_be_what_the_census_says() {
    let shelf = Shelf::with(3).await;
    let altered = [
        CensusFacts { documents: 4, ..shelf.facts.clone() },
        CensusFacts { sum: "00".repeat(16), ..shelf.facts.clone() },
        CensusFacts { options: serde_json::json!({"detail": "fields"}), ..shelf.facts.clone() },
    ];
    for facts in altered {
        let error = shelf.open_as(&shelf.capture, &facts).await.unwrap_err();
        assert_eq!(error.code(), "T0406", "{error}");
    }
    let unlisted = CensusFacts { object: "pre/x.census".to_owned(), ..shelf.facts.clone() };
    assert_eq!(shelf.open_as(&shelf.capture, &unlisted).await.unwrap_err().code(), "T0411");
    // whatever a capture says, nothing outside of its attempt is read
    for key in ["../../../../etc/passwd", "/etc/passwd", "post/x/pxbbq.orders.census", "pre/capture.json"] {
        let mut capture = shelf.capture.clone();
        capture.objects[0].key = key.to_owned();
        let facts = CensusFacts { object: key.to_owned(), ..shelf.facts.clone() };
        assert_eq!(shelf.open_as(&capture, &facts).await.unwrap_err().code(), "T0407", "{key}");
    }
}

/// Of several processes that store censuses of one collection under one attempt, none loses its own.
#[tokio::test]
async fn of_several_processes_at_once_none_overwrites_another() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..4).map(|n| format!("shelver{n}")).collect();
    let shelvers: Vec<_> = names.iter().map(|name| child::spawn("shelve", folder.path(), name)).collect();
    for name in &names {
        child::wait_for(&folder.path().join(format!("{name}.ready")));
    }
    fs::write(folder.path().join("go"), "").unwrap();
    for mut shelver in shelvers {
        assert!(shelver.wait().unwrap().success());
    }
    let mut keys = Vec::new();
    for name in &names {
        let noted = fs::read_to_string(folder.path().join(format!("{name}.noted"))).unwrap();
        for (round, key) in noted.lines().enumerate() {
            let bytes = fs::read(folder.path().join("results/v1/pxbbq/one").join(key)).unwrap();
            assert_eq!(bytes, format!("{name} {round}").into_bytes());
            keys.push(key.to_owned());
        }
    }
    let all = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), all), (4 * child::SHELVED, 4 * child::SHELVED));
}
