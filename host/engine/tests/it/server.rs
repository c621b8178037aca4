//! The whole way once: a guest, the capability that reads a server, and a real mongod.

use std::time::Duration;

use insta::assert_snapshot;
use mongodb::bson::{Document, doc};
use taster_engine::{Limits, RunInput, RunReport};
use taster_model::CollectionGrant;
use taster_query::{Connection, ConnectionOptions, Database, Grant, Snapshot};
use taster_testkit::mongod::{self, MongodOptions, open_cursors};

use crate::{
    component::Guest,
    fixtures::{SETTING, failure, load},
    reading::{FIND, READ_ALL},
};

/// Documents in `orders`: several batches of the server.
const ORDERS: i32 = 30_000;

#[tokio::test]
async fn a_guest_reads_a_server() {
    let server = mongod::start(MongodOptions::default()).await;
    let client = server.client().await.unwrap();
    let orders = (0..ORDERS).map(|n| doc! {"_id": n, "note": "x".repeat(300)});
    client.database("shop").collection::<Document>("orders").insert_many(orders).await.unwrap();
    let connection = Connection::connect(ConnectionOptions {
        uri: server.uri().parse().unwrap(),
        database: "shop".to_owned(),
        comment: "taster/test/pre".to_owned(),
        server_selection_timeout: Duration::from_secs(20),
        command_events: None,
    })
    .await
    .unwrap();
    let snapshot = connection.initial_snapshot();

    let report = run(READ_ALL, &snapshot, taster_query::Limits::default()).await;
    assert!(report.outcome.is_ok(), "{report:?}");
    assert_eq!((report.usage.documents, &*report.usage.collections), (30_000, &["orders".to_owned()][..]));
    assert!(report.usage.bytes > 9_000_000 && report.usage.host_calls > 4, "{:?}", report.usage);

    let budget = taster_query::Limits { documents: 20_000, ..taster_query::Limits::default() };
    let report = run(HAND_ON, &snapshot, budget).await;
    assert_snapshot!(failure(&report), @"T0213: the probe has reached its document limit (asked: 20 001 documents; allowed: 20 000 documents; setting: probes[orders].limits.documents)");

    let begins = "(call $find_in (local.get $db) (i32.const 2)) (loop $again (br $again))";
    let report = run(begins, &snapshot, taster_query::Limits::default()).await;
    assert_snapshot!(failure(&report), @"T0321: the deadline passed while the probe was computing (asked: more than 3s; allowed: 3s; setting: probes[orders].limits.deadline)");
    connection.close().await;
    assert_eq!(open_cursors(&client, "total").await, 0, "a guest that is stopped leaves no cursor behind");
}

/// Reads to the end, or returns the failure that ends the reading.
const HAND_ON: &str = r"
    (call $find_in (local.get $db) (i32.const 2))
    (local.set $config (global.get $free))
    (block $end (loop $more
        (global.set $free (local.get $config))
        (call $next (i32.load (i32.const 516)) (i32.const 600))
        (if (i32.load8_u (i32.const 600)) (then (call $drop_database (local.get $db)) (return (i32.const 600))))
        (br_if $more (i32.load8_u (i32.const 604)))))";

async fn run(steps: &str, snapshot: &Snapshot, limits: taster_query::Limits) -> RunReport {
    let guest = Guest { items: FIND, run: steps.to_owned(), ..Guest::default() };
    let grant = Grant {
        probe: "orders".to_owned(),
        collections: vec![CollectionGrant { name: "orders".to_owned(), role: "orders".to_owned() }],
        limits,
        setting: SETTING.to_owned(),
    };
    let input: RunInput<Database> = RunInput {
        probe: "orders".to_owned(),
        database: snapshot.database(grant),
        config: "null".to_owned(),
        limits: Limits { deadline: Duration::from_secs(3), ..Limits::default() },
        setting: SETTING.to_owned(),
        clock: jiff::Timestamp::UNIX_EPOCH,
        seed: [0; 32],
        progress: None,
    };
    load(&guest.build()).await.unwrap().run(input).await
}
