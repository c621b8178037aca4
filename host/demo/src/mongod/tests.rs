//! Found in the right order, honest when it dies, and never left behind.

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
fn it_is_looked_for_in_three_places() {
    let room = tempfile::tempdir().unwrap();
    let at = |name: &str| room.path().join(name);
    let look = |names: &[(&str, PathBuf)]| {
        find(|asked| names.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.into()))
    };
    let everything =
        [("TASTER_MONGOD", at("named")), ("PATH", at("bin")), ("XDG_CACHE_HOME", at("cache")), ("HOME", at("home"))];

    let error = look(&everything[1..]).unwrap_err();
    let shown = error.to_string().replace(&room.path().display().to_string(), "…");
    insta::assert_snapshot!(shown, @"no mongod found: not in $TASTER_MONGOD, not on PATH, not at …/cache/taster/mongod-6.0.5/mongod");
    insta::assert_snapshot!(error.help().unwrap(), @"fetch one with `make mongod`, or install MongoDB so that `mongod` is on PATH, or name one: `TASTER_MONGOD=/path/to/mongod taster demo`");
    let error = look(&everything).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&room.path().display().to_string(), "…"), @"$TASTER_MONGOD is `…/named`, which is no file");

    touch(&at("home/.cache/taster/mongod-6.0.5/mongod"), "");
    assert_eq!(look(&everything[3..]).unwrap(), at("home/.cache/taster/mongod-6.0.5/mongod"));
    touch(&at("cache/taster/mongod-6.0.5/mongod"), "");
    assert_eq!(look(&everything[1..]).unwrap(), at("cache/taster/mongod-6.0.5/mongod"));
    touch(&at("bin/mongod"), "");
    assert_eq!(look(&everything[1..]).unwrap(), at("bin/mongod"));
    touch(&at("named"), "");
    assert_eq!(look(&everything).unwrap(), at("named"));
}

#[tokio::test]
async fn one_that_dies_at_once_is_quoted() {
    let room = tempfile::tempdir().unwrap();
    let binary = room.path().join("mongod");
    touch(
        &binary,
        "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcurl.so.4: cannot open' >&2\nexit 127\n",
    );
    let error = Mongod::start(MongodOptions { binary: Some(binary), ..MongodOptions::default() }).await.unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&room.path().display().to_string(), "…"), @r"
    mongod …/mongod ended at once with status 127; its last words:
      mongod: error while loading shared libraries: libcurl.so.4: cannot open
    ");
    insta::assert_snapshot!(error.help().unwrap(), @"install what it lacks: `apt-get install libcurl4 libssl3`");

    let arguments = vec!["--setParameter".to_owned(), "noSuchThing=1".to_owned()];
    let error = Mongod::start(MongodOptions { arguments, ..MongodOptions::default() }).await.unwrap_err();
    assert!(error.to_string().contains("noSuchThing"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_told_from_other_ends() {
    let first = Mongod::start(MongodOptions::default()).await.unwrap();
    let arguments = vec!["--port".to_owned(), first.port().to_string()];
    let error = Mongod::start(MongodOptions { arguments, ..MongodOptions::default() }).await.unwrap_err();
    assert!(matches!(&error, DemoError::Died { status, .. } if status == PORT_TAKEN || status == "2"), "{error}");
}

#[tokio::test]
async fn data_in_a_folder_of_ones_own_outlives_it() {
    let room = tempfile::tempdir().unwrap();
    let options = MongodOptions { dir: Some(room.path().to_owned()), ..MongodOptions::default() };
    let mongod = Mongod::start(options).await.unwrap();
    assert_eq!(mongod.version().await.unwrap().split('.').count(), 3);
    let collection = mongod.client().await.unwrap().database("a").collection("b");
    let durable = WriteConcern::builder().journal(true).build();
    collection.insert_one(doc! {"_id": 1}).write_concern(durable).await.unwrap();
    drop(mongod);
    assert!(room.path().join("mongod.log").exists());

    let options = MongodOptions { dir: Some(room.path().to_owned()), ..MongodOptions::default() };
    let mongod = Mongod::start(options).await.unwrap();
    let there = mongod.client().await.unwrap().database("a").collection::<bson::Document>("b");
    assert_eq!(there.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn nothing_is_left_when_it_is_dropped() {
    let mongod = Mongod::start(MongodOptions::default()).await.unwrap();
    let (dir, port) = (mongod.dir().to_owned(), mongod.port());
    assert!(dir.exists());
    drop(mongod);
    assert!(!dir.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn nothing_is_left_when_its_owner_is_killed() {
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "mongod::tests::an_owner_that_will_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.into_iter().find_map(|line| line.split_once("owns ").map(|(_, told)| told.to_owned())).unwrap();
    let (port, dir) = told.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    assert!(Path::new(dir).exists());
    owner.kill().unwrap();
    owner.wait().unwrap();

    let begun = Instant::now();
    while Path::new(dir).exists() || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "mongod on port {port} or its folder {dir} is left behind");
        thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
#[ignore = "a part of `nothing_is_left_when_its_owner_is_killed`, which runs it in a process of its own"]
async fn an_owner_that_will_be_killed() {
    let mongod = Mongod::start(MongodOptions::default()).await.unwrap();
    println!("owns {} {}", mongod.port(), mongod.dir().display());
    std::io::stdout().flush().unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
}
