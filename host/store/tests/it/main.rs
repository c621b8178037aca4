//! The guarantees of the store across processes: kills, races, damaged objects, a full disk.

#![expect(clippy::unwrap_used, reason = "every file of this binary is a test or serves one")]

mod census;
mod child_process;
mod credentials;
mod damage;
mod full_disk;
mod gc;
mod guarantees;
mod kills;
mod races;
mod s3;
mod s3_settings;
mod shop;
mod stored_censuses;
mod test_store;
