//! What only a store of files guarantees, and how documents are written. The guarantees of both back ends are tested in
//! `tests/it/guarantees.rs`.

use std::{fs, path::Path};

use proptest::prelude::*;
use taster_model::{Diagnostic, RunId, Side};
use taster_testkit::captures;
use tempfile::TempDir;

use super::*;
use crate::{
    document::{self, read_capture},
    run::CommitPre,
};

fn app(folder: &Path) -> AppStore {
    Store { objects: Arc::new(file::Files::new(folder.into())) }.app(&"pxbbq".parse().unwrap())
}

fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

#[tokio::test]
async fn verifying_a_store_leaves_no_objects() {
    let folder = TempDir::new().unwrap();
    Store::open_verified(format!("file://{}", folder.path().display())).await.unwrap();
    let left: Vec<_> = fs::read_dir(folder.path().join("v1")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn invalid_settings_are_errors_with_help() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (url, code) in
        [("gs://bucket", "T0401"), ("file://", "T0401"), (&format!("file://{}", file.display()), "T0402")]
    {
        let error = Store::open_verified(url).await.err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.help().is_some());
    }
}

#[tokio::test]
async fn an_unfinished_write_is_invisible() {
    let folder = TempDir::new().unwrap();
    let store = app(folder.path());
    let pre = folder.path().join("v1/pxbbq/one/pre");
    fs::create_dir_all(&pre).unwrap();
    fs::write(pre.join(".tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV"), "{\"schema\": \"taster.dev/cap").unwrap();
    assert!(store.run(&run("one")).pre().await.unwrap().is_none());
    let mine = captures::empty("one", Side::Pre);
    assert!(matches!(store.run(&run("one")).commit_pre(&mine).await.unwrap(), CommitPre::Committed(_)));
}

#[tokio::test]
async fn results_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let store = app(&folder.path().join("results"));
    store.run(&run("one")).commit_pre(&captures::empty("one", Side::Pre)).await.unwrap();
    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("results"), 0o700);
    assert_eq!(mode("results/v1/pxbbq/one/pre/capture.json"), 0o600);
}

proptest! {
    #[test]
    fn any_altered_byte_is_an_error(position in 0_usize..10_000, bit in 0_u8..8) {
        let mut bytes = document::write("k", &captures::empty("one", Side::Pre)).unwrap();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        prop_assert!(read_capture(&bytes).is_err(), "byte {} of {}", position, bytes.len());
    }

    #[test]
    fn any_truncation_is_an_error(length in 0_usize..10_000) {
        let bytes = document::write("k", &captures::empty("one", Side::Pre)).unwrap();
        prop_assert!(read_capture(&bytes[..length % bytes.len()]).is_err());
    }
}

#[test]
fn a_document_reads_back_and_ends_in_its_checksum() {
    let written = captures::empty("one", Side::Pre);
    let bytes = document::write("k", &written).unwrap();
    assert_eq!(read_capture(&bytes).unwrap(), written);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.lines().rev().nth(1).unwrap().starts_with("  \"checksum\": \"sha256:"), "{text}");
}
