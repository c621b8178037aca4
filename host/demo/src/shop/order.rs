//! One order, like those of a shop that is some years old: nested, with optional fields, and with mixed types where three
//! versions of the app wrote different ones.

use bson::{RawArrayBuf, RawBson, RawDocumentBuf, cstr, rawdoc};

use super::{
    ids::{created, object_id},
    menu::{Dish, MENU},
    money::money,
    people::{email, person},
};
use crate::rng::Rng;

/// The random number stream of the orders.
const RNG_STREAM: u64 = 1;

/// Average number of seconds between two orders.
const PACE: u32 = 150;

const STATUS: [(u32, &str); 4] = [(70, "shipped"), (18, "paid"), (7, "cancelled"), (5, "open")];
const ITEMS: [(u32, u32); 4] = [(50, 1), (30, 2), (14, 3), (6, 4)];
const EXTRAS: [&str; 6] = ["extra sauce", "no onions", "well done", "pickles", "gluten free", "sauce aside"];
const NOTES: [&str; 5] = [
    "ring twice",
    "birthday: candle on the pie",
    "allergic to nuts",
    "leave it at the smoker",
    "we come at half past seven",
];
const TAGS: [&str; 5] = ["web", "app", "phone", "regular", "catering"];
const STREETS: [&str; 5] = ["Hickory Lane", "Mesquite Road", "Post Oak Street", "Applewood Drive", "Cherry Court"];

/// The order with that index.
pub(super) fn order(seed: u64, index: u64) -> RawDocumentBuf {
    let mut rng = Rng::new(seed, RNG_STREAM, index);
    let created = created(&mut rng, PACE, index);
    let id = object_id(created, *b"\x5f\x1c\xbb\x90\x07", index);
    let number = 100_000 + index as i32;
    let (items, cents) = items(&mut rng);

    let mut order = rawdoc! { "_id": id, "number": number };
    order.append(cstr!("customer"), customer(&mut rng));
    order.append(cstr!("items"), items);
    order.append(cstr!("total"), money(cents));
    order.append(cstr!("status"), rng.weighted(&STATUS));
    order.append(cstr!("created"), created);
    match rng.below(100) {
        0..20 => order.append(cstr!("notes"), rng.pick(&NOTES)),
        20..30 => order.append(cstr!("notes"), RawBson::Null),
        _ => {}
    }
    match rng.below(100) {
        0..35 => order.append(cstr!("table"), rng.below(24).cast_signed() + 1),
        // the second version of the app accepted free text
        35..50 => order.append(cstr!("table"), format!("terrace {}", rng.below(9) + 1)),
        _ => {}
    }
    match rng.below(100) {
        0..6 => order.append(cstr!("discount"), 0.05 * f64::from(rng.below(4) + 1)),
        6..10 => order.append(cstr!("discount"), rng.below(3).cast_signed()),
        10..14 => order.append(cstr!("discount"), money(u64::from(rng.below(500)))),
        _ => {}
    }
    if rng.chance(25) {
        order.append(cstr!("delivery"), delivery(&mut rng));
    }
    let mut tags = RawArrayBuf::new();
    for _ in 0..rng.below(3) {
        tags.push(rng.pick(&TAGS));
    }
    order.append(cstr!("tags"), tags);
    order
}

fn customer(rng: &mut Rng) -> RawDocumentBuf {
    let (given, family, number) = person(rng);
    let mut customer = rawdoc! { "name": format!("{given} {family}") };
    // customers at the counter leave no email address
    if rng.chance(92) {
        customer.append(cstr!("email"), email(given, family, number));
    }
    if rng.chance(40) {
        customer.append(cstr!("phone"), format!("+1 555 01{:05}", rng.below(100_000)));
    }
    customer
}

/// The ordered items and their total in cents.
fn items(rng: &mut Rng) -> (RawArrayBuf, u64) {
    let mut items = RawArrayBuf::new();
    let mut total = 0;
    for _ in 0..rng.weighted(&ITEMS) {
        let dish: Dish = rng.pick(&MENU);
        let quantity = rng.weighted(&[(70, 1_i32), (20, 2), (7, 3), (3, 6)]);
        let mut item = rawdoc! { "sku": dish.sku, "name": dish.name };
        if rng.chance(3) {
            // one cash register writes 64-bit integers
            item.append(cstr!("qty"), i64::from(quantity));
        } else {
            item.append(cstr!("qty"), quantity);
        }
        item.append(cstr!("price"), money(dish.cents));
        if rng.chance(15) {
            let mut options = RawArrayBuf::new();
            for _ in 0..=rng.below(2) {
                options.push(rng.pick(&EXTRAS));
            }
            item.append(cstr!("options"), options);
        }
        total += dish.cents * u64::from(quantity.unsigned_abs());
        items.push(item);
    }
    (items, total)
}

fn delivery(rng: &mut Rng) -> RawDocumentBuf {
    let street = format!("{} {}", rng.below(180) + 1, rng.pick(&STREETS));
    let mut delivery = rawdoc! { "street": street, "zip": format!("787{:02}", rng.below(60)) };
    if rng.chance(60) {
        let longitude = -97.9 + f64::from(rng.below(40_000)) / 100_000.0;
        let latitude = 30.1 + f64::from(rng.below(40_000)) / 100_000.0;
        delivery.append(cstr!("location"), rawdoc! { "type": "Point", "coordinates": [longitude, latitude] });
    }
    delivery
}
