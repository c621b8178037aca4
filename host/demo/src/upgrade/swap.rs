//! An upgrade that exchanges the customers of two orders: every count and every sum stays the same.

use bson::{Document, doc};
use futures_util::{FutureExt as _, TryStreamExt as _};
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "swap",
    summary: "v4.7 saves paid orders through a cache",
    expected: Verdict::Different,
    declares: None,
    run: |database| run(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<Document>("orders");
    let projection = doc! {"number": 1, "customer": 1};
    let mut paid = orders.find(doc! {"status": "paid"}).sort(doc! {"number": 1}).projection(projection).await?;
    let Some(first) = paid.try_next().await? else { return Ok(Vec::new()) };
    while let Some(second) = paid.try_next().await? {
        if first.get("customer") == second.get("customer") {
            continue;
        }
        for (order, other) in [(&first, &second), (&second, &first)] {
            let change = doc! {"$set": {"customer": other.get("customer").cloned()}};
            orders.update_one(doc! {"_id": order.get("_id").cloned()}, change).await?;
        }
        let number = |order: &Document| order.get_i32("number").unwrap_or_default();
        return Ok(vec![format!(
            "exchanged the customers of the paid orders {} and {}",
            number(&first),
            number(&second)
        )]);
    }
    Ok(Vec::new())
}
