//! Every error that a user can cause: its code, its place, what to do. The texts are snapshots.

use std::fs;

use insta::assert_snapshot;
use mongodb::bson::{Document, doc};

use crate::support::{ShopDatabase, Workspace};

/// What the command says when it fails, without what differs from run to run.
fn fails(workspace: &Workspace, code: i32, arguments: &[&str]) -> String {
    let ended = workspace.taster(arguments);
    assert_eq!(ended.code, code, "{}", ended.all());
    let text = if ended.err.contains("error") { &ended.err } else { &ended.out };
    text.replace(&workspace.path().display().to_string(), "[folder]").trim().to_owned()
}

fn config(yaml: &str) -> String {
    let workspace = Workspace::new("mongodb://127.0.0.1:1/pxbbq?serverSelectionTimeoutMS=200");
    workspace.configure(yaml);
    fails(&workspace, 4, &["config", "check"])
}

const HEAD: &str = "app: shop\nmongodb: {uri: \"mongodb://localhost/shop\"}\n";

#[test]
fn no_configuration() {
    let workspace = Workspace::new("");
    assert_snapshot!(fails(&workspace, 4, &["pre"]), @r#"
    error[T0101]: cannot read the configuration taster.yaml: No such file or directory (os error 2)
      help: name the file with --config FILE, or write one with `taster init --mongodb URI`
    "#);
}

#[test]
fn configuration_that_is_not_yaml() {
    assert_snapshot!(config("app: shop\nmongodb: [\n"), @r#"
    error[T0102]: taster.yaml:2:10: keys with values are expected here, as in `key: value`
        |
      2 | mongodb: [
        |          ^
      help: `taster config schema` prints what is allowed where
    "#);
}

#[test]
fn unknown_key() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - name: counts\n    component: document-count\n    colections: [orders]\n")), @r#"
    error[T0103]: taster.yaml:6:5: unknown key `colections`
        |
      6 |     colections: [orders]
        |     ^
      help: did you mean `collections`?
    "#);
}

#[test]
fn unknown_key_like_no_other() {
    assert_snapshot!(config(&format!("{HEAD}colour: red\n")), @"
    error[T0103]: taster.yaml:3:1: unknown key `colour`
        |
      3 | colour: red
        | ^
      help: known here: app, store, s3, retention, mongodb, probes, expect, changes, report, redact, scan, cluster, freshness, maxBaselineAge, notify, require, requirePins, requireReadOnlyUser
    ");
}

#[test]
fn missing_key() {
    assert_snapshot!(config("app: shop\n"), @r#"
    error[T0105]: taster.yaml:1:1: the key `mongodb` is missing
        |
      1 | app: shop
        | ^
      help: add `mongodb:`; `taster config schema` describes it
    "#);
}

#[test]
fn variable_that_is_not_set() {
    assert_snapshot!(config("app: shop\nmongodb:\n  uri: ${NOBODY_SET_THIS}\n"), @r#"
    error[T0104]: taster.yaml:3:8: the variable `NOBODY_SET_THIS` is not set
        |
      3 |   uri: ${NOBODY_SET_THIS}
        |        ^
      help: set the variable, or write `$${NAME}` for the text itself
    "#);
}

#[test]
fn variable_in_quotes() {
    assert_snapshot!(config("app: shop\nmongodb: {uri: \"${MONGODB_URI}\"}\n"), @r#"
    error[T0106]: mongodb.uri: a quoted `${…}` is not expanded
      help: write it as a plain value, without quotes: uri: ${MONGODB_URI}
    "#);
}

#[test]
fn app_that_is_no_name() {
    assert_snapshot!(config("app: My Shop\nmongodb: {uri: \"mongodb://localhost/shop\"}\n"), @r#"
    error[T0102]: taster.yaml:1:6: invalid app `My Shop`: expected 1 to 63 characters of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit, not ending in `.json`
        |
      1 | app: My Shop
        |      ^
      help: `taster config schema` prints what is allowed where
    "#);
}

#[test]
fn duration_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, limits: {{deadline: soon}}}}\n")), @r#"
    error[T0102]: taster.yaml:4:61: `soon` is not a duration such as `30s`, `10m`, `1h 30m` or `7d`
        |
      4 |   - {name: a, component: document-count, limits: {deadline: soon}}
        |                                                             ^
      help: `taster config schema` prints what is allowed where
    "#);
}

#[test]
fn size_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, limits: {{memory: much}}}}\n")), @r#"
    error[T0102]: taster.yaml:4:59: `much` is not a size such as `64KiB`, `256MiB` or `1GiB`
        |
      4 |   - {name: a, component: document-count, limits: {memory: much}}
        |                                                           ^
      help: `taster config schema` prints what is allowed where
    "#);
}

#[test]
fn rule_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}expect:\n  - {{metric: documents, rule: equals}}\n")), @r#"
    error[T0102]: taster.yaml:4:31: unknown rule `equals`: expected `equal`, `never-decreases`, `never-increases`, `superset`, `subset`, `ignore`, `within: 1%`, `within: {abs: 5}` or `between: [lo, hi]`
        |
      4 |   - {metric: documents, rule: equals}
        |                               ^
      help: `taster config schema` prints what is allowed where
    "#);
}

#[test]
fn expectation_of_a_metric_that_is_no_name() {
    assert_snapshot!(config(&format!("{HEAD}expect:\n  - {{metric: Orders Count, rule: equal}}\n")), @r#"
    error[T0102]: taster.yaml:4:14: invalid metric pattern `Orders Count`: expected segments of a-z, 0-9 and `_`, or `*`, joined by `.`, at most 128 bytes
        |
      4 |   - {metric: Orders Count, rule: equal}
        |              ^
      help: `taster config schema` prints what is allowed where
    "#);
}

#[test]
fn expectation_of_a_probe_that_is_not_there() {
    assert_snapshot!(config(&format!("{HEAD}expect:\n  - {{probe: nobody, metric: documents, rule: equal}}\n")), @r#"
    error[T0106]: expect[documents].probe: there is no probe `nobody`
      help: probes of this file: census, document-count, index-inventory, schema-shape
    "#);
}

#[test]
fn connection_string_that_is_none() {
    assert_snapshot!(config("app: shop\nmongodb: {uri: \"postgres://joe:s3cret@localhost/shop\"}\n"), @r#"
    error[T0201]: invalid connection string: unsupported connection string scheme: postgres
      help: write it as mongodb://user:password@host:27017/database?option=value
    "#);
}

#[test]
fn no_database() {
    assert_snapshot!(config("app: shop\nmongodb: {uri: \"mongodb://localhost\"}\n"), @r#"
    error[T0107]: no database is named, neither by `mongodb.database` nor by the connection string
      help: set `mongodb.database`, or end the connection string in `/NAME`: mongodb://host:27017/NAME
    "#);
}

#[test]
fn probe_name_used_twice() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count}}\n  - {{name: a, component: schema-shape}}\n")), @"
    error[T0106]: probes[a]: the name is used twice
      help: give each probe its own name; findings carry it
    ");
}

#[test]
fn standard_probe_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-counts}}\n")), @r#"
    error[T0106]: probes[a].component: there is no standard probe `document-counts`
      help: did you mean `document-count`? A file needs a path: `./document-counts`
    "#);
}

#[test]
fn source_that_is_none() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: \"ftp://host/a.wasm\"}}\n")), @r#"
    error[T0106]: probes[a].component: `ftp:` is not a source of components
      help: use the bare name of a standard probe, a path, or file:
    "#);
}

#[test]
fn component_that_is_not_there() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm}}\n")), @r#"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe a: T0108: cannot read the component ./a.wasm: No such file or directory (os error 2) (allowed: paths are relative to the configuration file)
    "#);
}

#[test]
fn component_without_a_pin() {
    assert_snapshot!(config(&format!("{HEAD}requirePins: true\nprobes:\n  - {{name: a, component: ./a.wasm}}\n")), @r#"
    error[T0106]: probes[a].sha256: requirePins is set, and the component is not pinned
      help: add `sha256:`; `sha256sum ./a.wasm` prints it
    "#);
}

#[test]
fn component_with_another_pin() {
    let workspace = Workspace::new("");
    let pin = "0".repeat(64);
    workspace.configure(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm, sha256: \"{pin}\"}}\n"));
    fs::write(workspace.path().join("a.wasm"), b"\0asm").expect("a file");
    assert_snapshot!(fails(&workspace, 4, &["config", "check"]), @r#"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe a: T0110: the component ./a.wasm is not the pinned one: sha256 cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f, pinned 0000000000000000000000000000000000000000000000000000000000000000 (allowed: somebody replaced the file: find out who, then pin the new digest)
    "#);
}

#[test]
fn component_that_is_none() {
    let workspace = Workspace::new("");
    workspace.configure(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm}}\n"));
    fs::write(workspace.path().join("a.wasm"), b"#!/bin/sh\n").expect("a file");
    assert_snapshot!(fails(&workspace, 4, &["config", "check"]), @r#"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe a: T0303: not a WebAssembly component: the file is of an unknown format (allowed: give a component, a `.wasm` file that begins with the bytes 00 61 73 6d 0d 00 01 00)
    "#);
}

#[test]
fn component_that_is_too_large() {
    let workspace = Workspace::new("");
    workspace
        .configure(&format!("{HEAD}probes:\n  - {{name: a, component: ./a.wasm, limits: {{componentSize: 1KiB}}}}\n"));
    fs::write(workspace.path().join("a.wasm"), vec![0; 2048]).expect("a file");
    assert_snapshot!(fails(&workspace, 4, &["config", "check"]), @r#"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe a: T0109: the component ./a.wasm has 2 048 bytes, more than the 1 024 of probes[a].limits.componentSize (allowed: raise `probes[a].limits.componentSize` if the component is what it should be)
    "#);
}

#[test]
fn role_that_the_probe_does_not_have() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, collections: {{parent: orders}}}}\n")), @r#"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe a: T0112: the probe has no role `parent` (allowed: its roles: collections; setting: probes[a].collections)
    "#);
}

#[test]
fn system_collection_granted() {
    assert_snapshot!(config(&format!("{HEAD}probes:\n  - {{name: a, component: document-count, collections: [system.users]}}\n")), @r#"
    error[T0106]: probes[a].collections: `system.users` cannot be granted
      help: system collections are never granted to probes
    "#);
}

#[test]
fn server_that_is_not_there() {
    let workspace = Workspace::new("mongodb://joe:s3cret@127.0.0.1:1/pxbbq");
    workspace.configure(
        "app: shop\nstore: file://./results\nmongodb: {uri: \"mongodb://joe:s3cret@127.0.0.1:1/pxbbq\", connectTimeout: 1s}\n",
    );
    let text = fails(&workspace, 4, &["pre"]);
    assert!(!text.contains("s3cret") && !text.contains("joe"), "{text}");
    assert!(text.contains("error[T02"), "{text}");
    assert!(text.contains("help:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_the_probe_does_not_understand() {
    let shop = ShopDatabase::standalone(50).await;
    let workspace = shop.workspace();
    let uri = shop.uri();
    let run = |options: &str| {
        fails(&workspace, 3, &["probe", "run", "document-count", "--mongodb", &uri, "--config", options])
    };
    assert_snapshot!(run(r#"{"grupBy": {"orders": ["status"]}}"#), @r#"
    INFO document-count: failed
    error[T0613]: probe document-count failed: --config.grupBy: unknown field `grupBy`, expected one of `filters`, `groupBy`, `collections`, `groups` (setting: --config.grupBy)
    "#);
    assert_snapshot!(run(r#"{"filters": {"bad": {"$where": "1"}}}"#), @r#"
    INFO document-count: failed
    error[T0613]: probe document-count failed: T0230: filter.$where: `$where` runs JavaScript on the server (asked: $where)
    "#);
    fs::write(workspace.path().join("options.json"), r#"{"grupBy": {}}"#).expect("a file");
    assert!(run("@options.json").contains("--config.grupBy: unknown field `grupBy`"));
    let wrong = |flag: &str, value: &str| {
        fails(&workspace, 2, &["probe", "run", "document-count", "--mongodb", &uri, flag, value])
    };
    assert_snapshot!(wrong("--config", "{"), @"error[T0612]: --config is not JSON: EOF while parsing an object at line 1 column 1");
    fs::write(workspace.path().join("options.json"), "[1,").expect("a file");
    assert_snapshot!(wrong("--config", "@options.json"), @"error[T0612]: the file options.json of --config is not JSON: EOF while parsing a value at line 1 column 3");
    assert_snapshot!(wrong("--config", "@missing.json"), @"error[T0612]: cannot read the file missing.json of --config: No such file or directory (os error 2)");
    assert_snapshot!(wrong("--options", "{}"), @"error[T0612]: --options is called --config now");
    assert_snapshot!(
        fails(&workspace, 4, &["probe", "run", "document-count", "--mongodb", &uri, "--collection", "parent=orders"]), @r#"
    error[T0112]: the probe has no role `parent`
      help: its roles: collections
    "#);
}

#[test]
fn store_of_an_unknown_kind() {
    let workspace = Workspace::new("mongodb://127.0.0.1:1/pxbbq");
    workspace.configure(&format!("{HEAD}store: ftp://results\n"));
    assert_snapshot!(fails(&workspace, 4, &["runs"]), @r#"
    error[T0401]: unsupported store URL: scheme `ftp:`
      help: use s3://bucket/prefix, file:///absolute/path or file://./relative/path
    "#);
}

#[test]
fn store_in_the_root_or_on_another_host() {
    let workspace = Workspace::new("mongodb://127.0.0.1:1/pxbbq");
    let checked = |store: &str| {
        workspace.configure(&format!("{HEAD}store: {store}\n"));
        fails(&workspace, 4, &["config", "check"])
    };
    let root = checked("file:///");
    assert!(root.contains("error[T0413]") && root.contains("`/` is no folder for results"), "{root}");
    let host = checked("file://nas/taster");
    assert!(host.contains("error[T0413]") && host.contains("names the host `nas`"), "{host}");
}

#[test]
fn store_that_is_a_file() {
    let workspace = Workspace::new("");
    workspace.configure(&format!("{HEAD}store: file://./taster.yaml\n"));
    assert_snapshot!(fails(&workspace, 4, &["runs"]), @r#"
    error[T0404]: cannot list v1/shop/: Not a directory (os error 20)
      help: check that the store exists and is readable, then run the command again
    "#);
}

#[test]
fn run_that_is_not_there() {
    let workspace = Workspace::new("");
    workspace.configure(&format!("{HEAD}store: file://./results\n"));
    assert_snapshot!(fails(&workspace, 4, &["show", "nobody"]), @r#"
    error[T0606]: there is no run `nobody` of app `shop` in file://./results
      help: `taster runs` lists them
    "#);
    assert_snapshot!(fails(&workspace, 4, &["show"]), @r#"
    error[T0607]: app `shop` has no run in file://./results
      help: `taster pre` begins one; or --store names another place
    "#);
    assert_snapshot!(fails(&workspace, 4, &["compare", "--run", "nobody"]), @r#"
    error[T0605]: run `nobody` has no capture after the sync
      help: run `taster post --run nobody` first
    "#);
    assert_snapshot!(fails(&workspace, 4, &["accept", "nobody", "--reason", "x"]), @r#"
    error[T0609]: run `nobody` has no verdict that could be accepted
      help: run `taster post --run nobody` first
    "#);
}

#[test]
fn capture_file_that_is_none() {
    let workspace = Workspace::new("");
    fs::write(workspace.path().join("a.json"), "{}").expect("a file");
    assert_snapshot!(fails(&workspace, 4, &["compare", "a.json", "a.json"]), @r#"
    error[T0608]: cannot use the capture a.json: the capture is damaged: it has no checksum
      help: give a capture.json that Taster wrote, unaltered
    "#);
    assert_snapshot!(fails(&workspace, 4, &["compare", "b.json", "a.json"]), @r#"
    error[T0608]: cannot use the capture b.json: No such file or directory (os error 2)
      help: give a capture.json that Taster wrote, unaltered
    "#);
}

#[test]
fn wrong_usage() {
    let workspace = Workspace::new("");
    assert_snapshot!(fails(&workspace, 2, &["pre", "--run", "My Run"]), @r#"
    error: invalid value 'My Run' for '--run <ID>': invalid run `My Run`: expected 1 to 63 characters of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit, not ending in `.json`

    For more information, try '--help'.
    "#);
    assert_snapshot!(fails(&workspace, 2, &["taste"]), @r#"
    error: unrecognized subcommand 'taste'

    Usage: taster [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    assert_snapshot!(fails(&workspace, 2, &["pre", "-c", "taster.yaml", "--mongodb", "mongodb://localhost/shop"]), @r#"
    error: the argument '--config <FILE>' cannot be used with '--mongodb <URI>'

    Usage: taster pre --config <FILE>

    For more information, try '--help'.
    "#);
    workspace.configure(HEAD);
    assert_snapshot!(fails(&workspace, 2, &["runs", "--format", "junit"]), @r#"
    error: invalid value 'junit' for '--format <FORMAT>'
      [possible values: human, json]

    For more information, try '--help'.
    "#);
}

#[test]
fn the_server_that_is_waited_for_is_named_early() {
    let workspace = Workspace::new("");
    for (hosts, limit) in [("127.0.0.1:1", "3s"), ("127.0.0.1:1,127.0.0.1:2", "4s")] {
        workspace.configure(&format!(
            "app: shop\nmongodb: {{uri: \"mongodb://joe:s3cret@{hosts}/shop\", connectTimeout: {limit}}}\n"
        ));
        let ended = workspace.taster(&["pre"]);
        assert_eq!(ended.code, 4, "{}", ended.all());
        let line = format!("waiting for MongoDB, at most `mongodb.connectTimeout` hosts={hosts} waited_s=2");
        let (waiting, error) = (ended.err.find(&line), ended.err.find("error[T02"));
        assert!(waiting.is_some() && waiting < error, "{}", ended.all());
        assert!(!ended.err.contains("s3cret"), "{}", ended.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_open_files_have_their_own_help() {
    let shop = ShopDatabase::standalone(5).await;
    for number in 0..70 {
        let collection = shop.database.collection::<Document>(&format!("c{number}"));
        collection.insert_one(doc! {"a": number}).await.expect("an insert");
    }
    let workspace = shop.workspace();
    workspace.configure(crate::support::SHOP);
    for limit in [50, 60] {
        let command = workspace.command(&["pre", "--run", &format!("files{limit}")]);
        let taster = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]).arg(taster).args(arguments);
        limited.current_dir(workspace.path()).env_clear();
        limited.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let ended = crate::support::CommandOutput::read(&limited.output().expect("it runs"));
        assert_eq!(ended.code, 3, "{}", ended.all());
        let text = ended.all().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("Too many open files") && text.contains("`ulimit -Hn`"), "{text}");
    }
}

#[test]
fn restore_without_a_cluster_is_probably_the_wrong_file() {
    let workspace = Workspace::new("");
    workspace.configure(HEAD);
    for arguments in [&["restore"][..], &["restore", "--abandoned"]] {
        let text = fails(&workspace, 4, arguments);
        assert!(
            text.contains("error[T0628]") && text.contains("name the configuration that has a `cluster`"),
            "{text}"
        );
    }
}
