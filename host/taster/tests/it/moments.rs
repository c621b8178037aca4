//! Whatever is written while a capture is taken: on a replica set everything in it is of one moment, on a standalone
//! server it is stable or `unknown`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mongodb::{
    Collection, Database,
    bson::{DateTime, Document, doc},
    options::ReturnDocument,
};
use taster_testkit::mongod::Flavour;
use tokio::task::JoinHandle;

use crate::support::{CommandOutput, LoggedCommand, SHOP, ShopDatabase, Workspace};

/// Documents of the ledger.
const LEDGER: i64 = 20_000;

/// Writes until it is stopped.
struct Writer {
    task: JoinHandle<()>,
    stopped: Arc<AtomicBool>,
}

impl Writer {
    /// Starts a kind of writing and waits until some of it is done.
    async fn start(kind: &'static str, database: &Database) -> Self {
        let database = database.clone();
        let (progress, mut seen) = tokio::sync::watch::channel(0_i64);
        let stopped = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stopped);
        let task = tokio::spawn(async move {
            for turn in (0_i64..).take_while(|_| !asked.load(Ordering::Relaxed)) {
                write(kind, &database, turn).await;
                progress.send_replace(turn);
            }
        });
        // the first drop of a collection may take its time
        seen.wait_for(|turn| *turn >= 2).await.expect("it writes");
        Self { task, stopped }
    }

    /// Ends when the last write is answered: a server finishes what a client gives up, a drop among it, and may do so late.
    async fn stop(self) {
        assert!(!self.task.is_finished(), "it wrote until now");
        self.stopped.store(true, Ordering::Relaxed);
        self.task.await.expect("it wrote to the end");
    }
}

fn ledger(database: &Database) -> Collection<Document> {
    database.collection("ledger")
}

/// One write of a kind. The turns go round the ledger, so that a scan meets documents from before and after it.
async fn write(kind: &str, database: &Database, turn: i64) {
    let ledger = ledger(database);
    let id = doc! {"_id": turn % LEDGER};
    let round = turn / LEDGER + 1;
    match kind {
        "update" => drop(ledger.update_one(id, doc! {"$set": {"n": round}}).await.expect("a write")),
        "inc" => drop(ledger.update_one(id, doc! {"$inc": {"n": 1}}).await.expect("a write")),
        "pipeline" => {
            let stages = vec![doc! {"$set": {"n": {"$add": ["$n", 1]}}}];
            drop(ledger.update_one(id, stages).await.expect("a write"));
        }
        // one command that is under way when the scan begins, and when it ends
        "in_flight" => drop(ledger.update_many(doc! {}, doc! {"$inc": {"n": 1}}).await.expect("a write")),
        "find_and_modify" => {
            let after = ledger.find_one_and_update(id, doc! {"$inc": {"n": 1}}).return_document(ReturnDocument::After);
            drop(after.await.expect("a write"));
        }
        "replace" => drop(ledger.replace_one(id, doc! {"n": round, "k": 0}).await.expect("a write")),
        "delete" => drop(ledger.delete_one(id).await.expect("a write")),
        "insert" => drop(ledger.insert_one(doc! {"n": round, "k": 0}).await.expect("a write")),
        "ttl" => {
            // what is dead already goes with the next round of the server, one a second
            let due: Vec<_> = (0..20).map(|_| doc! {"n": 0, "k": 0, "due": DateTime::from_millis(0)}).collect();
            drop(ledger.insert_many(due).await.expect("a write"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        "merge" => {
            let stages = [
                doc! {"$match": {"_id": {"$gte": turn % LEDGER, "$lt": turn % LEDGER + 50}}},
                doc! {"$set": {"n": {"$add": ["$n", 1]}}},
                doc! {"$merge": {"into": "ledger"}},
            ];
            drop(database.collection::<Document>("ledger").aggregate(stages).await.expect("a write"));
        }
        "apply_ops" => {
            let insert = doc! {"op": "i", "ns": "pxbbq.ledger", "o": {"_id": LEDGER + turn, "n": 0, "k": 0}};
            drop(database.client().database("admin").run_command(doc! {"applyOps": [insert]}).await.expect("a write"));
        }
        "drop" => {
            // refused while somebody reads at a moment that has passed, and tried again
            let _ = ledger.drop().await;
            let _ = ledger.insert_many((0..100).map(|n| doc! {"_id": n, "n": turn, "k": 0})).await;
            // the new one is there for long enough to be read
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        other => panic!("no kind of writing: {other}"),
    }
}

async fn open(flavour: Flavour) -> (ShopDatabase, Workspace) {
    let shop = ShopDatabase::open(flavour, 50).await;
    let documents = (0..LEDGER).map(|n| doc! {"_id": n, "n": 0, "k": n % 7, "pad": "x".repeat(100)});
    ledger(&shop.database).insert_many(documents).await.expect("the ledger");
    let index = mongodb::IndexModel::builder()
        .keys(doc! {"due": 1})
        .options(mongodb::options::IndexOptions::builder().expire_after(Duration::ZERO).build())
        .build();
    ledger(&shop.database).create_index(index).await.expect("an index");
    let workspace = shop.workspace();
    // two probes that look at different times must have seen the same
    let probe = |name: &str| {
        format!(
            "  - name: {name}\n    component: group-report\n    collections: [ledger]\n    config: {{reports: [{{name: ledger, \
             collection: ledger, groupBy: [k], sums: {{total: n}}}}]}}\n"
        )
    };
    workspace.configure(&format!(
        "{}probes:\n{}{}",
        SHOP.replace("  database: pxbbq", "  database: pxbbq\n  maxRescans: 1\n  quietPeriod: 300ms"),
        probe("first"),
        probe("second")
    ));
    (shop, workspace)
}

/// Both probes' metrics, or `None` where they failed as unstable.
fn found(workspace: &Workspace, arguments: &[&str]) -> (i32, Option<serde_json::Value>, serde_json::Value) {
    found_by(&workspace.taster(&[&["pre", "--format", "json"], arguments].concat()))
}

/// The same of a `pre` that has ended.
fn found_by(ended: &CommandOutput) -> (i32, Option<serde_json::Value>, serde_json::Value) {
    assert!([0, 3].contains(&ended.code), "{}", ended.all());
    let capture = ended.json();
    let outcome = |at: usize| capture["probes"][at]["outcome"].clone();
    let (first, second) = (outcome(0), outcome(1));
    if ended.code == 0 {
        assert!(first["metrics"].as_array().is_some_and(|metrics| metrics.len() > 1), "{first}");
        assert_eq!(first, second, "two looks at one moment");
        return (0, Some(first), capture["consistency"].clone());
    }
    for outcome in [&first, &second] {
        let code = outcome["failed"]["code"].as_str();
        assert!(
            outcome["metrics"].is_array() || code.is_some_and(|code| ["T0622", "T0211"].contains(&code)),
            "{outcome}"
        );
    }
    (3, None, capture["consistency"].clone())
}

async fn on_a_standalone(kind: &'static str) {
    let (shop, workspace) = open(Flavour::Standalone).await;
    let writer = Writer::start(kind, &shop.database).await;
    let (code, seen, consistency) = found(&workspace, &["--run", kind]);
    writer.stop().await;
    assert_eq!(consistency["reading"], "live");
    // TTL deletes come once a second, and a short capture may pass between two of them: then it is stable. So it is where
    // the collection was gone when the witness was read first, and gone when it was read last: nothing was there.
    let nothing = seen.is_some_and(|metrics| metrics["metrics"][0]["value"]["integer"] == 0);
    // If a busy machine delays the writer for longer than the pause, a rescan notices the earlier writes, and then there are
    // none.
    let noticed = code == 3 || consistency["rescans"].as_u64().is_some_and(|rescans| rescans > 0);
    assert!(noticed || kind == "ttl" || (kind == "drop" && nothing), "{kind} went unnoticed: {consistency}");
    // a collection that is named and does not exist is an obstacle of another kind
    ledger(&shop.database).insert_one(doc! {"_id": "last"}).await.expect("a document");
    // and so is what one probe has seen of it while the other one failed: that baseline would be kept
    let new = ["baseline", "new", "--reason", "the writer has ended", "--run", "afterwards", "--format", "json"];
    let ended = workspace.taster(&new);
    assert_eq!(ended.code, 0, "without writes it is stable again: {}", ended.all());
}

async fn on_a_replica_set(kind: &'static str) {
    let (shop, workspace) = open(Flavour::ReplicaSet).await;
    let writer = Writer::start(kind, &shop.database).await;
    let (code, found, consistency) = found(&workspace, &["--run", kind]);
    writer.stop().await;
    if kind == "drop" {
        // before 7.0 a server does not read at a moment before a collection was made: one moment, or unknown
        return;
    }
    assert_eq!((code, &consistency["reading"]), (0, &"snapshot".into()), "{kind}: {consistency}");
    assert_eq!(consistency["rescans"], 0, "a snapshot needs no second look");
    assert!(found.is_some());
}

macro_rules! kinds {
    ($($kind:ident)*) => {
        mod standalone { $(#[tokio::test(flavor = "multi_thread")] async fn $kind() { super::on_a_standalone(stringify!($kind)).await; })* }
        mod replica_set { $(#[tokio::test(flavor = "multi_thread")] async fn $kind() { super::on_a_replica_set(stringify!($kind)).await; })* }
    };
}
kinds! { update inc pipeline in_flight find_and_modify replace delete insert ttl merge apply_ops drop }

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_writes_is_waited_out() {
    let (shop, workspace) = open(Flavour::Standalone).await;
    let writer = Writer::start("inc", &shop.database).await;
    let mut command = workspace.command(&["pre", "--format", "json", "--run", "burst"]);
    let pre = LoggedCommand::spawn(&workspace, &mut command);
    // the burst lasts longer than the first reading and ends before the only other one
    pre.logs("data changed while they were read; reading again").await;
    writer.stop().await;
    let (code, found, consistency) = found_by(&pre.ended().await);
    assert_eq!((code, &consistency["rescans"]), (0, &serde_json::json!(1)), "{consistency}");
    assert!(found.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_made_meanwhile_is_not_half_seen() {
    let (shop, workspace) = open(Flavour::ReplicaSet).await;
    let database = shop.database.clone();
    let builder = tokio::spawn(async move {
        for n in 0_i64.. {
            let name = format!("field_{}", n % 10);
            let index = mongodb::IndexModel::builder().keys(doc! {&name: 1}).build();
            let _ = database.collection::<Document>("menu").create_index(index).await;
            let _ = database.collection::<Document>("menu").drop_index(format!("{name}_1")).await;
        }
    });
    workspace.configure(&SHOP.replace("  database: pxbbq", "  database: pxbbq\n  maxRescans: 1"));
    let ended = workspace.taster(&["pre", "--run", "built", "--format", "json"]);
    builder.abort();
    let capture = ended.json();
    let of = |name: &str| capture["probes"].as_array().expect("probes").iter().find(|p| p["name"] == name).cloned();
    let indexes = of("index-inventory").expect("the probe");
    if ended.code == 3 && indexes["outcome"]["failed"].is_object() {
        assert_eq!(indexes["outcome"]["failed"]["code"], "T0622", "{indexes}");
        assert_eq!(capture["consistency"]["unstable"][0], "menu", "{}", capture["consistency"]);
        return;
    }
    if ended.code == 3 {
        // both readings saw the same one being built: it is named, and no verdict rests on it
        let menu = capture["collections"].as_array().expect("collections").iter().find(|c| c["name"] == "menu");
        assert!(menu.is_some_and(|menu| menu["building"][0].is_string()), "{}", ended.all());
        return;
    }
    // between two readings that are equal: then what was found is what was there at both
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(capture["consistency"]["unstable"].is_null(), "{}", capture["consistency"]);
    assert!(indexes["outcome"]["metrics"].is_array(), "{indexes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn capped_collections_are_witnessed_beside_a_snapshot() {
    let (shop, workspace) = open(Flavour::ReplicaSet).await;
    shop.database.create_collection("log").capped(true).size(1 << 20).await.expect("a collection");
    let log = shop.database.collection::<Document>("log");
    log.insert_many((0..100).map(|n| doc! {"n": n})).await.expect("an insert");
    let probes = "probes:\n  - {name: log, component: document-count, collections: [log]}\n  - {name: ledger, component: \
                  document-count, collections: [ledger]}\n";
    workspace.configure(&format!(
        "{}{probes}",
        SHOP.replace("  database: pxbbq", "  database: pxbbq\n  maxRescans: 1\n  quietPeriod: 300ms")
    ));
    let quiet = workspace.taster(&["pre", "--run", "quiet", "--format", "json"]);
    assert_eq!(quiet.code, 0, "{}", quiet.all());
    let writer = tokio::spawn(async move {
        for n in 0_i64.. {
            log.insert_one(doc! {"n": n}).await.expect("an insert");
        }
    });
    let busy = workspace.taster(&["pre", "--run", "busy", "--format", "json"]);
    writer.abort();
    let capture = busy.json();
    assert_eq!(busy.code, 3, "{}", busy.all());
    assert_eq!(capture["probes"][0]["outcome"]["failed"]["code"], "T0622", "{capture}");
    assert!(capture["probes"][1]["outcome"]["metrics"].is_array(), "the others are of their moment: {capture}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_answers_twice_differently_is_unknown() {
    let shop = ShopDatabase::replica_set(200).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let twice = workspace.taster(&["pre", "--twice", "--run", "steady", "--format", "json"]);
    assert_eq!(twice.code, 0, "{}", twice.all());
    let once = workspace.taster(&["pre", "--run", "once", "--store", "file://./other", "--format", "json"]);
    let metrics = |ended: &CommandOutput| {
        let probes = ended.json()["probes"].as_array().expect("probes").clone();
        probes.iter().map(|probe| probe["outcome"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&twice), metrics(&once), "and what it answers does not depend on being asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_returns_something_else_each_time_does_not_block_a_capture() {
    let shop = ShopDatabase::standalone(50).await;
    let recent = vec![doc! {"$match": {"$expr": {"$gt": ["$created", {"$subtract": ["$$NOW", 86_400_000]}]}}}];
    shop.database.create_collection("recent").view_on("orders".to_owned()).pipeline(recent).await.expect("a view");
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let pre = workspace.taster(&["pre", "--run", "a"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    assert!(pre.err.contains("the view is not compared") && pre.err.contains("recent"), "{}", pre.err);
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert_eq!(post.json()["uncovered"], serde_json::json!(["recent"]), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_the_history_of_the_server_is_read_in_ranges() {
    let shop = ShopDatabase::without_history(200).await;
    let workspace = shop.workspace();
    workspace.configure(&SHOP.replace("  database: pxbbq", "  database: pxbbq\n  maxRescans: 1"));
    let pre = workspace.taster(&["pre", "--run", "a", "--format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    assert_eq!(pre.json()["consistency"]["reading"], "ranges", "{}", pre.out);
    assert_eq!(workspace.taster(&["post", "--run", "a"]).code, 0);
    // the same as in one snapshot
    let snapshot = ShopDatabase::replica_set(200).await;
    let other = snapshot.workspace();
    other.configure(SHOP);
    let at_once = other.taster(&["pre", "--run", "a", "--format", "json"]).json();
    assert_eq!(at_once["consistency"]["reading"], "snapshot");
    let metrics = |capture: &serde_json::Value| {
        let probes = capture["probes"].as_array().expect("probes").iter();
        probes.map(|probe| probe["outcome"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(metrics(&pre.json()), metrics(&at_once));
    // a loss is seen, and writing meanwhile is
    workspace.taster(&["pre", "--run", "b"]);
    assert!(shop.lose(doc! {"status": "open"}).await > 0);
    assert_eq!(workspace.taster(&["post", "--run", "b"]).code, 1);
    let database = shop.database.clone();
    let writer = tokio::spawn(async move {
        for n in 0_i64.. {
            let orders = database.collection::<Document>("orders");
            orders.update_one(doc! {"status": "new"}, doc! {"$set": {"n": n}}).upsert(true).await.expect("a write");
        }
    });
    let busy = workspace.taster(&["pre", "--run", "c", "--store", "file://./busy", "--format", "json"]);
    writer.abort();
    assert_eq!(busy.code, 3, "{}", busy.all());
    assert!(busy.out.contains("T0622"), "{}", busy.out);
}
