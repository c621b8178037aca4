//! Reading MongoDB on behalf of somebody who is not trusted: one database, the granted collections, never a write.
//!
//! A [`Session`] is the host's: it connects, fixes the point in time that everything is read at, and leaves nothing
//! behind on the server. A [`Database`] is what one probe gets of it. Whatever a probe sends passes the [`guard`], an
//! allow-list over raw BSON; commands are built here and nowhere else, from checked parts only.
//!
//! Documents leave as BSON back to back, a batch at a time, and the next batch is fetched while the last one is worked
//! on. Nothing here looks into a document that it hands out.

mod batch;
mod budget;
mod canonical;
mod census;
mod collection;
mod command;
mod copies;
mod cursor;
mod database;
mod error;
mod grant;
pub mod guard;
mod inventory;
mod look;
mod members;
mod newest;
mod privileges;
mod ranges;
mod reader;
mod replies;
mod server;
mod session;
mod uri;
mod writes;

pub use budget::QueryUsage;
pub use census::{CensusRequest, CensusSetup, CensusSummary, DetailLevel};
pub use cursor::Cursor;
pub use database::{AggregateOptions, CollectionInfo, Database, FindOptions};
pub use error::QueryError;
pub use grant::{Grant, Limits};
pub use inventory::{Alteration, Inventory};
pub use look::Looking;
pub use newest::Newest;
pub use privileges::{Beside, Needs, Privilege, PrivilegeReport, Privileges, Resource};
pub use session::{Session, SessionOptions};
pub use uri::MongoUri;
