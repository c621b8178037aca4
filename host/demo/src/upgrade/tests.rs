//! Tests of each upgrade on a small shop in a real mongod: what it changes, and what it does not change.

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;
use mongodb::{Client, Database};

use super::*;
use crate::{DATABASE, Mongod, MongodOptions, Shop};

/// The whole database, byte for byte: documents as hexadecimal, indexes as text.
async fn contents(database: &Database) -> (Vec<String>, Vec<String>) {
    let mut documents = Vec::new();
    let mut indexes = Vec::new();
    for collection in ["orders", "registrations", "menu"] {
        let collection = database.collection::<RawDocumentBuf>(collection);
        let all: Vec<_> = collection.find(doc! {}).sort(doc! {"_id": 1}).await.unwrap().try_collect().await.unwrap();
        documents.extend(all.into_iter().map(|one| hex::encode(one.as_bytes())));
        let all: Vec<_> = collection.list_indexes().await.unwrap().try_collect().await.unwrap();
        indexes.extend(all.into_iter().map(|one| format!("{} {:?}", one.keys, one.options)));
    }
    indexes.sort();
    (documents, indexes)
}

async fn shop() -> (Mongod, Client) {
    let mongod = Mongod::start(MongodOptions::default()).await.unwrap();
    let client = mongod.client().await.unwrap();
    Shop::with_orders(2_000).load(&client, |_, _| {}).await.unwrap();
    (mongod, client)
}

fn changed(before: &[String], after: &[String]) -> (usize, usize) {
    let gone = before.iter().filter(|one| !after.contains(one)).count();
    let new = after.iter().filter(|one| !before.contains(one)).count();
    (gone, new)
}

#[tokio::test]
async fn upgrades_make_the_changes_that_they_report() {
    let (_mongod, client) = shop().await;
    let database = client.database(DATABASE);
    let before = contents(&database).await;

    // each runs on the result of the previous one
    let outcome = Upgrade::by_name("clean").unwrap().run(&client).await.unwrap();
    assert_eq!(contents(&database).await, before);
    assert!(outcome.changes[0].starts_with("rewrote 9"), "{outcome:?}");

    let outcome = Upgrade::by_name("lossy").unwrap().run(&client).await.unwrap();
    let lost = contents(&database).await;
    assert_eq!((changed(&before.0, &lost.0), &lost.1), ((34, 0), &before.1));
    assert!(outcome.changes[0].starts_with("removed the 34 oldest open orders, numbers 1000"), "{outcome:?}");

    let paid = database.collection::<Document>("orders").count_documents(doc! {"status": "paid"}).await.unwrap();
    let paid = usize::try_from(paid).unwrap();
    Upgrade::by_name("retype").unwrap().run(&client).await.unwrap();
    let retyped = contents(&database).await;
    assert_eq!((changed(&lost.0, &retyped.0), &retyped.1), ((paid, paid), &lost.1));

    Upgrade::by_name("index").unwrap().run(&client).await.unwrap();
    let indexed = contents(&database).await;
    assert_eq!(indexed.0, retyped.0);
    assert_eq!(changed(&retyped.1, &indexed.1), (2, 1));
}

/// Count and revenue of the orders of each status.
async fn sums(database: &Database) -> Vec<Document> {
    let group = doc! {"$group": {"_id": "$status", "orders": {"$sum": 1}, "revenue": {"$sum": "$total"}}};
    let sums = database.collection::<Document>("orders").aggregate([group, doc! {"$sort": {"_id": 1}}]).await.unwrap();
    sums.try_collect().await.unwrap()
}

#[tokio::test]
async fn upgrades_that_sums_do_not_see_do_what_they_say() {
    let (_mongod, client) = shop().await;
    let database = client.database(DATABASE);
    let orders = database.collection::<Document>("orders");
    let (before, sums_before) = (contents(&database).await, sums(&database).await);

    let outcome = Upgrade::by_name("swap").unwrap().run(&client).await.unwrap();
    let swapped = contents(&database).await;
    assert_eq!((changed(&before.0, &swapped.0), &swapped.1), ((2, 2), &before.1));
    assert_eq!(sums(&database).await, sums_before);
    assert!(outcome.changes[0].starts_with("exchanged the customers of the paid orders 1000"), "{outcome:?}");

    let outcome = Upgrade::by_name("duplicate").unwrap().run(&client).await.unwrap();
    let doubled = contents(&database).await;
    assert_eq!((changed(&swapped.0, &doubled.0), &doubled.1), ((0, 1), &before.1));
    assert!(
        outcome.changes[0].starts_with("inserted the order 101999 once more, with the number 102000"),
        "{outcome:?}"
    );
    let mut pair: Vec<Document> =
        orders.find(doc! {"number": {"$gte": 101_999}}).await.unwrap().try_collect().await.unwrap();
    for order in &mut pair {
        order.remove("_id");
        order.remove("number");
    }
    assert_eq!((pair.len(), &pair[0]), (2, &pair[1]), "they differ in nothing else");
}

#[tokio::test]
async fn declared_upgrades_add_a_field_to_all_orders_or_to_all_but_three() {
    let (_mongod, client) = shop().await;
    let database = client.database(DATABASE);
    let orders = database.collection::<Document>("orders");
    let before = contents(&database).await;

    let half = Upgrade::by_name("half-declared").unwrap().run(&client).await.unwrap();
    assert_eq!(half.changes, ["added `archived: false` to 1997 orders, and not to the newest 3"]);
    let without: Vec<Document> =
        orders.find(doc! {"archived": {"$exists": false}}).await.unwrap().try_collect().await.unwrap();
    assert!(without.len() == 3 && without.iter().all(|order| order.get_i32("number").unwrap() >= 101_997));

    Upgrade::by_name("declared").unwrap().run(&client).await.unwrap();
    assert_eq!(orders.count_documents(doc! {"archived": false}).await.unwrap(), 2_000);
    orders.update_many(doc! {}, doc! {"$unset": {"archived": ""}}).await.unwrap();
    assert_eq!(contents(&database).await, before, "nothing else was touched");
}

#[test]
fn an_unknown_upgrade_suggests_the_most_similar_name() {
    use taster_model::Diagnostic as _;
    let error = Upgrade::by_name("lossey").unwrap_err();
    assert_eq!(error.to_string(), "unknown upgrade `lossey`");
    assert_eq!(error.help().unwrap(), "did you mean `lossy`?");
    assert_eq!(
        Upgrade::by_name("v5").unwrap_err().help().unwrap(),
        "use one of: clean, lossy, retype, index, swap, duplicate, declared, half-declared"
    );
}
