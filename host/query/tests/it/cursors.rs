//! Budgets, and that nothing is left behind on the server.

use std::time::{Duration, Instant};

use bson::doc;
use insta::assert_snapshot;
use taster_model::Refusal;
use taster_query::{AggregateOptions, Database, FindOptions, Limits, Session};
use taster_testkit::{WAIT_TIMEOUT, wait_until};

use crate::{
    mongod::{Mongod, quiet, replica_set, standalone},
    support::{Shop, database, drain, grant, raw},
};

const EVERYTHING: &[u8] = &[5, 0, 0, 0, 0];

/// Enough for several replies of the server.
async fn filled(server: &'static Mongod, name: &'static str) -> (Shop, Session) {
    let shop = Shop::new(server, name).await;
    for part in 0..6 {
        shop.fill("orders", (0..10_000).map(|n| doc! {"_id": part * 10_000 + n, "pad": "x".repeat(100)})).await;
    }
    let session = shop.session().await;
    (shop, session)
}

fn limited(session: &Session, limits: Limits) -> Database {
    session.database(grant(&["orders"], limits))
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_refuse_what_does_not_fit() {
    let (shop, session) = filled(standalone(), "budgets").await;

    let few = limited(&session, Limits { documents: 25_000, ..Limits::default() });
    let mut cursor = few.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    let failure = drain(&mut cursor).await.unwrap_err();
    assert_snapshot!(failure, @"T0213: the probe has read all documents it may (asked: 25001 documents; allowed: 25000 documents; setting: probes[orders].limits.documents)");
    assert_eq!(failure.refusal, Some(Refusal::Budget));
    assert_eq!(few.usage().documents, 25_000, "what fits is handed out");
    assert_eq!(cursor.next().await, Err(failure), "a failure stays");
    standalone().expect_no_trace(&shop.comment()).await;

    // 4096 documents a reply: the server notices the end of these only when it is asked for more
    for whole in [4096, 8192] {
        let replies = FindOptions { sort: Some(raw(&doc! {"_id": 1})), ..FindOptions::default() };
        let filter = raw(&doc! {"_id": {"$lt": whole}});
        let mut cursor = database(&session, &["orders"]).find("orders", &filter, replies).await.unwrap();
        assert_eq!(drain(&mut cursor).await.unwrap().len(), usize::try_from(whole).unwrap());
    }

    let exact = limited(&session, Limits { documents: 60_000, ..Limits::default() });
    let mut cursor = exact.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 60_000, "a budget that is just enough is enough");

    let small = limited(&session, Limits { bytes: 1_000_000, ..Limits::default() });
    let mut cursor = small.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    assert_snapshot!(drain(&mut cursor).await.unwrap_err(), @"T0214: the probe has read all bytes it may (asked: 1000060 bytes; allowed: 1000000 bytes; setting: probes[orders].limits.bytes)");
    assert!(small.usage().bytes <= 1_000_000);

    let short = limited(&session, Limits { server_time: Duration::from_millis(200), ..Limits::default() });
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
    assert_snapshot!(failure.unwrap(), @"T0216: the server needs longer than the probe may use it (allowed: 200ms of the server's time; setting: probes[orders].limits.serverTime)");
    assert!(short.usage().server_time < Duration::from_secs(3), "{:?}", short.usage());

    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_live_cursors_count() {
    let (shop, session) = filled(replica_set(), "live").await;
    let database = limited(&session, Limits { cursors: 2, ..Limits::default() });
    let open = async || database.find("orders", EVERYTHING, FindOptions::default()).await;
    let one = open().await.unwrap();
    let mut two = open().await.unwrap();
    assert_snapshot!(open().await.err().unwrap(), @"T0215: the probe has as many cursors open as it may (asked: 3 cursors; allowed: 2 cursors; setting: probes[orders].limits.cursors)");
    drop(one);
    let three = open().await.unwrap();
    assert!(open().await.is_err());
    while two.next().await.unwrap().is_some() {}
    // `two` is still held, but has come to its end
    let four = open().await.unwrap();
    assert!(open().await.is_err());
    drop((three, four));
    // one batch is all, so it never stays open
    let one_batch = FindOptions { limit: Some(5), ..FindOptions::default() };
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut cursor = database.find("orders", EVERYTHING, one_batch.clone()).await.unwrap();
        assert!(cursor.next().await.unwrap().is_some());
        held.push(cursor);
    }
    session.close().await;
    replica_set().expect_no_trace(&shop.comment()).await;
}

/// Invariant: on every path out the server's cursors are closed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_the_server() {
    let server = quiet();
    let (shop, session) = filled(server, "nothing").await;
    let nothing_open = async |after: &str| {
        wait_until(after, WAIT_TIMEOUT, async || server.open_cursors().await == 0).await;
    };
    let find = async |database: &Database| database.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    let all = database(&session, &["orders"]);

    drop(find(&all).await);
    nothing_open("a cursor that nobody read").await;

    let mut cursor = find(&all).await;
    cursor.next().await.unwrap();
    drop(cursor);
    nothing_open("a cursor that was let go early").await;

    let mut cursor = find(&limited(&session, Limits { documents: 10, ..Limits::default() })).await;
    drain(&mut cursor).await.unwrap_err();
    nothing_open("a budget that was spent").await;

    let mut cursor = slow(&all).await;
    cursor.next().await.unwrap();
    getting_more(&shop).await;
    drop(cursor);
    nothing_open("a cursor that was let go during a getMore").await;
    server.expect_no_trace(&shop.comment()).await;

    // callers that go away while the first reply is under way, early and late
    for patience in [0, 1, 2, 5, 10, 20, 50] {
        let _ = tokio::time::timeout(Duration::from_millis(patience), find(&all)).await;
    }
    nothing_open("callers that did not wait").await;

    let mut cursor = slow(&all).await;
    cursor.next().await.unwrap();
    getting_more(&shop).await;
    // one that is open and idle, with a reply waiting for it, must not hold things up
    let idle = find(&all).await;
    let other = session.clone();
    let started = Instant::now();
    session.close().await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    // it was told; it stops at the next document
    nothing_open("a session that was closed during a getMore").await;
    server.expect_no_trace(&shop.comment()).await;
    drop(idle);
    let mut failure = Ok(None);
    // the batches that were there before may still come
    for _ in 0..3 {
        failure = cursor.next().await;
    }
    assert_snapshot!(failure.unwrap_err(), @"T0209: the session was closed while it was read from");
    assert_snapshot!(database(&other, &["orders"]).count("orders", EVERYTHING).await.unwrap_err(), @"T0209: the session was closed while it was read from");
}

/// A cursor whose second reply takes very long.
async fn slow(database: &Database) -> taster_query::Cursor {
    let sum =
        doc! {"$reduce": {"input": {"$range": [0, 200_000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}};
    let stages = [doc! {"$addFields": {"sum": {"$cond": [{"$lt": ["$_id", 5000]}, 0, sum]}}}];
    let stages: Vec<_> = stages.iter().map(raw).collect();
    database.aggregate("orders", &stages, AggregateOptions::default()).await.unwrap()
}

async fn getting_more(shop: &Shop) {
    wait_until("a getMore", WAIT_TIMEOUT, async || {
        let traces = shop.server.traces(&shop.comment()).await;
        traces.iter().any(|op| op.get_document("command").is_ok_and(|command| command.contains_key("getMore")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_who_asks() {
    let (shop, session) = filled(standalone(), "comment").await;
    let database = database(&session, &["orders"]);
    let cursor = database.find("orders", EVERYTHING, FindOptions::default()).await.unwrap();
    assert_eq!(standalone().traces(&shop.comment()).await.len(), 1);
    drop(cursor);
    session.close().await;
    standalone().expect_no_trace(&shop.comment()).await;
}
