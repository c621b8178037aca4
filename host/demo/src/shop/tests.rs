//! Tests of the shop: its bytes are reproducible, and its data resembles those of a real one.

use std::collections::BTreeMap;

use bson::{Bson, Document, RawDocument};
use sha2::{Digest as _, Sha256};

use super::{money::money, *};
use crate::{Mongod, MongodOptions};

fn digest<'a>(documents: impl Iterator<Item = &'a RawDocument>) -> String {
    let mut hash = Sha256::new();
    documents.for_each(|document| hash.update(document.as_bytes()));
    hex::encode(hash.finalize())
}

#[test]
fn money_equals_the_decimal128_parsed_from_text() {
    for (cents, text) in [(0, "0.00"), (5, "0.05"), (1890, "18.90"), (123_456_789, "1234567.89")] {
        assert_eq!(money(cents), text.parse().unwrap(), "{text}");
        assert_eq!(money(cents).to_string(), text);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let shop = Shop::with_orders(1_000);
    let orders: Vec<_> = (0..1_000).map(|index| shop.order(index)).collect();
    let registrations: Vec<_> = (0..100).map(|index| shop.registration(index)).collect();
    // these digests change only when the generated documents change on purpose
    insta::assert_snapshot!(digest(orders.iter().map(AsRef::as_ref)), @"6cf468a2c6718023918298f31b1f8c5309f9e7be0dd207aba1571a8469aef9b6");
    insta::assert_snapshot!(digest(registrations.iter().map(AsRef::as_ref)), @"e22a559b1d36496bd2312e07ff1933a71b3387f282991f8617386a98788b5cfe");
    assert_eq!(Shop::with_orders(5).order(3), shop.order(3), "a larger shop contains the orders of a smaller one");
    assert_ne!(Shop { seed: 2, ..shop }.order(3), shop.order(3));
}

#[test]
fn orders_have_the_mixed_types_and_sizes_of_a_real_shop() {
    let shop = Shop::with_orders(20_000);
    let mut bytes = 0;
    let mut counts = BTreeMap::<String, u32>::new();
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for index in 0..shop.orders {
        let raw = shop.order(index);
        bytes += raw.as_bytes().len();
        let order = Document::try_from(raw).unwrap();
        for field in ["notes", "table", "discount"] {
            count(format!("{field} {:?}", order.get(field).map(Bson::element_type)));
        }
        count(format!("status {}", order.get_str("status").unwrap()));
        let sum: f64 = order
            .get_array("items")
            .unwrap()
            .iter()
            .map(|item| {
                let item = item.as_document().unwrap();
                let price: f64 = item.get("price").unwrap().to_string().parse().unwrap();
                let quantity = item.get("qty").unwrap();
                price * f64::from(quantity.as_i32().or(quantity.as_i64().map(|q| q as i32)).unwrap())
            })
            .sum();
        assert_eq!(format!("{sum:.2}"), order.get("total").unwrap().to_string());
    }
    let average = bytes as u64 / shop.orders;
    assert!((315..=450).contains(&average), "{average} bytes on average");
    assert_eq!(counts.keys().filter(|what| what.starts_with("discount")).count(), 4, "{counts:?}");
    assert_eq!(counts.keys().filter(|what| what.starts_with("table")).count(), 3, "{counts:?}");
    assert_eq!(counts.keys().filter(|what| what.starts_with("notes")).count(), 3, "{counts:?}");
    assert!((900..1_100).contains(&counts["status open"]), "{counts:?}");
}

#[tokio::test]
async fn a_shop_is_loaded_into_a_real_mongod() {
    let mongod = Mongod::start(MongodOptions { replica_set: true, ..MongodOptions::default() }).await.unwrap();
    let client = mongod.client().await.unwrap();
    let loaded = Shop::with_orders(12_345).load(&client, |_, _| {}).await.unwrap();
    assert_eq!((loaded.orders, loaded.registrations, loaded.menu), (12_345, 1_234, 16));

    let database = client.database(DATABASE);
    let mut names = database.list_collection_names().await.unwrap();
    names.sort();
    assert_eq!(names, ["menu", "open_orders", "orders", "registrations", "system.views"]);
    let count = async |name: &str| database.collection::<Document>(name).count_documents(doc! {}).await.unwrap();
    assert_eq!(count("orders").await, 12_345);
    assert_eq!(count("registrations").await, 1_234);
    assert_eq!(count("menu").await, 16);
    assert!(count("open_orders").await > 500);
    let mut indexes = database.collection::<Document>("orders").list_index_names().await.unwrap();
    indexes.sort();
    assert_eq!(indexes, ["_id_", "created_1", "customer.email_1", "number_1", "status_1_created_-1"]);
}
