//! The S3 back end against a real server, also one with faults.

use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, Write},
    sync::atomic::Ordering,
};

use sha2::{Digest, Sha256};
use taster_model::{Diagnostic, Side};
use taster_store::{AccessKey, CommitPre, ConditionalWrites, Settings, Store};
use taster_testkit::s3::{Behaviour, Server};

use crate::{s3_settings::settings, shop, stored_censuses};

async fn app(settings: Settings) -> taster_store::AppStore {
    Store::open_unverified(settings).await.unwrap().app(&shop::app_name())
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_a_bucket_leaves_no_objects() {
    let server = Server::start().await;
    Store::open_verified(settings(&server.endpoint())).await.unwrap();
    let left = fs::read_dir(server.file("v1")).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_settings_are_errors_with_help() {
    let server = Server::start().await;
    let mut stranger = settings(&server.endpoint());
    stranger.s3.access_key =
        Some(AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "hunter2hunter2".to_owned() });
    let mut nobody = settings(&server.endpoint());
    nobody.s3.endpoint = Some("http://127.0.0.1:1".to_owned());
    nobody.s3.retry_timeout = Some(std::time::Duration::from_millis(300));
    let mut nameless = settings(&server.endpoint());
    nameless.url = "s3://".to_owned();
    let mut untrusting = settings(&server.endpoint());
    untrusting.s3.ca_file = Some("/dev/null".into());
    let cases = [
        (stranger, "T0402", "SignatureDoesNotMatch"),
        (nobody, "T0415", "tried"),
        (nameless, "T0413", "invalid bucket name"),
        (untrusting, "T0413", "no certificate"),
    ];
    for (settings, code, says) in cases {
        let url = settings.url.clone();
        let Some(error) = Store::open_verified(settings).await.err() else { panic!("{url}: {says}") };
        let chain = format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
        assert_eq!(error.code(), code, "{chain}");
        assert!(chain.contains(says), "{chain}");
        assert!(error.help().is_some());
        assert!(!chain.contains("hunter2"), "{chain}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_overwrites_is_refused_unless_configured() {
    let server = Server::with(Behaviour { overwrites: true, ..Behaviour::default() }).await;
    let error = Store::open_verified(settings(&server.endpoint())).await.err().unwrap();
    assert_eq!(error.code(), "T0403", "{error}");
    assert!(error.help().unwrap().contains("i-accept-that-results-can-be-overwritten"));
    let mut settings = settings(&server.endpoint());
    settings.s3.conditional_writes = ConditionalWrites::NotRequired;
    Store::open_verified(settings.clone()).await.unwrap();
    // without concurrency it still overwrites nothing
    let run = app(settings).await.run(&shop::run("one"));
    let (first, second) = (shop::capture(&shop::run("one"), Side::Pre), shop::capture(&shop::run("one"), Side::Pre));
    assert!(matches!(run.commit_pre(&first).await.unwrap(), CommitPre::Committed(_)));
    let CommitPre::AlreadyCommitted(committed) = run.commit_pre(&second).await.unwrap() else { panic!("overwritten") };
    assert_eq!(committed.get().attempt, first.attempt);
}

/// A census with `length` arbitrary bytes.
fn census_of_size(capture: &taster_model::Capture, collection: &str, length: u64) -> taster_census::CensusFile {
    let mut file = tempfile::tempfile().unwrap();
    let mut digest = Sha256::new();
    let mut left = length;
    let mut piece = vec![0_u8; 1 << 20];
    let mut n = 0_u64;
    while left > 0 {
        for chunk in piece.chunks_exact_mut(8) {
            n += 1;
            chunk.copy_from_slice(&n.to_le_bytes());
        }
        let size = usize::try_from(left.min(piece.len() as u64)).unwrap();
        file.write_all(&piece[..size]).unwrap();
        digest.update(&piece[..size]);
        left -= size as u64;
    }
    file.rewind().unwrap();
    stored_censuses::from_file(
        stored_censuses::place(capture, collection),
        file,
        length,
        hex::encode(digest.finalize()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_are_uploaded_in_parts_and_read_in_ranges() {
    let server = Server::start().await;
    let capture = shop::capture(&shop::run("one"), Side::Pre);
    let run = app(settings(&server.endpoint())).await.run(&capture.run);
    let length = (41 << 20) + 7;
    let recorded = census_of_size(&capture, "orders", length);
    let object = run.put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap();
    assert_eq!(object.length, length);
    let stored = fs::read(server.file(&format!("v1/pxbbq/one/{}", object.key))).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&stored)), recorded.sha256);
    // storing it again returns the same object; another census gets another name
    assert_eq!(run.put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap().key, object.key);
    let other = census_of_size(&capture, "orders", length - 8);
    assert_ne!(run.put_census(Side::Pre, &capture.attempt, &other).await.unwrap().key, object.key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_match_its_digest_creates_nothing() {
    let server = Server::start().await;
    let capture = shop::capture(&shop::run("one"), Side::Pre);
    let run = app(settings(&server.endpoint())).await.run(&capture.run);
    for length in [100, 20 << 20] {
        let mut recorded = census_of_size(&capture, "orders", length);
        recorded.file.write_all(b"other").unwrap();
        recorded.file.rewind().unwrap();
        let error = run.put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap_err();
        assert!(error.to_string().contains("changed after its digest was recorded"), "{error}");
        assert!(!server.file("v1/pxbbq/one").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_census_cannot_be_read() {
    let server = Server::start().await;
    let store = app(settings(&server.endpoint())).await;
    let mut capture = shop::capture(&shop::run("one"), Side::Pre);
    let recorded = stored_censuses::with_documents(&stored_censuses::place(&capture, "orders"), 200_000);
    let object = store.run(&capture.run).put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap();
    let facts = stored_censuses::add_to(&mut capture, &recorded, object.clone());
    let census = store.run(&capture.run).censuses().of(&capture).open(&facts).await.unwrap();
    assert_eq!(census.documents(), 200_000);
    tokio::task::spawn_blocking(move || census.check()).await.unwrap().unwrap();
    // an altered byte anywhere is an error when it is read
    let file = server.file(&format!("v1/pxbbq/one/{}", object.key));
    let good = fs::read(&file).unwrap();
    for place in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[place] ^= 1;
        fs::write(&file, &bad).unwrap();
        let whole = match store.run(&capture.run).censuses().of(&capture).open(&facts).await {
            Ok(census) => tokio::task::spawn_blocking(move || census.check().is_ok()).await.unwrap(),
            Err(_) => false,
        };
        assert!(!whole, "altered byte {place} was not detected");
    }
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    let error = store.run(&capture.run).censuses().of(&capture).open(&facts).await.err().unwrap();
    assert_eq!(error.code(), "T0406", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_several_pages_are_complete() {
    let server = Server::start().await;
    let store = app(settings(&server.endpoint())).await;
    let folder = server.file("v1/pxbbq");
    for n in 0..1100 {
        fs::create_dir_all(folder.join(format!("run-{n:04}/pre"))).unwrap();
        fs::write(folder.join(format!("run-{n:04}/pre/capture.json")), "{}").unwrap();
    }
    let index = store.index().await.unwrap();
    assert_eq!(index.len(), 1100);
    assert!(index.iter().all(|run| run.pre && run.bytes == 2 && run.objects == 1));
    assert_eq!(
        Store::open_unverified(settings(&server.endpoint())).await.unwrap().apps().await.unwrap(),
        [shop::app_name()]
    );
}

/// Stores complete runs, one after the other.
async fn rounds(settings: Settings, name: &str, rounds: u32) -> BTreeMap<String, Vec<u8>> {
    let store = app(settings.clone()).await;
    let mut kept = BTreeMap::new();
    for round in 0..rounds {
        let run = shop::run(&format!("{name}-{round}"));
        shop::whole_run(&store, &run).await;
        // the acknowledged capture
        let pre = store.run(&run).pre().await.unwrap().unwrap().into_inner();
        kept.insert(format!("v1/pxbbq/{run}/pre/capture.json"), pre.attempt.to_string().into_bytes());
        // another attempt never replaces it
        let other = shop::capture(&run, Side::Pre);
        match store.run(&run).commit_pre(&other).await.unwrap() {
            CommitPre::AlreadyCommitted(committed) => assert_eq!(committed.get().attempt, pre.attempt),
            CommitPre::Committed(_) => panic!("{run}: a baseline was overwritten"),
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_faults_lose_nothing_and_overwrite_nothing() {
    let server = Server::with(Behaviour { one_in: 9, ..Behaviour::default() }).await;
    // each of two clients; `make nightly` has five times as many
    let each = std::env::var("TASTER_TEST_FAULT_ROUNDS").map_or(50, |rounds| rounds.parse().unwrap());
    let (one, two) = (settings(&server.endpoint()), settings(&server.endpoint()));
    let (first, second) = tokio::join!(tokio::spawn(rounds(one, "a", each)), tokio::spawn(rounds(two, "b", each)));
    let kept: BTreeMap<String, Vec<u8>> = first.unwrap().into_iter().chain(second.unwrap()).collect();
    assert_eq!(kept.len(), 2 * each as usize);
    for (key, attempt) in &kept {
        let bytes = fs::read_to_string(server.file(key)).unwrap();
        assert!(bytes.contains(std::str::from_utf8(attempt).unwrap()), "{key} is not the acknowledged capture");
    }
    let (requests, faults) = (server.requests.load(Ordering::SeqCst), server.faults.load(Ordering::SeqCst));
    println!("{requests} requests, {faults} faults");
    assert!(faults > kept.len() as u64, "only {faults} faults in {requests} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_verdict_is_an_error() {
    let server = Server::with(Behaviour { one_in: 9, ..Behaviour::default() }).await;
    let store = app(settings(&server.endpoint())).await;
    let run = shop::run("one");
    shop::whole_run(&store, &run).await;
    let key = "v1/pxbbq/one/verdict.json";
    let good = fs::read(server.file(key)).unwrap();
    assert!(store.run(&run).verdict().await.unwrap().is_some());
    for (at, step) in [(0, 97), (1, 131)] {
        for place in (at..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(server.file(key), &bad).unwrap();
            let error = store.run(&run).verdict().await.unwrap_err();
            assert!(["T0406", "T0407", "T0415"].contains(&error.code()), "{place}: {error}");
        }
    }
    fs::write(server.file(key), &good[..good.len() / 2]).unwrap();
    assert!(store.run(&run).verdict().await.is_err());
    fs::write(server.file(key), &good).unwrap();
    assert!(store.run(&run).verdict().await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_removed_while_it_is_read_is_an_error() {
    let server = Server::start().await;
    let store = app(settings(&server.endpoint())).await;
    let mut capture = shop::capture(&shop::run("one"), Side::Pre);
    let recorded = stored_censuses::with_documents(&stored_censuses::place(&capture, "orders"), 1_000_000);
    let object = store.run(&capture.run).put_census(Side::Pre, &capture.attempt, &recorded).await.unwrap();
    let facts = stored_censuses::add_to(&mut capture, &recorded, object.clone());
    let census = store.run(&capture.run).censuses().of(&capture).open(&facts).await.unwrap();
    let file = server.file(&format!("v1/pxbbq/one/{}", object.key));
    fs::remove_file(&file).unwrap();
    let error = tokio::task::spawn_blocking(move || census.check()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("removed while"), "{error:?}");
}
