//! Upgrades that say beforehand what they will do: one keeps its word, the other stops before the end.

use bson::{Document, doc};
use futures_util::{FutureExt as _, TryStreamExt as _};
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::Upgrade;

/// What both declare.
const DECLARES: &str = r#"# what v4.9 is meant to do
changes:
  - {collection: orders, addedField: archived, type: bool, reason: "v4.9 adds the archive flag"}
"#;

/// How many orders are forgotten.
const FORGOTTEN: i64 = 3;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "declared",
    summary: "v4.9 adds the archive flag to all orders",
    expected: Verdict::Same,
    declares: Some(DECLARES),
    play: |database| play(database).boxed(),
};

pub(super) const HALF: Upgrade = Upgrade {
    name: "half-declared",
    summary: "v4.9 adds the archive flag to all orders, in batches",
    expected: Verdict::Different,
    declares: Some(DECLARES),
    play: |database| play_half(database).boxed(),
};

async fn play(database: &Database) -> Result<Vec<String>, Error> {
    let flagged = flag(database, doc! {}).await?;
    Ok(vec![format!("added `archived: false` to {flagged} orders")])
}

async fn play_half(database: &Database) -> Result<Vec<String>, Error> {
    let newest = database
        .collection::<Document>("orders")
        .find(doc! {})
        .sort(doc! {"number": -1})
        .limit(FORGOTTEN)
        .projection(doc! {"_id": 1})
        .await?
        .try_collect::<Vec<_>>()
        .await?;
    let ids: Vec<_> = newest.iter().filter_map(|order| order.get("_id").cloned()).collect();
    let flagged = flag(database, doc! {"_id": {"$nin": ids}}).await?;
    Ok(vec![format!("added `archived: false` to {flagged} orders, and not to the newest {FORGOTTEN}")])
}

async fn flag(database: &Database, filter: Document) -> Result<u64, Error> {
    let orders = database.collection::<Document>("orders");
    Ok(orders.update_many(filter, doc! {"$set": {"archived": false}}).await?.modified_count)
}
