//! Censuses of a real server: every document is recorded once, with any number of cursors, in ranges and over scratch files.

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
use taster_query::{CensusEnv, CensusRequest, CensusSummary, Database, DetailLevel, FindOptions, Limits, Snapshot};

use crate::{
    consistency::{mixed_ids, queries, snapshot_options},
    mongod::{Mongod, replica_set, standalone},
    support::{Shop, drain, grant, raw},
};

fn env() -> CensusEnv {
    CensusEnv {
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
        disk_bytes: u64::MAX,
        cursors: 1,
        deadline: Duration::from_mins(5),
    }
}

fn changes(written: serde_json::Value) -> Vec<DeclaredChange> {
    serde_json::from_value(written).unwrap()
}

/// The capability of a probe that can take censuses.
fn with_census(snapshot: &Snapshot, collections: &[&str], env: CensusEnv) -> Database {
    snapshot.database_with_census(grant(collections, Limits::default()), env)
}

/// One census and what was recorded.
async fn take(
    snapshot: &Snapshot,
    collection: &str,
    env: CensusEnv,
    request: CensusRequest,
) -> (CensusSummary, CensusFile) {
    let database = with_census(snapshot, &[collection], env);
    let summary = database.census(collection, request).await.unwrap();
    let mut recorded = database.take_censuses();
    assert_eq!(recorded.len(), 1);
    (summary, recorded.remove(0))
}

/// A census without its header and the checksum over it, which contain the time of the census.
fn body(recorded: &mut CensusFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    recorded.file.rewind().unwrap();
    recorded.file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, recorded.length);
    let header = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    bytes[12 + header..bytes.len() - 48].to_vec()
}

/// As a baseline's capture records it.
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
    diff(&before, &after, &DiffOptions { changes, max_ids: 10, renamed_from: None }).unwrap()
}

fn size_of(documents: &[Document]) -> u64 {
    documents.iter().map(|document| raw(document).len() as u64).sum()
}

async fn every_document_is_recorded(server: &'static Mongod) {
    let shop = Shop::new(server, "census").await;
    let documents: Vec<_> = (0..20_000).map(|n| doc! {"_id": n, "note": "x".repeat(100), "n": n % 7}).collect();
    shop.fill("orders", documents.clone()).await;
    shop.mongo().create_collection("empty").await.unwrap();
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let few = Limits { documents: 5, ..Limits::default() };
    let database = snapshot.database_with_census(grant(&["absent", "empty", "orders"], few), env());
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
    assert_eq!((recorded[0].identity.database.as_str(), recorded[0].identity.probe.as_str()), ("census", "orders"));
    assert!(database.take_censuses().is_empty(), "handed over once");
    for recorded in recorded {
        let census = Census::open(recorded.file).unwrap();
        census.check().unwrap();
        assert_eq!((census.documents(), census.identity()), (recorded.documents, &recorded.identity));
    }

    // a census takes nothing from the probe's limits
    let mut cursor = database.find("orders", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap_err().code.as_deref(), Some("T0213"));
    assert_eq!(database.usage().documents, 20_005);

    // with a filter
    let request = CensusRequest { filter: Some(raw(&doc! {"n": 3})), ..CensusRequest::default() };
    let (some, recorded) = take(&snapshot, "orders", env(), request).await;
    assert_eq!((some.documents, recorded.options.filter), (2857, json!({"n": {"$numberInt": "3"}})));
    connection.close().await;
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
async fn a_single_threaded_runtime_is_enough() {
    // a guest's runtime may be single-threaded: the hash threads are separate from it
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counted = std::thread::scope(|scope| {
        let work = async {
            let shop = Shop::new(standalone(), "census_single").await;
            shop.fill("orders", (0..20_000).map(|n| doc! {"_id": n, "pad": "x".repeat(200)})).await;
            let connection = shop.connection().await;
            let snapshot = connection.initial_snapshot();
            let three = CensusEnv { cursors: 3, ..env() };
            let (summary, _) = take(&snapshot, "orders", three, CensusRequest::default()).await;
            connection.close().await;
            summary.documents
        };
        scope.spawn(move || runtime.block_on(work)).join().unwrap()
    });
    assert_eq!(counted, 20_000);
}

/// Several cursors, ranges, another order and scratch files make no difference.
async fn every_way_of_reading_records_the_same(server: &'static Mongod) {
    let shop = Shop::new(server, "census_same").await;
    let of = |id: Bson| doc! {"_id": id, "pad": "x".repeat(50), "tags": ["a", "b"]};
    shop.fill("plain", mixed_ids().into_iter().map(of)).await;
    let collation =
        mongodb::options::Collation::builder().locale("de").strength(mongodb::options::CollationStrength::Primary);
    shop.mongo().create_collection("german").collation(collation.build()).await.unwrap();
    shop.fill("german", (0..1000).map(|n| of(format!("{}{n}", if n % 2 == 0 { "Ö" } else { "z" }).into()))).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let request = || CensusRequest { detail: DetailLevel::Fields, sample: 5, ..CensusRequest::default() };
    for collection in ["plain", "german"] {
        let (_, mut one) = take(&snapshot, collection, env(), request()).await;
        let expected = body(&mut one);
        for cursors in [0, 2, 3, 7, 100] {
            let opened = queries(server).await;
            let (_, mut many) = take(&snapshot, collection, CensusEnv { cursors, ..env() }, request()).await;
            assert_eq!((&many.sum, many.documents), (&one.sum, one.documents), "{collection} by {cursors}");
            assert!(body(&mut many) == expected, "{collection} by {cursors} cursors");
            let opened = queries(server).await - opened;
            assert!(opened >= i64::from(cursors.clamp(1, 64)), "{collection} was read in {opened} queries");
        }
        let little = ScratchSpace { memory: 1 << 10, ..ScratchSpace::default() };
        let spilt = CensusEnv { cursors: 3, scratch: little, ..env() };
        let (_, mut spilt) = take(&snapshot, collection, spilt, request()).await;
        assert!(body(&mut spilt) == expected, "{collection} over scratch files");
        if server.is_replica_set() {
            let ranges = connection.snapshot(snapshot_options(ReadMode::Ranges)).await.unwrap();
            let (_, mut cut) = take(&ranges, collection, CensusEnv { cursors: 3, ..env() }, request()).await;
            assert!(body(&mut cut) == expected, "{collection} in ranges");
        }
    }
    // a range without an upper bound does not include `MaxKey`
    shop.fill("plain", [of(Bson::MaxKey)]).await;
    let snapshot = connection.snapshot(snapshot_options(snapshot.reading())).await.unwrap();
    let (summary, _) = take(&snapshot, "plain", CensusEnv { cursors: 3, ..env() }, request()).await;
    assert_eq!(summary.documents, mixed_ids().len() as u64 + 1);
    connection.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_reading_records_the_same_on_a_standalone() {
    every_way_of_reading_records_the_same(standalone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_reading_records_the_same_on_a_replica_set() {
    // a snapshot in ranges waits until no older transaction can be active
    crate::consistency::parameter(replica_set(), "transactionLifetimeLimitSeconds", 1).await;
    every_way_of_reading_records_the_same(replica_set()).await;
}

async fn every_kind_of_collection(server: &'static Mongod) {
    let shop = Shop::new(server, "census_kinds").await;
    let at = |n: i64| DateTime::from_millis(1_700_000_000_000 + n * 1000);
    shop.mongo().run_command(doc! {"create": "ticks", "timeseries": {"timeField": "t", "metaField": "m"}, "expireAfterSeconds": 1_000_000_000}).await.unwrap();
    // without ids, and each twice
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
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let mut summaries = Vec::new();
    for collection in ["ticks", "log", "clustered", "plain"] {
        let env = CensusEnv { cursors: 3, ..env() };
        let (summary, recorded) = take(&snapshot, collection, env, CensusRequest::default()).await;
        let expiries: Vec<_> = recorded.options.expiries.iter().map(|e| format!("{} {}", e.field, e.seconds)).collect();
        summaries.push(format!("{collection} {} [{}]", summary.documents, expiries.join(", ")));
    }
    let expected = [
        "ticks 1000 [t 1000000000]",
        "log 100 []",
        "clustered 100 [_id 1000000000]",
        // of the partial index each document is marked whose filter matches it: none does
        "plain 100 [due 1000000000, other 1000000000]",
    ];
    assert_eq!(summaries, expected);
    connection.close().await;
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
async fn refused_censuses() {
    let shop = Shop::new(standalone(), "census_refused").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    shop.fill("items", [doc! {"a": 1}]).await;
    for (name, on, pipeline) in [("few", "orders", vec![doc! {"$unionWith": "items"}]), ("fewer", "few", vec![])] {
        shop.mongo().create_collection(name).view_on(on.to_owned()).pipeline(pipeline).await.unwrap();
    }
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let granted = ["orders", "items", "few", "fewer"];
    let database = with_census(&snapshot, &granted, env());
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
    let without = crate::support::database(&snapshot, &granted);
    texts.push(without.census("orders", CensusRequest::default()).await.unwrap_err().to_string());
    assert_snapshot!(texts.join("\n"), @r"
    T0251: `fewer` is a view and has no documents of its own: take a census of the collections it reads, items, orders
    T0226: collection `secret` is not granted to probe `orders` (asked: secret; allowed: few, fewer, items, orders; setting: probes[orders].collections)
    T0227: `system.js` is a system collection or not a valid name; it cannot be granted (asked: system.js)
    T0230: filter.$where: `$where` runs JavaScript on the server (asked: $where)
    T0220: filter is not BSON: document too short
    T0252: the census ignores `_id`, which identifies documents (asked: _id; allowed: other fields)
    T0252: the census keeps too many whole documents (asked: 251 documents; allowed: 250 documents)
    T0312: this host records no census (asked: orders)
    ");
    // refused censuses are numbered too
    assert_eq!(database.census("orders", CensusRequest::default()).await.unwrap().id, "c8");
    for _ in 8..256 {
        let _ = database.census("fewer", CensusRequest::default()).await;
    }
    assert_snapshot!(database.census("orders", CensusRequest::default()).await.unwrap_err(), @"T0255: the probe takes too many censuses in one run (asked: 257 censuses; allowed: 256 censuses)");
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_declared_filters_name_the_setting() {
    let shop = Shop::new(standalone(), "census_changes").await;
    shop.fill("orders", [doc! {"_id": 1}]).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let mut texts = Vec::new();
    for (side, written) in [
        (Side::Pre, json!({"removedDocuments": {"$where": "1"}})),
        (Side::Pre, json!({"addedDocuments": {"at": {"$date": "yesterday"}}})),
        (Side::Post, json!({"addedDocuments": {"$and": [{"a": {"$near": [1, 2]}}]}})),
        (Side::Pre, json!({"removedDocuments": {"a": {"$mod": [0, 0]}}})),
    ] {
        let mut written = vec![json!({"removedCollection": "other"}), written];
        written[1]["collection"] = "orders".into();
        let env = CensusEnv { side, changes: changes(written.into()), ..env() };
        let database = with_census(&snapshot, &["orders"], env);
        texts.push(database.census("orders", CensusRequest::default()).await.unwrap_err().to_string());
    }
    let many: Vec<_> = (0..256).map(|n| json!({"collection": "orders", "removedDocuments": {"n": n}})).collect();
    let database = with_census(&snapshot, &["orders"], CensusEnv { changes: changes(many.into()), ..env() });
    texts.push(database.census("orders", CensusRequest::default()).await.unwrap_err().to_string());
    assert_snapshot!(texts.join("\n"), @r#"
    T0253: the filter of `changes[1].removedDocuments` is invalid: filter.$where: `$where` runs JavaScript on the server (setting: changes[1].removedDocuments)
    T0253: the filter of `changes[1].addedDocuments` is invalid: BSON error. Kind: A deserialization-related error occurred. Message: invalid value: string "yesterday", expected rfc3339 formatted utc datetime. (setting: changes[1].addedDocuments)
    T0253: the filter of `changes[1].addedDocuments` is invalid: `$near` sorts or ranks documents and cannot be used here (setting: changes[1].addedDocuments)
    T0253: the filter of `changes[1].removedDocuments` is invalid: the server refused to take a census of `orders`: BadValue (2): divisor cannot be 0 (setting: changes[1].removedDocuments)
    T0256: `changes` has 256 filters for documents of `orders` (allowed: 255 filters; setting: changes)
    "#);
    connection.close().await;
}

/// The server's own filters select the documents that are recorded separately, before the sync and after it.
async fn declared_documents_are_recorded_separately(server: &'static Mongod) {
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
    let before = CensusEnv { changes: changes.clone(), cursors: 3, ..env() };
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let (summary, baseline) = take(&snapshot, "orders", before, request()).await;
    assert_eq!(
        (summary.documents, baseline.options.removed_filters.len(), baseline.options.separate.len()),
        (400, 3, 1)
    );
    connection.close().await;

    let orders = shop.mongo().collection::<Document>("orders");
    orders.delete_many(doc! {"$or": [{"status": {"$in": ["cancelled", "old"]}}, {"n": {"$gte": 396}}]}).await.unwrap();
    orders.update_many(doc! {}, doc! {"$unset": {"n": 1}}).await.unwrap();
    shop.fill("orders", (500..503).map(|n| doc! {"_id": n, "seed": true})).await;
    // and an undeclared change
    orders.delete_one(doc! {"_id": 0}).await.unwrap();
    shop.fill("orders", [doc! {"_id": 600}]).await;

    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let after = CensusEnv { side: Side::Post, changes: changes.clone(), baseline: vec![facts(&baseline)], ..env() };
    let (summary, recorded) = take(&snapshot, "orders", after, request()).await;
    assert_eq!((summary.documents, &recorded.options), (201, &baseline.options));
    let difference = compared(baseline, recorded, &changes[1..]);
    let happened: Vec<_> = difference.changes.iter().map(|change| change.happened).collect();
    assert_eq!(happened, [200, 0, 2, 3, 197]);
    assert_eq!(difference.documents.missing.ids, [json!({"$numberInt": "0"})]);
    assert_eq!(difference.documents.extra.ids, [json!({"$numberInt": "600"})]);
    assert_eq!(difference.documents.changed.count, 0);
    connection.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_documents_are_recorded_separately_on_a_standalone() {
    declared_documents_are_recorded_separately(standalone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_documents_are_recorded_separately_on_a_replica_set() {
    declared_documents_are_recorded_separately(replica_set()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_sync_the_options_of_the_baseline_apply() {
    let shop = Shop::new(standalone(), "census_baseline").await;
    shop.fill("orders", (0..10).map(|n| doc! {"_id": n, "mail": "a@b.c"})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let redaction = Some(Redaction { ids: true, ..Redaction::default() });
    let request = || CensusRequest { ignored: vec!["b".into(), "a".into(), "b".into()], ..CensusRequest::default() };
    let (_, baseline) = take(&snapshot, "orders", CensusEnv { redaction, ..env() }, request()).await;
    assert_eq!(baseline.options.ignored, ["a", "b"]);
    let after = |baseline: Vec<CensusFacts>| CensusEnv { side: Side::Post, baseline, ..env() };
    let (_, recorded) = take(&snapshot, "orders", after(vec![facts(&baseline)]), request()).await;
    assert_eq!(recorded.options, baseline.options, "nothing is redacted by today's configuration");
    // another probe's, or one of another collection
    let others = ["probe", "collection"].map(|what| {
        let mut facts = facts(&baseline);
        *(if what == "collection" { &mut facts.collection } else { &mut facts.probe }) = "another".to_owned();
        facts
    });
    let (_, alone) = take(&snapshot, "orders", after(others.to_vec()), request()).await;
    assert_eq!(alone.options.redaction, None);
    assert!(compared(baseline, recorded, &[]).is_clean());
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_census_deadline_applies() {
    let shop = Shop::new(standalone(), "census_deadline").await;
    for part in 0..4 {
        shop.fill("orders", (0..10_000).map(|n| doc! {"_id": part * 10_000 + n, "pad": "x".repeat(100)})).await;
    }
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let slow = doc! {"$expr": {"$gt": [{"$reduce": {"input": {"$range": [0, 1000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 0]}};
    let request = || CensusRequest { filter: Some(raw(&slow)), ..CensusRequest::default() };
    let short = CensusEnv { deadline: Duration::from_millis(500), ..env() };
    let database = with_census(&snapshot, &["orders"], short);
    let begun = Instant::now();
    assert_snapshot!(database.census("orders", request()).await.unwrap_err(), @"T0250: the census took longer than allowed (allowed: 500ms for all censuses of a run; setting: probes[orders].limits.census)");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // all censuses of a run share it
    assert_eq!(database.census("orders", request()).await.unwrap_err().code.as_deref(), Some("T0250"));
    standalone().expect_no_trace(&shop.comment()).await;
    connection.close().await;
}

/// Invariant: the server's cursors are always closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_census_leaves_no_cursor() {
    let server = replica_set();
    let shop = Shop::new(server, "census_dropped").await;
    for part in 0..6 {
        shop.fill("orders", (0..10_000).map(|n| doc! {"_id": part * 10_000 + n, "pad": "x".repeat(200)})).await;
    }
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    for patience in [0, 1, 3, 10, 20, 40, 80] {
        for cursors in [1, 3] {
            let database = with_census(&snapshot, &["orders"], CensusEnv { cursors, ..env() });
            let census = database.census("orders", CensusRequest::default());
            let _ = tokio::time::timeout(Duration::from_millis(patience), census).await;
        }
    }
    server.expect_no_trace(&shop.comment()).await;
    // and one that is in progress when the connection is closed
    // (quick up to its first reply: a server that takes longer than the grace period for that keeps its cursor)
    let slow = doc! {"$gt": [{"$reduce": {"input": {"$range": [0, 2000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, 0]};
    let slow = doc! {"$expr": {"$or": [{"$lt": ["$_id", 10_000]}, slow]}};
    let database = with_census(&snapshot, &["orders"], env());
    let census = tokio::spawn(async move {
        database.census("orders", CensusRequest { filter: Some(raw(&slow)), ..CensusRequest::default() }).await
    });
    shop.wait_for_get_more().await;
    let begun = Instant::now();
    connection.close().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(census.await.unwrap().unwrap_err().code.as_deref(), Some("T0209"));
    server.expect_no_trace(&shop.comment()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_snapshot_is_reported() {
    let shop = Shop::new(crate::mongod::forgetful(), "census_lost").await;
    shop.fill("orders", (0..100).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = with_census(&snapshot, &["orders"], CensusEnv { cursors: 3, ..env() });
    database.census("orders", CensusRequest::default()).await.unwrap();
    shop.outlive_history().await;
    let lost = database.census("orders", CensusRequest::default()).await.unwrap_err();
    assert_eq!(lost.code.as_deref(), Some("T0211"));
    assert_eq!(database.lost_snapshot(), Some(lost));
    assert_eq!(database.take_censuses().len(), 1, "the one before");
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_censuses_of_a_run_share_their_bytes_on_disk() {
    let shop = Shop::new(standalone(), "census_bytes").await;
    shop.fill("orders", (0..2000).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let (_, census) = take(&snapshot, "orders", env(), CensusRequest::default()).await;
    // two of them fit, and a third one does not
    let two = CensusEnv { disk_bytes: census.length * 5 / 2, ..env() };
    let database = with_census(&snapshot, &["orders"], two);
    for _ in 0..2 {
        database.census("orders", CensusRequest::default()).await.unwrap();
    }
    let failure = database.census("orders", CensusRequest::default()).await.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("T0809"), "{failure}");
    assert_eq!(failure.setting.as_deref(), Some("probes[orders].limits.censusBytes"), "{failure}");
    // scratch files count while they are there
    let scratch = ScratchSpace { memory: 1 << 10, ..ScratchSpace::default() };
    let spilling = CensusEnv { disk_bytes: census.length, scratch, ..env() };
    let failure = with_census(&snapshot, &["orders"], spilling).census("orders", CensusRequest::default()).await;
    assert_eq!(failure.unwrap_err().code.as_deref(), Some("T0809"));
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_scratch_folder_is_a_failure_with_help() {
    let shop = Shop::new(standalone(), "census_scratch").await;
    shop.fill("orders", (0..1000).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let scratch = ScratchSpace { folder: Some("/dev/null/here".into()), memory: 1 << 10, budget: None };
    let database = with_census(&snapshot, &["orders"], CensusEnv { scratch, ..env() });
    let failure = database.census("orders", CensusRequest::default()).await.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("T0804"));
    assert!(failure.allowed.unwrap().contains("TMPDIR"));
    assert!(database.take_censuses().is_empty());
    // the failure of a census does not affect the probe's other reads
    assert_eq!(crate::support::database(&snapshot, &["orders"]).count("orders", &raw(&doc! {})).await, Ok(1000));
    connection.close().await;
}

#[test]
fn debug_output_hides_secrets() {
    let env = CensusEnv { secret: Some(b"geheim".to_vec()), ..env() };
    let shown = format!("{env:?}");
    assert!(!shown.contains("103, 101") && !shown.contains("geheim") && !shown.contains("5a5a"), "{shown}");
}
