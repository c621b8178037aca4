//! An upgrade that takes in an order twice: an import ran again, and gave it an id and a number as if it were new.

use bson::{Document, doc, oid::ObjectId};
use futures_util::FutureExt as _;
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::Upgrade;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "duplicate",
    summary: "v4.8 runs the import of phoned-in orders again",
    expected: Verdict::Different,
    declares: None,
    play: |database| play(database).boxed(),
};

async fn play(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<Document>("orders");
    let Some(newest) = orders.find_one(doc! {}).sort(doc! {"number": -1}).await? else { return Ok(Vec::new()) };
    let number = newest.get_i32("number").unwrap_or_default();
    let mut again = newest;
    again.insert("_id", ObjectId::new());
    again.insert("number", number + 1);
    orders.insert_one(&again).await?;
    Ok(vec![format!("inserted the order {number} once more, with the number {} and an `_id` of its own", number + 1)])
}
