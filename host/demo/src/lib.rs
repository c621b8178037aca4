//! The demo database: a barbecue shop on a temporary mongod, and upgrades of the shop that change its data.
//!
//! `taster demo` runs them one after the other; tests and benchmarks use the parts.

mod config;
mod error;
mod mongod;
mod rng;
mod shop;
pub mod upgrade;

pub use config::taster_yaml;
pub use error::DemoError;
pub use mongod::{Mongod, MongodOptions, find_mongod};
pub use shop::{DATABASE, Loaded, Shop};
pub use upgrade::{Upgrade, UpgradeOutcome};
