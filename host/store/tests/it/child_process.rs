//! Child processes of tests: this test binary again, in one of several roles.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use taster_model::{Diagnostic, Side, Verdict};
use taster_store::{AppStore, CommitPre, Store};
use taster_testkit::block_until;

use crate::{s3_settings, shop, stored_censuses, test_store::TestStore};

const ROLE: &str = "TASTER_STORE_TEST_ROLE";
const FOLDER: &str = "TASTER_STORE_TEST_FOLDER";
const NAME: &str = "TASTER_STORE_TEST_NAME";
/// The endpoint of an S3 store; unset for a folder.
const ENDPOINT: &str = "TASTER_STORE_TEST_ENDPOINT";

/// The command of a child process with `role` on `folder`.
pub(crate) fn command(role: &str, folder: &Path, name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "child_process::child_main", "--ignored", "--quiet"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .env(NAME, name)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

pub(crate) fn spawn(role: &str, backend: &TestStore, name: &str) -> Child {
    command_for(role, backend, name).spawn().unwrap()
}

/// The command of a child process with `role` on a store.
pub(crate) fn command_for(role: &str, backend: &TestStore, name: &str) -> Command {
    let mut command = command(role, backend.path(), name);
    command.envs(backend.endpoint().map(|endpoint| (ENDPOINT, endpoint)));
    command
}

/// The store of this child process.
async fn store(folder: &Path) -> AppStore {
    match env::var(ENDPOINT) {
        Ok(endpoint) => Store::open_unverified(s3_settings::settings(&endpoint)).await.unwrap().app(&shop::app_name()),
        Err(_) => shop::app(&folder.join("results")).await,
    }
}

/// Waits until `path` exists, for 30 s at most.
pub(crate) fn wait_for(path: &Path) {
    block_until(&path.display().to_string(), Duration::from_secs(30), || path.exists());
}

/// Not a test: the entry point of child processes.
#[test]
#[ignore = "run by other tests as a child process"]
fn child_main() {
    let (Ok(role), Some(folder), Ok(name)) = (env::var(ROLE), env::var_os(FOLDER), env::var(NAME)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = PathBuf::from(folder);
    runtime.block_on(async {
        match role.as_str() {
            "write runs until killed" => write_runs(&folder, &name).await,
            "race" => race(&folder, &name).await,
            "store censuses" => store_censuses(&folder, &name).await,
            "collect garbage" => collect_garbage(&folder).await,
            "verify" => verify_store(&folder).await,
            "web identity" => crate::credentials::as_web_identity(&folder).await,
            "fill the disk" => fill_disk(&folder).await,
            "fill the disk with censuses" => fill_disk_with_censuses(&folder).await,
            other => panic!("no role `{other}`"),
        }
    });
}

/// Stores runs of `pre` and `post`, one after the other, without end.
async fn write_runs(folder: &Path, name: &str) {
    let store = store(folder).await;
    std::fs::write(folder.join(format!("{name}.ready")), "").unwrap();
    for round in 0.. {
        shop::whole_run(&store, &shop::run(&format!("{name}-{round}"))).await;
        if round == 0 {
            std::fs::write(folder.join(format!("{name}.first")), "").unwrap();
        }
    }
}

/// Commits a capture for each of many runs, concurrently with other processes, and notes whose was committed.
async fn race(folder: &Path, name: &str) {
    use std::fmt::Write;
    let store = store(folder).await;
    std::fs::write(folder.join(format!("{name}.ready")), "").unwrap();
    wait_for(&folder.join("go"));
    let mut noted = String::new();
    for round in 0..crate::races::ROUNDS {
        let run = shop::run(&format!("run-{round}"));
        let (own, committed) = match store.run(&run).commit_pre(&shop::capture(&run, Side::Pre)).await.unwrap() {
            CommitPre::Committed(capture) => (true, capture.into_inner().attempt),
            CommitPre::AlreadyCommitted(capture) => (false, capture.into_inner().attempt),
        };
        writeln!(noted, "{run} {own} {committed}").unwrap();
        let counted = |current: Option<taster_model::CurrentState>| {
            let seen = current.and_then(|c| c.baseline).map_or(0, |b| b.run.as_str().parse::<u32>().unwrap());
            let mut pre = shop::capture(&shop::run(&(seen + 1).to_string()), Side::Pre);
            pre.probes.clear();
            Some(shop::current(&pre, Some(Verdict::Same)))
        };
        store.update_current(counted).await.unwrap();
    }
    std::fs::write(folder.join(format!("{name}.noted")), noted).unwrap();
}

/// Censuses that each process stores.
pub(crate) const CENSUSES_PER_PROCESS: usize = 8;

/// Stores censuses of one collection of one attempt, concurrently with other processes, and notes their keys.
async fn store_censuses(folder: &Path, name: &str) {
    let store = store(folder).await.run(&shop::run("one"));
    let mut capture = shop::capture(&shop::run("one"), Side::Pre);
    // the same attempt in every process
    capture.attempt = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned().try_into().unwrap();
    std::fs::write(folder.join(format!("{name}.ready")), "").unwrap();
    wait_for(&folder.join("go"));
    let mut noted = Vec::new();
    for round in 0..CENSUSES_PER_PROCESS {
        let bytes = format!("{name} {round}");
        let census = stored_censuses::from_bytes(stored_censuses::place(&capture, "orders"), bytes.as_bytes());
        noted.push(store.put_census(Side::Pre, &capture.attempt, &census).await.unwrap().key);
    }
    std::fs::write(folder.join(format!("{name}.noted")), noted.join("\n")).unwrap();
}

/// Removes all but the newest complete run, a week from now, until it is killed.
async fn collect_garbage(folder: &Path) {
    let store = store(folder).await;
    taster_store::fault::arm();
    let retention = taster_store::Retention { keep: Some(1), max_age: None };
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(7 * 24);
    store.collect(retention, now, taster_store::GcMode::Remove).await.unwrap();
}

/// Verifies the store, until it is killed.
async fn verify_store(folder: &Path) {
    taster_store::fault::arm();
    match env::var(ENDPOINT) {
        Ok(endpoint) => Store::open_verified(s3_settings::settings(&endpoint)).await.unwrap(),
        Err(_) => Store::open_verified(folder.join("results").to_str().unwrap()).await.unwrap(),
    };
}

/// Stores a census that does not fit on the disk.
async fn fill_disk_with_censuses(folder: &Path) {
    let store = shop::app(folder).await;
    let capture = shop::capture(&shop::run("one"), Side::Pre);
    let put = async |size: usize| {
        let census = stored_censuses::from_bytes(stored_censuses::place(&capture, "orders"), &vec![7; size]);
        store.run(&capture.run).put_census(Side::Pre, &capture.attempt, &census).await
    };
    put(300 << 10).await.unwrap();
    let error = put(300 << 10 | 1).await.unwrap_err();
    assert_eq!(error.code(), "T0405", "{error}");
    assert!(error.to_string().contains("pxbbq.orders.2.census (307 201 bytes)"), "{error}");
    // the first one is complete, nothing of the second is left, and its space is free again
    let files = shop::files(folder);
    let [first] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(std::fs::metadata(first).unwrap().len(), 300 << 10);
    put(100 << 10).await.unwrap();
}

/// Stores runs until the disk is full, on a disk of its own that ends with this process's mount namespace.
async fn fill_disk(folder: &Path) {
    let store = shop::app(folder).await;
    for round in 0..10_000 {
        let run = shop::run(&format!("run-{round}"));
        let mut capture = shop::capture(&run, Side::Pre);
        capture.probe_seed = "00".repeat(8_192);
        let Err(error) = store.run(&run).commit_pre(&capture).await else { continue };
        assert_eq!(error.code(), "T0405", "{error}");
        assert!(error.to_string().contains("capture.json"), "{error}");
        assert!(error.help().is_some());
        // nothing of the failed write is left, and the earlier runs are complete
        let leftovers = shop::files(folder).into_iter().filter(|path| path.to_string_lossy().contains(".tmp-"));
        assert_eq!(leftovers.count(), 0);
        assert!(store.run(&run).pre().await.unwrap().is_none());
        let runs = store.runs().await.unwrap();
        assert_eq!(runs.len(), round, "{error}");
        assert!(runs.iter().all(|run| run.damaged.is_none() && run.pre.is_some()));
        return;
    }
    panic!("the disk never filled up");
}
