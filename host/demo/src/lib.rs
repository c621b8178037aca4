//! A barbecue shop on a throwaway real mongod, and the upgrades that are played on it.
//!
//! `taster demo` strings them together; tests and benchmarks use the parts.

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
pub use upgrade::{Played, Upgrade};
