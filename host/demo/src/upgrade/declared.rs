//! Upgrades that declare their changes: one changes all documents as declared, the other misses some.

use bson::{Document, doc};
use futures_util::{FutureExt as _, TryStreamExt as _};
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

/// The changes that both declare.
const DECLARES: &str = r#"# what v4.9 is meant to do
changes:
  - {collection: orders, addedField: archived, type: bool, reason: "v4.9 adds the archive flag"}
"#;

/// How many orders the second upgrade misses.
const MISSED: i64 = 3;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "declared",
    summary: "v4.9 adds the archive flag to all orders",
    expected: Verdict::Same,
    declares: Some(DECLARES),
    run: |database| run(database).boxed(),
};

pub(super) const HALF: Upgrade = Upgrade {
    name: "half-declared",
    summary: "v4.9 adds the archive flag to all orders, in batches",
    expected: Verdict::Different,
    declares: Some(DECLARES),
    run: |database| run_half(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let flagged = flag(database, doc! {}).await?;
    Ok(vec![format!("added `archived: false` to {flagged} orders")])
}

async fn run_half(database: &Database) -> Result<Vec<String>, Error> {
    let newest = database
        .collection::<Document>("orders")
        .find(doc! {})
        .sort(doc! {"number": -1})
        .limit(MISSED)
        .projection(doc! {"_id": 1})
        .await?
        .try_collect::<Vec<_>>()
        .await?;
    let ids: Vec<_> = newest.iter().filter_map(|order| order.get("_id").cloned()).collect();
    let flagged = flag(database, doc! {"_id": {"$nin": ids}}).await?;
    Ok(vec![format!("added `archived: false` to {flagged} orders, and not to the newest {MISSED}")])
}

async fn flag(database: &Database, filter: Document) -> Result<u64, Error> {
    let orders = database.collection::<Document>("orders");
    Ok(orders.update_many(filter, doc! {"$set": {"archived": false}}).await?.modified_count)
}
