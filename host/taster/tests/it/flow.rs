//! `pre` and `post` against a mongod that somebody else started.

use mongodb::bson::{Document, doc};

use crate::support::{Kitchen, Table};

/// The configuration that the book's first page shows, with the store in the test's folder.
fn readme() -> String {
    let text = include_str!("../../../../docs/src/getting-started.md");
    let yaml = text
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the page shows a configuration");
    yaml.replace("file:///var/lib/taster", "file://./results").replace("database: shop", "database: pxbbq")
}

async fn the_readme_holds(replica_set: bool) {
    let kitchen = Kitchen::open(replica_set, 3000).await;
    let table = kitchen.table();
    table.configure(&readme());
    let pre = table.taster(&["pre"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let same = table.taster(&["post", "--format", "json"]);
    // the README's expectations name metrics and labels that are there; one that matched nothing would be a finding
    assert_eq!(same.json()["verdict"], "same", "{}", same.all());
    assert_eq!(same.code, 0);

    assert_eq!(table.taster(&["pre"]).code, 0);
    let lost = kitchen.lose(doc! {"status": "open", "number": {"$mod": [2, 0]}}).await;
    assert!(lost > 0);
    let post = table.taster(&["post", "--format", "json"]);
    assert_eq!(post.code, 1, "{}", post.all());
    let verdict = post.json();
    let finding = verdict["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .find(|f| f["metric"] == "orders.count" && f["labels"]["status"] == "open")
        .expect("a finding about open orders");
    assert_eq!(finding["outcome"], "different");
    let number = |side: &str| finding[side].as_u64().expect("a number");
    assert_eq!(number("before") - number("after"), lost);
    assert!(finding["reason"].as_str().expect("text").contains(&lost.to_string()), "{finding}");
    let read_at = &verdict["after"]["server"]["read_at"];
    assert_eq!(read_at.is_string(), replica_set, "a replica set is read at one cluster time: {read_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_the_readme_works_on_a_standalone_server() {
    the_readme_holds(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_the_readme_works_on_a_replica_set() {
    the_readme_holds(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_configuration_is_needed() {
    let kitchen = Kitchen::open(true, 1000).await;
    let table = kitchen.table();
    let uri = kitchen.uri();
    let pre = table.taster(&["pre", "--mongodb", &uri]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let post = table.taster(&["post", "--mongodb", &uri]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert!(table.path().join(".taster/v1/pxbbq/current.json").exists());

    assert_eq!(table.taster(&["pre", "--mongodb", &uri]).code, 0);
    kitchen.database.collection::<Document>("registrations").drop().await.expect("a drop");
    let post = table.taster(&["post", "--mongodb", &uri]);
    assert_eq!(post.code, 1, "a dropped collection is different: {}", post.all());
    assert!(post.out.contains("registrations"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_listed_shown_compared_and_accepted() {
    let kitchen = Kitchen::open(false, 1000).await;
    let table = kitchen.table();
    table.configure(crate::support::SHOP);
    assert_eq!(table.taster(&["pre", "--run", "one"]).code, 0);
    kitchen.lose(doc! {"status": "open", "number": {"$mod": [2, 0]}}).await;
    let post = table.taster(&["post", "--run", "one"]);
    assert_eq!(post.code, 1, "{}", post.all());
    assert!(post.out.contains("taster accept one"), "the way out is named: {}", post.out);
    assert!(post.out.lines().all(|line| line.chars().count() <= 100), "100 columns:\n{}", post.out);

    let report = post.out.lines().find_map(|line| line.strip_prefix("Report: ")).expect("where the report lies");
    let report = std::fs::read_to_string(report.trim_start_matches("file://")).expect("the report is there");
    assert!(report.contains("different"), "{report}");

    assert_eq!(table.taster(&["show", "one"]).code, 0);
    let again = table.taster(&["compare", "--run", "one"]);
    assert_eq!(again.code, 1, "{}", again.all());
    let junit = table.taster(&["show", "one", "--format", "junit"]);
    assert!(junit.out.contains("<failure"), "{}", junit.out);
    let runs = table.taster(&["runs"]);
    assert!(
        runs.out.contains("one") && runs.out.contains("different") && runs.out.contains("baseline"),
        "{}",
        runs.out
    );

    // a new run of the damaged copy is still judged against the first capture
    assert_eq!(table.taster(&["pre", "--run", "two"]).code, 0);
    let post = table.taster(&["post", "--run", "two"]);
    assert_eq!(post.code, 1, "a new run must not compare damage with damage: {}", post.all());

    let accepted = table.taster(&["accept", "two", "--reason", "orders were test data"]);
    assert_eq!(accepted.code, 0, "{}", accepted.all());
    assert_eq!(table.taster(&["pre", "--run", "three"]).code, 0);
    let post = table.taster(&["post", "--run", "three"]);
    assert_eq!(post.code, 0, "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_capture_files_are_compared_without_a_configuration() {
    let kitchen = Kitchen::open(false, 500).await;
    let table = kitchen.table();
    table.configure(crate::support::SHOP);
    for run in ["before", "after"] {
        let pre = table.taster(&["pre", "--run", run, "--store", &format!("file://./{run}")]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        kitchen.lose(doc! {"number": {"$mod": [5, 0]}}).await;
    }
    let file = |run: &str| format!("{run}/v1/pxbbq/{run}/pre/capture.json");
    std::fs::remove_file(table.path().join("taster.yaml")).expect("removed");
    let same = table.taster(&["compare", &file("before"), &file("before")]);
    assert_eq!(same.code, 4, "one capture compared with itself proves nothing: {}", same.all());
    let different = table.taster(&["compare", &file("before"), &file("after")]);
    assert_eq!(different.code, 1, "{}", different.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_a_configuration_that_works() {
    let kitchen = Kitchen::open(false, 500).await;
    kitchen.database.create_collection("vouchers").await.expect("a collection");
    let table = kitchen.table();
    let init = table.taster(&["init", "--mongodb", &kitchen.uri(), "--store", "file://./results"]);
    assert_eq!(init.code, 0, "{}", init.all());
    let yaml = std::fs::read_to_string(table.path().join("taster.yaml")).expect("the file");
    assert!(yaml.contains("vouchers") && yaml.contains("${MONGODB_URI}"), "{yaml}");
    let check = table.taster(&["config", "check", "--live"]);
    assert_eq!(check.code, 0, "{}", check.all());
    assert_eq!(table.taster(&["pre"]).code, 0);
    let post = table.taster(&["post"]);
    assert_eq!(post.code, 0, "an empty collection was declared: {}", post.all());
    let again = table.taster(&["init", "--mongodb", &kitchen.uri()]);
    assert_eq!(again.code, 4, "a file of yours is not overwritten: {}", again.all());
}

#[test]
fn post_without_a_baseline_is_unknown() {
    // the database is not needed to see it: a store without captures is enough, so the error is about the server
    let table = Table::new("mongodb://127.0.0.1:1/pxbbq?serverSelectionTimeoutMS=200");
    table.configure(crate::support::SHOP);
    let post = table.taster(&["post"]);
    assert_eq!(post.code, 4, "{}", post.all());
}
