//! An upgrade that loses orders.

use bson::{Document, doc};
use futures_util::{FutureExt as _, TryStreamExt as _};
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::Upgrade;

/// How many orders are lost.
const LOST: i64 = 34;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "lossy",
    summary: "v4.4 clears out orders that nobody finished",
    expected: Verdict::Different,
    declares: None,
    play: |database| play(database).boxed(),
};

async fn play(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<Document>("orders");
    let oldest = orders
        .find(doc! {"status": "open"})
        .sort(doc! {"number": 1})
        .limit(LOST)
        .projection(doc! {"number": 1})
        .await?
        .try_collect::<Vec<_>>()
        .await?;
    let ids: Vec<_> = oldest.iter().filter_map(|order| order.get("_id").cloned()).collect();
    let gone = orders.delete_many(doc! {"_id": {"$in": ids}}).await?.deleted_count;
    let numbers: Vec<_> = oldest.iter().filter_map(|order| order.get_i32("number").ok()).collect();
    let range = match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => format!(", numbers {first} to {last}"),
        _ => String::new(),
    };
    Ok(vec![format!("removed the {gone} oldest open orders{range}")])
}
