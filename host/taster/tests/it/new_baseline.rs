//! `taster baseline new`: drops the open baseline with a reason, and captures a new one as `pre` does.

use std::{collections::BTreeSet, fs};

use mongodb::bson::{Document, doc};
use serde_json::Value;

use crate::{
    crashes::Loss,
    false_alarms::command,
    support::{CommandOutput, FLAVOURS, SHOP, ShopDatabase, Workspace},
};

const REASON: &str = "staging was reloaded, TICKET-18";

/// Runs a command that must succeed.
fn fine(workspace: &Workspace, arguments: &[&str]) -> CommandOutput {
    let ended = workspace.taster(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.all());
    ended
}

fn new(workspace: &Workspace, arguments: &[&str]) -> CommandOutput {
    workspace.taster(&[&["baseline", "new", "--reason", REASON], arguments].concat())
}

/// The open baseline; null if there is none.
fn open(workspace: &Workspace) -> Value {
    fine(workspace, &["baseline", "show", "--format", "json"]).json()["baseline"].clone()
}

fn post(workspace: &Workspace, run: &str, expected: &str) -> Value {
    let ended = workspace.taster(&["post", "--run", run, "--format", "json"]);
    let document = ended.json();
    assert_eq!(document["verdict"], expected, "{}", ended.all());
    document
}

/// Texts are broken to the width of a terminal.
pub(crate) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Who dropped the baseline of a run, and why, as it is stored.
fn dropped(workspace: &Workspace, run: &str) -> Option<Value> {
    let stored = fs::read(workspace.path().join(format!("results/v1/pxbbq/{run}/dropped.json"))).ok()?;
    Some(serde_json::from_slice(&stored).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reason_nothing_is_dropped() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    fine(&workspace, &["pre", "--run", "a"]);
    for (reason, expected) in
        [(&["--reason", ""][..], "T0619"), (&["--reason", " \t"], "T0619"), (&[], "--reason <REASON>")]
    {
        let refused = workspace.taster(&[&["baseline", "new", "--run", "b"], reason].concat());
        assert_eq!(refused.code, 2, "{}", refused.all());
        assert!(refused.err.contains(expected), "{}", refused.all());
        assert_eq!((&open(&workspace)["run"], dropped(&workspace, "a")), (&"a".into(), None));
    }
    let runs = fine(&workspace, &["runs", "--format", "json"]).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
    assert_eq!(post(&workspace, "a", "same")["before"]["run"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_open_baseline_it_is_pre_and_nothing_is_recorded_as_dropped() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        // before the first run, and after one that was closed by its verdict
        for run in ["a", "b"] {
            assert_eq!(open(&workspace), Value::Null);
            let first = new(&workspace, &["--run", run]);
            assert_eq!(first.code, 0, "{}", first.all());
            assert!(first.out.contains(&format!("run {run}: tasted before the sync")), "{}", first.all());
            assert!(!first.all().contains("dropped"), "{}", first.all());
            assert_eq!(open(&workspace)["run"], run);
            assert_eq!(post(&workspace, run, "same")["before"]["run"], run);
            assert_eq!(dropped(&workspace, run), None);
        }
        let runs = fine(&workspace, &["runs"]).out;
        assert!(!runs.contains("dropped"), "{runs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_and_why_are_recorded_and_only_the_new_one_is_compared_with() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let loss = Loss::of(&shop).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        fine(&workspace, &["pre", "--run", "a"]);
        let old = open(&workspace);
        loss.happens(&shop).await;
        let created = new(&workspace, &["--run", "b", "--by", "ann"]);
        assert_eq!(created.code, 0, "{}", created.all());
        assert!(created.err.contains("dropped the baseline run=a who=\"ann\""), "{}", created.all());
        assert!(created.err.contains(REASON), "{}", created.all());
        // `post` compares with it, and nothing else is said of the baseline
        assert!(!created.out.contains("Baseline: "), "{}", created.out);
        let record = dropped(&workspace, "a").expect("a record");
        for (key, expected) in [("run", "a"), ("who", "ann"), ("reason", REASON), ("app", "pxbbq")] {
            assert_eq!(record[key], expected, "{record}");
        }
        assert_eq!(record["attempt"], old["attempt"], "{record}");
        let shown = in_one_line(&fine(&workspace, &["show", "a"]).out);
        assert!(shown.contains("its baseline was dropped by ann on ") && shown.contains(REASON), "{shown}");
        let runs = fine(&workspace, &["runs"]).out;
        let of_run = |run: &str| runs.lines().find(|line| line.trim_start().starts_with(run)).unwrap_or_default();
        assert!(of_run("a ").contains("baseline dropped"), "{runs}");
        assert!(of_run("b ").contains("baseline") && !of_run("b ").contains("dropped"), "{runs}");
        let shown = fine(&workspace, &["baseline", "show"]).out;
        assert!(shown.contains("the capture of run b, ") && shown.contains("Closed by:"), "{shown}");
        assert_ne!(open(&workspace)["attempt"], old["attempt"]);
        // what was lost before it is part of it
        assert_eq!(post(&workspace, "b", "same")["before"]["run"], "b");
        assert_eq!(open(&workspace), Value::Null);
        // with the old one, nothing is compared any more
        let document = post(&workspace, "a", "unknown");
        let reason = document["findings"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("was dropped by ann on ") && reason.contains(REASON), "{document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_after_it_is_different_until_the_documents_are_back() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let loss = Loss::of(&shop).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        fine(&workspace, &["pre", "--run", "a"]);
        // without a name it is another run, although this one has no verdict
        let created = new(&workspace, &[]);
        assert_eq!(created.code, 0, "{}", created.all());
        assert_eq!(dropped(&workspace, "a").expect("a record")["who"], "tester");
        let run = open(&workspace)["run"].as_str().expect("a run").to_owned();
        assert_ne!(run, "a");
        loss.happens(&shop).await;
        let document = post(&workspace, &run, "different");
        assert_eq!(document["before"]["run"], run.as_str());
        // a later `pre` does not take the loss into the baseline
        fine(&workspace, &["pre", "--run", "c"]);
        assert_eq!(post(&workspace, "c", "different")["before"]["run"], run.as_str());
        loss.is_reinserted(&shop).await;
        assert_eq!(post(&workspace, "c", "same")["before"]["run"], run.as_str());
    }
}

/// The probes of findings that are `different`.
fn differing_probes(document: &Value) -> BTreeSet<&str> {
    let findings = document["findings"].as_array().expect("findings").iter();
    findings
        .filter(|finding| finding["outcome"] == "different")
        .filter_map(|finding| finding["probe"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_probe_begins_with_it() {
    let counts = "  - {name: counts, component: document-count}\n";
    let others = "  - {name: census, component: census}\n  - {name: inventory, component: index-inventory}\n";
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let loss = Loss::of(&shop).await;
        let workspace = shop.workspace();
        workspace.configure(&format!("{SHOP}probes:\n{counts}"));
        fine(&workspace, &["pre", "--run", "a"]);
        loss.happens(&shop).await;
        // a `pre` would keep the baseline of the first probe, and begin one for each of the others
        workspace.configure(&format!("{SHOP}probes:\n{counts}{others}"));
        let created = new(&workspace, &["--run", "b"]);
        assert_eq!(created.code, 0, "{}", created.all());
        assert!(!created.out.contains("Added: "), "{}", created.out);
        assert!(open(&workspace).get("added").is_none());
        let document = post(&workspace, "b", "same");
        let probes = document["before"]["probes"].as_array().expect("probes").iter().map(|probe| &probe["name"]);
        assert_eq!(probes.collect::<Vec<_>>(), ["counts", "census", "inventory"]);
        assert!(document.get("added").is_none(), "{document}");
        // each of them sees what happens after it
        let created = new(&workspace, &["--run", "c"]);
        assert_eq!(created.code, 0, "{}", created.all());
        assert_eq!(shop.lose(doc! {"number": 100_003}).await, 1);
        command(&shop, doc! {"dropIndexes": "orders", "index": "created_1"}).await;
        let document = post(&workspace, "c", "different");
        assert_eq!(differing_probes(&document), BTreeSet::from(["census", "counts", "inventory"]), "{document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_replaces_a_baseline_that_is_different_and_one_of_another_database() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let loss = Loss::of(&shop).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        fine(&workspace, &["pre", "--run", "a"]);
        loss.happens(&shop).await;
        post(&workspace, "a", "different");
        assert_eq!(new(&workspace, &["--run", "b"]).code, 0);
        // the verdict stays what it was
        let shown = fine(&workspace, &["show", "a"]).out;
        assert!(shown.contains("DIFFERENT") && in_one_line(&shown).contains("dropped by tester on "), "{shown}");
        let other = shop.mongod.client().await.expect("a client").database("backup");
        other.collection::<Document>("orders").insert_one(doc! {"a": 1}).await.expect("a document");
        workspace.configure(&SHOP.replace("database: pxbbq", "database: backup"));
        assert_eq!(workspace.taster(&["pre", "--run", "c"]).code, 4, "the open baseline is of another database");
        let created = new(&workspace, &["--run", "c"]);
        assert_eq!(created.code, 0, "{}", created.all());
        let baseline = open(&workspace);
        assert_eq!((&baseline["run"], &baseline["database"]), (&"c".into(), &"backup".into()));
        assert_eq!(dropped(&workspace, "b").expect("a record")["reason"], REASON);
        post(&workspace, "c", "same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_stays_dropped_if_the_capture_fails() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    fine(&workspace, &["pre", "--run", "a"]);
    workspace.configure(&SHOP.replace("database: pxbbq", "database: nowhere"));
    let failed = new(&workspace, &["--run", "b"]);
    assert_eq!(failed.code, 4, "{}", failed.all());
    assert!(
        failed.err.contains("dropped the baseline run=a who=\"tester\"") && failed.err.contains("nowhere"),
        "{}",
        failed.all()
    );
    workspace.configure(SHOP);
    assert_eq!(open(&workspace), Value::Null);
    let document = post(&workspace, "a", "unknown");
    assert!(document["findings"][0]["reason"].to_string().contains("was dropped by tester on "), "{document}");
    // a probe that fails makes it exit as `pre` does, and the next `pre` takes a better capture
    let limited = "probes:\n  - {name: shape, component: schema-shape, limits: {documents: 2}}\n";
    workspace.configure(&format!("{SHOP}{limited}"));
    let spoilt = new(&workspace, &["--run", "c"]);
    assert_eq!(spoilt.code, 3, "{}", spoilt.all());
    assert_eq!(open(&workspace)["run"], "c");
    workspace.configure(SHOP);
    let created = new(&workspace, &["--run", "d"]);
    assert_eq!(created.code, 0, "{}", created.all());
    assert_eq!(post(&workspace, "d", "same")["before"]["run"], "d");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_the_flags_of_pre() {
    let shop = ShopDatabase::standalone(300).await;
    let (workspace, uri) = (shop.workspace(), shop.uri());
    fine(&workspace, &["pre", "--mongodb", &uri, "--run", "a"]);
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let flags = ["--mongodb", &uri, "--run", "b", "--revision", commit, "--twice", "--format", "json"];
    let created = new(&workspace, &flags);
    assert_eq!(created.code, 0, "{}", created.all());
    let capture = created.json();
    assert_eq!((&capture["run"], &capture["side"], &capture["revision"]), (&"b".into(), &"pre".into(), &commit.into()));
    let written = new(&workspace, &["--mongodb", &uri, "--run", "c", "-o", "capture.txt"]);
    assert_eq!((written.code, written.out.as_str()), (0, ""), "{}", written.all());
    let text = fs::read_to_string(workspace.path().join("capture.txt")).expect("a file");
    assert!(text.contains("run c: tasted before the sync"), "{text}");
    assert_eq!(open(&workspace)["run"], "c");
}

/// An unfinished run has captured the copy before, too: the new baseline must not be what that run has stored.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_unfinished_run_has_captured_is_not_taken_for_the_new_baseline() {
    for commands in [&["new"][..], &["drop", "pre"]] {
        let shop = ShopDatabase::standalone(300).await;
        let loss = Loss::of(&shop).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        for run in ["a", "b"] {
            fine(&workspace, &["pre", "--run", run]);
        }
        loss.happens(&shop).await;
        for command in commands {
            match *command {
                "pre" => fine(&workspace, &["pre"]),
                command => fine(&workspace, &["baseline", command, "--reason", REASON]),
            };
        }
        assert!(dropped(&workspace, "a").is_some() && dropped(&workspace, "b").is_some());
        let baseline = open(&workspace)["run"].clone();
        assert!(baseline != "a" && baseline != "b", "{baseline}");
        let verdict = fine(&workspace, &["post", "--format", "json"]).json();
        assert_eq!((&verdict["verdict"], &verdict["before"]["run"]), (&"same".into(), &baseline));
    }
}

/// A capture is never taken again, so the run must be another one: that is known before anything is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_a_capture_is_refused_before_anything_is_dropped() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    for run in ["a", "b"] {
        fine(&workspace, &["pre", "--run", run]);
    }
    for run in ["a", "b"] {
        let refused = new(&workspace, &["--run", run]);
        assert_eq!(refused.code, 4, "{}", refused.all());
        assert!(refused.err.contains("T0658") && refused.err.contains("nothing was dropped"), "{}", refused.all());
        assert_eq!((&open(&workspace)["run"], dropped(&workspace, run)), (&"a".into(), None));
    }
    assert_eq!(post(&workspace, "b", "same")["before"]["run"], "a");
}
