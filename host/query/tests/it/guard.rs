//! The guard against real servers: allowed calls are answered, refused calls send nothing, and collections that are not
//! granted are not read. This is verified by the commands that the driver sends, checked independently of the guard, and by
//! the server's own counters of reads per collection.

mod cases;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use bson::{Bson, DateTime, Document, doc};
use mongodb::event::{EventHandler, command::CommandEvent};
use taster_model::Failure;
use taster_query::{Connection, ConnectionOptions, Database, FindOptions};

use self::cases::{Call, Case, Expected};
use crate::{
    mongod::{Mongod, replica_set, standalone},
    support::{Shop, database, drain, raw},
};

const GRANTED: [&str; 15] = [
    "chain",
    "code_view",
    "few",
    "gone",
    "items",
    "now_view",
    "orders",
    "peep",
    "peep_facet",
    "peep_lookup",
    "peep_view",
    "random_view",
    "through",
    "ticks",
    "tree",
];

/// The commands that the host sends.
const COMMANDS: [&str; 11] = [
    "aggregate",
    "buildInfo",
    "endSessions",
    "explain",
    "find",
    "getMore",
    "hello",
    "killCursors",
    "listCollections",
    "listIndexes",
    "ping",
];

/// What the host's own `find` consists of.
const HOST_FIND: [&str; 6] = ["find", "comment", "maxTimeMS", "$db", "lsid", "$clusterTime"];

/// Every command that a connection sends.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<Document>>>);

impl Sent {
    fn handler(&self) -> EventHandler<CommandEvent> {
        let sent = self.clone();
        EventHandler::callback(move |event| {
            if let CommandEvent::Started(event) = event {
                sent.0.lock().unwrap().push(event.command);
            }
        })
    }

    fn take(&self) -> Vec<Document> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_on_a_standalone() {
    every_case(standalone(), "guard").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_on_a_replica_set() {
    every_case(replica_set(), "guard").await;
}

#[expect(clippy::print_stdout, reason = "reports the number of cases")]
async fn every_case(server: &'static Mongod, name: &'static str) {
    let shop = filled(server, name).await;
    let sent = Sent::default();
    let connection = Connection::connect(ConnectionOptions {
        uri: server.uri(name).parse().unwrap(),
        database: name.to_owned(),
        comment: shop.comment(),
        server_selection_timeout: std::time::Duration::from_secs(10),
        command_events: Some(sent.handler()),
    })
    .await
    .unwrap();
    let database = database(&connection.initial_snapshot(), &GRANTED);
    // the inventory is read once for all calls
    database.list_collections().await.unwrap();
    for command in sent.take() {
        assert!(is_host_command(&command), "{command}");
    }
    let mut sent_commands = Vec::new();

    let untouched = counters(&shop).await;
    let cases = cases::all();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    assert!(cases.len() >= 200, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let answer = run(&database, case).await;
        let commands = sent.take();
        if let Some(problem) = problem(case, &answer, commands.len()) {
            wrong.push(format!("{}: {problem}", case.name));
        }
        sent_commands.extend(commands);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(counters(&shop).await, untouched, "a collection that is not granted was read");
    connection.close().await;
    sent_commands.extend(sent.take());
    for command in &sent_commands {
        assert_eq!(violation(command), None, "{command}");
    }
    let refused = cases.iter().filter(|case| matches!(case.expected, Expected::Refused(_))).count();
    println!("{} cases, {refused} of them refused, {} commands sent", cases.len(), sent_commands.len());

    // the counters do move when the collections are read
    for secret in ["secret", "system.js"] {
        let before = counters(&shop).await;
        shop.mongo().collection::<Document>(secret).find_one(doc! {}).await.unwrap().unwrap();
        assert_ne!(counters(&shop).await, before, "{secret}");
    }
}

/// The number of documents that a call returns; `None` where it returns none.
async fn run(database: &Database, case: &Case) -> Result<Option<u64>, Failure> {
    let count = |documents: Vec<Document>| Some(documents.len() as u64);
    match &case.call {
        Call::Find(filter, options) => {
            drain(&mut database.find(case.collection, filter, options.clone()).await?).await.map(count)
        }
        Call::Aggregate(stages, options) => {
            drain(&mut database.aggregate(case.collection, stages, options.clone()).await?).await.map(count)
        }
        Call::Distinct(path, filter) => {
            drain(&mut database.distinct(case.collection, path, filter).await?).await.map(count)
        }
        Call::Count(filter) => database.count(case.collection, filter).await.map(Some),
        Call::Explain(filter, options) => {
            database.explain(case.collection, filter, options.clone()).await.map(|_| None)
        }
    }
}

fn problem(case: &Case, answer: &Result<Option<u64>, Failure>, sent: usize) -> Option<String> {
    match (case.expected, answer) {
        (Expected::Refused(_), _) if sent > 0 => Some(format!("{sent} commands were sent: {answer:?}")),
        (Expected::Refused(code), Err(failure)) if failure.code.as_deref() == Some(code) => None,
        (Expected::Answer | Expected::Documents(_), _) if sent == 0 => Some(format!("nothing was sent: {answer:?}")),
        (Expected::Answer, Ok(_)) => None,
        (Expected::Documents(wanted), Ok(Some(found))) if wanted == *found => None,
        (expected, answer) => Some(format!("{expected:?}, and not {answer:?}")),
    }
}

/// Orders and items that are granted, a secret that is not, and views over all of them.
async fn filled(server: &'static Mongod, name: &'static str) -> Shop {
    let shop = Shop::new(server, name).await;
    let orders = (0..10_i32).map(|n| {
        doc! {
            "_id": n, "total": n, "status": if n % 2 == 0 { "open" } else { "paid" }, "tags": ["a", "b"],
            "items": [{"sku": format!("s{n}"), "n": 1}], "when": DateTime::from_millis(i64::from(n) * 86_400_000),
            "loc": {"type": "Point", "coordinates": [n, n]}, "text": if n == 3 { "smoked ribs" } else { "beans" },
            "some": if n % 3 == 0 { Bson::Int32(n) } else { Bson::Null }, "customer": {"$ref": "customers", "$id": n},
        }
    });
    shop.fill("orders", orders).await;
    shop.fill("items", (0..10).map(|n| doc! {"_id": n, "order": n, "sku": format!("s{n}")})).await;
    shop.fill("secret", [doc! {"_id": 1, "a": "nobody may know"}]).await;
    shop.fill("system.js", [doc! {"_id": "f", "value": Bson::JavaScriptCode("function() {}".to_owned())}]).await;
    let run = async |command: Document| shop.mongo().run_command(command).await.map(drop).unwrap();
    let indexes = [
        doc! {"key": {"status": 1}, "name": "status_1"},
        doc! {"key": {"text": "text"}, "name": "text"},
        doc! {"key": {"loc": "2dsphere"}, "name": "loc"},
    ];
    run(doc! {"createIndexes": "orders", "indexes": indexes.to_vec()}).await;
    run(doc! {"create": "ticks", "timeseries": {"timeField": "t"}}).await;
    shop.fill("ticks", (0..5).map(|n| doc! {"_id": n, "t": DateTime::from_millis(i64::from(n))})).await;
    let lookup = |from: &str| doc! {"$lookup": {"from": from, "localField": "a", "foreignField": "a", "as": "found"}};
    let graph =
        doc! {"from": "items", "startWith": "$_id", "connectFromField": "order", "connectToField": "_id", "as": "c"};
    let code = doc! {"body": "function() { return 1 }", "args": [], "lang": "js"};
    for (name, on, pipeline) in [
        ("few", "orders", vec![doc! {"$match": {"status": "open"}}]),
        ("chain", "few", vec![lookup("items")]),
        ("private_view", "orders", vec![]),
        ("through", "private_view", vec![]),
        ("tree", "orders", vec![doc! {"$graphLookup": graph}]),
        ("peep", "secret", vec![]),
        ("peep_lookup", "orders", vec![lookup("secret")]),
        (
            "peep_facet",
            "orders",
            vec![doc! {"$facet": {"a": [{"$unionWith": {"coll": "items", "pipeline": [lookup("secret")]}}]}}],
        ),
        ("peep_view", "peep", vec![doc! {"$match": {}}]),
        ("random_view", "orders", vec![doc! {"$sample": {"size": 1}}]),
        ("now_view", "orders", vec![doc! {"$match": {"$expr": {"$lt": ["$when", "$$NOW"]}}}]),
        ("code_view", "orders", vec![doc! {"$set": {"a": {"$function": code}}}]),
    ] {
        run(doc! {"create": name, "viewOn": on, "pipeline": pipeline}).await;
    }
    shop
}

/// The server's counters of cursor calls on each collection that is not granted.
async fn counters(shop: &Shop) -> Vec<Document> {
    let mut all = Vec::new();
    for name in ["secret", "system.js"] {
        let stats = vec![doc! {"$collStats": {"storageStats": {}}}];
        let mut cursor = shop.mongo().collection::<Document>(name).aggregate(stats).await.unwrap();
        assert!(cursor.advance().await.unwrap());
        let stats: Document = cursor.deserialize_current().unwrap();
        let tiger = stats.get_document("storageStats").unwrap().get_document("wiredTiger").unwrap();
        let cursors = tiger.get_document("cursor").unwrap();
        let calls = cursors.iter().filter(|(name, _)| name.contains("calls"));
        let calls: Document = calls.map(|(name, value)| (name.clone(), value.clone())).collect();
        assert!(calls.contains_key("next calls") && calls.contains_key("search calls"), "{calls}");
        all.push(calls);
    }
    all
}

/// Whether a command is one that the host sends before any probe runs: to identify the server, and to read the description
/// and the counters of every collection, never a document.
fn is_host_command(command: &Document) -> bool {
    let Some((name, target)) = command.iter().next() else { return false };
    let in_local = command.get_str("$db").is_ok_and(|database| database == "local");
    match (name.as_str(), target.as_str()) {
        ("find", Some("startup_log" | "system.replset")) => in_local,
        // functions that are stored in the database: compared by the host, since no probe may read them
        ("find", Some("system.js")) => command.iter().all(|(key, _)| HOST_FIND.contains(&key.as_str())),
        ("aggregate", _) => command
            .get_array("pipeline")
            .is_ok_and(|stages| *stages == [doc! {"$collStats": {"storageStats": {}}}.into()]),
        ("find" | "explain", _) => false,
        (other, _) => COMMANDS.contains(&other),
    }
}

/// What is wrong with a command, decided independently of the guard.
fn violation(command: &Document) -> Option<String> {
    let (name, target) = command.iter().next()?;
    if !COMMANDS.contains(&name.as_str()) {
        return Some(format!("the command {name}"));
    }
    let named = match (name.as_str(), target) {
        ("find" | "aggregate" | "listIndexes", target) => Some(target.clone()),
        ("getMore", _) => command.get("collection").cloned(),
        ("explain", Bson::Document(inner)) => return violation(inner),
        _ => None,
    };
    match named {
        Some(Bson::String(name)) if GRANTED.contains(&name.as_str()) => {}
        // the driver sends `getMore` for the namespace that the server returned
        Some(Bson::String(name)) if command.contains_key("getMore") && name == "$cmd.listCollections" => {}
        Some(name) => return Some(format!("reads {name}")),
        None => {}
    }
    let parts = ["filter", "projection", "sort", "pipeline", "let", "hint", "collation"];
    parts.iter().filter_map(|part| command.get(part)).find_map(forbidden)
}

fn forbidden(value: &Bson) -> Option<String> {
    const NEVER: [&str; 22] = [
        "$out",
        "$merge",
        "$where",
        "$function",
        "$accumulator",
        "$sample",
        "$sampleRate",
        "$rand",
        "$changeStream",
        "$collStats",
        "$indexStats",
        "$currentOp",
        "$listSessions",
        "$listLocalSessions",
        "$planCacheStats",
        "$search",
        "$vectorSearch",
        "$mergeCursors",
        "$queue",
        "$natural",
        "$toHashedIndexKey",
        "$createObjectId",
    ];
    match value {
        Bson::Document(fields) => fields.iter().find_map(|(name, value)| {
            if NEVER.contains(&name.as_str()) || name.starts_with("$_") {
                return Some(format!("{name}: {value}"));
            }
            match (name.as_str(), value) {
                // data, and words of a text search
                ("$literal" | "$text", _) => None,
                ("from" | "coll", Bson::Document(other)) => Some(format!("elsewhere: {other}")),
                ("from" | "coll" | "$unionWith", Bson::String(name)) if !GRANTED.contains(&name.as_str()) => {
                    Some(format!("reads {name}"))
                }
                ("db", value) => Some(format!("in the database {value}")),
                (_, value) => forbidden(value),
            }
        }),
        Bson::Array(items) => items.iter().find_map(forbidden),
        Bson::String(text) if ["$$NOW", "$$CLUSTER_TIME", "$$USER_ROLES"].iter().any(|name| text.starts_with(name)) => {
            Some(text.clone())
        }
        Bson::JavaScriptCode(_) | Bson::JavaScriptCodeWithScope(_) => Some("code".to_owned()),
        _ => None,
    }
}

/// The independent check finds what it should find.
#[test]
fn violations_are_found() {
    let lookup = |from: Bson| doc! {"$lookup": {"from": from, "pipeline": [], "as": "a"}};
    for command in [
        doc! {"insert": "orders"},
        doc! {"dbHash": 1},
        doc! {"find": "secret"},
        doc! {"aggregate": 1, "pipeline": []},
        doc! {"getMore": 5_i64, "collection": "secret"},
        doc! {"explain": {"find": "system.js"}},
        doc! {"find": "orders", "filter": {"$and": [{"$where": "1"}]}},
        doc! {"find": "orders", "projection": {"a": {"$function": {}}}},
        doc! {"find": "orders", "hint": {"$natural": 1}},
        doc! {"aggregate": "orders", "pipeline": [{"$out": "x"}]},
        doc! {"aggregate": "orders", "pipeline": [lookup("secret".into())]},
        doc! {"aggregate": "orders", "pipeline": [lookup(doc! {"db": "a", "coll": "b"}.into())]},
        doc! {"aggregate": "orders", "pipeline": [{"$facet": {"a": [{"$unionWith": "secret"}]}}]},
        doc! {"aggregate": "orders", "pipeline": [{"$facet": {"a": [{"$unionWith": {"coll": "secret"}}]}}]},
        doc! {"aggregate": "orders", "pipeline": [{"$set": {"a": "$$NOW"}}]},
        doc! {"aggregate": "orders", "pipeline": [{"$_internalThing": 1}]},
    ] {
        assert!(violation(&command).is_some(), "{command}");
    }
    assert_eq!(violation(&doc! {"aggregate": "orders", "pipeline": [lookup("items".into())]}), None);
}

/// Collections that a pipeline or a view reads are recorded as read.
#[tokio::test(flavor = "multi_thread")]
async fn reads_beneath_views_are_recorded() {
    let shop = filled(standalone(), "guard_noted").await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let read = async |collection: &str, stages: &[Document]| {
        let database = database(&snapshot, &GRANTED);
        let stages: Vec<_> = stages.iter().map(raw).collect();
        let mut cursor =
            database.aggregate(collection, &stages, taster_query::AggregateOptions::default()).await.unwrap();
        drain(&mut cursor).await.unwrap();
        database.usage().collections
    };
    assert_eq!(read("orders", &[doc! {"$facet": {"a": [{"$unionWith": "items"}]}}]).await, ["items", "orders"]);
    assert_eq!(read("chain", &[]).await, ["chain", "few", "items", "orders"]);
    assert_eq!(read("through", &[]).await, ["orders", "private_view", "through"]);
    assert_eq!(read("gone", &[doc! {"$unionWith": "few"}]).await, ["few", "gone", "orders"]);
    let database = database(&snapshot, &GRANTED);
    let mut cursor = database.find("few", &raw(&doc! {}), FindOptions::default()).await.unwrap();
    drain(&mut cursor).await.unwrap();
    assert_eq!(database.usage().collections, ["few", "orders"]);
    // what cannot be read can still be listed, and its options looked at
    assert_eq!(database.list_collections().await.unwrap().len(), GRANTED.len());
    assert!(database.collection_options("peep").await.is_ok());
    let refused = database.count("peep", &raw(&doc! {})).await.unwrap_err();
    insta::assert_snapshot!(refused, @"T0240: collection: view `peep` cannot be read: definition.viewOn: collection `secret` is not granted to probe `orders` (asked: secret; allowed: chain, code_view, few, gone, items, now_view, orders, peep, peep_facet, peep_lookup, peep_view, random_view, through, ticks, tree; setting: probes[orders].collections)");
    connection.close().await;
}

/// A capped collection knows no snapshots, so on a replica set it has no moment in common with another collection.
#[tokio::test(flavor = "multi_thread")]
async fn capped_collections_are_read_separately() {
    for server in [standalone(), replica_set()] {
        let shop = Shop::new(server, "guard_capped").await;
        shop.mongo().create_collection("ring").capped(true).size(1 << 20).await.unwrap();
        shop.fill("ring", [doc! {"a": 1}]).await;
        shop.fill("orders", [doc! {"a": 1}]).await;
        shop.mongo().create_collection("rings").view_on("ring".to_owned()).await.unwrap();
        let connection = shop.connection().await;
        let snapshot = connection.initial_snapshot();
        let database = database(&snapshot, &["orders", "ring", "rings"]);
        let stages = [raw(&doc! {"$unionWith": "ring"})];
        match database.aggregate("orders", &stages, taster_query::AggregateOptions::default()).await {
            Ok(mut cursor) => {
                assert!(!server.is_replica_set(), "the two were not read at the same time");
                assert_eq!(drain(&mut cursor).await.unwrap().len(), 2);
            }
            Err(failure) => {
                assert!(server.is_replica_set());
                insta::assert_snapshot!(failure, @"T0245: `ring` is a capped collection, which this server cannot read at a past point in time, and `orders` must be read at one (allowed: read the collections with separate queries and join them in the probe)");
            }
        }
        assert_eq!(database.count("rings", &raw(&doc! {})).await, Ok(1));
        connection.close().await;
    }
}
