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

use crate::{
    redaction::files,
    support::{SHOP, ShopDatabase, Workspace, component},
};

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

const CHANGELOG: &str = include_str!("../../../../CHANGELOG.md");

/// The versions of the results of the standard probes, as the first list of these lines of the changelog has them.
fn listed(lines: &str) -> Option<BTreeMap<&str, u64>> {
    let (_, list) = lines.split_once("### Results of the standard probes\n")?;
    let entries = list.split('#').next().unwrap_or_default().split(',').filter_map(|entry| {
        let (name, version) = entry.trim().rsplit_once(' ')?;
        Some((name.trim_matches('`'), version.parse().ok()?))
    });
    Some(entries.collect())
}

/// The section of the changelog of a release.
fn section_of(release: &str) -> Option<&'static str> {
    let mut sections = CHANGELOG.split("\n## [").skip(1).filter_map(|section| section.split_once(']'));
    sections.find(|(name, _)| name.eq_ignore_ascii_case(release)).map(|(_, section)| section)
}

#[test]
fn the_changelog_lists_the_results_of_every_standard_probe() {
    let workspace = Workspace::new("");
    let standard = taster_standard_probes::names().iter().map(|name| {
        let inspected = workspace.taster(&["probe", "inspect", name, "--format", "json"]);
        (*name, inspected.json()["results"].as_u64().expect("a version of results"))
    });
    let standard: BTreeMap<&str, u64> = standard.collect();
    assert_eq!(listed(CHANGELOG), Some(standard));
}

#[test]
fn the_changelog_lists_the_results_that_every_release_recorded() {
    for (release, folder) in release_folders() {
        let listed = section_of(&release).and_then(listed);
        let listed =
            listed.unwrap_or_else(|| panic!("the changelog has no list of results in its section [{release}]"));
        let files = files(&folder.join("results/v1/pxbbq"));
        let captures: Vec<_> = files.iter().filter(|(path, _)| path.ends_with("capture.json")).collect();
        assert_eq!(captures.len(), 4, "two runs with two sides: {:?}", files.keys());
        for (path, capture) in captures {
            let capture: Value = serde_json::from_slice(capture).expect("JSON");
            for probe in capture["probes"].as_array().expect("probes") {
                let recorded = &probe["results"];
                let name = recorded["probe"].as_str().expect("the name of a standard probe");
                assert_eq!(listed.get(name).copied(), recorded["version"].as_u64(), "{}: {name}", path.display());
            }
        }
    }
}

/// The stores of earlier releases, a folder each, with the configuration that recorded them. `unreleased` was recorded by the
/// tree that the section `[Unreleased]` of the changelog describes: 0.1.0 stored no versions of results. When that section
/// gets the name of a release, so does the folder.
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

/// The last run of every recorded store, whose baseline is the open one.
const LAST: &str = "lost";

/// Copies the store of a release into a workspace.
fn copy_store(release: &Path, workspace: &Workspace) {
    let copied = Command::new("cp").arg("-a").arg(release.join("results")).arg(workspace.path()).status();
    assert!(copied.expect("cp runs").success());
}

/// The configuration with which the next release is recorded: every standard probe, on two collections. A release that is
/// recorded already keeps its own, because other options are other measurements.
fn configuration() -> String {
    let probes = "probes:
  - {name: census, component: census, collections: [orders, menu], config: {detail: fields, values: true, sample: 1}}
  - {name: counts, component: document-count, collections: [orders, menu]}
  - {name: indexes, component: index-inventory, collections: [orders, menu]}
  - {name: shape, component: schema-shape, collections: [orders, menu]}
  - name: keys
    component: duplicate-keys
    collections: [orders, menu]
    config: {keys: {orders: [[number]], menu: [[name]]}}
  - {name: dishes, component: reference-check, collections: {parent: menu, child: [orders]}, config: {field: items.sku}}
  - name: sales
    component: group-report
    collections: [orders, menu]
    config:
      reports:
        - {name: orders, collection: orders, groupBy: [status], sums: {revenue: total}, max: {created: created}}
        - {name: menu, collection: menu, groupBy: [category], sums: {price: price}}
";
    format!("{SHOP}{probes}")
}

#[test]
fn the_next_release_is_recorded_with_every_standard_probe() {
    let workspace = Workspace::new("mongodb://localhost/pxbbq");
    let configuration = configuration();
    workspace.configure(&configuration);
    let checked = workspace.taster(&["config", "check"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    for name in taster_standard_probes::names() {
        assert!(configuration.contains(&format!("component: {name}")), "{name}");
    }
}

/// Records what a release leaves in its store: a run in which nothing changed, and one in which an order was lost and another
/// one changed. Before the release, when the changelog has its section:
/// `TASTER_RECORD_RELEASE=0.2.0 cargo test -p taster --test it captures_of_every_release`.
async fn record(release: &str) {
    let shop = ShopDatabase::standalone(40).await;
    let workspace = shop.workspace();
    workspace.configure(&configuration());
    for run in ["same", LAST] {
        let pre = workspace.taster(&["pre", "--run", run]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        if run == LAST {
            assert_eq!(shop.lose(doc! {"number": 100_003}).await, 1);
            let orders = shop.database.collection::<Document>("orders");
            orders.update_one(doc! {"number": 100_004}, doc! {"$set": {"status": "eaten"}}).await.expect("an update");
        }
        let post = workspace.taster(&["post", "--run", run]);
        assert_eq!(post.code, i32::from(run == LAST), "{}", post.all());
    }
    let folder = releases().join(release);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("taster.yaml"), configuration()).expect("a file");
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
        assert_eq!(same["verdict"], "same", "{release}");
        assert_every_probe_is_same(&same, &release);
        let lost = judged(LAST);
        assert_eq!(lost["verdict"], "different", "{release}");
        assert_eq!(census_of_orders(&lost), [Some(1), Some(1), Some(0)], "{release}");
    }
}

/// Whichever probes the release recorded.
fn assert_every_probe_is_same(verdict: &Value, release: &str) {
    let findings = verdict["findings"].as_array().expect("findings");
    let probes = verdict["before"]["probes"].as_array().expect("probes");
    assert!(!probes.is_empty(), "{release}");
    for probe in probes {
        let mut of_probe = findings.iter().filter(|finding| finding["probe"] == probe["name"]).peekable();
        assert!(of_probe.peek().is_some(), "{release}: nothing was compared of {probe}");
        assert!(of_probe.all(|finding| finding["outcome"] == "same"), "{release}: {probe} {findings:#?}");
    }
}

/// How many orders are missing, changed and new.
fn census_of_orders(verdict: &Value) -> [Option<u64>; 3] {
    let findings = verdict["findings"].as_array().expect("findings");
    let is_of_orders =
        |f: &&Value| f["probe"] == "census" && f["metric"] == "documents" && f["labels"]["collection"] == "orders";
    let census = findings.iter().find(is_of_orders).expect("a census of the orders");
    ["missing", "changed", "extra"].map(|kind| census["documents"][kind]["count"].as_u64())
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
            workspace.configure(&fs::read_to_string(folder.join("taster.yaml")).expect("its configuration"));
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
        assert_every_probe_is_same(&same, &release);
        let order = orders.find_one_and_delete(doc! {"number": 100_003}).await.expect("a delete").expect("an order");
        let lost = judged("different");
        assert_eq!(census_of_orders(&lost), [Some(1), Some(0), Some(0)], "{release}");
        orders.insert_one(order).await.expect("the order comes back");
    }
}
