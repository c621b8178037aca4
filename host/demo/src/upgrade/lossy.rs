//! An upgrade that deletes orders.

use bson::{Document, doc};
use futures_util::{FutureExt as _, TryStreamExt as _};
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

/// How many orders it deletes.
const DELETED_ORDERS: i64 = 34;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "lossy",
    summary: "v4.4 clears out orders that nobody finished",
    expected: Verdict::Different,
    declares: None,
    run: |database| run(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<Document>("orders");
    let oldest = orders
        .find(doc! {"status": "open"})
        .sort(doc! {"number": 1})
        .limit(DELETED_ORDERS)
        .projection(doc! {"number": 1})
        .await?
        .try_collect::<Vec<_>>()
        .await?;
    let ids: Vec<_> = oldest.iter().filter_map(|order| order.get("_id").cloned()).collect();
    let deleted = orders.delete_many(doc! {"_id": {"$in": ids}}).await?.deleted_count;
    let numbers: Vec<_> = oldest.iter().filter_map(|order| order.get_i32("number").ok()).collect();
    let range = match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => format!(", numbers {first} to {last}"),
        _ => String::new(),
    };
    Ok(vec![format!("removed the {deleted} oldest open orders{range}")])
}
