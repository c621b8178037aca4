//! Reads one MongoDB database on behalf of untrusted probes: only the granted collections, and never a write.
//!
//! A [`Connection`] belongs to the host. A [`Snapshot`] is a point in time at which the database is read. A [`Database`] is
//! what one probe can read of a snapshot. Everything that a probe sends passes the [`guard`], an allow-list over raw BSON;
//! commands are built in one module, from checked parts only.
//!
//! Documents are handed out as BSON back to back, in batches, and the next batch is fetched while the last one is processed.
//! Documents that are handed out are not parsed here.

mod bson_util;
mod budget;
mod caller;
mod canonical;
mod canonical_query;
mod canonical_value;
mod census;
mod collection;
mod command;
mod command_options;
mod connect;
mod connection;
mod copy_witness;
mod cursor;
mod database;
mod driver_error;
mod error;
mod grant;
pub mod guard;
mod hello;
mod inventory;
mod limits;
mod metered_connection;
mod namespace;
mod newest;
mod prefetch;
mod privileges;
mod query_span;
mod range_scan;
mod reply;
mod scan_rate;
mod server;
mod server_codes;
mod set_membership;
mod snapshot;
mod stored_functions;
mod text;
mod uri;
mod write_counters;

pub use budget::QueryUsage;
pub use census::{CensusEnv, CensusRequest, CensusSummary, DetailLevel};
pub use connect::ConnectionOptions;
pub use connection::Connection;
pub use cursor::Cursor;
pub use database::{AggregateOptions, CollectionInfo, Database, FindOptions};
pub use error::QueryError;
pub use grant::Grant;
pub use inventory::{CollectionChange, Inventory};
pub use limits::Limits;
pub use newest::NewestDocument;
pub use privileges::{LocalCollection, Privilege, PrivilegeReport, Privileges, RequiredAccess, Resource};
pub use snapshot::{Snapshot, SnapshotOptions};
pub use uri::MongoUri;
