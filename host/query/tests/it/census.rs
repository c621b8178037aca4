//! What a census records of a real server: every document once, whoever reads it and however often it is asked.

use std::{
    io::{Read as _, Seek as _},
    time::{Duration, Instant},
};

use bson::{Bson, DateTime, Document, doc};
use insta::assert_snapshot;
use mongodb::{IndexModel, options::IndexOptions};
use serde_json::json;
use taster_census::{Census, CensusFile, CensusKey, DiffOptions, Redaction, ScratchSpace, diff};
use taster_model::{AttemptId, CensusDifference, CensusFacts, DeclaredChange, ReadMode, Side};
use taster_query::{
    CensusRequest, CensusSetup, CensusSummary, Database, DetailLevel, FindOptions, Grant, Limits, Session,
};

use crate::{
    moments::{looking, mixed_ids, queries},
    mongod::{Mongod, replica_set, standalone},
    support::{Shop, drain, grant, raw},
};

fn setup() -> CensusSetup {
    CensusSetup {
        key: CensusKey::from_hex(&"5a".repeat(192)).unwrap(),
        app: "shop".parse().unwrap(),
        run: "r1".parse().unwrap(),
        side: Side::Pre,
        attempt: AttemptId::generate(),
        changes: Vec::new(),
        baseline: Vec::new(),
        redaction: None,
        secret: None,
        scratch: ScratchSpace::default(),
        cursors: 1,
        deadline: Duration::from_mins(5),
    }
}

fn changes(written: serde_json::Value) -> Vec<DeclaredChange> {
    serde_json::from_value(written).unwrap()
}

/// What a probe gets that may take censuses.
fn counting(session: &Session, collections: &[&str], setup: CensusSetup) -> Database {
    session.database(Grant { census: Some(setup), ..grant(collections, Limits::default()) })
}

/// One census and what was recorded.
async fn take(
    session: &Session,
    collection: &str,
    setup: CensusSetup,
    request: CensusRequest,
) -> (CensusSummary, CensusFile) {
    let database = counting(session, &[collection], setup);
    let summary = database.census(collection, request).await.unwrap();
    let mut recorded = database.take_censuses();
    assert_eq!(recorded.len(), 1);
    (summary, recorded.remove(0))
}

/// Everything of a census but its header and the checksum over it: those say when it was taken.
fn body(recorded: &mut CensusFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    recorded.file.rewind().unwrap();
    recorded.file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, recorded.length);
    let header = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    bytes[12 + header..bytes.len() - 48].to_vec()
}

/// As a baseline's capture tells of it.
fn facts(recorded: &CensusFile) -> CensusFacts {
    CensusFacts {
        probe: recorded.identity.probe.clone(),
        id: recorded.identity.id.clone(),
        collection: recorded.identity.collection.clone(),
        object: String::new(),
        documents: recorded.documents,
        bytes: recorded.bytes,
        options: serde_json::to_value(&recorded.options).unwrap(),
        sum: recorded.sum.clone(),
    }
}

fn compared(before: CensusFile, after: CensusFile, changes: &[DeclaredChange]) -> CensusDifference {
    let (before, after) = (Census::open(before.file).unwrap(), Census::open(after.file).unwrap());
    diff(&before, &after, &DiffOptions { changes, max_ids: 10 }).unwrap()
}

fn size_of(documents: &[Document]) -> u64 {
    documents.iter().map(|document| raw(document).len() as u64).sum()
}

async fn every_document_is_recorded(server: &'static Mongod) {
    let shop = Shop::new(server, "census").await;
    let documents: Vec<_> = (0..20_000).map(|n| doc! {"_id": n, "note": "x".repeat(100), "n": n % 7}).collect();
    shop.fill("orders", documents.clone()).await;
    shop.mongo().create_collection("empty").await.unwrap();
    let session = shop.session().await;
    let few = Limits { documents: 5, ..Limits::default() };
    let database = session.database(Grant { census: Some(setup()), ..grant(&["absent", "empty", "orders"], few) });
    let mut summaries = Vec::new();
    for collection in ["orders", "empty", "absent"] {
        summaries.push(database.census(collection, CensusRequest::default()).await.unwrap());
    }
    let summary = |id: &str, documents, bytes| CensusSummary { id: id.to_owned(), documents, bytes };
    let bytes = size_of(&documents);
    assert_eq!(summaries, [summary("c1", 20_000, bytes), summary("c2", 0, 0), summary("c3", 0, 0)]);
    let usage = database.usage();
    assert_eq!((usage.documents, usage.bytes), (20_000, bytes));
    assert_eq!(usage.collections, ["absent", "empty", "orders"]);
    assert!(!usage.server_time.is_zero());

    let recorded = database.take_censuses();
    let ids: Vec<_> = recorded.iter().map(|recorded| recorded.identity.id.as_str()).collect();
    assert_eq!(ids, ["c1", "c2", "c3"]);
    assert_eq!((recorded[0].place.database.as_str(), recorded[0].place.probe.as_str()), ("census", "orders"));
    assert!(database.take_censuses().is_empty(), "handed over once");
    for recorded in recorded {
        let census = Census::open(recorded.file).unwrap();
        census.check().unwrap();
        assert_eq!((census.documents(), census.identity()), (recorded.documents, &recorded.identity));
    }

    // the probe has read nothing yet: what fits is what fitted before
    let mut cursor = database.find("orders", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap_err().code.as_deref(), Some("T0213"));
    assert_eq!(database.usage().documents, 20_005);

    // what a filter leaves out and a field that is not looked at
    let request = CensusRequest { filter: Some(raw(&doc! {"n": 3})), ..CensusRequest::default() };
    let (some, recorded) = take(&session, "orders", setup(), request).await;
    assert_eq!((some.documents, recorded.options.filter), (2857, json!({"n": {"$numberInt": "3"}})));
    session.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_is_recorded_on_a_standalone() {
    every_document_is_recorded(standalone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_is_recorded_on_a_replica_set() {
    every_document_is_recorded(replica_set()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_one_is_enough() {
    // the runtime of a guest may be one: the threads that hash are beside it
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counted = std::thread::scope(|scope| {
        let work = async {
            let shop = Shop::new(standalone(), "census_single").await;
            shop.fill("orders", (0..20_000).map(|n| doc! {"_id": n, "pad": "x".repeat(200)})).await;
            let session = shop.session().await;
            let three = CensusSetup { cursors: 3, ..setup() };
            let (summary, _) = take(&session, "orders", three, CensusRequest::default()).await;
            session.close().await;
            summary.documents
        };
        scope.spawn(move || runtime.block_on(work)).join().unwrap()
    });
    assert_eq!(counted, 20_000);
}

/// Several cursors, ranges, another order and scratch files make no difference.
async fn whoever_reads_it_records_the_same(server: &'static Mongod) {
    let shop = Shop::new(server, "census_same").await;
    let of = |id: Bson| doc! {"_id": id, "pad": "x".repeat(50), "tags": ["a", "b"]};
    shop.fill("plain", mixed_ids().into_iter().map(of)).await;
    let collation =
        mongodb::options::Collation::builder().locale("de").strength(mongodb::options::CollationStrength::Primary);
    shop.mongo().create_collection("german").collation(collation.build()).await.unwrap();
    shop.fill("german", (0..1000).map(|n| of(format!("{}{n}", if n % 2 == 0 { "Ö" } else { "z" }).into()))).await;
    let session = shop.session().await;
    let request = || CensusRequest { detail: DetailLevel::Fields, sample: 5, ..CensusRequest::default() };
    for collection in ["plain", "german"] {
        let (_, mut one) = take(&session, collection, setup(), request()).await;
        let expected = body(&mut one);
        for cursors in [0, 2, 3, 7, 100] {
            let opened = queries(server).await;
            let (_, mut many) = take(&session, collection, CensusSetup { cursors, ..setup() }, request()).await;
            assert_eq!((&many.sum, many.documents), (&one.sum, one.documents), "{collection} by {cursors}");
            assert!(body(&mut many) == expected, "{collection} by {cursors} cursors");
            let opened = queries(server).await - opened;
            assert!(opened >= i64::from(cursors.clamp(1, 64)), "{collection} was read in {opened} queries");
        }
        let little = ScratchSpace { memory: 1 << 10, ..ScratchSpace::default() };
        let spilt = CensusSetup { cursors: 3, scratch: little, ..setup() };
        let (_, mut spilt) = take(&session, collection, spilt, request()).await;
        assert!(body(&mut spilt) == expected, "{collection} over scratch files");
        if server.is_replica_set() {
            let ranges = session.look(looking(ReadMode::Ranges)).await.unwrap();
            let (_, mut cut) = take(&ranges, collection, CensusSetup { cursors: 3, ..setup() }, request()).await;
            assert!(body(&mut cut) == expected, "{collection} in ranges");
        }
    }
    // a range that has no end does not reach the greatest value there is
    shop.fill("plain", [of(Bson::MaxKey)]).await;
    let session = session.look(looking(session.reading())).await.unwrap();
    let (summary, _) = take(&session, "plain", CensusSetup { cursors: 3, ..setup() }, request()).await;
    assert_eq!(summary.documents, mixed_ids().len() as u64 + 1);
    session.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_it_records_the_same_on_a_standalone() {
    whoever_reads_it_records_the_same(standalone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_it_records_the_same_on_a_replica_set() {
    // a look in ranges waits until no transaction can be under way
    crate::moments::parameter(replica_set(), "transactionLifetimeLimitSeconds", 1).await;
    whoever_reads_it_records_the_same(replica_set()).await;
}

async fn every_kind_of_collection(server: &'static Mongod) {
    let shop = Shop::new(server, "census_kinds").await;
    let at = |n: i64| DateTime::from_millis(1_700_000_000_000 + n * 1000);
    shop.mongo().run_command(doc! {"create": "ticks", "timeseries": {"timeField": "t", "metaField": "m"}, "expireAfterSeconds": 1_000_000_000}).await.unwrap();
    // without ids, and twice the same
    let ticks =
        (0..500_i64).flat_map(|n| [doc! {"t": at(n), "m": n % 3, "v": n}, doc! {"t": at(n), "m": n % 3, "v": n}]);
    shop.fill("ticks", ticks).await;
    shop.mongo().create_collection("log").capped(true).size(1 << 20).await.unwrap();
    shop.fill("log", (0..100).map(|n| doc! {"n": n})).await;
    shop.mongo()
        .run_command(doc! {"create": "clustered", "clusteredIndex": {"key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 1_000_000_000})
        .await
        .unwrap();
    shop.fill("clustered", (0..100).map(|n| doc! {"_id": at(n)})).await;
    shop.fill("plain", (0..100).map(|n| doc! {"_id": n, "due": at(n)})).await;
    let index = |name: &str, keys: Document, partial: Option<Document>| {
        let options = IndexOptions::builder()
            .name(name.to_owned())
            .expire_after(Duration::from_secs(1_000_000_000))
            .partial_filter_expression(partial)
            .build();
        IndexModel::builder().keys(keys).options(options).build()
    };
    let plain = shop.mongo().collection::<Document>("plain");
    plain.create_index(index("whole", doc! {"due": -1}, None)).await.unwrap();
    plain.create_index(index("partial", doc! {"other": 1}, Some(doc! {"x": 1}))).await.unwrap();
    let session = shop.session().await;
    let mut told = Vec::new();
    for collection in ["ticks", "log", "clustered", "plain"] {
        let setup = CensusSetup { cursors: 3, ..setup() };
        let (summary, recorded) = take(&session, collection, setup, CensusRequest::default()).await;
        let expiries: Vec<_> = recorded.options.expiries.iter().map(|e| format!("{} {}", e.field, e.seconds)).collect();
        told.push(format!("{collection} {} [{}]", summary.documents, expiries.join(", ")));
    }
    let expected =
        ["ticks 1000 [t 1000000000]", "log 100 []", "clustered 100 [_id 1000000000]", "plain 100 [due 1000000000]"];
    assert_eq!(told, expected);
    session.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_collection_on_a_standalone() {
    every_kind_of_collection(standalone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_collection_on_a_replica_set() {
    every_kind_of_collection(replica_set()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused() {
    let shop = Shop::new(standalone(), "census_refused").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    shop.fill("items", [doc! {"a": 1}]).await;
    for (name, on, pipeline) in [("few", "orders", vec![doc! {"$unionWith": "items"}]), ("fewer", "few", vec![])] {
        shop.mongo().create_collection(name).view_on(on.to_owned()).pipeline(pipeline).await.unwrap();
    }
    let session = shop.session().await;
    let granted = ["orders", "items", "few", "fewer"];
    let database = counting(&session, &granted, setup());
    let mut texts = Vec::new();
    let mut refused = async |collection: &str, request: CensusRequest| {
        texts.push(database.census(collection, request).await.unwrap_err().to_string());
    };
    let filter = |filter: Document| CensusRequest { filter: Some(raw(&filter)), ..CensusRequest::default() };
    refused("fewer", CensusRequest::default()).await;
    refused("secret", CensusRequest::default()).await;
    refused("system.js", CensusRequest::default()).await;
    refused("orders", filter(doc! {"$where": "sleep(1000)"})).await;
    refused("orders", CensusRequest { filter: Some(vec![1, 2, 3]), ..CensusRequest::default() }).await;
    refused("orders", CensusRequest { ignored: vec!["_id".to_owned()], ..CensusRequest::default() }).await;
    refused("orders", CensusRequest { sample: 251, ..CensusRequest::default() }).await;
    let without = crate::support::database(&session, &granted);
    texts.push(without.census("orders", CensusRequest::default()).await.unwrap_err().to_string());
    assert_snapshot!(texts.join("\n"), @r"
    T0251: `fewer` is a view and has no documents of its own: take a census of what it shows, items, orders
    T0226: collection `secret` is not granted to probe `orders` (asked: secret; allowed: few, fewer, items, orders; setting: probes[orders].collections)
    T0227: `system.js` belongs to the server; it is granted to nobody (asked: system.js)
    T0230: filter.$where: `$where` runs JavaScript on the server (asked: $where)
    T0220: filter is not BSON: document too short
    T0252: the census leaves out what documents are told apart by (asked: _id; allowed: other fields)
    T0252: the census keeps too many whole documents (asked: 251 documents; allowed: 250 documents)
    T0312: this host records no census (asked: orders)
    ");
    // those were asked for too
    assert_eq!(database.census("orders", CensusRequest::default()).await.unwrap().id, "c8");
    for _ in 8..256 {
        let _ = database.census("fewer", CensusRequest::default()).await;
    }
    assert_snapshot!(database.census("orders", CensusRequest::default()).await.unwrap_err(), @"T0255: the probe takes too many censuses in one run (asked: 257 censuses; allowed: 256 censuses)");
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_wrote_is_refused_in_his_words() {
    let shop = Shop::new(standalone(), "census_changes").await;
    shop.fill("orders", [doc! {"_id": 1}]).await;
    let session = shop.session().await;
    let mut texts = Vec::new();
    for (side, written) in [
        (Side::Pre, json!({"removedDocuments": {"$where": "1"}})),
        (Side::Pre, json!({"addedDocuments": {"at": {"$date": "yesterday"}}})),
        (Side::Post, json!({"addedDocuments": {"$and": [{"a": {"$near": [1, 2]}}]}})),
        (Side::Pre, json!({"removedDocuments": {"a": {"$mod": [0, 0]}}})),
    ] {
        let mut written = vec![json!({"removedCollection": "other"}), written];
        written[1]["collection"] = "orders".into();
        let setup = CensusSetup { side, changes: changes(written.into()), ..setup() };
        let database = counting(&session, &["orders"], setup);
        texts.push(database.census("orders", CensusRequest::default()).await.unwrap_err().to_string());
    }
    let many: Vec<_> = (0..256).map(|n| json!({"collection": "orders", "removedDocuments": {"n": n}})).collect();
    let database = counting(&session, &["orders"], CensusSetup { changes: changes(many.into()), ..setup() });
    texts.push(database.census("orders", CensusRequest::default()).await.unwrap_err().to_string());
    assert_snapshot!(texts.join("\n"), @r#"
    T0253: the filter of `changes[1].removedDocuments` cannot be used: filter.$where: `$where` runs JavaScript on the server (setting: changes[1].removedDocuments)
    T0253: the filter of `changes[1].addedDocuments` cannot be used: BSON error. Kind: A deserialization-related error occurred. Message: invalid value: string "yesterday", expected rfc3339 formatted utc datetime. (setting: changes[1].addedDocuments)
    T0253: the filter of `changes[1].addedDocuments` cannot be used: `$near` cannot tell documents apart, only sort or rank them (setting: changes[1].addedDocuments)
    T0253: the filter of `changes[1].removedDocuments` cannot be used: the server refused to take a census of `orders`: BadValue (2): divisor cannot be 0 (setting: changes[1].removedDocuments)
    T0256: `changes` tells documents of `orders` apart by 256 filters (allowed: 255 filters; setting: changes)
    "#);
    session.close().await;
}

/// Documents are told apart by the server's own filters, before the sync and after it.
async fn what_is_declared_is_told_apart(server: &'static Mongod) {
    let shop = Shop::new(server, "census_marks").await;
    let status = |n: i32| ["open", "cancelled", "old", "paid"][usize::try_from(n % 4).unwrap()];
    shop.fill("orders", (0..400).map(|n| doc! {"_id": n, "status": status(n), "n": n})).await;
    let changes = changes(json!([
        {"collection": "other", "removedDocuments": {"status": "open"}},
        {"collection": "orders", "removedDocuments": {"status": {"$in": ["cancelled", "old"]}}},
        // the first one of these that a document fits counts
        {"collection": "orders", "removedDocuments": {"status": "old"}},
        {"collection": "orders", "removedDocuments": {"n": {"$gte": 396}}},
        {"collection": "orders", "addedDocuments": {"seed": true}},
        {"collection": "orders", "removedField": "n"},
    ]));
    let request = || CensusRequest { filter: Some(raw(&doc! {"_id": {"$lt": 1000}})), ..CensusRequest::default() };
    let before = CensusSetup { changes: changes.clone(), cursors: 3, ..setup() };
    let session = shop.session().await;
    let (summary, baseline) = take(&session, "orders", before, request()).await;
    assert_eq!(
        (summary.documents, baseline.options.removed_filters.len(), baseline.options.separate.len()),
        (400, 3, 1)
    );
    session.close().await;

    let orders = shop.mongo().collection::<Document>("orders");
    orders.delete_many(doc! {"$or": [{"status": {"$in": ["cancelled", "old"]}}, {"n": {"$gte": 396}}]}).await.unwrap();
    orders.update_many(doc! {}, doc! {"$unset": {"n": 1}}).await.unwrap();
    shop.fill("orders", (500..503).map(|n| doc! {"_id": n, "seed": true})).await;
    // and what nobody declared
    orders.delete_one(doc! {"_id": 0}).await.unwrap();
    shop.fill("orders", [doc! {"_id": 600}]).await;

    let session = shop.session().await;
    let after = CensusSetup { side: Side::Post, changes: changes.clone(), baseline: vec![facts(&baseline)], ..setup() };
    let (summary, recorded) = take(&session, "orders", after, request()).await;
    assert_eq!((summary.documents, &recorded.options), (201, &baseline.options));
    let difference = compared(baseline, recorded, &changes[1..]);
    let happened: Vec<_> = difference.changes.iter().map(|change| change.happened).collect();
    assert_eq!(happened, [200, 0, 2, 3, 197]);
    assert_eq!(difference.documents.missing.ids, [json!({"$numberInt": "0"})]);
    assert_eq!(difference.documents.extra.ids, [json!({"$numberInt": "600"})]);
    assert_eq!(difference.documents.changed.count, 0);
    session.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_is_told_apart_on_a_standalone() {
    what_is_declared_is_told_apart(standalone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_is_told_apart_on_a_replica_set() {
    what_is_declared_is_told_apart(replica_set()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_sync_the_word_of_the_baseline_counts() {
    let shop = Shop::new(standalone(), "census_baseline").await;
    shop.fill("orders", (0..10).map(|n| doc! {"_id": n, "mail": "a@b.c"})).await;
    let session = shop.session().await;
    let redaction = Some(Redaction { ids: true, ..Redaction::default() });
    let request = || CensusRequest { ignored: vec!["b".into(), "a".into(), "b".into()], ..CensusRequest::default() };
    let (_, baseline) = take(&session, "orders", CensusSetup { redaction, ..setup() }, request()).await;
    assert_eq!(baseline.options.ignored, ["a", "b"]);
    let after = |baseline: Vec<CensusFacts>| CensusSetup { side: Side::Post, baseline, ..setup() };
    let (_, recorded) = take(&session, "orders", after(vec![facts(&baseline)]), request()).await;
    assert_eq!(recorded.options, baseline.options, "nothing is redacted by today's configuration");
    // another probe's, or one of another collection
    let others = ["probe", "collection"].map(|what| {
        let mut facts = facts(&baseline);
        *(if what == "collection" { &mut facts.collection } else { &mut facts.probe }) = "another".to_owned();
        facts
    });
    let (_, alone) = take(&session, "orders", after(others.to_vec()), request()).await;
    assert_eq!(alone.options.redaction, None);
    assert!(compared(baseline, recorded, &[]).is_clean());
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_deadline_ends_it() {
    let shop = Shop::new(standalone(), "census_deadline").await;
    for part in 0..4 {
        shop.fill("orders", (0..10_000).map(|n| doc! {"_id": part * 10_000 + n, "pad": "x".repeat(100)})).await;
    }
    let session = shop.session().await;
    let slow = doc! {"$expr": {"$gt": [{"$reduce": {"input": {"$range": [0, 1000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 0]}};
    let request = || CensusRequest { filter: Some(raw(&slow)), ..CensusRequest::default() };
    let short = CensusSetup { deadline: Duration::from_millis(500), ..setup() };
    let database = counting(&session, &["orders"], short);
    let begun = Instant::now();
    assert_snapshot!(database.census("orders", request()).await.unwrap_err(), @"T0250: the census takes longer than it may (allowed: 500ms for all censuses of a run; setting: probes[orders].limits.census)");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // all censuses of a run share it
    assert_eq!(database.census("orders", request()).await.unwrap_err().code.as_deref(), Some("T0250"));
    standalone().expect_no_trace(&shop.comment()).await;
    session.close().await;
}

/// Invariant: on every path out the server's cursors are closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_census_that_nobody_waits_for_leaves_nothing() {
    let server = replica_set();
    let shop = Shop::new(server, "census_dropped").await;
    for part in 0..6 {
        shop.fill("orders", (0..10_000).map(|n| doc! {"_id": part * 10_000 + n, "pad": "x".repeat(200)})).await;
    }
    let session = shop.session().await;
    for patience in [0, 1, 3, 10, 20, 40, 80] {
        for cursors in [1, 3] {
            let database = counting(&session, &["orders"], CensusSetup { cursors, ..setup() });
            let census = database.census("orders", CensusRequest::default());
            let _ = tokio::time::timeout(Duration::from_millis(patience), census).await;
        }
    }
    server.expect_no_trace(&shop.comment()).await;
    // and one that is under way when the session ends
    let slow = doc! {"$expr": {"$gt": [{"$reduce": {"input": {"$range": [0, 2000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 0]}};
    let database = counting(&session, &["orders"], setup());
    let census = tokio::spawn(async move {
        database.census("orders", CensusRequest { filter: Some(raw(&slow)), ..CensusRequest::default() }).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    session.close().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(census.await.unwrap().unwrap_err().code.as_deref(), Some("T0209"));
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_is_lost_is_known_to_be() {
    let shop = Shop::new(crate::mongod::forgetful(), "census_lost").await;
    shop.fill("orders", (0..100).map(|n| doc! {"_id": n})).await;
    let session = shop.session().await;
    let database = counting(&session, &["orders"], CensusSetup { cursors: 3, ..setup() });
    database.census("orders", CensusRequest::default()).await.unwrap();
    for n in 0..16 {
        shop.fill("noise", [doc! {"n": n}]).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let lost = database.census("orders", CensusRequest::default()).await.unwrap_err();
    assert_eq!(lost.code.as_deref(), Some("T0211"));
    assert_eq!(database.lost(), Some(lost));
    assert_eq!(database.take_censuses().len(), 1, "the one before");
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_folder_that_is_none_is_a_failure_with_a_way_out() {
    let shop = Shop::new(standalone(), "census_scratch").await;
    shop.fill("orders", (0..1000).map(|n| doc! {"_id": n})).await;
    let session = shop.session().await;
    let scratch = ScratchSpace { folder: Some("/dev/null/here".into()), memory: 1 << 10 };
    let database = counting(&session, &["orders"], CensusSetup { scratch, ..setup() });
    let failure = database.census("orders", CensusRequest::default()).await.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("T0804"));
    assert!(failure.allowed.unwrap().contains("TMPDIR"));
    assert!(database.take_censuses().is_empty());
    // what a census read and what it noted stay apart from what the probe may read
    assert_eq!(crate::support::database(&session, &["orders"]).count("orders", &raw(&doc! {})).await, Ok(1000));
    session.close().await;
}

#[test]
fn secrets_are_not_shown() {
    let setup = CensusSetup { secret: Some(b"geheim".to_vec()), ..setup() };
    let shown = format!("{:?}", grant_with(setup));
    assert!(!shown.contains("103, 101") && !shown.contains("geheim") && !shown.contains("5a5a"), "{shown}");
}

fn grant_with(setup: CensusSetup) -> Grant {
    Grant { census: Some(setup), ..grant(&["orders"], Limits::default()) }
}
