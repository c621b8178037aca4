//! An upgrade that changes no document, but drops an index and makes another one non-unique.

use bson::{Document, doc};
use futures_util::FutureExt as _;
use mongodb::{Database, IndexModel, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "index",
    summary: "v4.6 lets a new framework manage the indexes",
    expected: Verdict::Different,
    declares: None,
    run: |database| run(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<Document>("orders");
    orders.drop_index("number_1").await?;
    orders.create_index(IndexModel::builder().keys(doc! {"number": 1}).build()).await?;
    orders.drop_index("status_1_created_-1").await?;
    Ok(vec![
        "built the index number_1 of orders again, no longer unique".to_owned(),
        "dropped the index status_1_created_-1 of orders".to_owned(),
    ])
}
