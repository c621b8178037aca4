//! An upgrade that inserts an order twice: an import runs again and gives the order a new id and a new number.

use bson::{Document, doc, oid::ObjectId};
use futures_util::FutureExt as _;
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "duplicate",
    summary: "v4.8 runs the import of phoned-in orders again",
    expected: Verdict::Different,
    declares: None,
    run: |database| run(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<Document>("orders");
    let Some(newest) = orders.find_one(doc! {}).sort(doc! {"number": -1}).await? else { return Ok(Vec::new()) };
    let number = newest.get_i32("number").unwrap_or_default();
    let mut copy = newest;
    copy.insert("_id", ObjectId::new());
    copy.insert("number", number + 1);
    orders.insert_one(&copy).await?;
    Ok(vec![format!("inserted the order {number} once more, with the number {} and an `_id` of its own", number + 1)])
}
