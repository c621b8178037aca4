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
    kitchen::{Pantry, SETTING, input, told},
};

fn open(dir: &Path) -> Engine {
    Engine::new(EngineOptions { cache: Some(dir.join("taster/code")) }).unwrap()
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
    assert_eq!(again.run(input(Limits::default(), Pantry::default())).await.outcome.unwrap().len(), 1);
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
    let error = Engine::new(EngineOptions { cache: Some(dir.path().to_owned()) }).unwrap_err();
    assert_snapshot!(told(&error).replace(&dir.path().display().to_string(), "/tmp/x"), @r"
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
    let error = Engine::new(EngineOptions { cache: Some(link.clone()) }).unwrap_err();
    assert_snapshot!(told(&error).replace(&link.display().to_string(), "/tmp/x"), @r"
    T0308: compiled code is not kept in /tmp/x: it is not a folder
    help: remove /tmp/x, or name another folder
    ");
}
