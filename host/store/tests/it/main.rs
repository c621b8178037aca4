//! What the store promises across processes: kills, races, damage on the disk, a full disk.

#![expect(clippy::unwrap_used, reason = "every file of this binary is a test or plays for one")]

mod census;
mod child;
mod damage;
mod gc;
mod kills;
mod place;
mod promises;
mod races;
mod s3;
mod s3_settings;
mod shop;
mod space;
mod stored_censuses;
mod trust;
