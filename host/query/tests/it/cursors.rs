//! Limits of cursors, and that no cursor stays open on the server.

use std::time::{Duration, Instant};

use bson::doc;
use insta::assert_snapshot;
use taster_model::Refusal;
use taster_query::{AggregateOptions, Connection, Database, FindOptions, Limits, Snapshot};
use taster_testkit::{WAIT_TIMEOUT, wait_until};

use crate::{
    mongod::{Mongod, quiet, replica_set, standalone},
    support::{Shop, database, drain, grant, raw},
};

const EVERYTHING: &[u8] = &[5, 0, 0, 0, 0];

/// Enough for several replies of the server.
async fn filled(server: &'static Mongod, name: &'static str) -> (Shop, Connection, Snapshot) {
    let shop = Shop::new(server, name).await;
    for part in 0..6 {
        shop.fill("orders", (0..10_000).map(|n| doc! {"_id": part * 10_000 + n, "pad": "x".repeat(100)})).await;
    }
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    (shop, connection, snapshot)
}

fn limited(snapshot: &Snapshot, limits: Limits) -> Database {
    snapshot.database(grant(&["orders"], limits))
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_refuse_what_does_not_fit() {
    let (shop, connection, snapshot) = filled(standalone(), "budgets").await;

    let few = limited(&snapshot, Limits { documents: 25_000, ..Limits::default() });
    let mut cursor = few.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    let failure = drain(&mut cursor).await.unwrap_err();
    assert_snapshot!(failure, @"T0213: the probe has reached its document limit (asked: 25 001 documents; allowed: 25 000 documents; setting: probes[orders].limits.documents)");
    assert_eq!(failure.refusal, Some(Refusal::Budget));
    assert_eq!(few.usage().documents, 25_000, "what fits is handed out");
    assert_eq!(cursor.next().await, Err(failure), "a failure stays");
    standalone().expect_no_trace(&shop.comment()).await;

    // 4096 documents a reply: the server notices the end of these only when it is asked for more
    for whole in [4096, 8192] {
        let replies = FindOptions { sort: Some(raw(&doc! {"_id": 1})), ..FindOptions::default() };
        let filter = raw(&doc! {"_id": {"$lt": whole}});
        let mut cursor = database(&snapshot, &["orders"]).find("orders", &filter, replies).await.unwrap();
        assert_eq!(drain(&mut cursor).await.unwrap().len(), usize::try_from(whole).unwrap());
    }

    let exact = limited(&snapshot, Limits { documents: 60_000, ..Limits::default() });
    let mut cursor = exact.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 60_000, "a budget that is just enough is enough");

    let small = limited(&snapshot, Limits { bytes: 1_000_000, ..Limits::default() });
    let mut cursor = small.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    assert_snapshot!(drain(&mut cursor).await.unwrap_err(), @"T0214: the probe has reached its byte limit (asked: 1 000 060 bytes; allowed: 1 000 000 bytes; setting: probes[orders].limits.bytes)");
    assert!(small.usage().bytes <= 1_000_000);

    let short = limited(&snapshot, Limits { server_time: Duration::from_millis(200), ..Limits::default() });
    let mut failure = None;
    for _ in 0..200 {
        let slow = raw(
            &doc! {"$expr": {"$gt": [{"$reduce": {"input": {"$range": [0, 200]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 0]}},
        );
        if let Err(refused) = short.count("orders", &slow).await {
            failure = Some(refused);
            break;
        }
    }
    assert_snapshot!(failure.unwrap(), @"T0216: the probe has used up its server time (allowed: 200ms of server time; setting: probes[orders].limits.serverTime)");
    assert!(short.usage().server_time < Duration::from_secs(3), "{:?}", short.usage());

    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_open_cursors_count() {
    let (shop, connection, snapshot) = filled(replica_set(), "live").await;
    let database = limited(&snapshot, Limits { cursors: 2, ..Limits::default() });
    let open = async || database.find("orders", EVERYTHING, FindOptions::default()).await;
    let one = open().await.unwrap();
    let mut two = open().await.unwrap();
    assert_snapshot!(open().await.err().unwrap(), @"T0215: the probe has reached its limit of open cursors (asked: 3 cursors; allowed: 2 cursors; setting: probes[orders].limits.cursors)");
    drop(one);
    let three = open().await.unwrap();
    assert!(open().await.is_err());
    while two.next().await.unwrap().is_some() {}
    // `two` still exists, but it is exhausted
    let four = open().await.unwrap();
    assert!(open().await.is_err());
    drop((three, four));
    // one batch is everything, so it never stays open
    let one_batch = FindOptions { limit: Some(5), ..FindOptions::default() };
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut cursor = database.find("orders", EVERYTHING, one_batch.clone()).await.unwrap();
        assert!(cursor.next().await.unwrap().is_some());
        held.push(cursor);
    }
    connection.close().await;
    replica_set().expect_no_trace(&shop.comment()).await;
}

/// Invariant: the server's cursors are always closed.
#[tokio::test(flavor = "multi_thread")]
async fn no_cursor_stays_open_on_the_server() {
    let server = quiet();
    let (shop, connection, snapshot) = filled(server, "nothing").await;
    let nothing_open = async |after: &str| {
        wait_until(after, WAIT_TIMEOUT, async || server.open_cursors().await == 0).await;
    };
    let find = async |database: &Database| database.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    let all = database(&snapshot, &["orders"]);

    drop(find(&all).await);
    nothing_open("an unread cursor").await;

    let mut cursor = find(&all).await;
    cursor.next().await.unwrap();
    drop(cursor);
    nothing_open("a cursor that was dropped early").await;

    let mut cursor = find(&limited(&snapshot, Limits { documents: 10, ..Limits::default() })).await;
    drain(&mut cursor).await.unwrap_err();
    nothing_open("an exceeded limit").await;

    let mut cursor = slow(&all).await;
    cursor.next().await.unwrap();
    shop.wait_for_get_more().await;
    drop(cursor);
    nothing_open("a cursor that was dropped during a getMore").await;
    server.expect_no_trace(&shop.comment()).await;

    // callers that are dropped while the first reply is pending, early and late
    for patience in [0, 1, 2, 5, 10, 20, 50] {
        let _ = tokio::time::timeout(Duration::from_millis(patience), find(&all)).await;
    }
    nothing_open("callers that were dropped").await;

    let mut cursor = slow(&all).await;
    cursor.next().await.unwrap();
    shop.wait_for_get_more().await;
    // one that is open and idle, with a reply waiting for it, must not hold things up
    let idle = find(&all).await;
    let other = snapshot.clone();
    let started = Instant::now();
    connection.close().await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    // it received the `killCursors`; it stops at the next document
    nothing_open("a connection that was closed during a getMore").await;
    server.expect_no_trace(&shop.comment()).await;
    drop(idle);
    let mut failure = Ok(None);
    // batches that were fetched before may still be returned
    for _ in 0..3 {
        failure = cursor.next().await;
    }
    assert_snapshot!(failure.unwrap_err(), @"T0209: the connection was closed during a read");
    assert_snapshot!(database(&other, &["orders"]).count("orders", EVERYTHING).await.unwrap_err(), @"T0209: the connection was closed during a read");
}

/// A cursor whose second reply takes very long.
async fn slow(database: &Database) -> taster_query::Cursor {
    let sum =
        doc! {"$reduce": {"input": {"$range": [0, 200_000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}};
    let stages = [doc! {"$addFields": {"sum": {"$cond": [{"$lt": ["$_id", 5000]}, 0, sum]}}}];
    let stages: Vec<_> = stages.iter().map(raw).collect();
    database.aggregate("orders", &stages, AggregateOptions::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_the_comment() {
    let (shop, connection, snapshot) = filled(standalone(), "comment").await;
    let database = database(&snapshot, &["orders"]);
    let cursor = database.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    assert_eq!(standalone().traces(&shop.comment()).await.len(), 1);
    drop(cursor);
    connection.close().await;
    standalone().expect_no_trace(&shop.comment()).await;
}
