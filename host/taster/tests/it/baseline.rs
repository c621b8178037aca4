//! What a run is judged against: never damage against damage, never another place, never a capture of long ago.

use mongodb::bson::{Document, doc};

use crate::support::{Kitchen, SHOP, Table};

fn verdict(table: &Table, arguments: &[&str], expected: &str) {
    let ended = table.taster(&[&["post", "--format", "json"], arguments].concat());
    assert_eq!(ended.json()["verdict"], expected, "{}", ended.all());
}

fn pre(table: &Table, arguments: &[&str]) {
    let ended = table.taster(&[&["pre"], arguments].concat());
    assert_eq!(ended.code, 0, "{}", ended.all());
}

/// Half of the open orders, which can be put back.
async fn some_orders(kitchen: &Kitchen) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let filter = doc! {"status": "open", "number": {"$mod": [2, 0]}};
    let orders = kitchen.database.collection::<Document>("orders");
    let found: Vec<Document> = orders.find(filter).await.expect("orders").try_collect().await.expect("orders");
    assert!(!found.is_empty());
    found
}

async fn remove(kitchen: &Kitchen, documents: &[Document]) {
    for document in documents {
        kitchen.lose(doc! {"_id": document.get("_id").expect("an id")}).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_stands_until_the_data_are_back_and_is_not_forgotten_afterwards() {
    let kitchen = Kitchen::open(false, 400).await;
    let table = kitchen.table();
    table.configure(SHOP);
    let orders = some_orders(&kitchen).await;
    pre(&table, &["--run", "a"]);
    remove(&kitchen, &orders).await;
    // the sync is tried again, on the damaged copy
    pre(&table, &["--run", "b"]);
    verdict(&table, &["--run", "b"], "different");
    kitchen.database.collection::<Document>("orders").insert_many(&orders).await.expect("the orders come back");
    verdict(&table, &["--run", "b"], "same");
    // the baseline is closed; the run's own capture is of the damaged copy, and must not be what counts now
    remove(&kitchen, &orders).await;
    verdict(&table, &["--run", "b"], "different");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_comes_twice_says_the_same_twice() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    table.configure(SHOP);
    pre(&table, &[]);
    verdict(&table, &[], "same");
    verdict(&table, &[], "same");
    let runs = table.taster(&["runs", "--format", "json"]).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_in_which_a_probe_failed_holds_nobody_up() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    let probes = |limit: u32| {
        format!("{SHOP}probes:\n  - {{name: shape, component: schema-shape, limits: {{documents: {limit}}}}}\n")
    };
    table.configure(&probes(2));
    let spoilt = table.taster(&["pre"]);
    assert_eq!(spoilt.code, 3, "{}", spoilt.all());
    assert!(spoilt.out.contains("probes[shape].limits.documents"), "{}", spoilt.out);
    table.configure(&probes(100_000));
    pre(&table, &[]);
    verdict(&table, &[], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_is_unknown() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    table.configure(SHOP);
    pre(&table, &[]);
    let other = kitchen.mongod.client().await.expect("a client").database("backup");
    other.collection::<Document>("orders").insert_one(doc! {"a": 1}).await.expect("a document");
    table.configure(&SHOP.replace("database: pxbbq", "database: backup"));
    let post = table.taster(&["post"]);
    assert_ne!(post.code, 0, "{}", post.all());
    assert!(
        post.out.contains("the captures are of different databases: `pxbbq` before, `backup` after"),
        "{}",
        post.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_was_never_there_proves_nothing() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    table.configure(&format!(
        "{SHOP}probes:\n  - {{name: indexes, component: index-inventory, collections: [ordesr]}}\n"
    ));
    table.taster(&["pre"]);
    let post = table.taster(&["post"]);
    assert_eq!(post.code, 3, "{}", post.all());
    assert!(post.out.contains("ordesr"), "{}", post.out);
    assert!(post.out.contains("No probe covers: menu"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_does_not_begin_again() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    table.configure(SHOP);
    pre(&table, &["--run", "rev1"]);
    verdict(&table, &["--run", "rev1"], "same");
    let again = table.taster(&["pre", "--run", "rev1"]);
    assert_eq!(again.code, 4, "{}", again.all());
    assert!(again.err.contains("T0617"), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_shown_without_a_configuration() {
    let kitchen = Kitchen::open(false, 300).await;
    let table = kitchen.table();
    let uri = kitchen.uri();
    pre(&table, &["--mongodb", &uri]);
    verdict(&table, &["--mongodb", &uri], "same");
    for arguments in [&["show"][..], &["runs"], &["compare"]] {
        let ended = table.taster(arguments);
        assert_eq!(ended.code, 0, "{}", ended.all());
    }
}
