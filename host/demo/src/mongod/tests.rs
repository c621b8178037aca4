//! Tests of finding, starting and stopping a mongod.

use std::{io::Write as _, os::unix::fs::PermissionsExt as _};

use mongodb::options::WriteConcern;
use taster_model::Diagnostic as _;

use super::*;

fn touch(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn mongod_is_found_by_variable_path_and_cache_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let path_of = |name: &str| folder.path().join(name);
    let find_with = |names: &[(&str, PathBuf)]| {
        find(|asked| names.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.into()))
    };
    let everything = [
        ("TASTER_MONGOD", path_of("named")),
        ("PATH", path_of("bin")),
        ("XDG_CACHE_HOME", path_of("cache")),
        ("HOME", path_of("home")),
    ];

    let error = find_with(&everything[1..]).unwrap_err();
    let shown = error.to_string().replace(&folder.path().display().to_string(), "…");
    insta::assert_snapshot!(shown, @"no mongod found: not in $TASTER_MONGOD, not on PATH, not at …/cache/taster/mongod-6.0.5/mongod");
    insta::assert_snapshot!(error.help().unwrap(), @"run `make mongod`, or install MongoDB so that `mongod` is on PATH, or name the program: `TASTER_MONGOD=/path/to/mongod taster demo`");
    let error = find_with(&everything).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&folder.path().display().to_string(), "…"), @"$TASTER_MONGOD is `…/named`, which is not a file");

    touch(&path_of("home/.cache/taster/mongod-6.0.5/mongod"), "");
    assert_eq!(find_with(&everything[3..]).unwrap(), path_of("home/.cache/taster/mongod-6.0.5/mongod"));
    touch(&path_of("cache/taster/mongod-6.0.5/mongod"), "");
    assert_eq!(find_with(&everything[1..]).unwrap(), path_of("cache/taster/mongod-6.0.5/mongod"));
    touch(&path_of("bin/mongod"), "");
    assert_eq!(find_with(&everything[1..]).unwrap(), path_of("bin/mongod"));
    touch(&path_of("named"), "");
    assert_eq!(find_with(&everything).unwrap(), path_of("named"));
}

#[tokio::test]
async fn the_error_quotes_the_log_of_a_mongod_that_exits_early() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("mongod");
    touch(
        &binary,
        "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcurl.so.4: cannot open' >&2\nexit 127\n",
    );
    let error = Mongod::start(MongodOptions { binary: Some(binary), ..MongodOptions::default() }).await.unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&folder.path().display().to_string(), "…"), @r"
    mongod …/mongod exited with status 127 before it answered; the end of its log:
      mongod: error while loading shared libraries: libcurl.so.4: cannot open
    ");
    insta::assert_snapshot!(error.help().unwrap(), @"install the missing libraries: `apt-get install libcurl4 libssl3`");

    let arguments = vec!["--setParameter".to_owned(), "noSuchThing=1".to_owned()];
    let error = Mongod::start(MongodOptions { arguments, ..MongodOptions::default() }).await.unwrap_err();
    assert!(error.to_string().contains("noSuchThing"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_recognised_by_the_exit_status() {
    let first = Mongod::start(MongodOptions::default()).await.unwrap();
    let arguments = vec!["--port".to_owned(), first.port().to_string()];
    let error = Mongod::start(MongodOptions { arguments, ..MongodOptions::default() }).await.unwrap_err();
    assert!(matches!(&error, DemoError::Exited { status, .. } if status == PORT_TAKEN || status == "2"), "{error}");
}

#[tokio::test]
async fn data_in_a_given_folder_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = MongodOptions { dir: Some(folder.path().to_owned()), ..MongodOptions::default() };
    let mongod = Mongod::start(options).await.unwrap();
    assert_eq!(mongod.version().await.unwrap().split('.').count(), 3);
    let collection = mongod.client().await.unwrap().database("a").collection("b");
    let durable = WriteConcern::builder().journal(true).build();
    collection.insert_one(doc! {"_id": 1}).write_concern(durable).await.unwrap();
    drop(mongod);
    assert!(folder.path().join("mongod.log").exists());

    let options = MongodOptions { dir: Some(folder.path().to_owned()), ..MongodOptions::default() };
    let mongod = Mongod::start(options).await.unwrap();
    let there = mongod.client().await.unwrap().database("a").collection::<bson::Document>("b");
    assert_eq!(there.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn dropping_it_stops_mongod_and_removes_the_folder() {
    let mongod = Mongod::start(MongodOptions::default()).await.unwrap();
    let (dir, port) = (mongod.dir().to_owned(), mongod.port());
    assert!(dir.exists());
    drop(mongod);
    assert!(!dir.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn killing_its_owner_stops_mongod_and_removes_the_folder() {
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "mongod::tests::an_owner_that_will_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let report =
        lines.into_iter().find_map(|line| line.split_once("owns ").map(|(_, report)| report.to_owned())).unwrap();
    let (port, dir) = report.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    assert!(Path::new(dir).exists());
    owner.kill().unwrap();
    owner.wait().unwrap();

    let started = Instant::now();
    while Path::new(dir).exists() || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "mongod on port {port} or its folder {dir} is left behind"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
#[ignore = "a part of `killing_its_owner_stops_mongod_and_removes_the_folder`, which runs it in a process of its own"]
async fn an_owner_that_will_be_killed() {
    let mongod = Mongod::start(MongodOptions::default()).await.unwrap();
    println!("owns {} {}", mongod.port(), mongod.dir().display());
    std::io::stdout().flush().unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
}
