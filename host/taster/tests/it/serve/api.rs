//! `/v1`: lists, single runs, and their shape in the `OpenAPI` document.

use std::fs;

use serde_json::{Value, json};

use super::{Reply, Served, three_runs};
use crate::support::Workspace;

/// The body of a response that must be 200, as JSON.
fn json_of(served: &Served, path: &str) -> Value {
    let reply = served.get(path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.json()
}

/// A server that has no configuration and is given the store alone.
async fn serve_three_runs() -> (Workspace, Served) {
    let workspace = three_runs().await;
    fs::remove_file(workspace.path().join("taster.yaml")).expect("a file");
    let served = Served::start(&workspace, &["--store", "file://./results"]);
    (workspace, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_lists_runs_page_by_page_newest_first() {
    let (_workspace, served) = serve_three_runs().await;
    let apps = json!({"apps": [{"app": "pxbbq", "runs": "/v1/apps/pxbbq/runs", "page": "/apps/pxbbq"}]});
    assert_eq!(json_of(&served, "/v1/apps"), apps);
    let mut next = "/v1/apps/pxbbq/runs?limit=2".to_owned();
    let mut runs = Vec::new();
    loop {
        let page = json_of(&served, &next);
        assert_eq!(page["total"], 3);
        runs.extend(page["runs"].as_array().expect("runs").clone());
        let Some(more) = page["next"].as_str() else { break };
        next = more.to_owned();
    }
    let names: Vec<&str> = runs.iter().filter_map(|run| run["run"].as_str()).collect();
    assert_eq!(names, ["r3", "r2", "r1"]);
    let verdicts: Vec<&str> = runs.iter().map(|run| run["verdict"].as_str().unwrap_or("none")).collect();
    assert_eq!(verdicts, ["none", "different", "same"]);
    let [waiting, different, same] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((&waiting["baseline"], &different["baseline"]), (&json!(true), &json!(false)), "{waiting}");
    assert_eq!((&different["accepted"], &same["accepted"]), (&json!(true), &json!(false)));
    assert!(waiting["links"].get("verdict").is_none() && waiting.get("post").is_none(), "{waiting}");
    assert!(same["bytes"].as_u64() > Some(1000) && same["objects"].as_u64() > Some(4), "{same}");
    assert_eq!(served.get("/v1/apps/pxbbq/runs?after=r9").code(), "T0662");
    assert_eq!(served.get("/v1/apps/tools/runs").status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_returns_a_run_and_its_verdict_as_they_are_stored() {
    let (workspace, served) = serve_three_runs().await;
    let run = json_of(&served, "/v1/apps/pxbbq/runs/r2");
    assert_eq!((&run["verdict"], &run["against"]), (&json!("different"), &json!("r2")), "{run}");
    assert_eq!(run["accepted"]["who"], "tester", "{run}");
    assert_eq!(run["pre"]["server"]["version"], "6.0.5", "{run}");
    assert!(run["post"]["probes"].as_array().is_some_and(|probes| probes.len() > 2), "{run}");
    let stored = fs::read(workspace.path().join("results/v1/pxbbq/r2/verdict.json")).expect("a verdict");
    let mut stored: Value = serde_json::from_slice(&stored).expect("JSON");
    stored.as_object_mut().expect("an object").remove("checksum");
    // 200 although it is `different`: this path is no gate
    assert_eq!(json_of(&served, "/v1/apps/pxbbq/runs/r2/verdict"), stored);
    assert_eq!(served.get("/v1/apps/pxbbq/runs/r3/verdict").code(), "T0663");
    assert_eq!(served.get("/v1/apps/pxbbq/runs/r4").code(), "T0662");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_returns_neither_the_census_key_nor_the_seed_of_probes() {
    let (workspace, served) = serve_three_runs().await;
    let secret = fs::read_to_string(workspace.path().join("results/v1/pxbbq/r1/pre/capture.json")).expect("a capture");
    let secret: Value = serde_json::from_str(&secret).expect("JSON");
    for key in ["census_key", "probe_seed"] {
        let key = secret[key].as_str().unwrap_or_else(|| panic!("{key}"));
        for path in ["/v1/apps/pxbbq/runs/r1", "/v1/apps/pxbbq/runs/r1/verdict", "/v1/apps/pxbbq/runs"] {
            assert!(!served.get(path).body.contains(key), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_has_the_shape_that_the_openapi_document_gives_it() {
    let (workspace, served) = serve_three_runs().await;
    let document = json_of(&served, "/openapi.json");
    assert_eq!(document, workspace.taster(&["serve", "--openapi"]).json());
    assert_eq!(document["openapi"], "3.1.0");
    let asked = [
        ("/compare", "/compare"),
        ("/compare", "/compare?run=r1"),
        ("/compare", "/compare?run=r2"),
        ("/compare", "/compare?run=r4"),
        ("/compare", "/compare?run=R"),
        ("/v1/apps", "/v1/apps"),
        ("/v1/apps/{app}/runs", "/v1/apps/pxbbq/runs"),
        ("/v1/apps/{app}/runs", "/v1/apps/pxbbq/runs?limit=0"),
        ("/v1/apps/{app}/runs", "/v1/apps/tools/runs"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r1"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r2"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r3"),
        ("/v1/apps/{app}/runs/{run}", "/v1/apps/pxbbq/runs/r4"),
        ("/v1/apps/{app}/runs/{run}/verdict", "/v1/apps/pxbbq/runs/r1/verdict"),
        ("/v1/apps/{app}/runs/{run}/verdict", "/v1/apps/pxbbq/runs/r2/verdict"),
        ("/v1/apps/{app}/runs/{run}/verdict", "/v1/apps/pxbbq/runs/r3/verdict"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/metrics", "/metrics"),
        ("/openapi.json", "/openapi.json"),
    ];
    let mut paths: Vec<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    paths.retain(|path| !asked.iter().any(|(other, _)| other == path));
    assert!(paths.is_empty(), "documented and not asked: {paths:?}");
    for (path, url) in asked {
        fits(&document, path, &served.get(url), url);
    }
}

/// That a reply is one of those that the document lists for the path.
fn fits(document: &Value, path: &str, reply: &Reply, url: &str) {
    let mut response = &document["paths"][path]["get"]["responses"][reply.status.to_string()];
    if let Some(target) = response["$ref"].as_str() {
        response = document.pointer(target.trim_start_matches('#')).expect("a response");
    }
    let kind = reply.header("content-type").split(';').next().unwrap_or_default();
    let content = &response["content"][kind];
    assert!(content.is_object(), "{url}: {} of type `{kind}` is not documented", reply.status);
    if kind != "application/json" {
        return;
    }
    let mut schema = content["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{url}: {error}"));
    let errors: Vec<String> = validator.iter_errors(&reply.json()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{url}: {errors:?}\n{}", reply.body);
}
