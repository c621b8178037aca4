//! One registration for an event of the shop, and the collection of registrations.

use bson::{RawBson, RawDocumentBuf, cstr, doc, rawdoc};
use mongodb::Database;

use super::{
    ids::{created, object_id},
    people::{email, person},
};
use crate::rng::Rng;

/// The random number stream of the registrations.
const RNG_STREAM: u64 = 2;

/// Average number of seconds between two registrations.
const PACE: u32 = 1_500;

const EVENTS: [&str; 6] =
    ["ribs-2025-05", "brisket-2025-07", "wings-2025-09", "smoke-school-2025-10", "ribs-2025-11", "chili-2026-01"];

/// The registration with that index.
pub(super) fn registration(seed: u64, index: u64) -> RawDocumentBuf {
    let mut rng = Rng::new(seed, RNG_STREAM, index);
    let created = created(&mut rng, PACE, index);
    let (given, family, number) = person(&mut rng);
    // the number makes the pair of email address and event unique, as the collection's unique index requires
    let address = email(given, family, number).replacen('@', &format!("+{index}@"), 1);
    let mut registration = rawdoc! {
        "_id": object_id(created, *b"\x5f\x1c\xbb\x90\x08", index),
        "email": address,
        "event": rng.pick(&EVENTS),
        "seats": rng.weighted(&[(35, 1_i32), (45, 2), (12, 4), (8, 6)]),
        "created": created,
    };
    match rng.below(100) {
        0..45 => registration.append(cstr!("newsletter"), true),
        45..75 => registration.append(cstr!("newsletter"), false),
        75..85 => registration.append(cstr!("newsletter"), RawBson::Null),
        _ => {}
    }
    registration
}

/// Creates the collection with its validator.
pub(super) async fn create_collection(database: &Database) -> Result<(), mongodb::error::Error> {
    let schema = doc! {
        "bsonType": "object",
        "required": ["email", "event", "seats", "created"],
        "properties": {
            "email": {"bsonType": "string", "pattern": "@"},
            "event": {"bsonType": "string"},
            "seats": {"bsonType": "int", "minimum": 1, "maximum": 12},
            "created": {"bsonType": "date"},
            "newsletter": {"bsonType": ["bool", "null"]},
        },
    };
    let create = doc! {
        "create": "registrations", "validator": {"$jsonSchema": schema}, "validationLevel": "moderate",
    };
    database.run_command(create).await?;
    Ok(())
}
