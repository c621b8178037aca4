//! Each upgrade on a small shop in a real mongod: what it changes, and what it leaves alone.

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;

use super::*;
use crate::{Mongod, MongodOptions, Shop};

/// Everything that is in the shop, to the byte: documents as hexadecimal, indexes as text.
async fn everything(database: &Database) -> (Vec<String>, Vec<String>) {
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
    Shop::of(2_000).load(&client, |_, _| {}).await.unwrap();
    (mongod, client)
}

fn changed(before: &[String], after: &[String]) -> (usize, usize) {
    let gone = before.iter().filter(|one| !after.contains(one)).count();
    let new = after.iter().filter(|one| !before.contains(one)).count();
    (gone, new)
}

#[tokio::test]
async fn upgrades_do_what_they_say() {
    let (_mongod, client) = shop().await;
    let database = client.database(DATABASE);
    let before = everything(&database).await;

    // each begins where the one before it ended
    let played = Upgrade::named("clean").unwrap().play(&client).await.unwrap();
    assert_eq!(everything(&database).await, before);
    assert!(played.did[0].starts_with("rewrote 9"), "{played:?}");

    let played = Upgrade::named("lossy").unwrap().play(&client).await.unwrap();
    let lost = everything(&database).await;
    assert_eq!((changed(&before.0, &lost.0), &lost.1), ((34, 0), &before.1));
    assert!(played.did[0].starts_with("removed the 34 oldest open orders, numbers 1000"), "{played:?}");

    let paid = database.collection::<Document>("orders").count_documents(doc! {"status": "paid"}).await.unwrap();
    let paid = usize::try_from(paid).unwrap();
    Upgrade::named("retype").unwrap().play(&client).await.unwrap();
    let retyped = everything(&database).await;
    assert_eq!((changed(&lost.0, &retyped.0), &retyped.1), ((paid, paid), &lost.1));

    Upgrade::named("index").unwrap().play(&client).await.unwrap();
    let indexed = everything(&database).await;
    assert_eq!(indexed.0, retyped.0);
    assert_eq!(changed(&retyped.1, &indexed.1), (2, 1));
}

/// What a report of orders knows without looking at any one of them: count and revenue of each status.
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
    let (before, sums_before) = (everything(&database).await, sums(&database).await);

    let played = Upgrade::named("swap").unwrap().play(&client).await.unwrap();
    let swapped = everything(&database).await;
    assert_eq!((changed(&before.0, &swapped.0), &swapped.1), ((2, 2), &before.1));
    assert_eq!(sums(&database).await, sums_before);
    assert!(played.did[0].starts_with("exchanged the customers of the paid orders 1000"), "{played:?}");

    let played = Upgrade::named("duplicate").unwrap().play(&client).await.unwrap();
    let doubled = everything(&database).await;
    assert_eq!((changed(&swapped.0, &doubled.0), &doubled.1), ((0, 1), &before.1));
    assert!(played.did[0].starts_with("inserted the order 101999 once more, with the number 102000"), "{played:?}");
    let mut pair: Vec<Document> =
        orders.find(doc! {"number": {"$gte": 101_999}}).await.unwrap().try_collect().await.unwrap();
    for order in &mut pair {
        order.remove("_id");
        order.remove("number");
    }
    assert_eq!((pair.len(), &pair[0]), (2, &pair[1]), "they differ in nothing else");
}

#[tokio::test]
async fn upgrades_that_declare_what_they_do_add_a_field_to_all_or_nearly_all() {
    let (_mongod, client) = shop().await;
    let database = client.database(DATABASE);
    let orders = database.collection::<Document>("orders");
    let before = everything(&database).await;

    let half = Upgrade::named("half-declared").unwrap().play(&client).await.unwrap();
    assert_eq!(half.did, ["added `archived: false` to 1997 orders, and not to the newest 3"]);
    let without: Vec<Document> =
        orders.find(doc! {"archived": {"$exists": false}}).await.unwrap().try_collect().await.unwrap();
    assert!(without.len() == 3 && without.iter().all(|order| order.get_i32("number").unwrap() >= 101_997));

    Upgrade::named("declared").unwrap().play(&client).await.unwrap();
    assert_eq!(orders.count_documents(doc! {"archived": false}).await.unwrap(), 2_000);
    orders.update_many(doc! {}, doc! {"$unset": {"archived": ""}}).await.unwrap();
    assert_eq!(everything(&database).await, before, "nothing else was touched");
}

#[test]
fn an_unknown_upgrade_is_answered_with_the_near_one() {
    use taster_model::Diagnostic as _;
    let error = Upgrade::named("lossey").unwrap_err();
    assert_eq!(error.to_string(), "there is no upgrade `lossey`");
    assert_eq!(error.help().unwrap(), "did you mean `lossy`?");
    assert_eq!(
        Upgrade::named("v5").unwrap_err().help().unwrap(),
        "there are clean, lossy, retype, index, swap, duplicate, declared, half-declared"
    );
}
