//! Every error that a user can cause: its code, its place, what to do. The texts are snapshots.

use insta::assert_snapshot;

use crate::support::{Kitchen, Table};

/// What the command says when it fails, without what differs from run to run.
fn fails(table: &Table, code: i32, arguments: &[&str]) -> String {
    let ended = table.taster(arguments);
    assert_eq!(ended.code, code, "{}", ended.all());
    let text = if ended.err.contains("error") { &ended.err } else { &ended.out };
    text.replace(&table.path().display().to_string(), "[folder]").trim().to_owned()
}

fn config(yaml: &str) -> String {
    let table = Table::new("mongodb://127.0.0.1:1/pxbbq?serverSelectionTimeoutMS=200");
    table.configure(yaml);
    fails(&table, 4, &["config", "check"])
}

const HEAD: &str = "app: shop\nmongodb: {uri: \"mongodb://localhost/shop\"}\n";

#[test]
fn no_configuration() {
    let table = Table::new("");
    assert_snapshot!(fails(&table, 4, &["pre"]), @"");
}

#[test]
fn configuration_that_is_not_yaml() {
    assert_snapshot!(config("app: shop\nmongodb: [\n"), @"");
}

#[test]
fn unknown_key() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - name: counts\n    component: document-count\n    colections: [orders]\n")), @"");
}

#[test]
fn unknown_key_like_no_other() {
    assert_snapshot!(config(&format!("{HEAD}colour: red\n")), @"");
}

#[test]
fn missing_key() {
    assert_snapshot!(config("app: shop\n"), @"");
}

#[test]
fn variable_that_is_not_set() {
    assert_snapshot!(config("app: shop\nmongodb:\n  uri: ${NOBODY_SET_THIS}\n"), @"");
}

#[test]
fn variable_in_quotes() {
    assert_snapshot!(config("app: shop\nmongodb: {uri: \"${MONGODB_URI}\"}\n"), @"");
}

#[test]
fn app_that_is_no_name() {
    assert_snapshot!(config("app: My Shop\nmongodb: {uri: \"mongodb://localhost/shop\"}\n"), @"");
}

#[test]
fn duration_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, limits: {{deadline: soon}}}}\n")), @"");
}

#[test]
fn size_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, limits: {{memory: much}}}}\n")), @"");
}

#[test]
fn rule_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}expect:\n  - {{metric: documents, rule: equals}}\n")), @"");
}

#[test]
fn expectation_of_a_metric_that_is_no_name() {
    assert_snapshot!(config(&format!("{HEAD}expect:\n  - {{metric: Orders Count, rule: equal}}\n")), @"");
}

#[test]
fn expectation_of_a_probe_that_is_not_there() {
    assert_snapshot!(config(&format!("{HEAD}expect:\n  - {{probe: nobody, metric: documents, rule: equal}}\n")), @"");
}

#[test]
fn connection_string_that_is_none() {
    assert_snapshot!(config("app: shop\nmongodb: {uri: \"postgres://joe:s3cret@localhost/shop\"}\n"), @"");
}

#[test]
fn no_database() {
    assert_snapshot!(config("app: shop\nmongodb: {uri: \"mongodb://localhost\"}\n"), @"");
}

#[test]
fn probe_name_used_twice() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count}}\n  - {{name: a, component: schema-shape}}\n")), @"");
}

#[test]
fn standard_probe_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-counts}}\n")), @"");
}

#[test]
fn source_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: \"ftp://host/a.wasm\"}}\n")), @"");
}

#[test]
fn component_that_is_not_there() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm}}\n")), @"");
}

#[test]
fn component_without_a_pin() {
    assert_snapshot!(config(&format!("{HEAD}requirePins: true\nprobes:\n  - {{name: a, component: ./a.wasm}}\n")), @"");
}

#[test]
fn component_with_another_pin() {
    let table = Table::new("");
    let pin = "0".repeat(64);
    table.configure(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm, sha256: \"{pin}\"}}\n"));
    std::fs::write(table.path().join("a.wasm"), b"\0asm").expect("a file");
    assert_snapshot!(fails(&table, 4, &["config", "check"]), @"");
}

#[test]
fn component_that_is_none() {
    let table = Table::new("");
    table.configure(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm}}\n"));
    std::fs::write(table.path().join("a.wasm"), b"#!/bin/sh\n").expect("a file");
    assert_snapshot!(fails(&table, 4, &["config", "check"]), @"");
}

#[test]
fn component_that_is_too_large() {
    let table = Table::new("");
    table.configure(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm, limits: {{componentSize: 1KiB}}}}\n"));
    std::fs::write(table.path().join("a.wasm"), vec![0; 2048]).expect("a file");
    assert_snapshot!(fails(&table, 4, &["config", "check"]), @"");
}

#[test]
fn role_that_the_probe_does_not_have() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, collections: {{parent: orders}}}}\n")), @"");
}

#[test]
fn system_collection_granted() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, collections: [system.users]}}\n")), @"");
}

#[test]
fn server_that_is_not_there() {
    let table = Table::new("mongodb://joe:s3cret@127.0.0.1:1/pxbbq");
    table.configure(
        "app: shop\nstore: file://./results\nmongodb: {uri: \"mongodb://joe:s3cret@127.0.0.1:1/pxbbq\", connect: 1s}\n",
    );
    let text = fails(&table, 4, &["pre"]);
    assert!(!text.contains("s3cret") && !text.contains("joe"), "{text}");
    assert!(text.contains("error[T02"), "{text}");
    assert!(text.contains("help:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_the_probe_does_not_understand() {
    let kitchen = Kitchen::open(false, 50).await;
    let table = kitchen.table();
    let uri = kitchen.uri();
    let run =
        |options: &str| fails(&table, 3, &["probe", "run", "document-count", "--mongodb", &uri, "--options", options]);
    assert_snapshot!(run(r#"{"grupBy": {"orders": ["status"]}}"#), @"");
    assert_snapshot!(run(r#"{"filters": {"bad": {"$where": "1"}}}"#), @"");
    assert_snapshot!(fails(&table, 2, &["probe", "run", "document-count", "--mongodb", &uri, "--options", "{"]), @"");
    assert_snapshot!(
        fails(&table, 4, &["probe", "run", "document-count", "--mongodb", &uri, "--collection", "parent=orders"]), @"");
}

#[test]
fn store_of_an_unknown_kind() {
    let table = Table::new("mongodb://127.0.0.1:1/pxbbq");
    table.configure(&format!("{HEAD}store: ftp://results\n"));
    assert_snapshot!(fails(&table, 4, &["runs"]), @"");
}

#[test]
fn store_that_is_a_file() {
    let table = Table::new("");
    table.configure(&format!("{HEAD}store: file://./taster.yaml\n"));
    assert_snapshot!(fails(&table, 4, &["runs"]), @"");
}

#[test]
fn run_that_is_not_there() {
    let table = Table::new("");
    table.configure(&format!("{HEAD}store: file://./results\n"));
    assert_snapshot!(fails(&table, 4, &["show", "nobody"]), @"");
    assert_snapshot!(fails(&table, 4, &["show"]), @"");
    assert_snapshot!(fails(&table, 4, &["compare", "--run", "nobody"]), @"");
    assert_snapshot!(fails(&table, 4, &["accept", "nobody", "--reason", "x"]), @"");
}

#[test]
fn capture_file_that_is_none() {
    let table = Table::new("");
    std::fs::write(table.path().join("a.json"), "{}").expect("a file");
    assert_snapshot!(fails(&table, 4, &["compare", "a.json", "a.json"]), @"");
    assert_snapshot!(fails(&table, 4, &["compare", "b.json", "a.json"]), @"");
}

#[test]
fn wrong_usage() {
    let table = Table::new("");
    assert_snapshot!(fails(&table, 2, &["pre", "--run", "My Run"]), @"");
    assert_snapshot!(fails(&table, 2, &["taste"]), @"");
    assert_snapshot!(fails(&table, 2, &["pre", "-c", "taster.yaml", "--mongodb", "mongodb://localhost/shop"]), @"");
    table.configure(HEAD);
    assert_snapshot!(fails(&table, 2, &["runs", "--format", "junit"]), @"");
}
