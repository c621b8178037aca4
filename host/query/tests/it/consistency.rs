//! Consistency of reads: every kind of write is detected, ranges return every document once, and a lost snapshot is reported.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::{IndexModel, options::IndexOptions};
use taster_model::ReadMode;
use taster_query::{CollectionChange, Connection, ConnectionOptions, FindOptions, Limits, Snapshot, SnapshotOptions};
use taster_testkit::{WAIT_TIMEOUT, mongod::Server, wait_until};

use crate::{
    mongod::{Mongod, replica_set, standalone},
    support::{Shop, database, drain, grant, raw},
};

pub(crate) fn snapshot_options(reading: ReadMode) -> SnapshotOptions {
    SnapshotOptions {
        reading,
        quiet_period: Duration::from_millis(50),
        majority_timeout: Duration::from_secs(10),
        documents_per_range: Some(200),
    }
}

pub(crate) async fn parameter(server: &'static Mongod, name: &str, value: i32) {
    let set = doc! {"setParameter": 1, name: value};
    server.client().await.database("admin").run_command(set).await.unwrap();
}

async fn every_kind_of_write_is_detected(server: &'static Mongod, name: &'static str) {
    let shop = Shop::new(server, name).await;
    shop.fill("ledger", (0..50).map(|n| doc! {"_id": n, "n": 0})).await;
    shop.fill("other", [doc! {"_id": 0, "n": 99}]).await;
    let due = IndexModel::builder()
        .keys(doc! {"due": 1})
        .options(IndexOptions::builder().expire_after(Duration::ZERO).build())
        .build();
    shop.mongo().collection::<Document>("ledger").create_index(due).await.unwrap();
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    for kind in [
        "insert",
        "update",
        "inc",
        "pipeline",
        "update many",
        "replace",
        "upsert",
        "delete",
        "find and modify",
        "merge",
        "apply ops",
        "large",
        "ttl",
        "drop",
        "rename",
        "out",
        "index",
        "validator",
    ] {
        let before = connection.read_inventory().await.unwrap();
        write(kind, &shop, &connection).await;
        let after = connection.read_inventory().await.unwrap();
        let expected = match kind {
            "drop" | "rename" | "out" | "index" | "validator" => Some(CollectionChange::Redefined),
            _ => Some(CollectionChange::Written),
        };
        assert_eq!(before.change(&after, "ledger"), expected, "{kind}");
        if !["merge", "rename", "out"].contains(&kind) {
            assert_eq!(before.change(&after, "other"), None, "{kind}: the other collection was left alone");
        }
    }
    // before 7.0 a server does not read at a moment before a collection was made
    let later = connection.snapshot(snapshot_options(snapshot.reading())).await.unwrap();
    let read = database(&later, &["ledger"]);
    let before = connection.read_inventory().await.unwrap();
    let mut cursor = read.find("ledger", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    drain(&mut cursor).await.unwrap();
    read.count("ledger", &raw(&doc! {"n": 1})).await.unwrap();
    let after = connection.read_inventory().await.unwrap();
    assert_eq!(before.change(&after, "ledger"), None, "reading does not move the counters");
    connection.close().await;
}

/// One write of a kind, done when this returns.
async fn write(kind: &str, shop: &Shop, connection: &Connection) {
    let ledger = shop.mongo().collection::<Document>("ledger");
    let admin = shop.client.database("admin");
    let one = || doc! {"_id": 1};
    match kind {
        "insert" => drop(ledger.insert_one(doc! {"_id": 100}).await.unwrap()),
        "update" => drop(ledger.update_one(one(), doc! {"$set": {"n": 7}}).await.unwrap()),
        "inc" => drop(ledger.update_one(one(), doc! {"$inc": {"n": 1}}).await.unwrap()),
        "pipeline" => {
            drop(ledger.update_one(one(), vec![doc! {"$set": {"n": {"$add": ["$n", 1]}}}]).await.unwrap());
        }
        "update many" => drop(ledger.update_many(doc! {}, doc! {"$inc": {"n": 1}}).await.unwrap()),
        "replace" => drop(ledger.replace_one(one(), doc! {"other": true}).await.unwrap()),
        "upsert" => drop(ledger.update_one(doc! {"_id": 101}, doc! {"$set": {"n": 1}}).upsert(true).await.unwrap()),
        "delete" => drop(ledger.delete_one(doc! {"_id": 2}).await.unwrap()),
        "find and modify" => drop(ledger.find_one_and_delete(doc! {"_id": 3}).await.unwrap()),
        "merge" => {
            let stages = [doc! {"$merge": {"into": "ledger"}}];
            drop(shop.mongo().collection::<Document>("other").aggregate(stages).await.unwrap());
        }
        "apply ops" => {
            let insert = doc! {"op": "i", "ns": format!("{}.ledger", shop.name), "o": {"_id": 200}};
            drop(admin.run_command(doc! {"applyOps": [insert]}).await.unwrap());
        }
        "large" => drop(ledger.update_one(one(), doc! {"$set": {"pad": "x".repeat(100_000)}}).await.unwrap()),
        "ttl" => {
            let gone = async || ledger.count_documents(doc! {"_id": "due"}).await.unwrap() == 0;
            let before = loop {
                ledger.insert_one(doc! {"_id": "due", "due": DateTime::from_millis(0)}).await.unwrap();
                let before = connection.read_inventory().await.unwrap();
                // the monitor comes once a second, and may have come already
                if !gone().await {
                    break before;
                }
            };
            wait_until("the TTL monitor", WAIT_TIMEOUT, gone).await;
            let after = connection.read_inventory().await.unwrap();
            assert_eq!(before.change(&after, "ledger"), Some(CollectionChange::Written), "{kind}");
        }
        "drop" => {
            ledger.drop().await.unwrap();
            ledger.insert_one(doc! {"_id": 1}).await.unwrap();
        }
        "rename" => {
            shop.mongo().collection::<Document>("fresh").insert_one(doc! {"_id": 1}).await.unwrap();
            let rename = doc! {"renameCollection": format!("{}.fresh", shop.name), "to": format!("{}.ledger", shop.name), "dropTarget": true};
            drop(admin.run_command(rename).await.unwrap());
        }
        "out" => {
            let stages = [doc! {"$out": "ledger"}];
            drop(shop.mongo().collection::<Document>("other").aggregate(stages).await.unwrap());
        }
        "index" => drop(ledger.create_index(IndexModel::builder().keys(doc! {"n": 1}).build()).await.unwrap()),
        "validator" => {
            let validator = doc! {"collMod": "ledger", "validator": {"n": {"$exists": true}}};
            drop(shop.mongo().run_command(validator).await.unwrap());
        }
        other => panic!("no kind of writing: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_write_is_detected_on_a_standalone() {
    every_kind_of_write_is_detected(standalone(), "kinds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_write_is_detected_on_a_replica_set() {
    every_kind_of_write_is_detected(replica_set(), "kinds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_lists_every_collection() {
    let shop = Shop::new(standalone(), "inventory").await;
    shop.fill("orders", (0..5).map(|n| doc! {"_id": n, "at": n})).await;
    shop.mongo().create_collection("log").capped(true).size(4096).await.unwrap();
    shop.mongo()
        .create_collection("late")
        .view_on("orders".to_owned())
        .pipeline(vec![doc! {"$match": {"at": 4}}])
        .await
        .unwrap();
    shop.mongo().run_command(doc! {"create": "readings", "timeseries": {"timeField": "t"}}).await.unwrap();
    shop.mongo()
        .collection::<Document>("orders")
        .create_index(IndexModel::builder().keys(doc! {"at": -1, "_id": 1}).build())
        .await
        .unwrap();
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let listed: Vec<String> = snapshot
        .collections()
        .await
        .unwrap()
        .iter()
        .map(|c| {
            let indexes: Vec<_> = c.indexes.iter().map(|index| index["key"].to_string()).collect();
            format!("{} {:?} {:?} {} {}", c.name, c.kind, c.documents, c.options, indexes.join(" ")).trim().to_owned()
        })
        .collect();
    insta::assert_snapshot!(listed.join("\n"), @r#"
    late View None {"kind":"view","pipeline":[{"$match":{"at":{"$numberInt":"4"}}}],"viewOn":"orders"}
    log Collection Some(0) {"capped":true,"kind":"collection","size":{"$numberInt":"4096"}} {"_id":{"$numberInt":"1"}}
    orders Collection Some(5) {"kind":"collection"} {"_id":{"$numberInt":"1"}} {"at":{"$numberInt":"-1"},"_id":{"$numberInt":"1"}}
    readings TimeSeries None {"kind":"time-series","timeseries":{"bucketMaxSpanSeconds":{"$numberInt":"3600"},"granularity":"seconds","timeField":"t"}}
    "#);
    connection.close().await;
}

/// Ids of every kind that may be one.
pub(crate) fn mixed_ids() -> Vec<Bson> {
    let mut ids: Vec<Bson> = vec![
        Bson::Null,
        Bson::MinKey,
        Bson::Boolean(true),
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        doc! {"a": 1, "b": "x"}.into(),
        doc! {}.into(),
        DateTime::from_millis(-5).into(),
        bson::Timestamp { time: 5, increment: 1 }.into(),
        bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] }.into(),
        "12.25".parse::<bson::Decimal128>().unwrap().into(),
    ];
    ids.extend((0..300).map(|n| Bson::Int32(n * 7)));
    ids.extend((0..300).map(|n| Bson::String(format!("ä{n}"))));
    ids.extend((0..300).map(|_| Bson::ObjectId(ObjectId::new())));
    ids.extend((0..300).map(|n| Bson::Double(f64::from(n) + 0.5)));
    ids
}

/// A snapshot whose scans are all read in ranges, on a server where a transaction lives a second.
async fn in_ranges(shop: &Shop) -> (Connection, Snapshot) {
    parameter(shop.server, "transactionLifetimeLimitSeconds", 1).await;
    let connection = shop.connection().await;
    let snapshot = connection.snapshot(snapshot_options(ReadMode::Ranges)).await.unwrap();
    (connection, snapshot)
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_return_every_document_once_whatever_its_id() {
    let server = crate::mongod::short_transactions();
    let shop = Shop::new(server, "ranges").await;
    shop.fill("plain", mixed_ids().into_iter().map(|id| doc! {"_id": id, "pad": "x".repeat(100_000)})).await;
    let collation = doc! {"create": "german", "collation": {"locale": "de", "strength": 1}};
    shop.mongo().run_command(collation).await.unwrap();
    shop.fill("german", (0..900).map(|n| doc! {"_id": format!("ä{n}"), "pad": "x".repeat(100_000)})).await;
    let (connection, snapshot) = in_ranges(&shop).await;
    for (collection, count) in [("plain", mixed_ids().len()), ("german", 900)] {
        for projection in [None, Some(doc! {"_id": 1, "n": 1}), Some(doc! {"_id": 0, "n": 1})] {
            let opened = queries(server).await;
            let database = database(&snapshot, &[collection]);
            let options = FindOptions { projection: projection.as_ref().map(raw), ..FindOptions::default() };
            let mut cursor = database.find(collection, &raw(&doc! {}), options).await.unwrap();
            let documents = drain(&mut cursor).await.unwrap();
            assert_eq!(documents.len(), count, "{collection} {projection:?}");
            assert_eq!(cursor.next().await, Ok(None), "the end stays the end");
            let opened = queries(server).await - opened;
            assert!(opened > 4, "{collection} was read in {opened} queries: nothing was cut");
            if projection.is_none() {
                let mut ids: Vec<String> = documents.iter().map(|d| format!("{:?}", d.get("_id").unwrap())).collect();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), count, "each once");
            }
        }
    }
    // a position in an index that has no end behind the greatest value there is misses that value
    shop.fill("plain", [doc! {"_id": Bson::MaxKey, "pad": "x"}]).await;
    let snapshot = connection.snapshot(snapshot_options(ReadMode::Ranges)).await.unwrap();
    let mut cursor =
        database(&snapshot, &["plain"]).find("plain", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), mixed_ids().len() + 1);
    // a filter, and what asks for an order or a part is not cut
    let database = database(&snapshot, &["plain"]);
    let numbers = raw(&doc! {"_id": {"$type": "int"}});
    let mut cursor = database.find("plain", &numbers, FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 300);
    let sorted = FindOptions { sort: Some(raw(&doc! {"_id": -1})), limit: Some(5), ..FindOptions::default() };
    let mut cursor = database.find("plain", &raw(&doc! {}), sorted).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap()[0].get("_id"), Some(&Bson::MaxKey));
    connection.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

pub(crate) async fn queries(server: &'static Mongod) -> i64 {
    let status = server.client().await.database("admin").run_command(doc! {"serverStatus": 1}).await.unwrap();
    let queries = status.get_document("opcounters").unwrap().get("query").unwrap();
    queries.as_i64().unwrap_or_else(|| queries.as_i32().unwrap().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_snapshot_is_reported_and_ranges_survive_it() {
    let server = crate::mongod::forgetful();
    let shop = Shop::new(server, "patience").await;
    shop.fill("orders", (0..1500).map(|n| doc! {"_id": n, "pad": "x".repeat(100_000)})).await;
    let slowly = async |snapshot: &Snapshot| {
        let database = snapshot.database(grant(&["orders"], Limits { batch: 4 << 20, ..Limits::default() }));
        let mut cursor = database.find("orders", &raw(&doc! {}), FindOptions::default()).await.unwrap();
        let (mut count, mut outlived) = (0, 0);
        loop {
            match cursor.next().await {
                Ok(Some(batch)) => count += crate::support::split(&batch).len(),
                Ok(None) => break (Ok(count), database.lost_snapshot()),
                Err(failure) => break (Err(failure), database.lost_snapshot()),
            }
            // a probe that takes its time, longer than the server remembers
            if outlived < 2 {
                shop.outlive_history().await;
                outlived += 1;
            }
        }
    };
    let connection = shop.connection().await;
    let snapshot = connection.snapshot(snapshot_options(ReadMode::Snapshot)).await.unwrap();
    let (read, lost) = slowly(&snapshot).await;
    assert_eq!(read.unwrap_err().code.as_deref(), Some("T0211"));
    assert_eq!(lost.unwrap().code.as_deref(), Some("T0211"), "whatever the probe makes of it");
    let (other, ranges) = in_ranges(&shop).await;
    let (read, lost) = slowly(&ranges).await;
    assert_eq!((read.unwrap(), lost), (1500, None));
    connection.close().await;
    other.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_longer_than_the_history_are_read_in_ranges() {
    let server = crate::mongod::forgetful();
    let shop = Shop::new(server, "estimate").await;
    shop.fill("orders", (0..500).map(|n| doc! {"_id": n, "pad": "x".repeat(100_000)})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    assert_eq!(snapshot.plan(&["orders".to_owned()]).await.unwrap(), ReadMode::Snapshot);
    let often = vec!["orders".to_owned(); 5000];
    assert_eq!(snapshot.plan(&often).await.unwrap(), ReadMode::Ranges);
    connection.close().await;
    let shop = Shop::new(standalone(), "estimate").await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    assert_eq!(snapshot.plan(&often).await.unwrap(), ReadMode::Live);
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_detected() {
    let first = Server::start(&[]).await;
    let port = first.port();
    let uri = format!("mongodb://127.0.0.1:{port}/shop");
    let client = mongodb::Client::with_uri_str(&uri).await.unwrap();
    client.database("shop").collection("orders").insert_one(doc! {"a": 1}).await.unwrap();
    let connection = Connection::connect(ConnectionOptions {
        uri: uri.parse().unwrap(),
        database: "shop".to_owned(),
        comment: "taster/restarted".to_owned(),
        server_selection_timeout: Duration::from_secs(10),
        command_events: None,
    })
    .await
    .unwrap();
    let before = connection.read_inventory().await.unwrap();
    // a volume that is refreshed: other files under the same address, with the same collections
    client.database("admin").run_command(doc! {"fsync": 1}).await.unwrap();
    let copy = first.copy();
    drop(first);
    let _second = Server::on_port(port, copy, &[]).await;
    let now = connection.read_inventory().await.unwrap();
    assert_eq!(before.change(&now, "orders"), Some(CollectionChange::ServerRestarted));
    let error = connection.snapshot(snapshot_options(ReadMode::Live)).await.err().unwrap();
    assert_eq!(taster_model::Diagnostic::code(&error), "T0244");
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_counters_writes_cannot_be_detected() {
    let server = crate::mongod::with_users();
    let admin = server.client().await.database("admin");
    let shop = |actions: &[&str]| doc! {"resource": {"db": "blind", "collection": ""}, "actions": actions.to_vec()};
    let role =
        doc! {"createRole": "blind", "roles": [], "privileges": [shop(&["find", "listCollections", "listIndexes"])]};
    admin.run_command(role).await.unwrap();
    admin.run_command(doc! {"createUser": "blind", "pwd": "geheim", "roles": ["blind"]}).await.unwrap();
    admin.client().database("blind").collection("orders").insert_one(doc! {"a": 1}).await.unwrap();
    let connection = Connection::connect(ConnectionOptions {
        uri: server.uri_as("blind", "geheim", "blind").parse().unwrap(),
        database: "blind".to_owned(),
        comment: "taster/blind".to_owned(),
        server_selection_timeout: Duration::from_secs(10),
        command_events: None,
    })
    .await
    .unwrap();
    let snapshot = connection.snapshot(snapshot_options(ReadMode::Live)).await.unwrap();
    let read = database(&snapshot, &["orders"]);
    assert_eq!(read.count("orders", &raw(&doc! {})).await, Ok(1));
    let now = connection.read_inventory().await.unwrap();
    assert_eq!(read.changed_collection(&now).await.unwrap(), Some(("orders".to_owned(), CollectionChange::NoCounters)));
    connection.close().await;
}
