//! A point in time at which the database is read, with the collections that exist at it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bson::Timestamp;
use taster_model::{CollectionFacts, CollectionGrant, CollectionKind, ReadMode, ServerFacts};
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};

use crate::{
    collection::Collection,
    command,
    command_options::CommandOptions,
    connection::{Connection, HOST_COMMAND_TIMEOUT, Inner},
    error::QueryError,
    grant::Grant,
    guard::{context::Scope, request::Request},
    inventory::{CollectionChange, Inventory},
    limits::Limits,
    scan_rate::{ScanRate, seconds_parameter},
};

/// How long a transaction may live if the server does not say: the server's default.
const DEFAULT_TRANSACTION_LIFETIME: Duration = Duration::from_mins(1);
/// How often a quiet period is repeated because something was written in it. After that the scan starts anyway, and results
/// from collections that were written to in the last quiet period do not count.
const QUIET_ATTEMPTS: u32 = 3;
/// How often a time is chosen at which the server can read.
const SNAPSHOT_ATTEMPTS: u32 = 5;

/// How to take a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// How the documents are read.
    pub reading: ReadMode,
    /// How long nothing may have been written before a live read begins.
    pub quiet_period: Duration,
    /// How long to wait until the majority of the replica set has reached the snapshot's time.
    pub majority_timeout: Duration,
    /// Documents per range, to read every collection that supports ranges in ranges of this size. `None`: only collections
    /// that are estimated to take too long for one cursor, in ranges that are estimated to be short enough.
    pub documents_per_range: Option<u64>,
}

/// A point in time at which the database is read. Cheap to clone.
///
/// On a replica set all documents are read at the `operationTime` of a ping to the primary. If the server chose the time, it
/// might choose one before the last writes. On a standalone server there is no such time.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) connection: Arc<Inner>,
    pub(crate) state: Arc<State>,
}

/// What the clones of a snapshot share.
pub(crate) struct State {
    pub(crate) reading: ReadMode,
    /// The server, with the time of this snapshot.
    facts: ServerFacts,
    /// The time at which everything is read. `None`: everything is read as it is at the moment of the read.
    pub(crate) read_at: Option<Timestamp>,
    inventory: OnceCell<Inventory>,
    scan_rate: OnceCell<ScanRate>,
    /// Collections that were written to in the quiet period before the snapshot: such a write may become visible at any
    /// later time.
    pub(crate) written_before: BTreeMap<String, CollectionChange>,
    /// See [`SnapshotOptions::documents_per_range`].
    documents_per_range: Option<u64>,
}

impl Connection {
    /// The snapshot at the time of connecting. Nothing is sent until it is used. Each call returns a snapshot that reads the
    /// inventory for itself, so keep it.
    #[must_use]
    pub fn initial_snapshot(&self) -> Snapshot {
        let read_at = self.inner.connected_at;
        let reading = if read_at.is_some() { ReadMode::Snapshot } else { ReadMode::Live };
        let state = State::new(reading, self.inner.facts.clone(), read_at);
        Snapshot { connection: Arc::clone(&self.inner), state: Arc::new(state) }
    }

    /// A snapshot of the present moment, to which later inventories can be compared.
    ///
    /// Where documents are read live, this waits until the write counters did not move for the quiet period. The time of a
    /// snapshot lies after both readings of the counters, so that collections that are read live are as they were at it.
    pub async fn snapshot(&self, options: SnapshotOptions) -> Result<Snapshot, QueryError> {
        let mut attempts = 1;
        loop {
            match self.try_snapshot(options).await {
                // a collection was created or dropped just now: the server cannot read at a time before that
                Err(QueryError::SnapshotGone { .. }) if attempts < SNAPSHOT_ATTEMPTS => attempts += 1,
                result => return result,
            }
        }
    }

    async fn try_snapshot(&self, options: SnapshotOptions) -> Result<Snapshot, QueryError> {
        let connection = Arc::clone(&self.inner);
        let (inventory, written_before) = quiet_inventory(&connection, options).await?;
        // the copy's identity was read from the process that answered when the connection was opened
        if inventory.process_id.is_some() && inventory.process_id != connection.facts.process_id {
            return Err(QueryError::Restarted);
        }
        let mut facts = ServerFacts { read_at: None, clock: inventory.time.clock, ..connection.facts.clone() };
        let mut read_at = None;
        if options.reading == ReadMode::Snapshot {
            let time = connection.primary_time().await?;
            wait_for_majority(&connection, &inventory, time, options.majority_timeout).await?;
            facts.read_at = Some(format!("{}.{}", time.time, time.increment));
            read_at = Some(time);
        }
        let state = State {
            written_before,
            documents_per_range: options.documents_per_range,
            inventory: OnceCell::new_with(Some(inventory)),
            ..State::new(options.reading, facts, read_at)
        };
        Ok(Snapshot { connection, state: Arc::new(state) })
    }
}

impl State {
    fn new(reading: ReadMode, facts: ServerFacts, read_at: Option<Timestamp>) -> Self {
        Self {
            reading,
            facts,
            read_at,
            inventory: OnceCell::new(),
            scan_rate: OnceCell::new(),
            written_before: BTreeMap::new(),
            documents_per_range: None,
        }
    }
}

impl Snapshot {
    /// The server, with the time of this snapshot.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.state.facts
    }

    /// How documents are read.
    #[must_use]
    pub fn reading(&self) -> ReadMode {
        self.state.reading
    }

    /// The application's collections, sorted by name.
    pub async fn collections(&self) -> Result<Vec<CollectionFacts>, QueryError> {
        Ok(self.inventory().await?.facts())
    }

    /// The collections as a capture records them: see [`Inventory::recorded_facts`].
    pub async fn recorded_collections(&self) -> Result<Vec<CollectionFacts>, QueryError> {
        Ok(self.inventory().await?.recorded_facts())
    }

    /// The collections when this snapshot was taken. Read once.
    pub async fn inventory(&self) -> Result<&Inventory, QueryError> {
        self.state.inventory.get_or_try_init(|| Inventory::read(&self.connection)).await
    }

    /// The collections that a probe with access to everything can read: all except views that the guard refuses, because
    /// their definition uses something that no probe may use.
    pub async fn readable_collections(&self) -> Result<Vec<CollectionFacts>, QueryError> {
        let inventory = self.inventory().await?;
        let everything = Grant {
            probe: String::new(),
            collections: inventory.collections.iter().map(|c| CollectionGrant::any(&c.name)).collect(),
            limits: Limits::default(),
            setting: String::new(),
        };
        let is_readable = |facts: &CollectionFacts| {
            let request = Request::new(Scope::new(&everything, &inventory.collections));
            match request.target(&facts.name) {
                Ok(_) => true,
                Err(refused) => {
                    tracing::warn!(collection = facts.name, %refused, "the view is not compared");
                    false
                }
            }
        };
        Ok(inventory.facts().into_iter().filter(is_readable).collect())
    }

    /// How all `scans` can be read at one point in time: [`ReadMode::Snapshot`] if they are expected to end before the server
    /// discards its history, else [`ReadMode::Ranges`]. A collection that is scanned several times is listed several times.
    pub async fn plan(&self, scans: &[String]) -> Result<ReadMode, QueryError> {
        if self.state.reading == ReadMode::Live {
            return Ok(ReadMode::Live);
        }
        let inventory = self.inventory().await?;
        let scanned = || scans.iter().filter_map(|name| inventory.collection(name));
        let bytes = scanned().map(|collection| collection.stats.bytes).sum();
        let rate = self.scan_rate(scanned()).await?;
        let estimate = rate.scan_time(bytes);
        tracing::debug!(?estimate, history = ?rate.history, "estimated the scans");
        Ok(if estimate <= rate.history { ReadMode::Snapshot } else { ReadMode::Ranges })
    }

    /// Documents per range of a collection; `None`: it is not read in ranges.
    pub(crate) async fn documents_per_range(&self, collection: &Collection) -> Result<Option<u64>, QueryError> {
        if self.state.reading != ReadMode::Ranges || !collection.supports_ranges() {
            return Ok(None);
        }
        match self.state.documents_per_range {
            Some(documents) => Ok(Some(documents)),
            None => Ok(self.scan_rate([collection].into_iter()).await?.documents_per_range(collection)),
        }
    }

    /// Measured once, with the largest of the collections that are first asked about.
    async fn scan_rate(&self, collections: impl Iterator<Item = &Collection>) -> Result<ScanRate, QueryError> {
        self.state.scan_rate.get_or_try_init(|| ScanRate::measure(&self.connection, collections)).await.copied()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("facts", &self.state.facts).finish_non_exhaustive()
    }
}

/// A period in which nothing may be written, and how often it is tried.
struct QuietPeriod {
    length: Duration,
    attempts: u32,
}

/// Reads the inventory after a quiet period, with the collections that were written to in the last one.
async fn quiet_inventory(
    connection: &Inner,
    options: SnapshotOptions,
) -> Result<(Inventory, BTreeMap<String, CollectionChange>), QueryError> {
    let mut inventory = Inventory::read(connection).await?;
    let mut written = BTreeMap::new();
    if let Some(QuietPeriod { length, attempts }) = quiet_period(connection, &inventory, options).await {
        for _ in 0..attempts {
            sleep(length).await;
            let later = Inventory::read(connection).await?;
            written = written_between(&inventory, &later);
            inventory = later;
            if written.is_empty() {
                break;
            }
        }
    }
    Ok((inventory, written))
}

/// The quiet period that the reads need; `None`: nothing is read live.
async fn quiet_period(connection: &Inner, inventory: &Inventory, options: SnapshotOptions) -> Option<QuietPeriod> {
    let short = QuietPeriod { length: options.quiet_period, attempts: QUIET_ATTEMPTS };
    match options.reading {
        ReadMode::Live => Some(short),
        // beside a snapshot only capped collections are read live, and transactions do not write to them
        ReadMode::Snapshot => {
            inventory.collections.iter().any(|c| !c.supports_snapshots(connection.major)).then_some(short)
        }
        // The counters move when a transaction writes, but its writes become visible when it commits. A transaction that
        // wrote before the quiet period has ended after it if the period is longer than a transaction may live.
        ReadMode::Ranges => {
            let lifetime = seconds_parameter(connection, "transactionLifetimeLimitSeconds").await;
            let lifetime = lifetime.unwrap_or(DEFAULT_TRANSACTION_LIFETIME);
            let length = options.quiet_period.max(lifetime + Duration::from_secs(1));
            Some(QuietPeriod { length, attempts: 1 })
        }
    }
}

/// The collections that were written to between two inventories. Those without counters are left out: the inventory after
/// the scan reports them.
fn written_between(before: &Inventory, after: &Inventory) -> BTreeMap<String, CollectionChange> {
    let change = |name: &str| before.change(after, name).filter(|change| *change != CollectionChange::NoCounters);
    before.names_with(after).filter_map(|name| Some((name.to_owned(), change(name)?))).collect()
}

/// Waits until the server can read at `time`: the majority of a replica set may lag behind its primary.
async fn wait_for_majority(
    connection: &Inner,
    inventory: &Inventory,
    time: Timestamp,
    limit: Duration,
) -> Result<(), QueryError> {
    let can_be_read = |collection: &&Collection| {
        collection.kind != CollectionKind::View && collection.supports_snapshots(connection.major)
    };
    for collection in inventory.collections.iter().filter(can_be_read) {
        match read_one_at(connection, collection, time, limit).await {
            // the user may read others
            Err(QueryError::NotAuthorised { .. }) => {}
            outcome => return outcome,
        }
    }
    Ok(())
}

/// Reads one document as it is at `time`.
async fn read_one_at(
    connection: &Inner,
    collection: &Collection,
    time: Timestamp,
    limit: Duration,
) -> Result<(), QueryError> {
    let options = CommandOptions { comment: &connection.comment, max_time: limit, read_at: Some(time) };
    let call = connection.documents(command::find_one(&collection.name, options));
    let not_reached = QueryError::MajorityTimeout { waited: limit };
    match timeout(limit + HOST_COMMAND_TIMEOUT, call).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match connection.caller().error(&error, "read at this capture's time") {
            QueryError::Timeout { .. } => Err(not_reached),
            error => Err(error),
        },
        Err(_) => Err(not_reached),
    }
}
