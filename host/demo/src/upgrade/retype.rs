//! An upgrade that converts exact amounts to floating point.

use bson::{Document, doc};
use futures_util::FutureExt as _;
use mongodb::{Database, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "retype",
    summary: "v4.5 reads and writes paid orders through a new mapper",
    expected: Verdict::Different,
    declares: None,
    run: |database| run(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let to_double = vec![doc! {"$set": {"total": {"$toDouble": "$total"}}}];
    let outcome = database.collection::<Document>("orders").update_many(doc! {"status": "paid"}, to_double).await?;
    Ok(vec![format!("turned `total` from Decimal128 into double in {} paid orders", outcome.modified_count)])
}
