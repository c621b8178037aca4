//! A harmless upgrade: it rewrites many documents, and the data is the same afterwards.

use bson::{RawDocumentBuf, doc};
use futures_util::FutureExt as _;
use mongodb::{Database, IndexModel, error::Error};
use taster_model::Verdict;

use super::definition::Upgrade;

pub(super) const UPGRADE: Upgrade = Upgrade {
    name: "clean",
    summary: "v4.3 rewrites the registrations and the open orders, and builds an index anew",
    expected: Verdict::Same,
    declares: None,
    run: |database| run(database).boxed(),
};

async fn run(database: &Database) -> Result<Vec<String>, Error> {
    let orders = database.collection::<RawDocumentBuf>("orders");
    let registrations = database.collection::<RawDocumentBuf>("registrations");
    // adds a field and removes it again, because the server skips updates that change nothing
    let mut rewritten = Vec::new();
    for (collection, filter) in [(&orders, doc! {"status": "open"}), (&registrations, doc! {})] {
        collection.update_many(filter.clone(), doc! {"$set": {"migrating": true}}).await?;
        let outcome = collection.update_many(filter, doc! {"$unset": {"migrating": ""}}).await?;
        rewritten.push(outcome.modified_count);
    }
    orders.drop_index("created_1").await?;
    orders.create_index(IndexModel::builder().keys(doc! {"created": 1}).build()).await?;
    Ok(vec![
        format!("rewrote {} open orders in place, with the contents they had", rewritten[0]),
        format!("rewrote {} registrations in place, with the contents they had", rewritten[1]),
        "dropped the index created_1 of orders and built it again".to_owned(),
    ])
}
