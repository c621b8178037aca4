//! The capability on a standalone server and on a replica set.

use bson::{Bson, DateTime, Decimal128, Document, doc, oid::ObjectId};
use taster_model::{CollectionKind, Topology};
use taster_query::{AggregateOptions, FindOptions, Limits};

use crate::{
    mongod::{Mongod, replica_set, standalone},
    support::{Shop, database, drain, grant, raw, read},
};

/// Makes one test of each function, for each kind of server.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_a_standalone { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::standalone()).await; })* }
        mod on_a_replica_set { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(super::replica_set()).await; })* }
    };
}
on_both! {
    facts find_hands_out_every_document find_takes_its_options aggregate_and_count distinct_values absent_collections views_and_time_series
    specifications_are_canonical defaults_equal_absent_options reads_are_recorded explain_is_reproducible unusual_documents_are_unchanged capped_collections_are_read every_command_is_accepted
}

async fn facts(server: &'static Mongod) {
    let shop = Shop::new(server, "facts").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    shop.mongo().create_collection("b").await.unwrap();
    shop.mongo().create_collection("a_view").view_on("b".to_owned()).pipeline(vec![doc! {"$match": {}}]).await.unwrap();
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let facts = snapshot.facts();
    assert_eq!(facts.database, "facts");
    assert!(facts.version.split('.').count() == 3 && facts.process_id.as_ref().unwrap().len() == 24, "{facts:?}");
    if server.is_replica_set() {
        assert_eq!((facts.topology, facts.replica_set.as_deref()), (Topology::ReplicaSet, Some("taster")));
        assert!(facts.read_at.as_ref().unwrap().contains('.'));
    } else {
        assert_eq!(
            (facts.topology, facts.replica_set.as_deref(), facts.read_at.as_deref()),
            (Topology::Standalone, None, None)
        );
    }
    // `system.views` exists, but it is not listed
    let collections = snapshot.collections().await.unwrap();
    let names: Vec<_> = collections.iter().map(|c| (c.name.as_str(), c.kind, c.uuid.is_some())).collect();
    assert_eq!(
        names,
        [
            ("a_view", CollectionKind::View, false),
            ("b", CollectionKind::Collection, true),
            ("orders", CollectionKind::Collection, true),
        ]
    );
    connection.close().await;
}

async fn find_hands_out_every_document(server: &'static Mongod) {
    let shop = Shop::new(server, "every").await;
    let documents: Vec<_> =
        (0..30_000).map(|n| doc! {"_id": n, "pad": "x".repeat(usize::try_from(n % 300).unwrap())}).collect();
    shop.fill("orders", documents.clone()).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    for batch in [1, 1000, 4 << 20] {
        let database = snapshot.database(grant(&["orders"], Limits { batch, ..Limits::default() }));
        let mut cursor = database.find("orders", &raw(&doc! {}), FindOptions::default()).await.unwrap();
        let (mut count, mut bytes) = (0, 0);
        while let Some(next) = cursor.next().await.unwrap() {
            let here = crate::support::split(&next);
            assert!(next.len() <= batch || here.len() == 1);
            for document in here {
                assert_eq!(document, documents[count]);
                count += 1;
            }
            bytes += next.len() as u64;
        }
        assert_eq!(count, documents.len());
        assert_eq!(cursor.next().await, Ok(None), "the end stays the end");
        let usage = database.usage();
        assert_eq!((usage.documents, usage.bytes), (30_000, bytes));
        assert!(!usage.server_time.is_zero() && usage.calls > 2);
    }
    connection.close().await;
    server.expect_no_trace(&shop.comment()).await;
}

async fn find_takes_its_options(server: &'static Mongod) {
    let shop = Shop::new(server, "options").await;
    shop.fill("orders", (0..10).map(|n| doc! {"_id": n, "name": if n % 2 == 0 { "ä" } else { "A" }, "n": [n, n]}))
        .await;
    let index = mongodb::IndexModel::builder().keys(doc! {"name": 1}).build();
    shop.mongo().collection::<Document>("orders").create_index(index).await.unwrap();
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    let find = async |filter: Document, options: FindOptions| {
        let mut cursor = database.find("orders", &raw(&filter), options).await.unwrap();
        drain(&mut cursor).await.unwrap()
    };
    let options = FindOptions {
        projection: Some(raw(&doc! {"_id": 1, "m": {"$add": ["$$more", {"$first": "$n"}]}})),
        sort: Some(raw(&doc! {"_id": -1})),
        skip: Some(1),
        limit: Some(2),
        variables: Some(raw(&doc! {"more": 100})),
        ..FindOptions::default()
    };
    assert_eq!(find(doc! {}, options).await, [doc! {"_id": 8, "m": 108}, doc! {"_id": 7, "m": 107}]);
    let collation =
        FindOptions { collation: Some(raw(&doc! {"locale": "de", "strength": 1})), ..FindOptions::default() };
    assert_eq!(find(doc! {"name": "a"}, collation).await.len(), 10);
    let hint = FindOptions { hint: Some("name_1".to_owned()), ..FindOptions::default() };
    assert_eq!(find(doc! {"name": "A"}, hint).await.len(), 5);
    assert_eq!(find(doc! {}, FindOptions { limit: Some(0), ..FindOptions::default() }).await, [] as [Document; 0]);
    let elements = FindOptions {
        projection: Some(raw(&doc! {"n": {"$elemMatch": {"$gt": 0}}})),
        limit: Some(2),
        ..FindOptions::default()
    };
    assert_eq!(find(doc! {}, elements).await, [doc! {"_id": 0}, doc! {"_id": 1, "n": [1]}]);
    connection.close().await;
}

async fn aggregate_and_count(server: &'static Mongod) {
    let shop = Shop::new(server, "aggregate").await;
    shop.fill(
        "orders",
        (0..1000_i32).map(|n| doc! {"_id": n, "status": if n % 4 == 0 { "open" } else { "paid" }, "total": n}),
    )
    .await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    let stages = [
        doc! {"$match": {"$expr": {"$gte": ["$total", "$$minimum"]}}},
        doc! {"$group": {"_id": "$status", "n": {"$sum": 1}, "sum": {"$sum": "$total"}}},
        doc! {"$sort": {"_id": 1}},
    ];
    let stages: Vec<_> = stages.iter().map(raw).collect();
    let options = AggregateOptions { variables: Some(raw(&doc! {"minimum": 500})), ..AggregateOptions::default() };
    let mut cursor = database.aggregate("orders", &stages, options).await.unwrap();
    assert_eq!(
        drain(&mut cursor).await.unwrap(),
        [doc! {"_id": "open", "n": 125, "sum": 93_500}, doc! {"_id": "paid", "n": 375, "sum": 281_250},]
    );
    assert_eq!(database.count("orders", &raw(&doc! {})).await, Ok(1000));
    assert_eq!(database.count("orders", &raw(&doc! {"status": "open"})).await, Ok(250));
    assert_eq!(database.count("orders", &raw(&doc! {"status": "lost"})).await, Ok(0));
    connection.close().await;
}

async fn distinct_values(server: &'static Mongod) {
    let shop = Shop::new(server, "distinct").await;
    shop.fill(
        "orders",
        [
            doc! {"a": 2_i64, "b": [{"c": "x"}, {"c": ["y", "z"]}, {"d": 1}, 5]},
            doc! {"a": 2, "b": {"c": "x"}},
            doc! {"a": "two", "b": []},
            doc! {"a": Bson::Null},
            doc! {"a": [1, [3], 2.0], "b": {"c": Bson::Null}},
            doc! {"z": 1},
        ],
    )
    .await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    for (path, filter) in
        [("a", doc! {}), ("b.c", doc! {}), ("a", doc! {"a": {"$type": "string"}}), ("none.at.all", doc! {})]
    {
        let mut cursor = database.distinct("orders", path, &raw(&filter)).await.unwrap();
        let ours: Vec<Bson> = drain(&mut cursor).await.unwrap().iter().map(|d| d.get("v").unwrap().clone()).collect();
        let mut theirs = shop.mongo().collection::<Document>("orders").distinct(path, filter).await.unwrap();
        // the server's command shows equal numbers in the type that it met first
        theirs.sort_by_key(|value| format!("{:?}", value.element_type() as u8));
        assert_eq!(ours.len(), theirs.len(), "{path}: {ours:?} {theirs:?}");
        match path {
            "a" if ours.len() > 1 => {
                assert_eq!(
                    ours,
                    [Bson::Null, Bson::Int32(1), Bson::Double(2.0), "two".into(), Bson::Array(vec![3.into()])]
                );
            }
            "b.c" => assert_eq!(ours, [Bson::Null, "x".into(), "y".into(), "z".into()]),
            _ => {}
        }
    }
    connection.close().await;
}

async fn absent_collections(server: &'static Mongod) {
    let shop = Shop::new(server, "absent").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["gone", "orders"]);
    let kinds: Vec<_> = database.list_collections().await.unwrap().into_iter().map(|c| (c.name, c.kind)).collect();
    assert_eq!(kinds, [("gone".to_owned(), CollectionKind::Absent), ("orders".to_owned(), CollectionKind::Collection)]);
    let everything = raw(&doc! {});
    let mut found = database.find("gone", &everything, FindOptions::default()).await.unwrap();
    assert_eq!(found.next().await, Ok(None));
    let mut found = database.aggregate("gone", &[], AggregateOptions::default()).await.unwrap();
    assert_eq!(found.next().await, Ok(None));
    let mut found = database.distinct("gone", "a", &everything).await.unwrap();
    assert_eq!(found.next().await, Ok(None));
    assert_eq!(database.count("gone", &everything).await, Ok(0));
    assert_eq!(database.list_indexes("gone").await, Ok(vec![]));
    assert_eq!(read(&database.collection_options("gone").await.unwrap()), doc! {"kind": "absent"});
    // nothing is there, and still nothing is understood that is not allowed
    assert!(database.find("gone", &raw(&doc! {"$where": "1"}), FindOptions::default()).await.is_err());
    connection.close().await;
}

async fn views_and_time_series(server: &'static Mongod) {
    let shop = Shop::new(server, "views").await;
    shop.fill("orders", (0..10).map(|n| doc! {"_id": n})).await;
    shop.mongo()
        .create_collection("few")
        .view_on("orders".to_owned())
        .pipeline(vec![doc! {"$match": {"_id": {"$lt": 3}}}])
        .await
        .unwrap();
    shop.mongo().run_command(doc! {"create": "ticks", "timeseries": {"timeField": "t"}}).await.unwrap();
    shop.fill("ticks", (0..5).map(|n| doc! {"_id": n, "t": DateTime::from_millis(i64::from(n) * 1000)})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["few", "orders", "ticks"]);
    let kinds: Vec<_> = database.list_collections().await.unwrap().into_iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [CollectionKind::View, CollectionKind::Collection, CollectionKind::TimeSeries]);
    for (name, count) in [("few", 3), ("ticks", 5)] {
        assert_eq!(database.count(name, &raw(&doc! {})).await, Ok(count as u64), "{name}");
        let mut cursor = database.find(name, &raw(&doc! {}), FindOptions::default()).await.unwrap();
        assert_eq!(drain(&mut cursor).await.unwrap().len(), count, "{name}");
        assert_eq!(database.list_indexes(name).await.map(|indexes| indexes.len()), Ok(0), "{name}");
    }
    assert_eq!(
        read(&database.collection_options("few").await.unwrap()),
        doc! {
            "kind": "view", "pipeline": [{"$match": {"_id": {"$lt": 3}}}], "viewOn": "orders",
        }
    );
    let ticks = read(&database.collection_options("ticks").await.unwrap());
    assert_eq!(ticks.get_str("kind").unwrap(), "time-series");
    connection.close().await;
}

/// What a `collMod` and a new index leave is the same as before, as far as anybody can tell.
async fn defaults_equal_absent_options(server: &'static Mongod) {
    let shop = Shop::new(server, "defaults").await;
    let validator = doc! {"a": {"$gt": 5}};
    shop.mongo().create_collection("orders").validator(validator.clone()).await.unwrap();
    let run = async |command: Document| shop.mongo().run_command(command).await.map(drop).unwrap();
    run(doc! {"createIndexes": "orders", "indexes": [{"key": {"a": 1}, "name": "a"}]}).await;
    let specifications = async || {
        let connection = shop.connection().await;
        let snapshot = connection.initial_snapshot();
        let database = database(&snapshot, &["orders"]);
        let options = read(&database.collection_options("orders").await.unwrap());
        let indexes: Vec<Document> = database.list_indexes("orders").await.unwrap().iter().map(|i| read(i)).collect();
        connection.close().await;
        (options, indexes)
    };
    let before = specifications().await;
    assert_eq!(before.0, doc! {"kind": "collection", "validator": validator.clone()});
    run(doc! {"collMod": "orders", "validator": validator, "validationLevel": "strict", "validationAction": "error"})
        .await;
    run(doc! {"dropIndexes": "orders", "index": "a"}).await;
    let written_out = doc! {"key": {"a": 1}, "name": "a", "sparse": false, "unique": false, "hidden": false};
    run(doc! {"createIndexes": "orders", "indexes": [written_out]}).await;
    assert_eq!(specifications().await, before);
    run(doc! {"collMod": "orders", "validationAction": "warn"}).await;
    assert_eq!(specifications().await.0.get_str("validationAction").unwrap(), "warn");
}

async fn reads_are_recorded(server: &'static Mongod) {
    let shop = Shop::new(server, "noted").await;
    let names = ["aggregated", "counted", "distinct", "explained", "found", "gone", "indexes", "nothing", "options"];
    for name in names.iter().filter(|name| **name != "gone") {
        shop.fill(name, [doc! {"a": 1}]).await;
    }
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &names);
    let all = raw(&doc! {});
    database.list_collections().await.unwrap();
    assert_eq!(database.usage().collections, [] as [&str; 0]);
    database.find("found", &all, FindOptions::default()).await.unwrap();
    database.find("gone", &all, FindOptions::default()).await.unwrap();
    database.find("nothing", &all, FindOptions { limit: Some(0), ..FindOptions::default() }).await.unwrap();
    database.find("nothing", &raw(&doc! {"$where": "1"}), FindOptions::default()).await.err().unwrap();
    database.find("secrets", &all, FindOptions::default()).await.err().unwrap();
    database.aggregate("aggregated", &[], AggregateOptions::default()).await.unwrap();
    database.count("counted", &all).await.unwrap();
    database.distinct("distinct", "a", &all).await.unwrap();
    database.collection_options("options").await.unwrap();
    database.list_indexes("indexes").await.unwrap();
    database.explain("explained", &all, FindOptions::default()).await.unwrap();
    let read = database.usage().collections;
    assert_eq!(read, ["aggregated", "counted", "distinct", "found", "gone", "indexes", "options"]);
    connection.close().await;
}

async fn specifications_are_canonical(server: &'static Mongod) {
    let shop = Shop::new(server, "specs").await;
    let validator = doc! {"$jsonSchema": {"required": ["a"]}};
    shop.mongo().run_command(doc! {"create": "orders", "validator": validator.clone()}).await.unwrap();
    let indexes = vec![
        doc! {"name": "z", "key": {"b": 1, "a": -1.0}, "unique": true, "sparse": 1},
        doc! {"name": "a", "key": {"t": "text"}, "weights": {"t": 5}},
        doc! {"name": "m", "key": {"c": 1}, "expireAfterSeconds": 3600_i64, "partialFilterExpression": {"d": {"$gt": 5.0}}},
    ];
    shop.mongo().run_command(doc! {"createIndexes": "orders", "indexes": indexes}).await.unwrap();
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    let indexes: Vec<Document> = database.list_indexes("orders").await.unwrap().iter().map(|i| read(i)).collect();
    assert_eq!(
        indexes,
        [
            doc! {"key": {"_id": 1}, "name": "_id_"},
            doc! {"default_language": "english", "key": {"_fts": "text", "_ftsx": 1}, "language_override": "language", "name": "a", "weights": {"t": 5}},
            doc! {"expireAfterSeconds": 3600, "key": {"c": 1}, "name": "m", "partialFilterExpression": {"d": {"$gt": 5}}},
            doc! {"key": {"b": 1, "a": -1}, "name": "z", "sparse": true, "unique": true},
        ]
    );
    assert_eq!(
        read(&database.collection_options("orders").await.unwrap()),
        doc! {"kind": "collection", "validator": validator}
    );
    connection.close().await;
}

async fn explain_is_reproducible(server: &'static Mongod) {
    let shop = Shop::new(server, "explain").await;
    shop.fill("orders", (0..10).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    let sorted = FindOptions { sort: Some(raw(&doc! {"_id": 1})), ..FindOptions::default() };
    let plan = database.explain("orders", &raw(&doc! {"_id": {"$gt": 3}}), sorted.clone()).await.unwrap();
    let again = database.explain("orders", &raw(&doc! {"_id": {"$gt": 3}}), sorted).await.unwrap();
    assert_eq!(plan, again);
    let plan = read(&plan);
    let names: Vec<_> = plan.keys().map(String::as_str).collect();
    assert_eq!(names, ["explainVersion", "queryPlanner"]);
    assert!(plan.to_string().contains("IXSCAN"), "{plan}");
    connection.close().await;
}

async fn unusual_documents_are_unchanged(server: &'static Mongod) {
    let shop = Shop::new(server, "odd").await;
    // no driver writes these; they are bytes that servers hold all the same
    let mut odd = vec![0, 0, 0, 0];
    odd.extend(b"\x10_id\0\x01\0\0\0");
    odd.extend(b"\x02bad\0\x03\0\0\0\xff\xfe\0");
    odd.extend(b"\x10twice\0\x01\0\0\0\x10twice\0\x02\0\0\0");
    odd.extend(b"\x10\0\x07\0\0\0\x10dot.ted\0\x08\0\0\0\0");
    let length = i32::try_from(odd.len()).unwrap();
    odd[..4].copy_from_slice(&length.to_le_bytes());
    let mut array = bson::RawArrayBuf::new();
    array.push(bson::RawDocumentBuf::from_bytes(odd.clone()).unwrap());
    let insert = bson::rawdoc! {"insert": "orders", "documents": array};
    shop.mongo().run_raw_command(insert).await.unwrap();
    let plain =
        doc! {"_id": ObjectId::new(), "total": "1.50".parse::<Decimal128>().unwrap(), "big": "x".repeat(1 << 20)};
    shop.fill("orders", [plain.clone()]).await;

    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    let mut cursor = database.find("orders", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(batch) = cursor.next().await.unwrap() {
        bytes.extend_from_slice(&batch);
    }
    assert_eq!(bytes, [odd, raw(&plain)].concat());
    connection.close().await;
}

async fn capped_collections_are_read(server: &'static Mongod) {
    let shop = Shop::new(server, "capped").await;
    shop.mongo().create_collection("ring").capped(true).size(1 << 20).await.unwrap();
    shop.fill("ring", (0..10).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["ring"]);
    let mut cursor = database.find("ring", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 10);
    assert_eq!(database.count("ring", &raw(&doc! {})).await, Ok(10));
    connection.close().await;
}

/// The server knows every name on the allow-lists: there are no typos in them.
async fn every_command_is_accepted(server: &'static Mongod) {
    let shop = Shop::new(server, "accepted").await;
    shop.fill("orders", [doc! {"_id": 1, "a": [1, 2], "s": "x"}]).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    for stage in [
        doc! {"$bucket": {"groupBy": "$_id", "boundaries": [0, 5], "output": {"n": {"$sum": 1}}}},
        doc! {"$bucketAuto": {"groupBy": "$_id", "buckets": 2}},
        doc! {"$sortByCount": "$s"},
        doc! {"$replaceWith": {"x": "$$ROOT"}},
        doc! {"$redact": "$$KEEP"},
        doc! {"$unset": ["s"]},
        doc! {"$unwind": {"path": "$a", "includeArrayIndex": "i"}},
        doc! {"$set": {"t": {"$dateToString": {"date": DateTime::from_millis(0), "format": "%Y"}}, "u": {"$literal": {"$x": 1}}}},
    ] {
        let mut cursor = database.aggregate("orders", &[raw(&stage)], AggregateOptions::default()).await.unwrap();
        assert!(!drain(&mut cursor).await.unwrap().is_empty(), "{stage}");
    }
    connection.close().await;
}

/// Writes after the connection was opened are not visible.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_set_is_read_at_one_time() {
    let shop = Shop::new(replica_set(), "snapshot").await;
    shop.fill("orders", (0..100).map(|n| doc! {"_id": n})).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let orders = shop.mongo().collection::<Document>("orders");
    orders.delete_many(doc! {"_id": {"$lt": 50}}).await.unwrap();
    orders.insert_one(doc! {"_id": 1000}).await.unwrap();
    let database = database(&snapshot, &["orders"]);
    let everything = raw(&doc! {});
    assert_eq!(database.count("orders", &everything).await, Ok(100));
    let mut cursor = database.find("orders", &everything, FindOptions::default()).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 100);
    let mut cursor = database.distinct("orders", "_id", &everything).await.unwrap();
    assert_eq!(drain(&mut cursor).await.unwrap().len(), 100);
    connection.close().await;
}
