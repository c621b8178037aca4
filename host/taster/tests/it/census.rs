//! Censuses from end to end: which documents became what, by name, and what becomes of a census that is not what it was.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;
use taster_testkit::mongod::Flavour;

use crate::{
    crashes::{self, Loss, code, committed, fine},
    support::{CommandOutput, SHOP, ShopDatabase, Workspace},
};

const CENSUS: &str = "probes:\n  - {name: documents, component: census, collections: [orders, registrations]}\n";

fn workspace(shop: &ShopDatabase) -> Workspace {
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}{CENSUS}"));
    workspace
}

/// The finding about a collection's documents.
fn finding(verdict: &Value, collection: &str) -> Value {
    let findings = verdict["findings"].as_array().expect("findings");
    let found = findings.iter().find(|f| f["metric"] == "documents" && f["labels"]["collection"] == collection);
    found.unwrap_or_else(|| panic!("nothing about {collection}: {verdict:#}")).clone()
}

/// The ids that a finding names, as text.
fn ids(finding: &Value, kind: &str) -> BTreeSet<String> {
    let set = &finding["documents"][kind];
    let ids: BTreeSet<String> = set["ids"].as_array().expect("ids").iter().map(Value::to_string).collect();
    assert_eq!(set["count"], ids.len(), "{finding:#}");
    ids
}

fn id(document: &Document) -> String {
    document.get("_id").cloned().map(Bson::into_canonical_extjson).expect("an id").to_string()
}

async fn some(shop: &ShopDatabase, limit: i64) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let orders = shop.database.collection::<Document>("orders");
    let found = orders.find(doc! {}).sort(doc! {"number": 1}).limit(limit).await.expect("orders");
    found.try_collect().await.expect("orders")
}

/// Removes two orders, changes a third and adds one; says which, in this order.
async fn meddle(shop: &ShopDatabase) -> [BTreeSet<String>; 3] {
    let orders = shop.database.collection::<Document>("orders");
    let some = some(shop, 3).await;
    for gone in &some[..2] {
        shop.lose(doc! {"_id": gone.get("_id").expect("an id")}).await;
    }
    let changed = doc! {"_id": some[2].get("_id").expect("an id")};
    orders.update_one(changed, doc! {"$set": {"status": "eaten"}}).await.expect("an update");
    orders.insert_one(doc! {"_id": "another", "status": "open"}).await.expect("an insert");
    [some[..2].iter().map(id).collect(), BTreeSet::from([id(&some[2])]), BTreeSet::from([r#""another""#.to_owned()])]
}

fn assert_named(ended: &CommandOutput, [missing, changed, extra]: &[BTreeSet<String>; 3]) {
    assert_eq!(ended.code, 1, "{}", ended.all());
    let verdict = ended.json();
    let orders = finding(&verdict, "orders");
    assert_eq!(orders["outcome"], "different", "{orders:#}");
    assert_eq!((&ids(&orders, "missing"), &ids(&orders, "changed"), &ids(&orders, "extra")), (missing, changed, extra));
    let registrations = finding(&verdict, "registrations");
    assert_eq!(registrations["outcome"], "same", "{registrations:#}");
}

/// The censuses that a run stored before the sync, by collection.
fn stored(workspace: &Workspace, run: &str) -> [PathBuf; 2] {
    let pre = workspace.path().join(format!("results/v1/pxbbq/{run}/pre"));
    let attempts = fs::read_dir(&pre).expect("a folder").map(|entry| entry.expect("an entry").path());
    let attempts: Vec<PathBuf> = attempts.filter(|path| path.is_dir()).collect();
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    ["orders", "registrations"].map(|collection| attempt.join(format!("pxbbq.{collection}.census")))
}

async fn documents_are_named(flavour: Flavour) {
    let shop = ShopDatabase::open(flavour, 500).await;
    let workspace = workspace(&shop);
    fine(&workspace, &["pre", "--run", "a"]);
    fine(&workspace, &["post", "--run", "a"]);
    fine(&workspace, &["pre", "--run", "b"]);
    let meddled = meddle(&shop).await;
    assert_named(&workspace.taster(&["post", "--run", "b", "--format", "json"]), &meddled);
    // judged again, from the store and from the files, it is the same
    assert_named(&workspace.taster(&["compare", "--run", "b", "--format", "json"]), &meddled);
    assert_named(
        &workspace.taster(&["compare", "--format", "json", &capture(&workspace, "pre"), &capture(&workspace, "post")]),
        &meddled,
    );
    let report = workspace.taster(&["show", "b", "--format", "markdown"]);
    for id in meddled.iter().flatten() {
        let plain: Value = serde_json::from_str(id).expect("JSON");
        let shown = plain["$oid"].as_str().or(plain.as_str()).expect("an id");
        assert!(report.out.contains(shown), "{shown} is in the report: {}", report.out);
    }
    // the key is stored in the capture and must not be in reports
    assert!(!report.all().contains("census_key"));
}

/// The capture file of run `b`.
fn capture(workspace: &Workspace, side: &str) -> String {
    let folder = workspace.path().join("results/v1/pxbbq/b").join(side);
    let found = files(&folder).into_iter().find(|path| path.ends_with("capture.json"));
    found.expect("a capture").to_str().expect("text").to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_each_document_is_named_on_a_standalone_server() {
    documents_are_named(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_each_document_is_named_on_a_replica_set() {
    documents_are_named(Flavour::ReplicaSet).await;
}

fn assert_unreadable(ended: &CommandOutput, collection: &str) {
    assert_eq!(ended.code, 3, "{}", ended.all());
    let verdict = ended.json();
    let finding = finding(&verdict, collection);
    assert_eq!(
        (&finding["outcome"], &finding["code"]),
        (&"unknown".into(), &"census-unreadable".into()),
        "{finding:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_that_is_not_what_was_written_is_unknown() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = workspace(&shop);
    fine(&workspace, &["pre", "--run", "b"]);
    fine(&workspace, &["post", "--run", "b"]);
    let [orders, registrations] = stored(&workspace, "b");
    let whole = fs::read(&orders).expect("a census");
    let compare = || workspace.taster(&["compare", "--run", "b", "--format", "json"]);
    let (pre, post) = (capture(&workspace, "pre"), capture(&workspace, "post"));
    let of_files = || workspace.taster(&["compare", "--format", "json", &pre, &post]);
    // a byte here and there
    for at in (0..whole.len()).step_by((whole.len() / 16).max(1)) {
        let mut altered = whole.clone();
        altered[at] ^= 0x20;
        fs::write(&orders, altered).expect("written");
        assert_unreadable(&compare(), "orders");
    }
    assert_unreadable(&of_files(), "orders");
    fs::write(&orders, &whole[..whole.len() - 1]).expect("written");
    assert_unreadable(&compare(), "orders");
    fs::copy(&registrations, &orders).expect("swapped");
    assert_unreadable(&compare(), "orders");
    assert_unreadable(&of_files(), "orders");
    fs::remove_file(&orders).expect("removed");
    assert_unreadable(&compare(), "orders");
    let missing = of_files();
    assert_unreadable(&missing, "orders");
    let reason = finding(&missing.json(), "orders")["reason"].to_string();
    assert!(reason.contains(orders.to_str().expect("text")), "the file is named: {reason}");
    // and a sync that is tasted after the damage; the other census counts as ever
    let later = workspace.taster(&["post", "--run", "b", "--format", "json"]);
    assert_unreadable(&later, "orders");
    assert_eq!(finding(&later.json(), "registrations")["outcome"], "same");
    fs::write(&orders, &whole).expect("written");
    fine(&workspace, &["compare", "--run", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_that_dies_over_its_censuses_leaves_nothing_that_counts() {
    let shop = ShopDatabase::replica_set(200).await;
    let loss = Loss::of(&shop).await;
    let mut seen = Vec::new();
    for place in 1.. {
        let workspace = workspace(&shop);
        let Some(at) = crashes::killed(&workspace, place, &["pre", "--run", "a"]) else { break };
        loss.happens(&shop).await;
        let known = committed(&workspace, "a");
        let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
        assert_eq!(post.code, if known { 1 } else { 3 }, "killed at {at}: {}", post.all());
        if known {
            let missing = ids(&finding(&post.json(), "orders"), "missing");
            assert!(!missing.is_empty(), "killed at {at}");
        }
        // `pre` again under the same name succeeds
        let again = code(&workspace, &["pre", "--run", "a"]);
        assert_eq!(again, 0, "killed at {at}");
        loss.is_reinserted(&shop).await;
        seen.push((at, known));
    }
    println!("pre was killed at {} places: {seen:?}", seen.len());
    let stored = seen.iter().filter(|(at, _)| at == "census: stored");
    assert_eq!(stored.map(|(_, known)| *known).collect::<Vec<_>>(), [false, false], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_dies_over_its_censuses_never_forgets_a_loss() {
    let shop = ShopDatabase::replica_set(200).await;
    let loss = Loss::of(&shop).await;
    let mut places = 0;
    for place in 1.. {
        let workspace = workspace(&shop);
        fine(&workspace, &["pre", "--run", "a"]);
        loss.happens(&shop).await;
        let at = crashes::killed(&workspace, place, &["post", "--run", "a"]);
        let again = workspace.taster(&["post", "--run", "a", "--format", "json"]);
        assert_eq!(again.code, 1, "killed at {at:?}: {}", again.all());
        loss.is_reinserted(&shop).await;
        if at.is_none() {
            break;
        }
        fine(&workspace, &["post", "--run", "a"]);
        places = place;
    }
    assert!(places > 30, "{places} places");
}

/// What a store cannot keep, no verdict can rest on.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_take_a_census_ends_the_command() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = workspace(&shop);
    let run = workspace.path().join("results/v1/pxbbq/a");
    fs::create_dir_all(&run).expect("a folder");
    fs::write(run.join("pre"), "in the way").expect("a file");
    let pre = workspace.taster(&["pre", "--run", "a"]);
    assert_eq!(pre.code, 4, "{}", pre.all());
    assert!(pre.err.contains("T0404") && pre.err.contains("pxbbq.orders.census"), "{}", pre.err);
    fs::remove_file(run.join("pre")).expect("removed");
    fine(&workspace, &["pre", "--run", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_declared_is_proven_document_by_document() {
    let shop = ShopDatabase::replica_set(300).await;
    let workspace = shop.workspace();
    let change = "changes:\n  - {collection: orders, addedField: archived, type: bool, reason: \"v4.3\"}\n";
    workspace.configure(&format!("{SHOP}{CENSUS}{change}"));
    fine(&workspace, &["pre", "--run", "a"]);
    // a declared change that did not happen is a finding
    assert_ne!(code(&workspace, &["post", "--run", "a"]), 0);
    let orders = shop.database.collection::<Document>("orders");
    orders.update_many(doc! {}, doc! {"$set": {"archived": false}}).await.expect("an update");
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert_eq!(finding(&post.json(), "orders")["outcome"], "expected");

    fine(&workspace, &["pre", "--run", "b"]);
    orders.update_one(doc! {}, doc! {"$set": {"status": "eaten"}}).await.expect("an update");
    let post = workspace.taster(&["post", "--run", "b", "--format", "json"]);
    assert_eq!(ids(&finding(&post.json(), "orders"), "changed").len(), 1);
}

/// A collection that comes in between makes every other one the next in line.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_collection_leaves_the_others_comparable() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}probes:\n  - {{name: documents, component: census}}\n"));
    // one collection expires by an index and the others do not: options differ from one to the next
    let keys = doc! {"created": 1};
    let expires = mongodb::options::IndexOptions::builder().expire_after(Duration::from_hours(24 * 365 * 50)).build();
    let index = mongodb::IndexModel::builder().keys(keys).options(expires).build();
    shop.database.collection::<Document>("registrations").create_index(index).await.expect("an index");
    fine(&workspace, &["pre", "--run", "a"]);
    shop.database.collection("aprons").insert_one(doc! {"size": 3}).await.expect("an insert");
    let lost = shop.lose(doc! {"number": {"$mod": [10, 0]}}).await;
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]).json();
    assert_eq!(finding(&post, "registrations")["outcome"], "same", "{post:#}");
    assert_eq!(ids(&finding(&post, "orders"), "missing").len() as u64, lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_census_of_a_moment_is_the_same_twice() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = workspace(&shop);
    fine(&workspace, &["pre", "--run", "a", "--twice"]);
    assert_eq!(stored(&workspace, "a").iter().filter(|path| path.exists()).count(), 2);
    let objects = files(&workspace.path().join("results/v1/pxbbq/a"));
    assert_eq!(objects.len(), 3, "one of the two is kept: {objects:?}");
    fine(&workspace, &["post", "--run", "a", "--twice"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_another_secret_nothing_is_compared() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = shop.workspace();
    let redact = |secret: &str| format!("{SHOP}{CENSUS}redact: {{ids: true, secret: {secret}}}\n");
    workspace.configure(&redact("0123456789abcdef"));
    fine(&workspace, &["pre", "--run", "a"]);
    fine(&workspace, &["post", "--run", "a"]);
    fine(&workspace, &["pre", "--run", "b"]);
    let meddled = meddle(&shop).await;
    let post = workspace.taster(&["post", "--run", "b", "--format", "json"]);
    let orders = finding(&post.json(), "orders");
    assert_eq!(ids(&orders, "missing").len(), 2);
    for id in meddled.iter().flatten() {
        assert!(!post.out.contains(id), "{id} was redacted: {orders:#}");
    }
    workspace.configure(&redact("fedcba9876543210"));
    let post = workspace.taster(&["post", "--run", "b", "--format", "json"]);
    assert_eq!(post.code, 3, "{}", post.all());
    assert_eq!(finding(&post.json(), "orders")["code"], "not-comparable", "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_takes_a_census_can_be_tried() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = Workspace::new("");
    let uri = shop.uri();
    let run = ["probe", "run", "census", "--mongodb", &uri, "--collection", "orders"];
    let ended = workspace.taster(&run);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(ended.out.contains("100 documents"), "{}", ended.out);
    let twice = workspace.taster(&[&run[..], &["--twice", "--format", "json"]].concat());
    assert_eq!(twice.json()["censuses"][0]["documents"], 100, "{}", twice.all());
    assert!(files(workspace.path()).is_empty(), "nothing is kept");
}
