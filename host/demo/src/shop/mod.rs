//! [`Shop`]: generates the documents of the barbecue shop's database, and loads them into a server.

mod ids;
mod menu;
mod money;
mod order;
mod people;
mod registration;

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use bson::{RawDocumentBuf, doc};
use mongodb::{Client, Database, IndexModel, options::IndexOptions};
use tokio::sync::mpsc;

use crate::DemoError;

/// Name of the shop's database.
pub const DATABASE: &str = "pxbbq";

/// How many documents one insert command holds: about 4 MB of orders.
const BATCH_DOCUMENTS: u64 = 10_000;

/// A shop of a given size. The same seed gives the same bytes. A larger shop contains the orders of a smaller one, with the
/// same indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shop {
    /// The number of orders. There is one registration for ten orders.
    pub orders: u64,
    /// The seed of the random numbers.
    pub seed: u64,
}

impl Default for Shop {
    fn default() -> Self {
        Self { orders: 200_000, seed: 1 }
    }
}

/// What [`Shop::load`] inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Documents in `orders`.
    pub orders: u64,
    /// Documents in `registrations`.
    pub registrations: u64,
    /// Documents in `menu`.
    pub menu: u64,
    /// Bytes of all documents.
    pub bytes: u64,
    /// How long it took, including the indexes.
    pub took: Duration,
}

impl Shop {
    /// A shop with this number of orders and the default seed.
    #[must_use]
    pub fn with_orders(orders: u64) -> Self {
        Self { orders, ..Self::default() }
    }

    /// The number of registrations.
    #[must_use]
    pub fn registrations(&self) -> u64 {
        (self.orders / 10).max(1)
    }

    /// The order with that index, counted from 0.
    #[must_use]
    pub fn order(&self, index: u64) -> RawDocumentBuf {
        order::order(self.seed, index)
    }

    /// The registration with that index, counted from 0.
    #[must_use]
    pub fn registration(&self, index: u64) -> RawDocumentBuf {
        registration::registration(self.seed, index)
    }

    /// The dishes on the menu.
    #[must_use]
    pub fn menu(&self) -> Vec<RawDocumentBuf> {
        menu::documents()
    }

    /// Loads the shop into an empty server. Calls `progress` with the number of inserted documents and the total.
    pub async fn load(&self, client: &Client, progress: impl Fn(u64, u64)) -> Result<Loaded, DemoError> {
        let started = Instant::now();
        let database = client.database(DATABASE);
        registration::create_collection(&database).await.map_err(DemoError::database("create the registrations"))?;

        let shop = *self;
        let total = self.orders + self.registrations();
        let menu = insert(&database, "menu", 0..1, move |_| shop.menu(), |_| {}).await?;
        let orders = insert(
            &database,
            "orders",
            0..self.orders,
            move |index| vec![shop.order(index)],
            |done| progress(done, total),
        )
        .await?;
        let registrations = insert(
            &database,
            "registrations",
            0..self.registrations(),
            move |index| vec![shop.registration(index)],
            |done| progress(self.orders + done, total),
        )
        .await?;
        create_indexes(&database).await.map_err(DemoError::database("build the shop's indexes"))?;
        let view = doc! {
            "create": "open_orders", "viewOn": "orders",
            "pipeline": [{"$match": {"status": "open"}}, {"$project": {"number": 1, "customer": 1, "total": 1, "created": 1}}],
        };
        database.run_command(view).await.map_err(DemoError::database("create the view `open_orders`"))?;
        Ok(Loaded {
            orders: orders.documents,
            registrations: registrations.documents,
            menu: menu.documents,
            bytes: orders.bytes + registrations.bytes + menu.bytes,
            took: started.elapsed(),
        })
    }
}

#[derive(Default)]
struct Inserted {
    documents: u64,
    bytes: u64,
}

/// Inserts documents in the order of their indexes, so that their natural order is reproducible too. A thread of its own
/// generates the next documents while the server inserts the previous ones.
async fn insert(
    database: &Database,
    collection: &str,
    indexes: Range<u64>,
    generate: impl Fn(u64) -> Vec<RawDocumentBuf> + Send + 'static,
    progress: impl Fn(u64),
) -> Result<Inserted, DemoError> {
    let (sender, mut batches) = mpsc::channel(2);
    let generator = tokio::task::spawn_blocking(move || {
        let mut next = indexes.start;
        while next < indexes.end {
            let end = indexes.end.min(next + BATCH_DOCUMENTS);
            let batch: Vec<_> = (next..end).flat_map(&generate).collect();
            next = end;
            if sender.blocking_send(batch).is_err() {
                // the receiver failed, and reports its error
                return;
            }
        }
    });
    let collection = database.collection::<RawDocumentBuf>(collection);
    let mut inserted = Inserted::default();
    while let Some(batch) = batches.recv().await {
        collection.insert_many(&batch).await.map_err(DemoError::database("load the shop"))?;
        inserted.documents += batch.len() as u64;
        inserted.bytes += batch.iter().map(|document| document.as_bytes().len() as u64).sum::<u64>();
        progress(inserted.documents);
    }
    generator.await.expect("generating documents does not panic, and the task is never aborted");
    Ok(inserted)
}

/// Creates the indexes with one command per collection, so that the server scans each collection once.
async fn create_indexes(database: &Database) -> Result<(), mongodb::error::Error> {
    let orders = [
        IndexModel::builder().keys(doc! {"created": 1}).build(),
        IndexModel::builder().keys(doc! {"status": 1, "created": -1}).build(),
        IndexModel::builder()
            .keys(doc! {"customer.email": 1})
            .options(IndexOptions::builder().sparse(true).build())
            .build(),
        IndexModel::builder().keys(doc! {"number": 1}).options(IndexOptions::builder().unique(true).build()).build(),
    ];
    database.collection::<RawDocumentBuf>("orders").create_indexes(orders).await?;
    let registrations = IndexModel::builder()
        .keys(doc! {"email": 1, "event": 1})
        .options(IndexOptions::builder().unique(true).build())
        .build();
    database.collection::<RawDocumentBuf>("registrations").create_index(registrations).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
