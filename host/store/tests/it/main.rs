//! The guarantees of the store across processes: kills, races, damaged objects, a full disk.

#![expect(clippy::unwrap_used, reason = "every file of this binary is a test or serves one")]

mod census;
mod census_fixtures;
mod child_process;
mod credentials;
mod damage;
mod full_disk;
mod gc;
mod guarantees;
mod kills;
mod races;
mod s3;
mod s3_server;
mod shop;
mod test_store;
