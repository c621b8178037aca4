//! One look at the database: a moment, what is there at it, and how fast it can be read.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bson::{Timestamp, doc};
use taster_model::{ReadMode, ServerFacts};
use tokio::{sync::OnceCell, time::sleep};

use crate::{
    Alteration, Inventory, QueryError,
    collection::Collection,
    command::{self, Manner},
    server,
    session::{ASK, Inner},
    writes,
};

/// How long the server keeps history where it does not say: its default.
const WINDOW: Duration = Duration::from_mins(5);
/// How long a transaction may live where the server does not say: its default.
const TRANSACTION: Duration = Duration::from_mins(1);
/// How often the pause before a scan begins anew because something was written in it. After that the scan is tried
/// anyway, and what was written to in the last pause does not count.
const PAUSES: u32 = 3;
/// Share of the server's history that one range of a long scan may take at the rate that was measured. The probe's own
/// work comes on top of that.
const SHARE: u32 = 8;

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looking {
    /// How the documents are read.
    pub reading: ReadMode,
    /// How long nothing may have been written before a live read begins.
    pub quiet: Duration,
    /// How long the server may take to get as far as the moment that is read.
    pub reach: Duration,
    /// Documents of a range, where everything that has ranges is to be read in ranges of this size. `None`: what is
    /// estimated to take too long for one cursor, in ranges that are estimated not to.
    pub range: Option<u64>,
}

/// One look at the database.
pub(crate) struct Look {
    pub(crate) reading: ReadMode,
    /// The server, with the moment of this look.
    pub(crate) facts: ServerFacts,
    /// The moment, where everything is read at one.
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) inventory: OnceCell<Inventory>,
    pub(crate) pace: OnceCell<Pace>,
    /// Collections that were written to in the pause before: a write that had begun then may show at any time.
    pub(crate) restless: BTreeMap<String, Alteration>,
    /// See [`Looking::range`].
    range: Option<u64>,
}

/// How fast the server can be read, and how long it keeps history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Bytes of documents a second.
    bytes: u64,
    window: Duration,
}

impl Pace {
    /// How long a scan takes.
    fn estimate(self, bytes: u64) -> Duration {
        let micros = u128::from(bytes) * 1_000_000 / u128::from(self.bytes.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Documents of one range of a collection that is too long for one; `None`: it is not.
    fn range(self, collection: &Collection) -> Option<u64> {
        let whole = self.estimate(collection.storage.bytes);
        let piece = self.window / SHARE;
        let documents = collection.storage.documents?;
        if whole <= piece {
            return None;
        }
        let range = u128::from(documents) * piece.as_micros() / whole.as_micros();
        Some(u64::try_from(range).unwrap_or(u64::MAX).max(1))
    }
}

impl Look {
    /// The first one of a session. What is there is asked when somebody wants to know.
    pub(crate) fn new(reading: ReadMode, facts: ServerFacts, read_at: Option<Timestamp>) -> Self {
        let (inventory, pace) = (OnceCell::new(), OnceCell::new());
        Self { reading, facts, read_at, inventory, pace, restless: BTreeMap::new(), range: None }
    }

    /// A look that later readings can be compared with.
    ///
    /// Where documents are read live, the counters must have stood still for the pause before; the moment of a snapshot
    /// lies behind both, so that what is read live holds at it as well.
    pub(crate) async fn take(inner: &Inner, facts: &ServerFacts, looking: Looking) -> Result<Self, QueryError> {
        let mut inventory = Inventory::read(inner).await?;
        let mut restless = BTreeMap::new();
        if let Some(Pause { length, tries }) = pause(inner, &inventory, looking).await {
            for _ in 0..tries {
                sleep(length).await;
                let again = Inventory::read(inner).await?;
                restless = written(&inventory, &again);
                inventory = again;
                if restless.is_empty() {
                    break;
                }
            }
        }
        // which copy of the data it is was asked of the process of the start
        if inventory.process_id.is_some() && inventory.process_id != facts.process_id {
            return Err(QueryError::Restarted);
        }
        let mut facts = facts.clone();
        facts.read_at = None;
        let mut read_at = None;
        if looking.reading == ReadMode::Snapshot {
            let time = inner.time_of_primary().await?;
            reached(inner, &inventory, time, looking.reach).await?;
            facts.read_at = Some(format!("{}.{}", time.time, time.increment));
            read_at = Some(time);
        }
        let look = Self { restless, range: looking.range, ..Self::new(looking.reading, facts, read_at) };
        // nobody else knows the cell yet
        let _ = look.inventory.set(inventory);
        Ok(look)
    }

    pub(crate) async fn inventory(&self, inner: &Inner) -> Result<&Inventory, QueryError> {
        self.inventory.get_or_try_init(|| Inventory::read(inner)).await
    }

    /// Documents of one range of a collection, where it is to be read in ranges.
    pub(crate) async fn range(&self, inner: &Inner, collection: &Collection) -> Result<Option<u64>, QueryError> {
        if self.reading != ReadMode::Ranges || !collection.has_ranges() {
            return Ok(None);
        }
        match self.range {
            Some(documents) => Ok(Some(documents)),
            None => Ok(self.pace(inner).await?.range(collection)),
        }
    }

    async fn pace(&self, inner: &Inner) -> Result<Pace, QueryError> {
        let inventory = self.inventory(inner).await?;
        self.pace.get_or_try_init(|| measure(inner, inventory)).await.copied()
    }

    /// How everything can be read: at one moment, if the scans are expected to end before the server forgets it.
    pub(crate) async fn plan(&self, inner: &Inner, scans: &[String]) -> Result<ReadMode, QueryError> {
        if self.reading == ReadMode::Live {
            return Ok(ReadMode::Live);
        }
        let inventory = self.inventory(inner).await?;
        let bytes = scans.iter().filter_map(|name| inventory.collection(name)).map(|c| c.storage.bytes).sum();
        let pace = self.pace(inner).await?;
        let estimate = pace.estimate(bytes);
        tracing::debug!(?estimate, window = ?pace.window, "estimated the scans");
        Ok(if estimate <= pace.window { ReadMode::Snapshot } else { ReadMode::Ranges })
    }
}

/// A time in which nothing may be written, and how often it is tried.
struct Pause {
    length: Duration,
    tries: u32,
}

/// How long nothing may have been written before; `None`: nothing is read live.
async fn pause(inner: &Inner, inventory: &Inventory, looking: Looking) -> Option<Pause> {
    let short = Pause { length: looking.quiet, tries: PAUSES };
    match looking.reading {
        ReadMode::Live => Some(short),
        // transactions do not write to capped collections, which are all that is read live beside a snapshot
        ReadMode::Snapshot => inventory.collections.iter().any(|c| !c.has_snapshots(inner.major)).then_some(short),
        // A transaction counts its writes when it makes them and shows them when it commits. One that wrote before the
        // pause began is over when the pause is longer than the server lets it live.
        ReadMode::Ranges => {
            let lifetime = parameter(inner, "transactionLifetimeLimitSeconds").await.unwrap_or(TRANSACTION);
            Some(Pause { length: looking.quiet.max(lifetime + Duration::from_secs(1)), tries: 1 })
        }
    }
}

/// What was written to between two readings. Where nobody can tell, the reading after the scan says so.
fn written(before: &Inventory, after: &Inventory) -> BTreeMap<String, Alteration> {
    let told = |name: &str| before.written(after, name).filter(|how| *how != Alteration::Untold);
    before.names(after).filter_map(|name| Some((name.to_owned(), told(name)?))).collect()
}

/// Waits until the server can read at `time`: the majority of a set may lag behind its primary.
async fn reached(inner: &Inner, inventory: &Inventory, time: Timestamp, patience: Duration) -> Result<(), QueryError> {
    let has_snapshots = |collection: &&Collection| {
        collection.kind == taster_model::CollectionKind::Collection && collection.has_snapshots(inner.major)
    };
    let Some(collection) = inventory.collections.iter().find(has_snapshots) else { return Ok(()) };
    let manner = Manner { comment: &inner.comment, time: patience, read_at: Some(time) };
    let call = inner.documents(command::first(&collection.name, manner));
    match tokio::time::timeout(patience + ASK, call).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match inner.error(&error, "read at the time of this capture") {
            QueryError::Slow { .. } => Err(QueryError::NotReached { waited: patience }),
            error => Err(error),
        },
        Err(_) => Err(QueryError::NotReached { waited: patience }),
    }
}

/// Reads one reply of the largest collection and looks at the clock.
async fn measure(inner: &Inner, inventory: &Inventory) -> Result<Pace, QueryError> {
    let window = parameter(inner, "minSnapshotHistoryWindowInSeconds").await.unwrap_or(WINDOW);
    let largest = inventory.collections.iter().max_by_key(|collection| collection.storage.bytes);
    let Some(largest) = largest else { return Ok(Pace { bytes: u64::MAX, window }) };
    let manner = Manner { comment: &inner.comment, time: ASK, read_at: None };
    let doing = format!("read the beginning of `{}`", largest.name);
    let started = Instant::now();
    let documents = inner.caller().run(&doing, inner.raw_documents(command::beginning(&largest.name, manner))).await?;
    let took = started.elapsed().as_micros().max(1);
    let bytes: u128 = documents.iter().map(|document| document.as_bytes().len() as u128).sum();
    let pace = u64::try_from(bytes * 1_000_000 / took).unwrap_or(u64::MAX);
    Ok(Pace { bytes: pace.max(1), window })
}

/// A number of seconds among the server's parameters; `None` where the user may not ask.
async fn parameter(inner: &Inner, name: &str) -> Option<Duration> {
    let ask = doc! { "getParameter": 1, name: 1, "comment": inner.comment.as_str() };
    let admin = inner.client.database("admin");
    let call = admin.run_command(ask).selection_criteria(server::PRIMARY);
    let answer = inner.caller().run("tell its parameters", call).await;
    let seconds = writes::whole(answer.ok()?.get(name))?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::collection::Storage;

    #[test]
    fn a_long_collection_is_cut_so_that_each_range_ends_in_time() {
        let pace = Pace { bytes: 1000, window: Duration::from_secs(80) };
        let mut collection =
            Collection::from_entry(&rawdoc! {"name": "orders", "type": "collection"}).unwrap().unwrap();
        let mut range = |bytes, documents| {
            collection.storage = Storage { documents, bytes, writes: None };
            pace.range(&collection)
        };
        assert_eq!(range(10_000, Some(100)), None, "ten seconds of eighty");
        assert_eq!(range(100_000, Some(1000)), Some(100), "a hundred seconds, in tens");
        assert_eq!(range(1_000_000, Some(5)), Some(1), "never nothing");
        assert_eq!(range(1_000_000, None), None, "nobody knows how many there are");
        assert_eq!(pace.estimate(2500), Duration::from_millis(2500));
    }
}
