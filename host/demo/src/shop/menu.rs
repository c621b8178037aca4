//! The menu: the dishes that the shop sells.

use bson::{RawDocumentBuf, cstr, rawdoc};

use super::money::money;

/// One dish.
#[derive(Clone, Copy)]
pub(super) struct Dish {
    pub(super) sku: &'static str,
    pub(super) name: &'static str,
    pub(super) cents: u64,
    pub(super) category: &'static str,
    /// How hot it is, from 0 to 3. `None` for sides, drinks and sweets without a rating.
    pub(super) heat: Option<i32>,
}

const fn dish(sku: &'static str, name: &'static str, cents: u64, category: &'static str, heat: Option<i32>) -> Dish {
    Dish { sku, name, cents, category, heat }
}

/// Everything on the menu.
pub(super) const MENU: [Dish; 16] = [
    dish("BRK-01", "Brisket plate", 1890, "smoked", Some(0)),
    dish("BRK-02", "Brisket sandwich", 1290, "smoked", Some(1)),
    dish("RIB-01", "Half rack of ribs", 1690, "smoked", Some(1)),
    dish("RIB-02", "Full rack of ribs", 2790, "smoked", Some(1)),
    dish("PPK-01", "Pulled pork bun", 1150, "smoked", Some(1)),
    dish("LNK-01", "Hot links", 990, "grilled", Some(3)),
    dish("CHK-01", "Beer can chicken", 1450, "grilled", Some(0)),
    dish("WNG-01", "Wings, a dozen", 1190, "grilled", Some(2)),
    dish("VEG-01", "Smoked cauliflower", 1090, "smoked", Some(2)),
    dish("SID-01", "Burnt end beans", 490, "sides", Some(1)),
    dish("SID-02", "Mac and cheese", 550, "sides", None),
    dish("SID-03", "Coleslaw", 390, "sides", None),
    dish("SID-04", "Corn bread", 320, "sides", None),
    dish("DRK-01", "Iced tea", 350, "drinks", None),
    dish("DRK-02", "Root beer", 395, "drinks", None),
    dish("SWT-01", "Pecan pie", 595, "sweets", None),
];

/// The menu as documents.
pub(super) fn documents() -> Vec<RawDocumentBuf> {
    let document = |dish: &Dish| {
        let mut document = rawdoc! {
            "_id": dish.sku, "name": dish.name, "price": money(dish.cents), "category": dish.category,
        };
        if let Some(heat) = dish.heat {
            document.append(cstr!("heat"), heat);
        }
        document
    };
    MENU.iter().map(document).collect()
}
