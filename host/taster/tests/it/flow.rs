//! `pre` and `post` against a mongod that somebody else started.

use mongodb::bson::{Document, doc};
use taster_testkit::mongod::Flavour;

use crate::support::{ShopDatabase, Workspace};

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

async fn the_readme_holds(flavour: Flavour) {
    let shop = ShopDatabase::open(flavour, 3000).await;
    let workspace = shop.workspace();
    workspace.configure(&readme());
    let pre = workspace.taster(&["pre"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let same = workspace.taster(&["post", "--format", "json"]);
    // the README's expectations name metrics and labels that are there; one that matched nothing would be a finding
    assert_eq!(same.json()["verdict"], "same", "{}", same.all());
    assert_eq!(same.code, 0);

    assert_eq!(workspace.taster(&["pre"]).code, 0);
    let lost = shop.lose(doc! {"status": "open", "number": {"$mod": [2, 0]}}).await;
    assert!(lost > 0);
    let post = workspace.taster(&["post", "--format", "json"]);
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
    assert_eq!(
        read_at.is_string(),
        flavour == Flavour::ReplicaSet,
        "a replica set is read at one cluster time: {read_at}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_the_readme_works_on_a_standalone_server() {
    the_readme_holds(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_the_readme_works_on_a_replica_set() {
    the_readme_holds(Flavour::ReplicaSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_configuration_is_needed() {
    let shop = ShopDatabase::replica_set(1000).await;
    let workspace = shop.workspace();
    let uri = shop.uri();
    let pre = workspace.taster(&["pre", "--mongodb", &uri]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let post = workspace.taster(&["post", "--mongodb", &uri]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert!(workspace.path().join(".taster/v1/pxbbq/current.json").exists());

    assert_eq!(workspace.taster(&["pre", "--mongodb", &uri]).code, 0);
    shop.database.collection::<Document>("registrations").drop().await.expect("a drop");
    let post = workspace.taster(&["post", "--mongodb", &uri]);
    assert_eq!(post.code, 1, "a dropped collection is different: {}", post.all());
    assert!(post.out.contains("registrations"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_listed_shown_compared_and_accepted() {
    let shop = ShopDatabase::standalone(1000).await;
    let workspace = shop.workspace();
    workspace.configure(crate::support::SHOP);
    assert_eq!(workspace.taster(&["pre", "--run", "one"]).code, 0);
    shop.lose(doc! {"status": "open", "number": {"$mod": [2, 0]}}).await;
    let post = workspace.taster(&["post", "--run", "one"]);
    assert_eq!(post.code, 1, "{}", post.all());
    assert!(post.out.contains("taster accept one"), "the way out is named: {}", post.out);
    // a path is not broken
    let mut sentences = post.out.lines().filter(|line| !line.starts_with("Report: "));
    assert!(sentences.all(|line| line.chars().count() <= 100), "100 columns:\n{}", post.out);

    let report = post.out.lines().find_map(|line| line.strip_prefix("Report: ")).expect("where the report lies");
    let report = std::fs::read_to_string(report.trim_start_matches("file://")).expect("the report is there");
    assert!(report.contains("different"), "{report}");

    assert_eq!(workspace.taster(&["show", "one"]).code, 0);
    let again = workspace.taster(&["compare", "--run", "one"]);
    assert_eq!(again.code, 1, "{}", again.all());
    let junit = workspace.taster(&["show", "one", "--format", "junit"]);
    assert!(junit.out.contains("<failure"), "{}", junit.out);
    let runs = workspace.taster(&["runs"]);
    assert!(
        runs.out.contains("one") && runs.out.contains("different") && runs.out.contains("baseline"),
        "{}",
        runs.out
    );

    // a new run of the damaged copy is still judged against the first capture
    assert_eq!(workspace.taster(&["pre", "--run", "two"]).code, 0);
    let post = workspace.taster(&["post", "--run", "two"]);
    assert_eq!(post.code, 1, "a new run must not compare damage with damage: {}", post.all());

    let accepted = workspace.taster(&["accept", "two", "--reason", "orders were test data"]);
    assert_eq!(accepted.code, 0, "{}", accepted.all());
    assert_eq!(workspace.taster(&["pre", "--run", "three"]).code, 0);
    let post = workspace.taster(&["post", "--run", "three"]);
    assert_eq!(post.code, 0, "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_capture_files_are_compared_without_a_configuration() {
    let shop = ShopDatabase::standalone(500).await;
    let workspace = shop.workspace();
    workspace.configure(crate::support::SHOP);
    for run in ["before", "after"] {
        let pre = workspace.taster(&["pre", "--run", run, "--store", &format!("file://./{run}")]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        shop.lose(doc! {"number": {"$mod": [5, 0]}}).await;
    }
    let file = |run: &str| format!("{run}/v1/pxbbq/{run}/pre/capture.json");
    std::fs::remove_file(workspace.path().join("taster.yaml")).expect("removed");
    let same = workspace.taster(&["compare", &file("before"), &file("before")]);
    assert_eq!(same.code, 4, "one capture compared with itself proves nothing: {}", same.all());
    let different = workspace.taster(&["compare", &file("before"), &file("after")]);
    assert_eq!(different.code, 1, "{}", different.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_a_configuration_that_works() {
    let shop = ShopDatabase::standalone(500).await;
    shop.database.create_collection("vouchers").await.expect("a collection");
    let workspace = shop.workspace();
    let init = workspace.taster(&["init", "--mongodb", &shop.uri(), "--store", "file://./results"]);
    assert_eq!(init.code, 0, "{}", init.all());
    let yaml = std::fs::read_to_string(workspace.path().join("taster.yaml")).expect("the file");
    assert!(yaml.contains("vouchers") && yaml.contains("${MONGODB_URI}"), "{yaml}");
    let check = workspace.taster(&["config", "check", "--live"]);
    assert_eq!(check.code, 0, "{}", check.all());
    assert_eq!(workspace.taster(&["pre"]).code, 0);
    let post = workspace.taster(&["post"]);
    assert_eq!(post.code, 0, "an empty collection was declared: {}", post.all());
    let again = workspace.taster(&["init", "--mongodb", &shop.uri()]);
    assert_eq!(again.code, 4, "a file of yours is not overwritten: {}", again.all());
}

#[test]
fn post_without_a_baseline_is_unknown() {
    // the database is not needed to see it: a store without captures is enough, so the error is about the server
    let workspace = Workspace::new("mongodb://127.0.0.1:1/pxbbq?serverSelectionTimeoutMS=200");
    workspace.configure(crate::support::SHOP);
    let post = workspace.taster(&["post"]);
    assert_eq!(post.code, 4, "{}", post.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn init_warns_of_a_database_without_collections() {
    let shop = ShopDatabase::standalone(20).await;
    for (database, near) in [("pxbq", "did you mean `pxbbq`?"), ("nothing_like_it", "there are: ")] {
        let workspace = Workspace::new("");
        let ended = workspace.taster(&["init", "--mongodb", &shop.mongod.uri_of(database)]);
        assert_eq!(ended.code, 0, "{}", ended.all());
        let text = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains(&format!("Warning: database `{database}` has no collections")) && text.contains(near),
            "{text}"
        );
    }
    let ended = shop.workspace().taster(&["init"]);
    assert!(ended.code == 0 && !ended.out.contains("Warning"), "{}", ended.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_in_a_file_is_printed_on_standard_error_as_well() {
    let shop = ShopDatabase::standalone(50).await;
    let workspace = shop.workspace();
    workspace.configure(crate::support::SHOP);
    assert_eq!(workspace.taster(&["pre", "--run", "a"]).code, 0);
    for format in ["junit", "human", "json", "markdown", "html"] {
        let ended = workspace.taster(&["post", "--run", "a", "--format", format, "-o", "out"]);
        assert_eq!(ended.code, 0, "{}", ended.all());
        assert!(ended.err.lines().any(|line| line.starts_with("same")), "{format}: {}", ended.all());
        assert!(ended.out.is_empty(), "{}", ended.all());
    }
    shop.lose(mongodb::bson::doc! {}).await;
    let ended = workspace.taster(&["post", "--run", "a", "--format", "junit", "-o", "out"]);
    assert!(ended.code == 1 && ended.err.lines().any(|line| line.starts_with("different")), "{}", ended.all());
    let to_terminal = workspace.taster(&["post", "--run", "a", "--format", "junit"]);
    assert!(!to_terminal.err.lines().any(|line| line.starts_with("different")), "{}", to_terminal.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locale_without_utf_8_gets_plain_signs_and_quiet_only_warnings() {
    let shop = ShopDatabase::standalone(50).await;
    let workspace = shop.workspace();
    workspace.configure(crate::support::SHOP);
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = workspace.command(arguments);
        command.envs(variables.iter().copied());
        crate::support::CommandOutput::read(&command.output().expect("it runs"))
    };
    for variables in
        [&[("LANG", "C")][..], &[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")], &[("LANG", "de_DE.ISO-8859-1")]]
    {
        let ended = run(variables, &["config", "check"]);
        assert!(ended.out.contains("+ probe census") && ended.out.is_ascii(), "{}", ended.all());
        let pre = run(variables, &["pre"]);
        assert!(pre.code == 0 && pre.out.is_ascii() && pre.err.is_ascii(), "{}", pre.all());
    }
    for variables in [&[][..], &[("LANG", "C.UTF-8")], &[("LANG", "C"), ("LC_ALL", "de_DE.utf8")]] {
        assert!(run(variables, &["config", "check"]).out.contains("✓ probe census"));
    }
    let quiet = run(&[], &["pre", "--quiet"]);
    assert!(quiet.code == 0 && !quiet.err.contains("INFO") && !quiet.out.is_empty(), "{}", quiet.all());
    assert!(run(&[], &["pre", "--run", "other"]).err.contains("INFO"), "without --quiet there are steps");
    assert_eq!(run(&[], &["pre", "-q", "-v"]).code, 2);
}
