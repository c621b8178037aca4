//! Compiled code that is kept: taken again, made again when it is spoilt, and never from a folder that others can write.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use insta::assert_snapshot;
use taster_engine::{Engine, EngineOptions, Limits, Probe};

use crate::{
    component::Guest,
    fixtures::{FakeDatabase, SETTING, describe_error, input},
};

fn open(dir: &Path) -> Engine {
    Engine::new(EngineOptions { cache: Some(dir.join("taster/code")), shipped: None }).unwrap()
}

async fn load(dir: &Path, guest: &Guest) -> Probe {
    open(dir).load(&guest.build(), &Limits::default(), SETTING).await.unwrap()
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir.join("taster/code")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn the_second_start_compiles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::default();
    assert!(!load(dir.path(), &guest).await.from_cache());
    let again = load(dir.path(), &guest).await;
    assert!(again.from_cache());
    assert_eq!(again.run(input(Limits::default(), FakeDatabase::default())).await.outcome.unwrap().len(), 1);
    assert_eq!(again.exports(), ["describe", "run"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("taster/code")), 0o700);
    assert_eq!(mode(&files(dir.path())[0]), 0o600);
}

#[tokio::test]
async fn spoilt_code_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::default();
    load(dir.path(), &guest).await;
    let file = files(dir.path()).remove(0);
    let sound = fs::read(&file).unwrap();
    for spoilt in [Vec::new(), b"rubbish".to_vec(), sound[..sound.len() / 2].to_vec()] {
        fs::write(&file, spoilt).unwrap();
        assert!(!load(dir.path(), &guest).await.from_cache());
        assert!(load(dir.path(), &guest).await.from_cache());
    }
}

#[tokio::test]
async fn code_that_others_could_write_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::default();
    load(dir.path(), &guest).await;
    fs::set_permissions(&files(dir.path())[0], Permissions::from_mode(0o666)).unwrap();
    assert!(!load(dir.path(), &guest).await.from_cache());
}

#[test]
fn a_folder_that_others_can_write() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let error = Engine::new(EngineOptions { cache: Some(dir.path().to_owned()), shipped: None }).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&dir.path().display().to_string(), "/tmp/x"), @r"
    T0308: compiled code is not kept in /tmp/x: others can write to it (mode 777)
    help: remove /tmp/x, or name another folder
    ");
}

#[test]
fn a_folder_that_is_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (link, target) = (dir.path().join("link"), dir.path().join("target"));
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let error = Engine::new(EngineOptions { cache: Some(link.clone()), shipped: None }).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&link.display().to_string(), "/tmp/x"), @r"
    T0308: compiled code is not kept in /tmp/x: it is not a folder
    help: remove /tmp/x, or name another folder
    ");
}

fn with_shipped(dir: &Path) -> Result<Engine, taster_engine::EngineError> {
    Engine::new(EngineOptions { cache: None, shipped: Some(dir.to_owned()) })
}

fn shipped_in(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let (name, code) = Engine::precompile(bytes).unwrap();
    let path = dir.join(name);
    fs::write(&path, code).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    path
}

#[tokio::test]
async fn what_was_compiled_ahead_is_not_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Guest::default().build();
    shipped_in(dir.path(), &bytes);
    let probe = with_shipped(dir.path()).unwrap().load(&bytes, &Limits::default(), SETTING).await.unwrap();
    assert!(probe.from_cache());
    assert_eq!(probe.run(input(Limits::default(), FakeDatabase::default())).await.outcome.unwrap().len(), 1);
    // byte for byte, so that an image can be built again
    assert_eq!(Engine::precompile(&bytes).unwrap(), Engine::precompile(&bytes).unwrap());
}

#[tokio::test]
async fn what_was_compiled_ahead_and_is_no_good_is_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Guest::default().build();
    let file = shipped_in(dir.path(), &bytes);
    let load = async || with_shipped(dir.path()).unwrap().load(&bytes, &Limits::default(), SETTING).await.unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    assert!(!load().await.from_cache());
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(load().await.from_cache());
    let sound = fs::read(&file).unwrap();
    for spoilt in [Vec::new(), b"rubbish".to_vec(), sound[..sound.len() / 2].to_vec()] {
        fs::write(&file, spoilt).unwrap();
        assert!(!load().await.from_cache());
    }
}

#[test]
fn code_that_came_in_a_folder_that_others_can_write_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let error = with_shipped(dir.path()).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&dir.path().display().to_string(), "/tmp/x"), @r"
    T0313: code in /tmp/x is not run: others can write to it (mode 777)
    help: give /tmp/x to root, writable by nobody else, or name another folder with TASTER_CODE
    ");
    let missing = dir.path().join("missing");
    assert!(with_shipped(&missing).is_ok());
}
