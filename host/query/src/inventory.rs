//! The collections of the database at one moment, with the write counters that show changes during a scan.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use bson::Document;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::error::Error;
use taster_model::{CollectionFacts, CollectionKind, ReadMoment, STORED_FUNCTIONS};
use tokio::time::{Instant, sleep};

use crate::{
    bson_util::integer,
    canonical,
    collection::{self, Collection, StorageStats},
    command,
    connection::{Connection, Inner},
    driver_error::has_code,
    error::QueryError,
    hello::ReplyTime,
    server_codes::{COMMAND_NOT_SUPPORTED_ON_VIEW, CURSOR_NOT_FOUND, NAMESPACE_NOT_FOUND, UNAUTHORIZED},
    stored_functions,
    write_counters::WriteCounters,
};

/// How often index builds are looked at.
const INDEX_BUILD_INTERVAL: Duration = Duration::from_millis(500);
/// Collections whose indexes and counters are read at the same time.
const CONCURRENT_COLLECTIONS: usize = 4;

/// Every collection of the database at one moment.
#[derive(Debug)]
pub struct Inventory {
    /// The server process that answered. `None` on a sharded cluster, where any mongos may answer.
    pub(crate) process_id: Option<String>,
    /// When the server began to answer.
    pub(crate) time: ReplyTime,
    /// Sorted by name.
    pub(crate) collections: Vec<Collection>,
    /// The collection of stored functions, as a capture records it.
    functions: Option<CollectionFacts>,
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

    /// Waits until no index of the database is being built, at most for `limit`. What is still being built then is in the
    /// inventory of the next snapshot.
    pub async fn wait_for_index_builds(&self, limit: Duration) -> Result<(), QueryError> {
        let deadline = Instant::now() + limit;
        tracing::info!(?limit, "waiting for indexes that are being built");
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            sleep(INDEX_BUILD_INTERVAL.min(left)).await;
            let inventory = self.read_inventory().await?;
            let builds = inventory.index_builds();
            if builds.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                tracing::warn!(?builds, ?limit, "indexes are still being built: the verdict will be unknown");
                return Ok(());
            }
        }
    }
}

impl Inventory {
    /// Asks the server.
    pub(crate) async fn read(inner: &Inner) -> Result<Self, QueryError> {
        let (process_id, time) = inner.process_and_time().await?;
        let listed = list(inner).await?;
        let functions = if listed.has_stored_functions { Some(functions(inner).await?) } else { None };
        let mut collections: Vec<Collection> = stream::iter(listed.collections)
            .map(|collection| with_indexes_and_stats(inner, collection))
            .buffered(CONCURRENT_COLLECTIONS)
            .try_collect()
            .await?;
        collections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { process_id, time, collections, functions })
    }

    /// The application's collections.
    #[must_use]
    pub fn facts(&self) -> Vec<CollectionFacts> {
        self.collections.iter().map(Collection::facts).collect()
    }

    /// As a capture records it: with the collection of stored functions, which no probe may read.
    #[must_use]
    pub fn recorded_facts(&self) -> Vec<CollectionFacts> {
        let mut facts = self.facts();
        facts.extend(self.functions.clone());
        facts.sort_by(|a, b| a.name.cmp(&b.name));
        facts
    }

    /// When it was read.
    #[must_use]
    pub fn moment(&self) -> ReadMoment {
        let cluster_time = self.time.operation_time;
        ReadMoment {
            cluster_time: cluster_time.map(|time| format!("{}.{}", time.time, time.increment)),
            clock: self.time.clock,
        }
    }

    /// Indexes that are still being built: their collections and names.
    #[must_use]
    pub fn index_builds(&self) -> Vec<(&str, &str)> {
        let collections = self.collections.iter();
        collections.flat_map(|c| c.building.iter().map(|index| (c.name.as_str(), index.as_str()))).collect()
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
    Ok(list(inner).await?.collections)
}

struct Listed {
    collections: Vec<Collection>,
    has_stored_functions: bool,
}

async fn list(inner: &Inner) -> Result<Listed, QueryError> {
    let operation = format!("list the collections of `{}`", inner.facts.database);
    let list = command::list_collections(inner.command_options());
    let entries = inner.caller().run(&operation, inner.raw_documents(list)).await?;
    let collections = entries.iter().filter_map(|entry| Collection::from_entry(entry).transpose());
    let mut collections: Vec<Collection> = collections
        .collect::<Result<_, _>>()
        .map_err(|error| QueryError::BadReply { operation, detail: error.to_string() })?;
    let buckets: HashMap<String, String> = entries.iter().filter_map(|entry| collection::buckets(entry)).collect();
    for series in collections.iter_mut().filter(|collection| collection.kind == CollectionKind::TimeSeries) {
        series.uuid = series.uuid.take().or_else(|| buckets.get(&series.name).cloned());
    }
    let has_stored_functions =
        entries.iter().any(|entry| entry.get_str("name").is_ok_and(|name| name == STORED_FUNCTIONS));
    Ok(Listed { collections, has_stored_functions })
}

async fn functions(inner: &Inner) -> Result<CollectionFacts, QueryError> {
    let functions = stored_functions::read(inner).await?;
    Ok(CollectionFacts {
        name: STORED_FUNCTIONS.to_owned(),
        documents: functions.as_ref().map(|functions| functions.len() as u64),
        functions,
        ..CollectionFacts::default()
    })
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
    let listed = inner.caller().run(&operation, indexes).await?;
    let operation = format!("read the counters of `{name}`");
    let stats = async {
        match inner.documents(command::storage_stats(&name, options)).await {
            // without the privilege, or without statistics, writes cannot be detected; that is reported where it matters
            Err(error) if is_gone(&error) || is_unauthorized(&error) || has_no_statistics(&error) => Ok(Vec::new()),
            other => other,
        }
    };
    let replies = inner.caller().run(&operation, stats).await?;
    collection.stats = sum_of_shards(&replies);
    let building: BTreeSet<String> = listed.iter().filter_map(index_build).chain(index_builds(&replies)).collect();
    let is_ready = |index: &Document| {
        index_build(index).is_none() && !index.get_str("name").is_ok_and(|name| building.contains(name))
    };
    collection.indexes = canonical::indexes(listed.into_iter().filter(is_ready).collect());
    collection.building = building.into_iter().collect();
    Ok(collection)
}

/// The name of an index of `listIndexes` that is still being built.
fn index_build(listed: &Document) -> Option<String> {
    listed.get("buildUUID")?;
    let specification = listed.get_document("spec").unwrap_or(listed);
    Some(specification.get_str("name").unwrap_or_default().to_owned())
}

/// The names of the indexes that the replies of all shards say are being built.
fn index_builds(replies: &[Document]) -> impl Iterator<Item = String> {
    let builds =
        replies.iter().filter_map(|reply| reply.get_document("storageStats").ok()?.get_array("indexBuilds").ok());
    builds.flatten().filter_map(|name| name.as_str().map(ToOwned::to_owned))
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

/// Whether the storage engine keeps no statistics (`statistics=(none)`): it cannot open the cursor that reads them.
fn has_no_statistics(error: &Error) -> bool {
    has_code(error, CURSOR_NOT_FOUND)
}

fn is_unauthorized(error: &Error) -> bool {
    has_code(error, UNAUTHORIZED)
}
