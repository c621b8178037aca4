//! The collections of the database at one moment, with the write counters that show changes during a scan.

use std::collections::BTreeSet;

use bson::Document;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::error::{Error, ErrorKind};
use taster_model::{CollectionFacts, CollectionKind};

use crate::{
    bson_util::integer,
    canonical,
    collection::{Collection, StorageStats},
    command,
    connection::{Connection, Inner},
    error::QueryError,
    server_codes::{COMMAND_NOT_SUPPORTED_ON_VIEW, NAMESPACE_NOT_FOUND, UNAUTHORIZED},
    write_counters::WriteCounters,
};

/// Collections whose indexes and counters are read at the same time.
const CONCURRENT_COLLECTIONS: usize = 4;

/// Every collection of the database at one moment.
#[derive(Debug)]
pub struct Inventory {
    /// The server process that answered. `None` on a sharded cluster, where any mongos may answer.
    pub(crate) process_id: Option<String>,
    /// Sorted by name.
    pub(crate) collections: Vec<Collection>,
}

/// How a collection changed between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectionChange {
    /// Created, dropped or recreated, or its options or indexes changed.
    Redefined,
    /// Documents were written.
    Written,
    /// Unknown: the server restarted, which resets its counters.
    ServerRestarted,
    /// Unknown: the user cannot read the counters, or the storage engine has none.
    NoCounters,
}

impl Connection {
    /// The collections at this moment.
    pub async fn read_inventory(&self) -> Result<Inventory, QueryError> {
        Inventory::read(&self.inner).await
    }
}

impl Inventory {
    /// Asks the server.
    pub(crate) async fn read(inner: &Inner) -> Result<Self, QueryError> {
        let process_id = inner.process_id().await?;
        let listed = list_collections(inner).await?;
        let mut collections: Vec<Collection> = stream::iter(listed)
            .map(|collection| with_indexes_and_stats(inner, collection))
            .buffered(CONCURRENT_COLLECTIONS)
            .try_collect()
            .await?;
        collections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { process_id, collections })
    }

    /// As a capture records it.
    #[must_use]
    pub fn facts(&self) -> Vec<CollectionFacts> {
        self.collections.iter().map(Collection::facts).collect()
    }

    pub(crate) fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }

    /// How a collection changed until a later moment. `None`: nothing was written to it and it was not redefined, so
    /// everything that was read of it in between is of one moment.
    #[must_use]
    pub fn change(&self, later: &Self, name: &str) -> Option<CollectionChange> {
        if let Some(change) = self.redefinition(later, name) {
            return Some(change);
        }
        let (before, after) = (self.collection(name)?, later.collection(name)?);
        if before.kind == CollectionKind::View {
            // changes of a view's data are changes of the collections that it reads
            return None;
        }
        if self.process_id != later.process_id {
            return Some(CollectionChange::ServerRestarted);
        }
        match (before.stats.writes, after.stats.writes) {
            (Some(before), Some(after)) if before == after => None,
            (Some(_), Some(_)) => Some(CollectionChange::Written),
            _ => Some(CollectionChange::NoCounters),
        }
    }

    /// [`CollectionChange::Redefined`] if a collection was created, dropped, recreated or redefined until a later moment.
    #[must_use]
    pub fn redefinition(&self, later: &Self, name: &str) -> Option<CollectionChange> {
        let definition = |inventory: &Self| {
            inventory.collection(name).map(|c| (c.kind, c.uuid.clone(), c.canonical_options(), c.indexes.clone()))
        };
        (definition(self) != definition(later)).then_some(CollectionChange::Redefined)
    }

    /// Names of the collections of either moment, sorted.
    pub fn names_with<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = &'a str> {
        let both = self.collections.iter().chain(&later.collections);
        both.map(|collection| collection.name.as_str()).collect::<BTreeSet<_>>().into_iter()
    }
}

/// The collections without their indexes and counters, in the server's order.
pub(crate) async fn list_collections(inner: &Inner) -> Result<Vec<Collection>, QueryError> {
    let operation = format!("list the collections of `{}`", inner.facts.database);
    let list = command::list_collections(inner.command_options());
    let entries = inner.caller().run(&operation, inner.raw_documents(list)).await?;
    let collections = entries.iter().filter_map(|entry| Collection::from_entry(entry).transpose());
    collections.collect::<Result<_, _>>().map_err(|error| QueryError::BadReply { operation, detail: error.to_string() })
}

/// Adds indexes and counters. A collection that was dropped in between stays as it was listed.
async fn with_indexes_and_stats(inner: &Inner, mut collection: Collection) -> Result<Collection, QueryError> {
    if collection.kind == CollectionKind::View {
        return Ok(collection);
    }
    let options = inner.command_options();
    let name = collection.name.clone();
    let operation = format!("list the indexes of `{name}`");
    let indexes = async {
        match inner.documents(command::list_indexes(&name, options)).await {
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            other => other,
        }
    };
    collection.indexes = canonical::indexes(inner.caller().run(&operation, indexes).await?);
    let operation = format!("read the counters of `{name}`");
    let stats = async {
        match inner.documents(command::storage_stats(&name, options)).await {
            // without the privilege writes cannot be detected; that is reported where it matters
            Err(error) if is_gone(&error) || is_unauthorized(&error) => Ok(Vec::new()),
            other => other,
        }
    };
    collection.stats = sum_of_shards(&inner.caller().run(&operation, stats).await?);
    Ok(collection)
}

/// The sum of the replies of all shards.
fn sum_of_shards(replies: &[Document]) -> StorageStats {
    let mut sum: Option<StorageStats> = None;
    for reply in replies {
        let Ok(stats) = reply.get_document("storageStats") else { return StorageStats::default() };
        let number = |name: &str| integer(stats.get(name)).and_then(|number| u64::try_from(number).ok());
        let shard = StorageStats {
            documents: number("count"),
            bytes: number("size").unwrap_or_default(),
            writes: WriteCounters::from_storage_stats(stats),
        };
        sum = Some(match sum {
            None => shard,
            Some(sum) => StorageStats {
                documents: sum.documents.zip(shard.documents).map(|(a, b)| a + b),
                bytes: sum.bytes + shard.bytes,
                writes: sum.writes.zip(shard.writes).map(|(a, b)| a.plus(b)),
            },
        });
    }
    sum.unwrap_or_default()
}

/// Whether a collection was dropped, or dropped and recreated as a view.
fn is_gone(error: &Error) -> bool {
    [NAMESPACE_NOT_FOUND, COMMAND_NOT_SUPPORTED_ON_VIEW].iter().any(|code| has_code(error, *code))
}

fn is_unauthorized(error: &Error) -> bool {
    has_code(error, UNAUTHORIZED)
}

fn has_code(error: &Error, code: i32) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if command.code == code)
}
