//! The gate, `/compare`, in every state of a run.

use std::fs;

use mongodb::bson::doc;
use serde_json::{Value, json};

use super::{Served, a_run_that_passed, contents, curl, damage, done, three_runs};
use crate::support::{SHOP, ShopDatabase};

/// Asks about a run in every way there is, and says whether all of them pass. They must agree, and the body with them.
fn gate(served: &Served, run: Option<&str>, status: u16, verdict: &str) -> Value {
    let query = run.map(|run| format!("?app=pxbbq&run={run}")).unwrap_or_default();
    let url = served.url(&format!("/compare{query}"));
    let form = query.trim_start_matches('?');
    let body = run.map_or_else(|| json!({}), |run| json!({"app": "pxbbq", "run": run})).to_string();
    let plain = served.url("/compare");
    let ways: [&[&str]; 5] = [
        &[&url],
        &["-X", "POST", &url],
        &["-d", form, &plain],
        &["-H", "Content-Type: application/json", "-d", &body, &plain],
        &["-I", &url],
    ];
    let mut last = Value::Null;
    for way in ways {
        assert_eq!(served.passes(way), status == 200, "{way:?}");
        let reply = curl(way);
        assert_eq!(reply.status, status, "{way:?}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
        if way[0] != "-I" {
            assert_eq!(reply.verdict(), verdict, "{way:?}: {reply:?}");
            last = reply.json();
        }
    }
    last
}

/// Asks about the newest run.
fn newest(served: &Served, status: u16, verdict: &str) -> Value {
    gate(served, None, status, verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_is_closed_until_the_run_has_passed() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    // the configuration names the store
    let served = Served::start(&workspace, &[]);
    assert_eq!(newest(&served, 409, "unknown")["error"]["code"], "T0664", "nothing is there yet");
    assert_eq!(gate(&served, Some("r1"), 409, "unknown")["run"], "r1", "no such app");

    done(&workspace, 0, &["pre", "--run", "r1"]);
    let waiting = newest(&served, 409, "unknown");
    assert_eq!((&waiting["app"], &waiting["run"]), (&json!("pxbbq"), &json!("r1")), "{waiting}");
    assert!(waiting["error"]["message"].as_str().expect("a message").contains("no verdict yet"), "{waiting}");

    done(&workspace, 0, &["post", "--run", "r1"]);
    let passed = newest(&served, 200, "same");
    assert_eq!(passed["url"], "/apps/pxbbq/runs/r1");
    assert!(passed.get("error").is_none() && passed.get("accepted").is_none(), "{passed}");
    gate(&served, Some("r9"), 409, "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_run_that_has_begun_closes_the_gate_of_the_newest() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    assert_eq!(newest(&served, 409, "unknown")["run"], "r3");
    gate(&served, Some("r1"), 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_closes_the_gate_and_accepting_it_does_not_open_it() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let served = Served::start(&workspace, &[]);
    done(&workspace, 0, &["pre", "--run", "r2"]);
    assert!(shop.lose(doc! {"number": {"$mod": [10, 0]}}).await > 0);
    done(&workspace, 1, &["post", "--run", "r2"]);
    let lost = newest(&served, 404, "different");
    assert!(lost["remedy"].as_str().expect("a remedy").contains("taster accept r2"), "{lost}");

    done(&workspace, 0, &["accept", "r2", "--reason", "they were tests"]);
    let accepted = newest(&served, 404, "different");
    assert_eq!(accepted["accepted"]["who"], "tester", "{accepted}");
    assert_eq!(accepted["accepted"]["reason"], "they were tests", "{accepted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_baseline_closes_the_gate_with_its_stored_verdict() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let served = Served::start(&workspace, &[]);
    done(&workspace, 3, &["post", "--run", "r3"]);
    let baseless = newest(&served, 409, "unknown");
    assert!(baseless.get("error").is_none() && baseless["remedy"].is_string(), "a stored verdict: {baseless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_changes_nothing_in_the_store() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let before = contents(&workspace.path().join("results"));
    for run in [None, Some("r1"), Some("r2"), Some("r3"), Some("r4")] {
        let query = run.map(|run| format!("?run={run}")).unwrap_or_default();
        for path in [format!("/compare{query}"), format!("/v1/apps/pxbbq/runs/{}", run.unwrap_or("r1"))] {
            served.get(&path);
        }
    }
    for path in ["/v1/apps", "/v1/apps/pxbbq/runs", "/v1/apps/pxbbq/runs/r1/verdict", "/metrics", "/readyz"] {
        assert_eq!(served.get(path).status, 200, "{path}");
    }
    assert_eq!(contents(&workspace.path().join("results")), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_passed_passes_no_more_when_an_object_of_it_is_damaged() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let results = workspace.path().join("results/v1/pxbbq");
    let capture = fs::read_dir(results.join("r1/post")).expect("attempts").next().expect("one").expect("an entry");
    for object in
        [results.join("r1/verdict.json"), capture.path().join("capture.json"), results.join("r1/pre/capture.json")]
    {
        let whole = damage(&object);
        let damaged = gate(&served, Some("r1"), 409, "unknown");
        assert_eq!(damaged["error"]["code"], "T0406", "{damaged}");
        let listed = served.get("/v1/apps/pxbbq/runs/r1").json();
        assert_eq!(listed["verdict"], "unknown", "{listed}");
        fs::write(&object, "").expect("an object");
        gate(&served, Some("r1"), 409, "unknown");
        fs::write(&object, whole).expect("an object");
        gate(&served, Some("r1"), 200, "same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_of_another_run_opens_no_gate() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let results = workspace.path().join("results/v1/pxbbq");
    fs::copy(results.join("r1/verdict.json"), results.join("r2/verdict.json")).expect("a copy");
    assert_eq!(gate(&served, Some("r2"), 409, "unknown")["error"]["code"], "T0407");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_readable_current_json_no_run_is_the_newest() {
    let workspace = a_run_that_passed().await;
    let served = Served::start(&workspace, &[]);
    let file = workspace.path().join("results/v1/pxbbq/current.json");
    newest(&served, 200, "same");
    let current = fs::read(&file).expect("current.json");
    fs::remove_file(&file).expect("it was there");
    newest(&served, 409, "unknown");
    fs::write(&file, &current[..current.len() / 2]).expect("a file");
    newest(&served, 409, "unknown");
    gate(&served, Some("r1"), 200, "same");
    fs::write(&file, &current).expect("a file");
    newest(&served, 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_apps_a_request_must_name_one() {
    let workspace = a_run_that_passed().await;
    let served = Served::start(&workspace, &[]);
    newest(&served, 200, "same");
    fs::create_dir(workspace.path().join("results/v1/other")).expect("a folder");
    newest(&served, 409, "unknown");
    gate(&served, Some("r1"), 200, "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_is_503_until_it_is_back() {
    let workspace = a_run_that_passed().await;
    let served = Served::start(&workspace, &[]);
    let (there, away) = (workspace.path().join("results"), workspace.path().join("away"));
    fs::rename(&there, &away).expect("a move");
    newest(&served, 409, "unknown");
    // a file in its place
    fs::write(&there, "").expect("a file");
    assert_eq!(gate(&served, Some("r1"), 503, "unknown")["error"]["code"], "T0404");
    assert_eq!(served.get("/compare").header("retry-after"), "1");
    served.until(|served| served.get("/readyz").status == 503);
    assert_eq!(served.get("/readyz").code(), "T0665");
    assert_eq!(served.get("/healthz").status, 200, "the process lives all the same");
    fs::remove_file(&there).expect("a file");
    fs::rename(&away, &there).expect("a move");
    served.until(|served| served.get("/readyz").status == 200);
    newest(&served, 200, "same");
}
