//! Counts how often each dish was ordered. An example of a probe that a team writes for its own database and ships as a `.wasm`
//! file.
//!
//! ```yaml
//! probes:
//!   - {name: menu, component: /etc/taster-probes/shop-menu.wasm, collections: [orders]}
//! ```

use std::collections::BTreeMap;

use taster_probe::{
    Config, Database, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, ValueKind, doc,
    group::{each_value_at, key_text},
};

struct ShopMenu;

impl Probe for ShopMenu {
    fn manifest() -> Manifest {
        let ordered = MetricDeclaration::new("ordered", ValueKind::Integer, "orders that name the dish");
        Manifest::new("shop-menu", env!("CARGO_PKG_VERSION"), "how often each dish was ordered")
            .role(Role::one("orders", "the orders, each with its `items`"))
            .calls("find")
            .metric(ordered.unit("{order}").labels(["dish"]))
    }

    fn run(db: &Database<'_>, _: Config) -> Result<Vec<Metric>, Failure> {
        let orders = db.collections()?.first().map(|info| info.name.clone()).unwrap_or_default();
        let mut dishes = BTreeMap::<String, u64>::new();
        let mut cursor = db.find(&orders).projection(doc(&[("items.dish", &1_i32)])).run()?;
        while let Some(order) = cursor.next_document()? {
            each_value_at(order, "items.dish", &mut |dish| *dishes.entry(key_text(Some(dish))).or_default() += 1)?;
        }
        let ordered = |(dish, count)| Metric::count("ordered", count).unit("{order}").label("dish", dish);
        Ok(dishes.into_iter().map(ordered).collect())
    }
}

taster_probe::export!(ShopMenu);
