//! `/metrics`, as Prometheus reads it.

#![expect(clippy::float_cmp, reason = "metrics are doubles, and these are whole numbers")]

use std::{collections::BTreeMap, fs, time::UNIX_EPOCH};

use super::{Served, contents, curl, damage, three_runs};

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_the_runs_came_to_and_no_client_can_make_up_more() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    for number in 0..50 {
        served.get(&format!("/nothing/{number}"));
        served.get(&format!("/v1/apps/pxbbq/runs/x{number}"));
    }
    curl(&["-X", "BREW", &served.url("/compare")]);
    let reply = served.get("/metrics");
    assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let series = samples(&reply.body);
    let is = |name: &str, expected: f64| assert_eq!(series.get(name), Some(&expected), "{name}\n{}", reply.body);
    is("taster_store_up", 1.0);
    is("taster_apps", 1.0);
    is(r#"taster_runs{app="pxbbq",verdict="same"}"#, 1.0);
    is(r#"taster_runs{app="pxbbq",verdict="different"}"#, 1.0);
    is(r#"taster_runs{app="pxbbq",verdict="unknown"}"#, 0.0);
    is(r#"taster_runs{app="pxbbq",verdict="none"}"#, 1.0);
    is(r#"taster_last_run_verdict{app="pxbbq",verdict="none"}"#, 1.0);
    is(r#"taster_last_run_verdict{app="pxbbq",verdict="same"}"#, 0.0);
    is(r#"taster_http_requests_total{route="none",method="GET",status="404"}"#, 50.0);
    is(r#"taster_http_requests_total{route="/v1/apps/{app}/runs/{run}",method="GET",status="404"}"#, 50.0);
    is(r#"taster_http_requests_total{route="/compare",method="other",status="405"}"#, 1.0);
    is(r#"taster_build_info{version="0.1.0"}"#, 1.0);
    let above = |name: &str, least: f64| {
        let value = series.get(name).unwrap_or_else(|| panic!("{name}\n{}", reply.body));
        assert!(*value > least, "{name} {value}");
    };
    above(r#"taster_findings{app="pxbbq",outcome="different",severity="fail"}"#, 0.0);
    above(r#"taster_capture_documents{app="pxbbq",side="pre"}"#, 100.0);
    above(r#"taster_capture_read_bytes{app="pxbbq",side="pre"}"#, 1000.0);
    above(r#"taster_capture_duration_seconds{app="pxbbq",side="pre"}"#, 0.0);
    above(r#"taster_stored_bytes{app="pxbbq"}"#, 1000.0);
    let objects = contents(&workspace.path().join("results/v1/pxbbq/r3"));
    let written = objects.keys().map(|object| object.metadata().and_then(|facts| facts.modified()).expect("a time"));
    let newest = written.max().expect("objects").duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let shown = series[r#"taster_last_run_timestamp_seconds{app="pxbbq"}"#];
    assert!((shown - newest).abs() < 1.0, "{shown}, and the newest object is from {newest}");
    assert!(series.len() < 200, "{} series\n{}", series.len(), reply.body);

    // numbers are cached for some time; if the store is gone, the metrics say so and the old numbers are left out
    let damaged = Served::start(&workspace, &[]);
    damage(&workspace.path().join("results/v1/pxbbq/r1/verdict.json"));
    let series = samples(&damaged.get("/metrics").body);
    assert_eq!(series[r#"taster_runs{app="pxbbq",verdict="same"}"#], 0.0);
    assert_eq!(series[r#"taster_runs{app="pxbbq",verdict="unknown"}"#], 1.0);
    // another server, which has read nothing yet
    let gone = Served::start(&workspace, &[]);
    fs::remove_dir_all(workspace.path().join("results")).expect("a folder");
    fs::write(workspace.path().join("results"), "").expect("a file");
    let series = samples(&gone.get("/metrics").body);
    assert_eq!(series["taster_store_up"], 0.0);
    assert!(!series.keys().any(|name| name.starts_with("taster_runs")), "{series:?}");
}

/// The samples of an `OpenMetrics` text, which must be one: each family described before its samples, no series twice, an
/// end.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let text = text.strip_suffix("# EOF\n").expect("an end");
    let mut described = Vec::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let words: Vec<&str> = about.splitn(3, ' ').collect();
            assert!(matches!(words[0], "HELP" | "TYPE" | "UNIT") && words.len() == 3, "{line}");
            described.push(words[1]);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let last = described.last().expect("a description");
        let suffixes = ["", "_total", "_info", "_sum", "_count", "_bucket"];
        assert!(suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(last)), "{line} is not of {last}");
        assert!(labels.ends_with('}'), "{line}");
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(found.insert(series.to_owned(), value).is_none(), "twice: {series}");
    }
    found
}
