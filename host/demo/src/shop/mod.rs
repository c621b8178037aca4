//! The barbecue shop's database: what is in it, and how it gets there.

mod menu;
mod order;
mod registration;

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use bson::{DateTime, Decimal128, RawDocumentBuf, doc, oid::ObjectId};
use mongodb::{Client, Database, IndexModel, options::IndexOptions};
use tokio::sync::mpsc;

use super::{DemoError, rng::Rng};

/// Name of the shop's database.
pub const DATABASE: &str = "pxbbq";

/// Documents of one insert command: about 4 MB of orders.
const BATCH: u64 = 10_000;

/// The day the shop opened: 2025-04-01T09:00:00Z, in milliseconds since 1970.
const OPENED: i64 = 1_743_498_000_000;

/// A shop of a given size. The same seed gives the same bytes, and a larger shop begins with the orders of a smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shop {
    /// How many orders; there is one registration for ten of them.
    pub orders: u64,
    /// What chance begins with.
    pub seed: u64,
}

impl Default for Shop {
    fn default() -> Self {
        Self { orders: 200_000, seed: 1 }
    }
}

/// What was loaded.
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
    /// How long it took, indexes included.
    pub took: Duration,
}

impl Shop {
    /// A shop of so many orders.
    #[must_use]
    pub fn of(orders: u64) -> Self {
        Self { orders, ..Self::default() }
    }

    /// How many registrations go with the orders.
    #[must_use]
    pub fn registrations(&self) -> u64 {
        (self.orders / 10).max(1)
    }

    /// The order of that index, from 0.
    #[must_use]
    pub fn order(&self, index: u64) -> RawDocumentBuf {
        order::order(self.seed, index)
    }

    /// The registration of that index, from 0.
    #[must_use]
    pub fn registration(&self, index: u64) -> RawDocumentBuf {
        registration::registration(self.seed, index)
    }

    /// The dishes.
    #[must_use]
    pub fn menu(&self) -> Vec<RawDocumentBuf> {
        menu::documents()
    }

    /// Loads the shop into an empty server; `progress` is told how many of how many documents are there.
    pub async fn load(&self, client: &Client, progress: impl Fn(u64, u64)) -> Result<Loaded, DemoError> {
        let begun = Instant::now();
        let database = client.database(DATABASE);
        registration::create(&database).await.map_err(DemoError::database("create the registrations"))?;

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
        indexes(&database).await.map_err(DemoError::database("build the shop's indexes"))?;
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
            took: begun.elapsed(),
        })
    }
}

#[derive(Default)]
struct Inserted {
    documents: u64,
    bytes: u64,
}

/// Makes documents on one thread while the server takes those before; in order, so that natural order is the same too.
async fn insert(
    database: &Database,
    collection: &str,
    indexes: Range<u64>,
    make: impl Fn(u64) -> Vec<RawDocumentBuf> + Send + 'static,
    progress: impl Fn(u64),
) -> Result<Inserted, DemoError> {
    let (sender, mut batches) = mpsc::channel(2);
    let maker = tokio::task::spawn_blocking(move || {
        let mut next = indexes.start;
        while next < indexes.end {
            let end = indexes.end.min(next + BATCH);
            let batch: Vec<_> = (next..end).flat_map(&make).collect();
            next = end;
            if sender.blocking_send(batch).is_err() {
                // the other end met an error, which it reports
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
    maker.await.expect("making documents does not panic, and nobody cancels it");
    Ok(inserted)
}

/// One command a collection, so that the server reads it once for all its indexes.
async fn indexes(database: &Database) -> Result<(), mongodb::error::Error> {
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

/// When the document of that index was made: one in every `pace` seconds, at any moment of them.
fn created(rng: &mut Rng, pace: u32, index: u64) -> DateTime {
    let pace = i64::from(pace) * 1000;
    let moment = i64::from(rng.below(u32::MAX)) * pace / i64::from(u32::MAX);
    DateTime::from_millis(OPENED + pace * index.cast_signed() + moment)
}

/// An id as a driver of the shop would have made it: the second, the process, a counter.
fn object_id(created: DateTime, process: [u8; 5], index: u64) -> ObjectId {
    let [.., a, b, c] = index.to_be_bytes();
    let seconds = created.timestamp_millis() / 1000;
    ObjectId::from_parts(seconds.cast_unsigned() as u32, process, [a, b, c])
}

/// An amount of money with two decimals: the coefficient is the number of cents, the exponent -2 (IEEE 754-2008,
/// binary integer significand).
fn money(cents: u64) -> Decimal128 {
    const BIASED_EXPONENT: u64 = 6176 - 2;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&cents.to_le_bytes());
    bytes[8..].copy_from_slice(&(BIASED_EXPONENT << 49).to_le_bytes());
    Decimal128::from_bytes(bytes)
}

/// Somebody who eats here: given name, family name, and a number that tells namesakes apart.
fn person(rng: &mut Rng) -> (&'static str, &'static str, u32) {
    const GIVEN: [&str; 16] = [
        "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Fatou", "Goran", "Hanna", "Ines", "Jörg", "Kofi", "Lena", "Mei",
        "Noor", "Olaf", "Zoë",
    ];
    const FAMILY: [&str; 16] = [
        "Abara",
        "Becker",
        "Costa",
        "Dupont",
        "Eriksen",
        "Fontana",
        "Gruber",
        "Haddad",
        "Ivanova",
        "Jansen",
        "Kowalski",
        "Lindqvist",
        "Moreau",
        "Novak",
        "Okafor",
        "Yilmaz",
    ];
    (rng.pick(&GIVEN), rng.pick(&FAMILY), rng.below(200))
}

/// An address for a person, in ASCII.
fn email(given: &str, family: &str, number: u32) -> String {
    let given: String = given.chars().map(|c| if c.is_ascii() { c.to_ascii_lowercase() } else { 'o' }).collect();
    format!("{given}.{}{number}@example.com", family.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
