//! The census over every kind of collection and id that a real server has.

use std::{collections::BTreeSet, time::Duration};

use mongodb::bson::{
    Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, Regex, Timestamp, cstr, doc, oid::ObjectId,
    spec::BinarySubtype,
};
use serde_json::Value;
use taster_testkit::{mongod::Flavour, wait_until};

use crate::support::{SHOP, ShopDatabase};

/// How long it may take until documents expire and the server has removed them.
const EXPIRY_TIMEOUT: Duration = Duration::from_mins(2);

const CENSUS: &str =
    "probes:\n  - {name: documents, component: census, collections: [types, words, log, weather, sessions, tiny]}\n";

/// Values of every type that a server stores.
fn values() -> Vec<Bson> {
    let binary = |subtype| Bson::Binary(Binary { subtype, bytes: vec![7; 16] });
    vec![
        Bson::Double(1.5),
        Bson::Double(f64::NAN),
        Bson::Double(-0.0),
        Bson::String("text".to_owned()),
        Bson::Document(doc! {"b": 1, "a": 2}),
        Bson::Document(doc! {"a": 2, "b": 1}),
        binary(BinarySubtype::Generic),
        binary(BinarySubtype::Uuid),
        Bson::ObjectId(ObjectId::from_bytes([9; 12])),
        Bson::Boolean(true),
        Bson::DateTime(DateTime::from_millis(3)),
        Bson::Null,
        Bson::JavaScriptCode("f()".to_owned()),
        Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "f()".to_owned(), scope: doc! {"x": 1} }),
        Bson::Symbol("s".to_owned()),
        Bson::Int32(7),
        Bson::Timestamp(Timestamp { time: 3, increment: 1 }),
        Bson::Int64(3),
        Bson::Decimal128("12.50".parse::<Decimal128>().expect("a decimal")),
        Bson::MinKey,
        Bson::MaxKey,
    ]
}

/// Types that no `_id` has.
fn only_values() -> Vec<Bson> {
    let pattern = Regex { pattern: cstr!("^a").to_owned(), options: cstr!("i").to_owned() };
    vec![Bson::RegularExpression(pattern), Bson::Array(vec![Bson::Int32(1)]), Bson::Undefined]
}

async fn load(shop: &ShopDatabase) {
    let database = &shop.database;
    // `expireAfterSeconds`: long enough for a capture before it, on a busy machine
    let create = [
        doc! {"create": "words", "collation": {"locale": "de", "strength": 2}},
        doc! {"create": "log", "capped": true, "size": 1_000_000},
        doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "place"}},
        doc! {"create": "tiny"},
        doc! {"createIndexes": "sessions", "indexes": [{"key": {"until": 1}, "name": "ttl", "expireAfterSeconds": 8}]},
    ];
    for command in create {
        database.run_command(command).await.expect("a collection");
    }
    let types = values()
        .into_iter()
        .map(|id| doc! {"_id": id, "x": 1})
        .chain(values().into_iter().chain(only_values()).zip(1000..).map(|(value, id)| doc! {"_id": id, "x": value}));
    insert(shop, "types", types.collect()).await;
    let words = ["a", "b", "Ä", "z"];
    insert(shop, "words", words.iter().map(|word| doc! {"_id": *word, "n": 1}).collect()).await;
    insert(shop, "log", (0..50).map(|n| doc! {"_id": n, "line": "x"}).collect()).await;
    let weather = |n: i32| doc! {"at": DateTime::from_millis(i64::from(n) * 1000), "place": "here", "degrees": n};
    insert(shop, "weather", (0..50).map(weather).collect()).await;
    insert(shop, "tiny", (0..3).map(|n| doc! {"_id": n}).collect()).await;
    let now = DateTime::now().timestamp_millis();
    let until = |n: i64| DateTime::from_millis(if n < 3 { now } else { now + 3_600_000 });
    insert(shop, "sessions", (0..6_i64).map(|n| doc! {"_id": n, "until": until(n)}).collect()).await;
}

async fn insert(shop: &ShopDatabase, collection: &str, documents: Vec<Document>) {
    shop.database.collection::<Document>(collection).insert_many(documents).await.expect("documents");
}

async fn change(shop: &ShopDatabase, command: Document) {
    let answer = shop.database.run_command(command).await.expect("a change");
    assert_eq!(answer.get_i32("n").ok(), Some(1), "{answer}");
}

async fn meddle(shop: &ShopDatabase) {
    let delete = |collection: &str, id: Bson| doc! {"delete": collection, "deletes": [{"q": {"_id": id}, "limit": 1}]};
    change(shop, delete("types", doc! {"b": 1, "a": 2}.into())).await;
    change(shop, delete("types", Bson::Int64(3))).await;
    change(shop, delete("types", Bson::MaxKey)).await;
    change(shop, delete("words", "Ä".into())).await;
    change(shop, delete("tiny", Bson::Int32(1))).await;
    // not due for an hour
    change(shop, delete("sessions", Bson::Int64(5))).await;
    let update = |collection: &str, id: Bson, set: Document| {
        doc! {"update": collection, "updates": [{"q": {"_id": id}, "u": {"$set": set}}]}
    };
    // equal to the server, and other bytes: 12.50 and 12.5; 0.0 and -0.0
    let place = |wanted: &Bson| {
        let place = values().iter().position(|value| value == wanted).expect("one of the values");
        Bson::Int32(i32::try_from(place).expect("few") + 1000)
    };
    let decimal = |text: &str| Bson::Decimal128(text.parse::<Decimal128>().expect("a decimal"));
    let zero = Bson::Int32(1002);
    change(shop, update("types", place(&decimal("12.50")), doc! {"x": "other"})).await;
    change(shop, update("types", place(&decimal("12.50")), doc! {"x": decimal("12.5")})).await;
    change(shop, update("types", zero.clone(), doc! {"x": "other"})).await;
    change(shop, update("types", zero, doc! {"x": 0.0})).await;
    change(shop, update("log", Bson::Int32(7), doc! {"line": "y"})).await;
    let measured = doc! {"at": DateTime::from_millis(1), "place": "here", "degrees": -40};
    insert(shop, "weather", vec![measured]).await;
    let sessions = shop.database.collection::<Document>("sessions");
    let expired = async || sessions.count_documents(doc! {"_id": {"$lt": 3}}).await.expect("a count") == 0;
    wait_until("the TTL monitor", EXPIRY_TIMEOUT, expired).await;
}

fn set(verdict: &Value, collection: &str, kind: &str) -> (u64, BTreeSet<String>) {
    let findings = verdict["findings"].as_array().expect("findings");
    let found = findings.iter().find(|f| f["metric"] == "documents" && f["labels"]["collection"] == collection);
    let set = &found.unwrap_or_else(|| panic!("nothing about {collection}: {verdict:#}"))["documents"][kind];
    (
        set["count"].as_u64().expect("a count"),
        set["ids"].as_array().expect("ids").iter().map(Value::to_string).collect(),
    )
}

async fn every_kind(flavour: Flavour) {
    let shop = ShopDatabase::open(flavour, 10).await;
    load(&shop).await;
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}{CENSUS}"));
    let pre = workspace.taster(&["pre", "--run", "a"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    meddle(&shop).await;
    let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
    assert_eq!(post.code, 1, "{}", post.all());
    let verdict = post.json();
    let ids = |ids: &[&str]| (ids.len() as u64, ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>());
    let of = |collection, kind| set(&verdict, collection, kind);
    let missing = [r#"{"$maxKey":1}"#, r#"{"$numberLong":"3"}"#, r#"{"b":{"$numberInt":"1"},"a":{"$numberInt":"2"}}"#];
    assert_eq!(of("types", "missing"), ids(&missing));
    assert_eq!(of("types", "changed"), ids(&[r#"{"$numberInt":"1002"}"#, r#"{"$numberInt":"1018"}"#]));
    assert_eq!(of("words", "missing"), ids(&[r#""Ä""#]));
    assert_eq!(of("tiny", "missing"), ids(&[r#"{"$numberInt":"1"}"#]));
    assert_eq!(of("log", "changed"), ids(&[r#"{"$numberInt":"7"}"#]));
    assert_eq!(of("weather", "extra").0, 1);
    assert_eq!(of("sessions", "missing"), ids(&[r#"{"$numberLong":"5"}"#]));
    for (collection, kind) in [("words", "changed"), ("log", "missing"), ("weather", "missing"), ("weather", "changed")]
    {
        assert_eq!(of(collection, kind).0, 0, "{collection} {kind}");
    }
}

#[tokio::test]
async fn every_kind_of_collection_and_id_on_a_standalone_server() {
    every_kind(Flavour::Standalone).await;
}

#[tokio::test]
async fn every_kind_of_collection_and_id_on_a_replica_set() {
    every_kind(Flavour::ReplicaSet).await;
}

#[tokio::test]
async fn what_expired_alone_is_expected() {
    let shop = ShopDatabase::replica_set(10).await;
    load(&shop).await;
    let workspace = shop.workspace();
    workspace
        .configure(&format!("{SHOP}probes:\n  - {{name: documents, component: census, collections: [sessions]}}\n"));
    assert_eq!(workspace.taster(&["pre"]).code, 0);
    let sessions = shop.database.collection::<Document>("sessions");
    let expired = async || sessions.count_documents(doc! {}).await.expect("a count") <= 3;
    wait_until("the TTL monitor", EXPIRY_TIMEOUT, expired).await;
    let post = workspace.taster(&["post", "--format", "json"]);
    assert_eq!(post.code, 0, "{}", post.all());
    assert!(post.out.contains("3 expired"), "{}", post.out);
}
