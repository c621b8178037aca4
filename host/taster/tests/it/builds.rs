//! Another build of a probe, and captures of earlier releases.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use mongodb::bson::{Document, doc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use taster_testkit::mongod::Flavour;

use crate::support::{SHOP, ShopDatabase, Workspace, component};

/// A custom section of this name: other bytes, and the same component.
fn section(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    [&[0, length + 1, length], name.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_build_is_compared_if_its_results_are_the_same() {
    for flavour in [Flavour::Standalone, Flavour::ReplicaSet] {
        let shop = ShopDatabase::open(flavour, 30).await;
        // one declares the version of its results, the other one does not
        let cases = [("document-count", "", "same"), ("shop-menu", ", collections: [orders]", "unknown")];
        for (name, collections, expected) in cases {
            let workspace = shop.workspace();
            workspace.configure(&format!("{SHOP}probes: [{{name: own, component: ./own.wasm{collections}}}]\n"));
            let bytes = fs::read(component(name)).expect("a component");
            let install = |release: &str| {
                fs::write(workspace.path().join("own.wasm"), [bytes.clone(), section(release)].concat())
                    .expect("a file");
            };
            install("one");
            let pre = workspace.taster(&["pre", "--run", "a"]);
            assert_eq!(pre.code, 0, "{}", pre.all());
            install("two");
            let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
            assert_eq!(post.json()["verdict"], expected, "{}", post.all());
            if expected == "unknown" {
                assert!(post.out.contains("component-changed"), "{}", post.out);
                let verdict = post.json();
                let next = verdict["remedy"].as_str().expect("a next step");
                assert!(next.contains("put the earlier component back"), "{next}");
            }
        }
        let workspace = shop.workspace();
        workspace.configure(&format!("{SHOP}probes: [{{name: own, component: ./own.wasm}}]\n"));
        let bytes = fs::read(component("document-count")).expect("a component");
        fs::write(workspace.path().join("own.wasm"), &bytes).expect("a file");
        assert_eq!(workspace.taster(&["pre", "--run", "b"]).code, 0);
        fs::write(workspace.path().join("own.wasm"), [bytes, section("two")].concat()).expect("a file");
        assert!(shop.lose(doc! {"status": "open", "number": {"$mod": [2, 0]}}).await > 0);
        let post = workspace.taster(&["post", "--run", "b"]);
        assert_eq!(post.code, 1, "{}", post.all());
    }
}

/// The versions of the results of the standard probes, as the newest section of the changelog lists them.
#[test]
fn the_changelog_lists_the_results_of_every_standard_probe() {
    let (_, list) =
        include_str!("../../../../CHANGELOG.md").split_once("### Results of the standard probes\n").expect("the list");
    let list = list.split("###").next().unwrap_or_default();
    let listed: BTreeMap<&str, u64> = list
        .split(',')
        .filter_map(|entry| {
            let (name, version) = entry.trim().rsplit_once(' ')?;
            Some((name.trim_matches('`'), version.parse().ok()?))
        })
        .collect();
    let workspace = Workspace::new("");
    let standard = taster_standard_probes::names().iter().map(|name| {
        let inspected = workspace.taster(&["probe", "inspect", name, "--format", "json"]);
        (*name, inspected.json()["results"].as_u64().expect("a version of results"))
    });
    let standard: BTreeMap<&str, u64> = standard.collect();
    assert_eq!(listed, standard);
}

/// The stores of earlier releases, a folder each.
fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/releases")
}

/// The folder of each release, with its name.
fn release_folders() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(releases()).expect("releases").map(|entry| entry.expect("a release").path());
    let named = folders.map(|folder| (folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), folder));
    let folders: Vec<(String, PathBuf)> = named.collect();
    assert!(!folders.is_empty());
    folders
}

/// Copies the store of a release into a workspace.
fn copy_store(release: &Path, workspace: &Workspace) {
    let copied = Command::new("cp").arg("-a").arg(release.join("results")).arg(workspace.path()).status();
    assert!(copied.expect("cp runs").success());
}

/// The configuration with which each release is recorded.
fn configuration() -> String {
    let census =
        "{name: census, component: census, collections: [orders], config: {detail: fields, values: true, sample: 1}}";
    let counts = "{name: counts, component: document-count, collections: [orders]}";
    format!("{SHOP}probes:\n  - {census}\n  - {counts}\n")
}

/// Records what a release leaves in its store: a run in which nothing changed, and one in which an order was lost and another
/// one changed. `TASTER_RECORD_RELEASE=0.2.0` does this, before that release.
async fn record(release: &str) {
    let shop = ShopDatabase::standalone(40).await;
    let workspace = shop.workspace();
    workspace.configure(&configuration());
    for run in ["same", "lost"] {
        assert_eq!(workspace.taster(&["pre", "--run", run]).code, 0);
        if run == "lost" {
            assert_eq!(shop.lose(doc! {"number": 100_003}).await, 1);
            let orders = shop.database.collection::<Document>("orders");
            orders.update_one(doc! {"number": 100_004}, doc! {"$set": {"status": "eaten"}}).await.expect("an update");
        }
        assert_eq!(workspace.taster(&["post", "--run", run]).code, i32::from(run == "lost"));
    }
    let folder = releases().join(release);
    fs::create_dir_all(&folder).expect("a folder");
    let copied = Command::new("cp").arg("-a").arg(workspace.path().join("results")).arg(&folder).status();
    assert!(copied.expect("cp runs").success());
    let left = ["-name", "*.lock", "-o", "-name", "report.*", "-o", "-name", "junit.xml"];
    let removed = Command::new("find").arg(&folder).arg("(").args(left).arg(")").arg("-delete").status();
    assert!(removed.expect("find runs").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_of_every_release_are_judged_as_they_were() {
    if let Ok(release) = env::var("TASTER_RECORD_RELEASE") {
        record(&release).await;
    }
    for (release, folder) in release_folders() {
        let workspace = Workspace::new("");
        copy_store(&folder, &workspace);
        let judged = |run: &str| {
            let compared =
                workspace.taster(&["compare", "--run", run, "--store", "file://./results", "--format", "json"]);
            compared.json()
        };
        let same = judged("same");
        assert_eq!(
            (&same["verdict"], &same["before"]["probes"][0]["name"]),
            (&"same".into(), &"census".into()),
            "{release}"
        );
        let lost = judged("lost");
        assert_eq!(lost["verdict"], "different", "{release}");
        let findings = lost["findings"].as_array().expect("findings");
        let census = findings.iter().find(|finding| finding["probe"] == "census").expect("a census");
        let count = |kind: &str| census["documents"][kind]["count"].as_u64();
        assert_eq!((count("missing"), count("changed"), count("extra")), (Some(1), Some(1), Some(0)), "{release}");
    }
}

/// Changes a stored document. Its last key is the digest of all others, indented as they are stored.
fn rewrite(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let bytes = fs::read(path).expect("a document");
    let mut document: Map<String, Value> = serde_json::from_slice(&bytes).expect("JSON");
    document.remove("checksum").expect("a checksum");
    change(&mut document);
    let digest = Sha256::digest(serde_json::to_vec_pretty(&document).expect("JSON"));
    document.insert("checksum".to_owned(), format!("sha256:{}", hex::encode(digest)).into());
    fs::write(path, serde_json::to_string_pretty(&document).expect("JSON") + "\n").expect("a file");
}

/// The last run of every recorded store, whose baseline is the open one.
const LAST: &str = "lost";

/// What identifies the server of today, as a capture and a baseline store it.
struct Identity {
    server: Value,
    copy: Value,
}

impl Identity {
    fn of_today(shop: &ShopDatabase) -> Self {
        let workspace = shop.workspace();
        workspace.configure(&configuration());
        let server = workspace.taster(&["pre", "--format", "json"]).json()["server"].clone();
        let copy = workspace.taster(&["baseline", "show", "--format", "json"]).json()["baseline"]["copy"].clone();
        assert!(server["process_id"].is_string() && copy["process_id"] == server["process_id"], "{server} {copy}");
        Self { server, copy }
    }
}

/// Takes a recorded store back to where the `pre` of its last run left it. Returns when that run began.
fn take_back_to_pre(workspace: &Workspace, identity: &Identity) -> Value {
    let app = workspace.path().join("results/v1/pxbbq");
    fs::remove_dir_all(app.join("same")).expect("another run");
    fs::remove_dir_all(app.join(LAST).join("post")).expect("its `post`");
    fs::remove_file(app.join(LAST).join("verdict.json")).expect("its verdict");
    let capture = app.join(LAST).join("pre/capture.json");
    // A copy of the data is known by its server: by the process, and by the starts that its files list. The server of the
    // recording is gone: with its identity, the verdict would be `copy-replaced`. The rest is as the release stored it.
    rewrite(&capture, |capture| {
        for name in ["process_id", "members"] {
            capture["server"][name] = identity.server[name].clone();
        }
    });
    rewrite(&app.join("current.json"), |current| {
        current["last"].as_object_mut().expect("a run").remove("verdict");
        let baseline = current["baseline"].as_object_mut().expect("a baseline");
        baseline.retain(|key, _| !key.starts_with("judged"));
        baseline["copy"] = identity.copy.clone();
    });
    let capture: Value = serde_json::from_slice(&fs::read(capture).expect("a capture")).expect("JSON");
    capture["started"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_of_every_release_is_compared_with_the_database_of_today() {
    // with the data of the recording
    let shop = ShopDatabase::standalone(40).await;
    let identity = Identity::of_today(&shop);
    let orders = shop.database.collection::<Document>("orders");
    for (release, folder) in release_folders() {
        let judged = |expected: &str| {
            let workspace = shop.workspace();
            workspace.configure(&configuration());
            copy_store(&folder, &workspace);
            let started = take_back_to_pre(&workspace, &identity);
            let shown = workspace.taster(&["baseline", "show", "--format", "json"]);
            assert_eq!(shown.json()["baseline"]["run"], LAST, "{release}: {}", shown.all());
            let post = workspace.taster(&["post", "--run", LAST, "--format", "json"]);
            let document = post.json();
            assert_eq!(document["verdict"], expected, "{release}: {}", post.all());
            assert_eq!((&document["before"]["run"], &document["before"]["started"]), (&LAST.into(), &started));
            let open = workspace.taster(&["baseline", "show", "--format", "json"]).json()["baseline"].clone();
            assert_eq!(open.is_null(), expected == "same", "{release}: {open}");
            document
        };
        let same = judged("same");
        let findings = same["findings"].as_array().expect("findings");
        for probe in ["census", "counts"] {
            assert!(findings.iter().any(|f| f["probe"] == probe && f["outcome"] == "same"), "{release}: {same}");
        }
        let order = orders.find_one_and_delete(doc! {"number": 100_003}).await.expect("a delete").expect("an order");
        let lost = judged("different");
        let findings = lost["findings"].as_array().expect("findings");
        let census = findings.iter().find(|finding| finding["probe"] == "census").expect("a census");
        let count = |kind: &str| census["documents"][kind]["count"].as_u64();
        assert_eq!((count("missing"), count("changed"), count("extra")), (Some(1), Some(0), Some(0)), "{release}");
        orders.insert_one(order).await.expect("the order comes back");
    }
}
