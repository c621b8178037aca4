//! The SDK for Taster probes in Rust: the [`Probe`] trait, the read-only [`Database`], raw BSON without copies, configuration with
//! helpful errors, and builders of declarations and metrics.
//!
#![doc = "```ignore"]
#![doc = include_str!("../examples/newest.rs")]
#![doc = "```"]
//!
//! A probe is built for `wasm32-unknown-unknown` and can only use the interface: it has no files, no network and no clock. A panic
//! ends the run, and its text is in the operator's log.

pub mod bindings;
mod config;
mod database;
mod decimal;
mod declare;
mod document;
mod examples;
pub mod extjson;
mod failed;
mod failure;
pub mod group;
mod metric;
mod raw;

pub use bindings::{
    Failure, Manifest, Metric,
    taster::probe::{
        host::{Level, log, progress},
        mongo::{CensusDetail, CensusSummary, CollectionInfo, CollectionKind},
        types::{Merge, MetricDeclaration, Refusal, Role, Value, ValueKind},
    },
};
pub use config::{Config, check_name, label_key};
pub use database::{Batch, Census, Cursor, Database, Documents, Find};
pub use decimal::{Decimal, scaled as decimal_text};
pub use document::{Array, Document, ToBson, doc};
pub use examples::Examples;
pub use failed::or_failed;
pub use raw::{Element, Elements, Kind, Malformed, RawDocument, RawValue};

/// A probe.
pub trait Probe {
    /// What the probe is and what it needs. It must always be the same.
    fn manifest() -> Manifest;

    /// Reads the granted collections and returns metrics.
    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure>;
}

/// Exports a type as the probe of this component: `taster_probe::export!(MyProbe);`
#[macro_export]
macro_rules! export {
    ($probe:ty) => {
        const _: () = {
            struct Exported;
            impl $crate::bindings::Guest for Exported {
                fn describe() -> $crate::Manifest {
                    <$probe as $crate::Probe>::manifest()
                }
                fn run(
                    db: &$crate::bindings::Database,
                    config: ::std::string::String,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Metric>, $crate::Failure> {
                    $crate::log_panics();
                    let db = $crate::Database::new(db);
                    <$probe as $crate::Probe>::run(&db, $crate::Config::new(config))
                }
            }
    $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
        };
    };
}

/// Writes the text of a panic to the operator's log; without it, a panic is only `unreachable`. [`export!`] calls it.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
}
