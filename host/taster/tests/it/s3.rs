//! A whole run whose results live in a bucket, and the end of it.

use mongodb::bson::doc;

use taster_testkit::s3::{self, Behaviour, Server};

use crate::support::{CommandOutput, SHOP, ShopDatabase, Workspace};

/// The configuration of the shop, with its results in the server's bucket.
fn configuration(server: &Server, more: &str) -> String {
    let shop = SHOP.replace("file://./results", &format!("s3://{}/stage", s3::BUCKET));
    format!("{shop}s3: {{endpoint: \"{}\"{more}}}\n", server.endpoint())
}

fn taster(workspace: &Workspace, arguments: &[&str]) -> CommandOutput {
    let mut command = workspace.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", s3::ID).env("AWS_SECRET_ACCESS_KEY", s3::SECRET);
    CommandOutput::read(&command.output().expect("the binary runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_bucket_ends_as_one_in_a_folder() {
    let (shop, server) = (ShopDatabase::standalone(500).await, Server::start().await);
    let workspace = shop.workspace();
    workspace.configure(&configuration(&server, ""));
    for (run, code) in [("one", 0), ("two", 1)] {
        let pre = taster(&workspace, &["pre", "--run", run]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        if code == 1 {
            shop.lose(doc! {"number": {"$mod": [50, 0]}}).await;
        }
        let post = taster(&workspace, &["post", "--run", run]);
        assert_eq!(post.code, code, "{}", post.all());
        assert!(post.out.contains("Report: s3://taster-results/stage/v1/pxbbq/"), "{}", post.all());
    }
    let again = taster(&workspace, &["compare", "--run", "two"]);
    assert_eq!(again.code, 1, "{}", again.all());
    let dry = taster(&workspace, &["gc", "--max-age", "1s", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.all());
    assert!(dry.out.contains("0 runs would be removed"), "everything is younger than an hour: {}", dry.all());
    let usage = taster(&workspace, &["gc"]);
    assert_eq!(usage.code, 2, "{}", usage.all());
    assert!(!std::fs::exists(workspace.path().join("results")).expect("a folder"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_overwrites_ends_with_4_before_anything_is_read() {
    let server = Server::with(Behaviour { overwrites: true, ..Behaviour::default() }).await;
    // no server answers there: had it been asked, that would be the error
    let workspace = Workspace::new("mongodb://127.0.0.1:1/pxbbq?serverSelectionTimeoutMS=200");
    workspace.configure(&configuration(&server, ""));
    let pre = taster(&workspace, &["pre"]);
    assert_eq!(pre.code, 4, "{}", pre.all());
    assert!(pre.err.contains("error[T0403]"), "{}", pre.all());
    workspace.configure(&configuration(&server, ", conditionalWrites: i-accept-that-results-can-be-overwritten"));
    let pre = taster(&workspace, &["pre"]);
    assert!(pre.err.contains("error[T0204]"), "{}", pre.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_in_a_bucket_is_dropped_while_a_pre_runs() {
    let (shop, server) = (ShopDatabase::standalone(300).await, Server::start().await);
    let workspace = shop.workspace();
    workspace.configure(&configuration(&server, ""));
    let pre = taster(&workspace, &["pre", "--run", "a"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    // both change `current.json`; neither undoes what the other has done
    let (dropped, pre) = std::thread::scope(|scope| {
        let other = scope.spawn(|| taster(&workspace, &["pre", "--run", "b"]));
        let dropped = taster(&workspace, &["baseline", "drop", "--reason", "set up again"]);
        (dropped, other.join().expect("the other one ends"))
    });
    assert_eq!((dropped.code, pre.code), (0, 0), "{}\n{}", dropped.all(), pre.all());
    let next = taster(&workspace, &["pre", "--run", "c"]);
    assert_eq!(next.code, 0, "{}", next.all());
    let shown = taster(&workspace, &["baseline", "show", "--format", "json"]).json();
    let run = shown["baseline"]["run"].as_str().unwrap_or_default();
    assert!(["b", "c"].contains(&run), "{shown}");
    let post = taster(&workspace, &["post", "--run", "c"]);
    assert_eq!(post.code, 0, "{}", post.all());
}
