//! The code cache and precompiled code: reused, compiled again when damaged, and never used if others can write to it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use insta::assert_snapshot;
use taster_engine::{Compiler, Engine, EngineOptions, Limits, Probe};

use crate::{
    component::Guest,
    fixtures::{FakeDatabase, SETTING, describe_error, input},
};

fn options(cache: Option<&Path>, precompiled: Option<&Path>) -> EngineOptions {
    let (cache, precompiled) = (cache.map(Path::to_owned), precompiled.map(Path::to_owned));
    EngineOptions { compiler: Compiler::InProcess, cache, precompiled }
}

fn open(dir: &Path) -> Engine {
    Engine::new(options(Some(&dir.join("taster/code")), None)).unwrap()
}

async fn load(dir: &Path, guest: &Guest) -> Probe {
    open(dir).load(&guest.build(), &Limits::default(), SETTING).await.unwrap()
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir.join("taster/code")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn the_second_start_uses_cached_code() {
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
async fn a_core_module_is_cached_as_the_file_that_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let module = Guest::default().module();
    let load = async || open(dir.path()).load(&module, &Limits::default(), SETTING).await.unwrap();
    let compiled = load().await;
    let cached = load().await;
    assert!(!compiled.from_cache() && cached.from_cache());
    assert_eq!(cached.sha256(), compiled.sha256());
    assert_eq!(cached.manifest(), compiled.manifest());
    assert_eq!((cached.imports(), cached.exports()), (compiled.imports(), compiled.exports()));
    // the component that is made of it is another file
    let component = open(dir.path()).load(&Guest::default().build(), &Limits::default(), SETTING).await.unwrap();
    assert!(!component.from_cache());
}

#[tokio::test]
async fn damaged_cached_code_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::default();
    load(dir.path(), &guest).await;
    let file = files(dir.path()).remove(0);
    let valid = fs::read(&file).unwrap();
    for damaged in [Vec::new(), b"rubbish".to_vec(), valid[..valid.len() / 2].to_vec()] {
        fs::write(&file, damaged).unwrap();
        assert!(!load(dir.path(), &guest).await.from_cache());
        assert!(load(dir.path(), &guest).await.from_cache());
    }
}

#[tokio::test]
async fn cached_code_that_others_can_write_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let guest = Guest::default();
    load(dir.path(), &guest).await;
    fs::set_permissions(&files(dir.path())[0], Permissions::from_mode(0o666)).unwrap();
    assert!(!load(dir.path(), &guest).await.from_cache());
}

#[test]
fn a_cache_folder_that_others_can_write() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let error = Engine::new(options(Some(dir.path()), None)).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&dir.path().display().to_string(), "/tmp/x"), @r"
    T0308: cannot use the code cache /tmp/x: others can write to it (mode 777)
    help: remove /tmp/x, or choose another folder
    ");
}

#[test]
fn a_cache_folder_that_is_a_symbolic_link() {
    let dir = tempfile::tempdir().unwrap();
    let (link, target) = (dir.path().join("link"), dir.path().join("target"));
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let error = Engine::new(options(Some(&link), None)).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&link.display().to_string(), "/tmp/x"), @r"
    T0308: cannot use the code cache /tmp/x: it is not a folder
    help: remove /tmp/x, or choose another folder
    ");
}

fn engine_with_precompiled(dir: &Path) -> Result<Engine, taster_engine::EngineError> {
    Engine::new(options(None, Some(dir)))
}

pub(crate) fn precompile_into(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let (name, code) = Engine::precompile(bytes).unwrap();
    let path = dir.join(name);
    fs::write(&path, code).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    path
}

#[tokio::test]
async fn precompiled_code_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Guest::default().build();
    precompile_into(dir.path(), &bytes);
    let probe = engine_with_precompiled(dir.path()).unwrap().load(&bytes, &Limits::default(), SETTING).await.unwrap();
    assert!(probe.from_cache());
    assert_eq!(probe.run(input(Limits::default(), FakeDatabase::default())).await.outcome.unwrap().len(), 1);
    // the same bytes again, so that image builds are reproducible
    assert_eq!(Engine::precompile(&bytes).unwrap(), Engine::precompile(&bytes).unwrap());
}

#[tokio::test]
async fn damaged_precompiled_code_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Guest::default().build();
    let file = precompile_into(dir.path(), &bytes);
    let load =
        async || engine_with_precompiled(dir.path()).unwrap().load(&bytes, &Limits::default(), SETTING).await.unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    assert!(!load().await.from_cache());
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(load().await.from_cache());
    let valid = fs::read(&file).unwrap();
    for damaged in [Vec::new(), b"rubbish".to_vec(), valid[..valid.len() / 2].to_vec()] {
        fs::write(&file, damaged).unwrap();
        assert!(!load().await.from_cache());
    }
}

#[test]
fn precompiled_code_in_a_folder_that_others_can_write_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let error = engine_with_precompiled(dir.path()).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&dir.path().display().to_string(), "/tmp/x"), @r"
    T0313: cannot use the precompiled code in /tmp/x: others can write to it (mode 777)
    help: make root the owner of /tmp/x and the only user who can write, or set TASTER_CODE to another folder
    ");
    let missing = dir.path().join("missing");
    assert!(engine_with_precompiled(&missing).is_ok());
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_done_without() {
    // nobody can create anything there, root included
    let engine = Engine::new(options(Some(Path::new("/sys/taster/code")), None)).unwrap();
    let bytes = Guest::default().build();
    for _ in 0..2 {
        assert!(!engine.load(&bytes, &Limits::default(), SETTING).await.unwrap().from_cache());
    }
    // a home that is a file
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("taster"), "").unwrap();
    assert!(!load(dir.path(), &Guest::default()).await.from_cache());
    // a cache that is gone by the time of writing
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    fs::remove_dir(dir.path().join("taster/code")).unwrap();
    assert!(!engine.load(&bytes, &Limits::default(), SETTING).await.unwrap().from_cache());
}

#[tokio::test]
async fn a_cache_that_can_be_read_and_not_written_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let (cached, other) = (Guest::default(), Guest { pages: 3, ..Guest::default() });
    load(dir.path(), &other).await;
    let unwritable = files(dir.path()).remove(0);
    load(dir.path(), &cached).await;
    // nobody can replace a folder by a file, root included
    fs::remove_file(&unwritable).unwrap();
    fs::create_dir(&unwritable).unwrap();

    let engine = open(dir.path());
    let load = async |guest: &Guest| engine.load(&guest.build(), &Limits::default(), SETTING).await.unwrap();
    assert!(!load(&other).await.from_cache());
    assert!(load(&cached).await.from_cache());
    // another component is not written any more, and compiled
    let third = Guest { pages: 4, ..Guest::default() };
    assert!(!load(&third).await.from_cache());
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn a_cache_folder_that_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("code");
    fs::write(&file, "").unwrap();
    let error = Engine::new(options(Some(&file), None)).unwrap_err();
    assert_snapshot!(describe_error(&error).replace(&file.display().to_string(), "/tmp/x"), @r"
    T0308: cannot use the code cache /tmp/x: it is not a folder
    help: remove /tmp/x, or choose another folder
    ");
}
