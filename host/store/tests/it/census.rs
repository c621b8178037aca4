//! Censuses: stored once, never overwritten, and taken for nothing but what their captures list.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use taster_model::{Capture, CensusFacts, Coded, Side};
use taster_store::{AppStore, Censuses, StoreError};

use crate::{child, place::Place, shop, stored_censuses};

/// One real census of one capture, and where it lies.
struct StoredCensus {
    place: Place,
    store: AppStore,
    capture: Capture,
    facts: CensusFacts,
    path: PathBuf,
}

impl StoredCensus {
    async fn both(documents: i32) -> Vec<Self> {
        let mut both = Vec::new();
        for place in Place::both().await {
            both.push(Self::at(place, documents).await);
        }
        both
    }

    async fn at(place: Place, documents: i32) -> Self {
        let store = place.app().await;
        let mut capture = shop::capture(&shop::run("one"), Side::Pre);
        let recorded = stored_censuses::with_documents(&stored_censuses::place(&capture, "orders"), documents);
        let object = store.run(&capture.run).put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap();
        let path = place.file(&format!("v1/pxbbq/one/{}", object.key));
        let facts = stored_censuses::add_to(&mut capture, &recorded, object);
        store.run(&capture.run).commit_pre(&capture).await.unwrap();
        place.forget_checksums();
        Self { place, store, capture, facts, path }
    }

    async fn open(&self) -> Result<u64, StoreError> {
        self.open_as(&self.capture, &self.facts).await
    }

    /// Whether reading all of it ends in an error. A file is looked at as a whole when it is opened; of an object far away
    /// that is read in pieces, the block that is wrong says so when it is read.
    async fn is_refused(&self) -> bool {
        match self.store.run(&self.capture.run).censuses().open(&self.capture, &self.facts).await {
            Err(error) => {
                assert!(["T0406", "T0407", "T0410", "T0412"].contains(&error.code()), "{error}");
                true
            }
            Ok(census) => {
                assert_eq!(self.place.kind(), "s3", "a file is looked at as a whole");
                tokio::task::spawn_blocking(move || census.check()).await.unwrap().is_err()
            }
        }
    }

    async fn open_as(&self, capture: &Capture, facts: &CensusFacts) -> Result<u64, StoreError> {
        self.store.run(&capture.run).censuses().open(capture, facts).await.map(|census| census.documents())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_is_stored_under_its_collection_for_its_owner() {
    for stored in StoredCensus::both(3).await {
        assert_eq!(stored.facts.object, format!("pre/{}/pxbbq.orders.census", stored.capture.attempt));
        if stored.place.kind() == "file" {
            assert_eq!(fs::metadata(&stored.path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(stored.open().await.unwrap(), 3);
        // and from the file of the capture, wherever the folder was copied
        let file = stored.path.parent().unwrap().with_file_name("capture.json");
        let beside = Censuses::beside(&file, Side::Pre);
        assert_eq!(beside.open(&stored.capture, &stored.facts).await.unwrap().documents(), 3);
        let elsewhere = Censuses::beside(&stored.path, Side::Pre);
        let error = elsewhere.open(&stored.capture, &stored.facts).await.err().unwrap();
        assert_eq!(error.code(), "T0410", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_overwritten_and_a_lost_answer_finds_its_own() {
    for place in Place::both().await {
        let capture = shop::capture(&shop::run("one"), Side::Post);
        let run = place.app().await.run(&capture.run);
        let census = |bytes: &[u8]| stored_censuses::from_bytes(stored_censuses::place(&capture, "orders"), bytes);
        let put = async |bytes: &[u8]| run.put_census(Side::Post, &capture.attempt, &census(bytes)).await.unwrap();
        let (first, second) = (put(b"one").await, put(b"two").await);
        assert!(first.key.ends_with("/pxbbq.orders.census") && second.key.ends_with("/pxbbq.orders.2.census"));
        assert_eq!((put(b"one").await, put(b"two").await), (first.clone(), second));
        assert_eq!(fs::read(place.file(&format!("v1/pxbbq/one/{}", first.key))).unwrap(), b"one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_another_attempt_or_that_changed_meanwhile_is_not_stored() {
    for place in Place::both().await {
        let capture = shop::capture(&shop::run("one"), Side::Pre);
        let run = place.app().await.run(&capture.run);
        let other = shop::capture(&shop::run("one"), Side::Pre).attempt;
        let belongs = stored_censuses::place(&capture, "orders");
        let put = async |attempt, recorded| run.put_census(Side::Pre, attempt, &recorded).await.unwrap_err().code();
        assert_eq!(put(&other, stored_censuses::from_bytes(belongs.clone(), b"bytes")).await, "T0407");
        // the scratch file is shorter than it was, or another
        let mut cut = stored_censuses::from_bytes(belongs.clone(), b"bytes");
        cut.length += 1;
        assert_eq!(put(&capture.attempt, cut).await, "T0404");
        let mut altered = stored_censuses::from_bytes(belongs, b"bytes");
        altered.sha256 = "00".repeat(32);
        // the server refuses what is not what was announced
        let refused = if place.kind() == "s3" { "T0416" } else { "T0404" };
        assert_eq!(put(&capture.attempt, altered).await, refused);
        assert_eq!(place.objects(), [] as [&Path; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_altered_byte_and_every_other_length_is_an_error() {
    for stored in StoredCensus::both(3).await {
        let whole = fs::read(&stored.path).unwrap();
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1 << (at % 8);
            fs::write(&stored.path, &altered).unwrap();
            assert!(stored.is_refused().await, "byte {at}");
            fs::write(&stored.path, &whole[..at]).unwrap();
            assert!(stored.is_refused().await, "{at} bytes");
        }
        fs::write(&stored.path, [&whole[..], b"\0"].concat()).unwrap();
        assert!(stored.is_refused().await, "a byte more");
        fs::remove_file(&stored.path).unwrap();
        let error = stored.open().await.unwrap_err();
        assert_eq!(error.code(), "T0410", "{error}");
        fs::write(&stored.path, &whole).unwrap();
        stored.open().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_census_is_taken_for_another() {
    for stored in StoredCensus::both(3).await {
        let whole = fs::read(&stored.path).unwrap();
        let mut elsewhere = vec![
            shop::capture(&shop::run("two"), Side::Pre),
            shop::capture(&shop::run("one"), Side::Pre),
            shop::capture(&shop::run("one"), Side::Post),
        ];
        let mut database = stored.capture.clone();
        database.server.database = "another".to_owned();
        elsewhere.push(database);
        let mut places: Vec<_> = elsewhere.iter().map(|capture| stored_censuses::place(capture, "orders")).collect();
        places.push(stored_censuses::place(&stored.capture, "menu"));
        places.push(taster_census::Place {
            id: "orders-2".to_owned(),
            ..stored_censuses::place(&stored.capture, "orders")
        });
        places.push(taster_census::Place {
            probe: "other".to_owned(),
            ..stored_censuses::place(&stored.capture, "orders")
        });
        for place in places {
            let other = stored_censuses::with_documents(&place, 3);
            let mut bytes = vec![0; usize::try_from(other.length).unwrap()];
            std::os::unix::fs::FileExt::read_exact_at(&other.file, &mut bytes, 0).unwrap();
            fs::write(&stored.path, &bytes).unwrap();
            assert!(stored.is_refused().await, "{place:?}");
            // and where the capture was altered along with it
            let mut capture = stored.capture.clone();
            capture.objects[0].length = other.length;
            capture.objects[0].sha256.clone_from(&other.sha256);
            let error = stored.open_as(&capture, &stored.facts).await.unwrap_err();
            // a server says by itself that its object is not the one that was listed
            let expected: &[&str] = if stored.place.kind() == "s3" { &["T0406", "T0407"] } else { &["T0407"] };
            assert!(expected.contains(&error.code()), "{place:?}: {error}");
        }
        fs::write(&stored.path, &whole).unwrap();
        stored.open().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_capture_says_must_be_what_the_census_says() {
    for stored in StoredCensus::both(3).await {
        let altered = [
            CensusFacts { documents: 4, ..stored.facts.clone() },
            CensusFacts { sum: "00".repeat(16), ..stored.facts.clone() },
            CensusFacts { options: serde_json::json!({"detail": "fields"}), ..stored.facts.clone() },
        ];
        for facts in altered {
            let error = stored.open_as(&stored.capture, &facts).await.unwrap_err();
            assert_eq!(error.code(), "T0406", "{error}");
        }
        let unlisted = CensusFacts { object: "pre/x.census".to_owned(), ..stored.facts.clone() };
        assert_eq!(stored.open_as(&stored.capture, &unlisted).await.unwrap_err().code(), "T0411");
        // whatever a capture says, nothing outside of its attempt is read
        for key in ["../../../../etc/passwd", "/etc/passwd", "post/x/pxbbq.orders.census", "pre/capture.json"] {
            let mut capture = stored.capture.clone();
            capture.objects[0].key = key.to_owned();
            let facts = CensusFacts { object: key.to_owned(), ..stored.facts.clone() };
            assert_eq!(stored.open_as(&capture, &facts).await.unwrap_err().code(), "T0407", "{key}");
        }
    }
}

/// Of several processes that store censuses of one collection under one attempt, none loses its own.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_at_once_none_overwrites_another() {
    for place in Place::both().await {
        let names: Vec<String> = (0..4).map(|n| format!("writer{n}")).collect();
        let writers: Vec<_> = names.iter().map(|name| child::spawn("store censuses", &place, name)).collect();
        for name in &names {
            child::wait_for(&place.note(&format!("{name}.ready")));
        }
        fs::write(place.note("go"), "").unwrap();
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        let mut keys = Vec::new();
        for name in &names {
            let noted = fs::read_to_string(place.note(&format!("{name}.noted"))).unwrap();
            for (round, key) in noted.lines().enumerate() {
                let bytes = fs::read(place.file(&format!("v1/pxbbq/one/{key}"))).unwrap();
                assert_eq!(bytes, format!("{name} {round}").into_bytes());
                keys.push(key.to_owned());
            }
        }
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!((keys.len(), all), (4 * child::CENSUSES_EACH, 4 * child::CENSUSES_EACH));
    }
}
