//! What once passed as `same` although something was lost or changed: each the smallest input that did.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::Value;
use taster_testkit::{mongod::Flavour, wait_until};

use crate::{
    interrupted::FaultyShop,
    serve::Served,
    support::{CommandOutput, FLAVOURS, SHOP, ShopDatabase, Workspace},
};

/// A verdict, with its findings as `outcome code collection`.
fn verdict(post: &CommandOutput) -> (i32, Vec<String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = post.json()["findings"].as_array().expect("findings").clone();
    let shown = findings.iter().filter(|finding| finding["outcome"] != "same");
    let shown =
        shown.map(|f| format!("{} {} {}", text(&f["outcome"]), text(&f["code"]), text(&f["labels"]["collection"])));
    (post.code, shown.collect())
}

fn post(workspace: &Workspace, run: &str) -> CommandOutput {
    workspace.taster(&["post", "--run", run, "--format", "json"])
}

fn pre(workspace: &Workspace, run: &str) {
    let pre = workspace.taster(&["pre", "--run", run]);
    assert_eq!(pre.code, 0, "{}", pre.all());
}

async fn command(shop: &ShopDatabase, command: Document) {
    shop.database.run_command(command).await.expect("a command");
}

async fn an_index_that_is_still_being_built(flavour: Flavour) {
    let shop = FaultyShop::open(flavour, 100).await;
    let database = shop.client.database(taster_demo::DATABASE);
    shop.workspace.configure(&format!(
        "{SHOP}  indexBuildTimeout: 1s\nchanges:\n  - {{collection: orders, addedIndex: twice_1}}\n"
    ));
    // every order has the same value: the unique index cannot come to be
    let orders = database.collection::<Document>("orders");
    orders.update_many(doc! {}, doc! {"$set": {"twice": 1}}).await.expect("an update");
    pre(&shop.workspace, "one");
    shop.configure("hangAfterStartingIndexBuild", "alwaysOn", doc! {}).await;
    let building = {
        let database = database.clone();
        let index = doc! {"key": {"twice": 1}, "name": "twice_1", "unique": true};
        tokio::spawn(async move { database.run_command(doc! {"createIndexes": "orders", "indexes": [index]}).await })
    };
    let listed = async || {
        let indexes = orders.list_index_names().await.expect("indexes");
        indexes.contains(&"twice_1".to_owned())
    };
    wait_until("the build has begun", taster_testkit::WAIT_TIMEOUT, listed).await;
    let during = post(&shop.workspace, "one");
    let (code, findings) = verdict(&during);
    assert_eq!(code, 3, "{}", during.all());
    assert!(findings.contains(&"unknown index-building orders".to_owned()), "{findings:?}");
    assert!(findings.contains(&"unknown change-unproven orders".to_owned()), "{findings:?}");
    shop.configure("hangAfterStartingIndexBuild", "off", doc! {}).await;
    building.await.expect("it ends").expect_err("the values are not unique");
    let after = post(&shop.workspace, "one");
    assert_eq!(verdict(&after).0, 1, "the declared index does not exist: {}", after.all());

    // before the sync it is better to know it
    let remaining = doc! {"createIndexes": "orders", "indexes": [{"key": {"other": 1}, "name": "other_1"}]};
    shop.configure("hangAfterStartingIndexBuild", "alwaysOn", doc! {}).await;
    let building = tokio::spawn(async move { database.run_command(remaining).await });
    let listed = async || orders.list_index_names().await.expect("indexes").contains(&"other_1".to_owned());
    wait_until("the build has begun", taster_testkit::WAIT_TIMEOUT, listed).await;
    let during = shop.workspace.taster(&["pre", "--run", "two"]);
    assert_eq!(during.code, 3, "{}", during.all());
    assert!(during.out.contains("index `other_1` of `orders` is still being built"), "{}", during.out);

    // a build that ends within the limit is waited for
    shop.workspace.configure(&format!("{SHOP}  indexBuildTimeout: 2m\n"));
    let mut waiting = shop.workspace.command(&["pre", "--run", "three", "-v"]);
    let mut waiting = waiting.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut log = BufReader::new(waiting.stderr.take().expect("its log")).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("waiting for indexes that are being built")), "it did not wait");
    shop.configure("hangAfterStartingIndexBuild", "off", doc! {}).await;
    let log = log.collect::<Vec<_>>().join("\n");
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0), "{log}");
    building.await.expect("it ends").expect("it is built");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_still_being_built_on_a_standalone_server() {
    an_index_that_is_still_being_built(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_still_being_built_on_a_replica_set() {
    an_index_that_is_still_being_built(Flavour::ReplicaSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definition_of_a_view_that_no_probe_may_read() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        let by_function = |body: &str| doc! {"$expr": {"$function": {"body": body, "args": [], "lang": "js"}}};
        let views = |operator: &str, number: i32| {
            [
                ("computed", "orders", doc! {"$match": by_function(&format!("function() {{ return {number}; }}"))}),
                ("now", "orders", doc! {"$match": {"$expr": {operator: ["$at", "$$NOW"]}}}),
                ("random", "orders", doc! {"$match": {"$expr": {operator: [{"$rand": {}}, 0.5]}}}),
                ("sampled", "orders", doc! {"$sample": {"size": number}}),
                ("without_source", "nowhere", doc! {"$match": {"number": {operator: 7}}}),
            ]
        };
        for (name, source, stage) in views("$lt", 1) {
            command(&shop, doc! {"create": name, "viewOn": source, "pipeline": [stage]}).await;
        }
        pre(&workspace, "one");
        for (name, source, stage) in views("$gt", 2) {
            command(&shop, doc! {"collMod": name, "viewOn": source, "pipeline": [stage]}).await;
        }
        let post = post(&workspace, "one");
        let (code, findings) = verdict(&post);
        assert_eq!(code, 1, "{}", post.all());
        let changed = views("$gt", 2).map(|(name, ..)| format!("different definition-changed {name}"));
        assert_eq!(findings, changed, "{}", post.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definition_of_a_collection_that_no_probe_compares() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let index = |name: &str| doc! {"key": {name: 1}, "name": name};
        command(&shop, doc! {"createIndexes": "orders", "indexes": [index("number"), index("other")]}).await;
        let census = "probes:\n  - {name: documents, component: census, collections: [orders]}\n";
        let warning = "  - {name: indexes, component: index-inventory, collections: [orders], severity: warn}\n";
        let muted = "  - {name: indexes, component: index-inventory, collections: [orders], muted: true}\n";
        for (run, probes) in [
            ("census", census.to_owned()),
            ("warning", format!("{census}{warning}")),
            ("muted", format!("{census}{muted}")),
        ] {
            workspace.configure(&format!("{SHOP}{probes}"));
            pre(&workspace, run);
            command(&shop, doc! {"dropIndexes": "orders", "index": "number"}).await;
            let after = post(&workspace, run);
            let (code, findings) = verdict(&after);
            assert_eq!(code, 1, "{run}: {}", after.all());
            assert!(findings.contains(&"different definition-changed orders".to_owned()), "{run}: {findings:?}");
            command(&shop, doc! {"createIndexes": "orders", "indexes": [index("number")]}).await;
            assert_eq!(post(&workspace, run).code, 0, "{run}: it is back");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_options_of_a_collection_that_no_probe_covers() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        workspace
            .configure(&format!("{SHOP}probes:\n  - {{name: documents, component: census, collections: [orders]}}\n"));
        command(&shop, doc! {"create": "log", "capped": true, "size": 65536}).await;
        command(&shop, doc! {"create": "checked", "validator": {"a": {"$exists": true}}}).await;
        pre(&workspace, "one");
        command(&shop, doc! {"collMod": "checked", "validator": {}}).await;
        command(&shop, doc! {"drop": "log"}).await;
        command(&shop, doc! {"create": "log"}).await;
        let post = post(&workspace, "one");
        let (code, findings) = verdict(&post);
        assert_eq!(code, 1, "{}", post.all());
        for changed in ["checked", "log"].map(|name| format!("different definition-changed {name}")) {
            assert!(findings.contains(&changed), "{findings:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_indexes_of_a_collection_that_no_probe_covers() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        workspace
            .configure(&format!("{SHOP}probes:\n  - {{name: documents, component: census, collections: [orders]}}\n"));
        command(&shop, doc! {"createIndexes": "registrations", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}).await;
        pre(&workspace, "one");
        command(&shop, doc! {"dropIndexes": "registrations", "index": "x_1"}).await;
        let after = post(&workspace, "one");
        assert_eq!(
            verdict(&after),
            (1, vec!["different definition-changed registrations".to_owned()]),
            "{}",
            after.all()
        );
        // the way out
        workspace.configure(&format!(
            "{SHOP}probes:\n  - {{name: documents, component: census, collections: [orders]}}\n\
         changes:\n  - {{collection: registrations, removedIndex: x_1}}\n"
        ));
        assert_eq!(post(&workspace, "one").code, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_are_stored_in_the_database() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        let functions = shop.database.collection::<Document>("system.js");
        let function =
            |name: &str| doc! {"_id": name, "value": Bson::JavaScriptCode("function() { return 1; }".to_owned())};
        functions.insert_many(["discount", "vat", "total"].map(function)).await.expect("functions");
        pre(&workspace, "same");
        functions.insert_one(function("new")).await.expect("a function");
        let same = post(&workspace, "same");
        assert_eq!(same.code, 0, "{}", same.all());
        assert!(same.json()["uncovered"].as_array().expect("a list").contains(&"system.js".into()), "{}", same.out);
        pre(&workspace, "lost");
        functions.delete_one(doc! {"_id": "vat"}).await.expect("a delete");
        let lost = post(&workspace, "lost");
        assert_eq!(verdict(&lost), (1, vec!["different definition-changed system.js".to_owned()]), "{}", lost.all());
        let all = functions.find(doc! {}).await.expect("functions");
        let all: Vec<Document> = futures_util::TryStreamExt::try_collect(all).await.expect("functions");
        pre(&workspace, "changed");
        let other = doc! {"$set": {"value": Bson::JavaScriptCode("function() { return 2; }".to_owned())}};
        functions.update_one(doc! {"_id": "total"}, other).await.expect("an update");
        let changed = post(&workspace, "changed");
        assert_eq!(verdict(&changed).0, 1, "{}", changed.all());
        functions.delete_many(doc! {}).await.expect("a delete");
        functions.insert_many(all).await.expect("functions");
        functions.insert_one(function("vat")).await.expect("a function");
        assert_eq!(post(&workspace, "changed").code, 0, "they are back");
        functions.delete_many(doc! {}).await.expect("a delete");
        let gone = post(&workspace, "lost");
        assert_eq!(verdict(&gone).0, 1, "{}", gone.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_a_ttl_index_that_was_removed() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        workspace.configure(&format!(
            "{SHOP}probes:\n  - {{name: documents, component: census, collections: [sessions]}}\n\
         changes:\n  - {{collection: sessions, removedIndex: ttl}}\n"
        ));
        // due in a moment, and the monitor is not asked: what removes them is the upgrade
        let due = DateTime::from_millis(DateTime::now().timestamp_millis() + 500);
        let index = doc! {"key": {"until": 1}, "name": "ttl", "expireAfterSeconds": 1};
        let admin = shop.mongod.client().await.expect("a client").database("admin");
        let monitor = async |enabled: bool| {
            admin.run_command(doc! {"setParameter": 1, "ttlMonitorEnabled": enabled}).await.expect("a parameter");
        };
        monitor(false).await;
        command(&shop, doc! {"createIndexes": "sessions", "indexes": [index]}).await;
        let sessions = shop.database.collection::<Document>("sessions");
        sessions.insert_many((0..20).map(|id| doc! {"_id": id, "until": due})).await.expect("documents");
        pre(&workspace, "one");
        command(&shop, doc! {"dropIndexes": "sessions", "index": "ttl"}).await;
        sessions.delete_many(doc! {"_id": {"$lt": 10}}).await.expect("a delete");
        let is_due = async || DateTime::now().timestamp_millis() > due.timestamp_millis() + 1500;
        wait_until("they are due", taster_testkit::WAIT_TIMEOUT, is_due).await;
        let post = post(&workspace, "one");
        monitor(true).await;
        let (code, findings) = verdict(&post);
        assert_eq!(code, 3, "{}", post.all());
        assert!(findings.contains(&"unknown change-unproven sessions".to_owned()), "{findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_between_a_capture_in_which_a_probe_failed_and_the_next_one() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let probes = |limit: u32| {
            format!(
                "{SHOP}probes:\n  - {{name: documents, component: census}}\n  \
             - {{name: shape, component: schema-shape, limits: {{documents: {limit}}}}}\n"
            )
        };
        workspace.configure(&probes(2));
        assert_eq!(workspace.taster(&["pre", "--run", "one"]).code, 3);
        // nothing was lost: the next one takes its place
        workspace.configure(&probes(100_000));
        pre(&workspace, "two");
        assert_eq!(post(&workspace, "two").code, 0);

        workspace.configure(&probes(2));
        assert_eq!(workspace.taster(&["pre", "--run", "three"]).code, 3);
        assert!(shop.lose(doc! {"status": "open"}).await > 0);
        workspace.configure(&probes(100_000));
        let again = workspace.taster(&["pre", "--run", "four"]);
        assert_eq!(again.code, 3, "{}", again.all());
        assert!(again.out.contains("the capture of run three"), "{}", again.out);
        let post = post(&workspace, "four");
        assert_eq!(post.code, 1, "{}", post.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_data_of_another_server() {
    for flavour in FLAVOURS {
        // two replica sets have one name
        let (one, other) = (ShopDatabase::open(flavour, 100).await, ShopDatabase::open(flavour, 100).await);
        let mut workspace = one.workspace();
        workspace.configure(&format!("{SHOP}  data: live\n"));
        pre(&workspace, "one");
        workspace.point_at(&other.uri());
        let post = post(&workspace, "one");
        assert!(verdict(&post).1.contains(&"unknown server-changed ".to_owned()), "{}", post.all());
        assert_eq!(post.code, 3, "{}", post.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_blocks_neither_as_a_component_nor_in_the_store() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = shop.workspace();
    let fifo = |path: &str| {
        let made = Command::new("mkfifo").arg(workspace.path().join(path)).status();
        assert!(made.expect("mkfifo runs").success());
    };
    fifo("probe.wasm");
    workspace.configure(&format!("{SHOP}probes:\n  - {{name: guest, component: ./probe.wasm}}\n"));
    let pre = workspace.taster(&["pre", "--run", "one"]);
    assert_eq!(pre.code, 4, "{}", pre.all());
    assert!(pre.err.contains("T0108") && pre.err.contains("it is a FIFO"), "{}", pre.err);
    workspace.configure(SHOP);
    assert_eq!(workspace.taster(&["pre", "--run", "one"]).code, 0);
    let capture = "results/v1/pxbbq/one/pre/capture.json";
    std::fs::remove_file(workspace.path().join(capture)).expect("it is removed");
    fifo(capture);
    let post = post(&workspace, "one");
    assert_eq!(post.code, 4, "{}", post.all());
    assert!(post.err.contains("T0404") && post.err.contains("it is a FIFO, not a regular file"), "{}", post.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_finds_after_one_on_a_machine_whose_clock_is_ahead() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        pre(&workspace, "one");
        let ahead = workspace.command_at("+1h", &["post", "--run", "one", "--format", "json"]).output();
        let ahead = CommandOutput::read(&ahead.expect("faketime runs: make setup installs it"));
        assert_eq!(ahead.code, 0, "{}", ahead.all());
        let started = |output: &CommandOutput| output.json()["after"]["started"].as_str().expect("a time").to_owned();
        assert!(shop.lose(doc! {"status": "open"}).await > 0);
        let later = post(&workspace, "one");
        assert_eq!(later.code, 1, "{}", later.all());
        assert!(started(&later) < started(&ahead), "the first clock was ahead");
        let served = Served::start(&workspace, &[]);
        assert_eq!(served.get("/compare?run=one").status, 404, "the gate follows");
        assert_eq!(workspace.taster(&["compare", "--run", "one"]).code, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_attempt_finds_after_a_fast_one() {
    let shop = ShopDatabase::standalone(100).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    // it begins first, and reads after it has waited for so long; on a busy machine the fast one may take longer than that
    for (run, seconds) in [("one", 6), ("two", 20), ("three", 60)] {
        pre(&workspace, run);
        let slower = format!("{SHOP}  quietPeriod: {seconds}s\n");
        std::fs::write(workspace.path().join("slow.yaml"), slower).expect("a file");
        let mut slow = workspace.command(&["post", "--run", run, "--config", "slow.yaml"]);
        let mut slow = slow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let fast = post(&workspace, run);
        assert_eq!(fast.code, 0, "{}", fast.all());
        let is_late = slow.try_wait().expect("a status").is_some();
        if is_late && seconds < 60 {
            continue;
        }
        assert!(shop.lose(doc! {"status": "open"}).await > 0);
        let slow = CommandOutput::read(&slow.wait_with_output().expect("it ends"));
        assert_eq!(slow.code, 1, "it saw the loss: {}", slow.all());
        let served = Served::start(&workspace, &[]);
        assert_eq!(served.get(&format!("/compare?run={run}")).status, 404);
        return;
    }
}
