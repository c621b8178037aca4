//! Documents that a TTL index removed between `pre` and `post` are not missing; those that the server keeps are. What expires
//! is what a real TTL monitor removes.

use mongodb::bson::{Bson, DateTime, Document, doc};
use taster_testkit::{mongod::Flavour, wait_until};

use crate::{
    false_alarms::{command, empty, insert, run},
    support::{CommandOutput, FLAVOURS, SHOP, ShopDatabase},
};

/// Switches the TTL monitor.
async fn expire(shop: &ShopDatabase, enabled: bool) {
    let admin = shop.mongod.client().await.expect("a client").database("admin");
    admin.run_command(doc! {"setParameter": 1, "ttlMonitorEnabled": enabled}).await.expect("a parameter");
}

/// How often the TTL monitor has run.
async fn passes(shop: &ShopDatabase) -> i64 {
    let status = shop.database.run_command(doc! {"serverStatus": 1}).await.expect("the status");
    let metrics = status.get_document("metrics").and_then(|metrics| metrics.get_document("ttl")).expect("metrics");
    metrics.get_i64("passes").expect("a number")
}

/// Ids of a collection.
async fn ids(shop: &ShopDatabase, collection: &str) -> Vec<i32> {
    let found = shop.database.collection::<Document>(collection).distinct("_id", doc! {}).await.expect("ids");
    found.iter().filter_map(Bson::as_i32).collect()
}

/// Ids of missing documents that the census reports.
fn missing(post: &CommandOutput) -> Vec<String> {
    let post = post.json();
    let censuses = post["findings"].as_array().expect("findings").iter().filter(|f| f["metric"] == "documents");
    let ids = censuses.filter_map(|finding| finding["documents"]["missing"]["ids"].as_array());
    ids.flatten().map(|id| id["$numberInt"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Documents with these values expire as the server decides. Those that it keeps are then removed: they are missing.
async fn expires_as_on_the_server(flavour: Flavour, indexes: &[Document], documents: Vec<Document>, yaml: &str) {
    let (shop, workspace) = empty(flavour).await;
    workspace.configure(&format!(
        "{SHOP}probes:\n  - {{name: documents, component: census, collections: [sessions]}}\n{yaml}"
    ));
    expire(&shop, false).await;
    let lasting = 1000;
    insert(&shop, "sessions", [doc! {"_id": lasting}]).await;
    let total = documents.len();
    insert(
        &shop,
        "sessions",
        documents.into_iter().zip(0..).map(|(document, id)| {
            let mut with_id = doc! {"_id": id};
            with_id.extend(document);
            with_id
        }),
    )
    .await;
    command(&shop, doc! {"createIndexes": "sessions", "indexes": indexes}).await;
    run(&workspace, "pre", "one", 0);
    expire(&shop, true).await;
    let before = passes(&shop).await;
    // the pass that runs now may have begun before the monitor was enabled
    wait_until("the TTL monitor", taster_testkit::WAIT_TIMEOUT, async || passes(&shop).await >= before + 2).await;
    let kept: Vec<i32> = ids(&shop, "sessions").await.into_iter().filter(|id| *id != lasting).collect();
    assert!(!kept.is_empty() && kept.len() < total, "{kept:?} of {total}");
    let expired = run(&workspace, "post", "one", 0);
    assert!(expired.out.contains(&format!("{} expired", total - kept.len())), "{kept:?}: {}", expired.out);
    command(&shop, doc! {"delete": "sessions", "deletes": [{"q": {"_id": {"$in": &kept}}, "limit": 0}]}).await;
    let lost = run(&workspace, "post", "one", 1);
    assert_eq!(missing(&lost), kept.iter().map(ToString::to_string).collect::<Vec<_>>(), "{}", lost.out);
}

fn at(millis: i64) -> Bson {
    DateTime::from_millis(millis).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_expired_by_a_partial_index() {
    let ttl = |name: &str, filter: Document| {
        doc! {"key": {name: 1}, "name": name, "expireAfterSeconds": 1, "partialFilterExpression": filter}
    };
    let never = DateTime::now().timestamp_millis() + 3_600_000;
    let documents = vec![
        doc! {"due": at(1), "closed": true},
        doc! {"due": at(1), "closed": false},
        doc! {"due": at(1)},
        doc! {"due": at(never), "closed": true},
        doc! {"other": at(1), "n": 5},
        doc! {"other": at(1), "n": 4},
        doc! {"other": at(1), "n": "5"},
        doc! {"due": at(1), "closed": false, "other": at(1), "n": 6},
        doc! {"due": at(1), "closed": true, "other": at(never), "n": 6},
    ];
    for flavour in FLAVOURS {
        let closed = ttl("due", doc! {"closed": true});
        expires_as_on_the_server(flavour, std::slice::from_ref(&closed), documents[..3].to_vec(), "").await;
        let both = [closed, ttl("other", doc! {"n": {"$gte": 5}})];
        expires_as_on_the_server(flavour, &both, documents.clone(), "").await;
    }
    let typed = [ttl("due", doc! {"$and": [{"closed": {"$exists": true}}, {"closed": {"$type": "bool"}}]})];
    for flavour in FLAVOURS {
        expires_as_on_the_server(flavour, &typed, documents.clone(), "scan: {cursors: 2}\n").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_expired_by_the_position_in_an_array_on_a_standalone_server() {
    expire_by_the_position_in_an_array(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_expired_by_the_position_in_an_array_on_a_replica_set() {
    expire_by_the_position_in_an_array(Flavour::ReplicaSet).await;
}

async fn expire_by_the_position_in_an_array(flavour: Flavour) {
    let never = DateTime::now().timestamp_millis() + 3_600_000;
    let dates = |first: i64, second: i64| Bson::Array(vec![at(first), at(second)]);
    let values = |name: &str| -> Vec<Document> {
        let pairs = [(1, 1), (1, never), (never, 1), (never, never)];
        let plain = pairs.iter().map(|(a, b)| doc! {name: dates(*a, *b)});
        let nested = pairs.iter().map(|(a, b)| doc! {name: [dates(*a, *b), at(never)]});
        let inner = pairs.iter().map(|(a, b)| doc! {name: [{"x": at(*a)}, {"x": at(*b)}]});
        let inner_arrays = pairs.iter().map(|(a, b)| doc! {name: [{"x": dates(*a, *b)}, {"x": at(never)}]});
        let arrays_of_inner =
            pairs.iter().map(|(a, b)| doc! {name: [[{"x": at(*a)}, {"x": at(*b)}], [{"x": at(never)}]]});
        let named = pairs.iter().map(|(a, b)| doc! {name: {"0": at(*a), "1": at(*b)}});
        let named_inside = pairs.iter().map(|(a, b)| doc! {name: {"0": {"x": at(*a)}, "1": {"x": at(*b)}}});
        let odd = [doc! {}, doc! {name: []}, doc! {name: at(1)}, doc! {name: ["x", at(1)]}, doc! {name: [[[at(1)]]]}];
        plain
            .chain(nested)
            .chain(inner)
            .chain(inner_arrays)
            .chain(arrays_of_inner)
            .chain(named)
            .chain(named_inside)
            .chain(odd)
            .collect()
    };
    for path in ["at.0", "at.1", "at.0.x", "at.x", "at.0.1", "at.x.0", "at"] {
        let ttl = doc! {"key": {path: 1}, "name": "ttl", "expireAfterSeconds": 1};
        expires_as_on_the_server(flavour, &[ttl], values("at"), "").await;
    }
}

/// Counts and shapes fall with the documents, and the default probes excuse that as their census does.
#[tokio::test(flavor = "multi_thread")]
async fn what_expired_is_no_finding_of_the_default_probes() {
    let never = DateTime::now().timestamp_millis() + 3_600_000;
    for flavour in FLAVOURS {
        let (shop, workspace) = empty(flavour).await;
        workspace.configure(SHOP);
        expire(&shop, false).await;
        let sessions = (0..20).map(|n| doc! {"_id": n, "due": at(1), "closed": n % 2 == 0});
        insert(&shop, "sessions", sessions).await;
        let visits = (0..20).map(|n| doc! {"_id": n, "at": [at(if n % 2 == 0 { 1 } else { never }), at(never)]});
        insert(&shop, "visits", visits).await;
        let filter = doc! {"closed": true};
        let partial =
            doc! {"key": {"due": 1}, "name": "due", "expireAfterSeconds": 1, "partialFilterExpression": filter};
        command(&shop, doc! {"createIndexes": "sessions", "indexes": [partial]}).await;
        let position = doc! {"key": {"at.0": 1}, "name": "at", "expireAfterSeconds": 1};
        command(&shop, doc! {"createIndexes": "visits", "indexes": [position]}).await;
        run(&workspace, "pre", "one", 0);
        expire(&shop, true).await;
        wait_until("the TTL monitor", taster_testkit::WAIT_TIMEOUT, async || {
            ids(&shop, "sessions").await.len() + ids(&shop, "visits").await.len() == 20
        })
        .await;
        run(&workspace, "post", "one", 0);
        command(&shop, doc! {"delete": "sessions", "deletes": [{"q": {"_id": 1}, "limit": 1}]}).await;
        assert_eq!(missing(&run(&workspace, "post", "one", 1)), ["1"]);
    }
}
