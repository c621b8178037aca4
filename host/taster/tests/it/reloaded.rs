//! A staging database that is dropped and loaded in place is another copy for the next `pre`, and never for `post`.

use mongodb::bson::{DateTime, Document, doc};
use taster_demo::Shop;
use taster_testkit::mongod::Flavour;

use crate::support::{CommandOutput, SHOP, ShopDatabase, Workspace};

const ORDERS: u64 = 300;

async fn open(flavour: Flavour) -> (ShopDatabase, Workspace) {
    let shop = ShopDatabase::open(flavour, ORDERS).await;
    add_special_collections(&shop).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    (shop, workspace)
}

/// A capped and a time-series collection. The shop itself has a view.
async fn add_special_collections(shop: &ShopDatabase) {
    let capped = doc! {"create": "journal", "capped": true, "size": 65536};
    let series = doc! {"create": "temperatures", "timeseries": {"timeField": "at", "metaField": "grill"}};
    for create in [capped, series] {
        shop.database.run_command(create).await.expect("a collection");
    }
    let insert = async |name: &str, document: Document| {
        shop.database.collection::<Document>(name).insert_one(document).await.expect("a document");
    };
    insert("journal", doc! {"_id": 1, "line": "opened"}).await;
    let at = DateTime::from_millis(1_700_000_000_000);
    insert("temperatures", doc! {"_id": 1, "at": at, "grill": 1, "celsius": 120}).await;
}

/// Drops the database, as a script of one's own does, and loads it.
async fn load_anew(shop: &ShopDatabase) {
    shop.database.drop().await.expect("a drop");
    load(shop).await;
}

/// Drops every collection and loads it, as `mongorestore --drop` does.
async fn load_each_anew(shop: &ShopDatabase) {
    for name in shop.database.list_collection_names().await.expect("names") {
        if !name.starts_with("system.") {
            shop.database.collection::<Document>(&name).drop().await.expect("a drop");
        }
    }
    load(shop).await;
}

async fn load(shop: &ShopDatabase) {
    let client = shop.mongod.client().await.expect("a client");
    Shop::with_orders(ORDERS).load(&client, |_, _| {}).await.expect("the shop loads");
    add_special_collections(shop).await;
}

/// Not all of them: the view of open orders must not be empty on both sides.
fn some_open() -> Document {
    doc! {"status": "open", "number": {"$mod": [2, 0]}}
}

/// Loads one collection anew and leaves the others.
async fn load_one_anew(shop: &ShopDatabase, name: &str) {
    use futures_util::TryStreamExt;
    let collection = shop.database.collection::<Document>(name);
    let documents: Vec<Document> =
        collection.find(doc! {}).await.expect("documents").try_collect().await.expect("documents");
    collection.drop().await.expect("a drop");
    collection.insert_many(&documents).await.expect("they come back");
}

fn pre(workspace: &Workspace, arguments: &[&str]) -> CommandOutput {
    let ended = workspace.taster(&[&["pre"], arguments].concat());
    assert_eq!(ended.code, 0, "{}", ended.all());
    ended
}

/// Its text without line breaks.
fn words(ended: &CommandOutput) -> String {
    ended.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn post(workspace: &Workspace, run: &str, expected: i32) {
    let ended = workspace.taster(&["post", "--run", run]);
    assert_eq!(ended.code, expected, "{}", ended.all());
}

fn baseline(workspace: &Workspace) -> String {
    let shown = workspace.taster(&["baseline", "show", "--format", "json"]).json();
    shown["baseline"]["run"].as_str().unwrap_or("none").to_owned()
}

const NEW: &str = "new, because every collection was dropped and created again since";

async fn the_next_pre_takes_a_new_baseline(flavour: Flavour) {
    let (shop, workspace) = open(flavour).await;
    pre(&workspace, &["--run", "a"]);
    shop.lose(some_open()).await;
    post(&workspace, "a", 1);
    load_anew(&shop).await;
    let ended = pre(&workspace, &["--run", "b"]);
    assert!(ended.out.replace("\n ", "").contains(NEW), "{}", ended.out);
    assert_eq!(baseline(&workspace), "b");
    post(&workspace, "b", 0);
    // without a verdict, and without a name
    pre(&workspace, &["--run", "c"]);
    load_each_anew(&shop).await;
    pre(&workspace, &[]);
    assert_ne!(baseline(&workspace), "c");
    // the new baseline is one: what is lost now is found
    shop.lose(some_open()).await;
    let post = workspace.taster(&["post"]);
    assert_eq!(post.code, 1, "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_load_the_next_pre_takes_a_new_baseline() {
    the_next_pre_takes_a_new_baseline(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_load_on_a_replica_set_the_next_pre_takes_a_new_baseline() {
    the_next_pre_takes_a_new_baseline(Flavour::ReplicaSet).await;
}

async fn an_upgrade_that_loads_everything_anew(flavour: Flavour) {
    let (shop, workspace) = open(flavour).await;
    pre(&workspace, &["--run", "a"]);
    load_anew(&shop).await;
    shop.lose(some_open()).await;
    // the retry of the same deployment keeps its capture
    let again = pre(&workspace, &["--run", "a"]);
    assert!(again.err.contains("every collection was dropped and created again"), "{}", again.all());
    post(&workspace, "a", 1);
    // nor does the next sync forget the loss
    let next = pre(&workspace, &["--run", "b"]);
    assert!(words(&next).contains("run a has seen the new ones"), "{}", next.out);
    assert_eq!(baseline(&workspace), "a");
    post(&workspace, "b", 1);
    pre(&workspace, &["--run", "c"]);
    assert_eq!(baseline(&workspace), "a");
    // loaded once more, by hand this time
    load_anew(&shop).await;
    pre(&workspace, &["--run", "d"]);
    assert_eq!(baseline(&workspace), "d");
    post(&workspace, "d", 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_loads_everything_anew_is_judged_by_content() {
    an_upgrade_that_loads_everything_anew(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_loads_a_replica_set_anew_is_judged_by_content() {
    an_upgrade_that_loads_everything_anew(Flavour::ReplicaSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_ended_half_way_is_not_another_copy() {
    a_load_that_ended_half_way(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_of_a_replica_set_that_ended_half_way_is_not_another_copy() {
    a_load_that_ended_half_way(Flavour::ReplicaSet).await;
}

async fn a_load_that_ended_half_way(flavour: Flavour) {
    let (shop, workspace) = open(flavour).await;
    pre(&workspace, &["--run", "a"]);
    shop.lose(some_open()).await;
    // all but one
    let names = shop.database.list_collection_names().await.expect("names");
    let ordinary = names.iter().filter(|name| !name.starts_with("system.") && *name != "open_orders");
    for name in ordinary.filter(|name| !["journal", "temperatures"].contains(&name.as_str())) {
        load_one_anew(&shop, name).await;
    }
    let noticed = words(&pre(&workspace, &["--run", "b"]));
    assert_eq!(baseline(&workspace), "a", "the capped and the time-series collection are the old ones: {names:?}");
    let part = "dropped and created again since the baseline, journal, temperatures were not; the baseline stays. If the \
                database was loaded anew by hand: `taster baseline drop";
    assert!(noticed.contains(part), "{noticed}");
    let judged = workspace.taster(&["post", "--run", "b"]);
    assert_eq!(judged.code, 1, "{}", judged.all());
    let next = "or, if the database was loaded anew by hand, `taster baseline drop --reason";
    assert!(words(&judged).contains(next), "{}", judged.out);
    // one is not there yet
    load_anew(&shop).await;
    shop.database.collection::<Document>("journal").drop().await.expect("a drop");
    let noticed = words(&pre(&workspace, &["--run", "c"]));
    assert!(noticed.contains("since the baseline, journal was not; the baseline stays"), "{noticed}");
    assert_eq!(baseline(&workspace), "a");
    // live data are never another copy
    workspace.configure(&SHOP.replace("  database", "  data: live\n  database"));
    load_anew(&shop).await;
    let noticed = words(&pre(&workspace, &["--run", "d"]));
    assert!(!noticed.contains("created again"), "{noticed}");
    assert_eq!(baseline(&workspace), "a");
}
