//! A census: every document of a collection read and recorded by the host, at its own speed and on its own account.
//!
//! The documents never cross into the guest. A scan hands whole replies of the server to a thread that hashes them, and
//! neither waits for the other longer than it must. What was recorded is handed over by [`Database::take_censuses`].

mod hashing;
mod marks;
mod options;
mod refused;
mod scan;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use taster_census::DetailLevel;
use taster_census::{CensusFile, CensusIdentity, CensusKey, CensusSpec, Redaction, ScratchSpace};
use taster_model::{AppName, AttemptId, CensusFacts, CollectionKind, DeclaredChange, Failure, RunId, Side};
use tokio::time::timeout;

use self::{marks::Mark, refused::Refused, scan::Taking};
use crate::{
    Database,
    budget::Budget,
    collection::Collection,
    database,
    guard::{CheckedFilter, CheckedTarget},
    reader::Reader,
};

/// Censuses of one run that are refused for their number, where it is granted few collections: each holds a file open
/// until the capture is written.
const MOST: usize = 256;

/// What the host needs to record censuses for a probe.
#[derive(Clone)]
pub struct CensusSetup {
    /// What digests are keyed with: the baseline's, after the sync.
    pub key: CensusKey,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// Which side of the sync it is.
    pub side: Side,
    /// Which attempt at it.
    pub attempt: AttemptId,
    /// What the migration is meant to do: all that the configuration says, for it is named by its place there.
    pub changes: Vec<DeclaredChange>,
    /// After the sync: the censuses of the baseline, of all probes. What they left apart is left apart again.
    pub baseline: Vec<CensusFacts>,
    /// What is not written down. After the sync the baseline's word counts where nothing is said.
    pub redaction: Option<Redaction>,
    /// Key of redacted ids.
    pub secret: Option<Vec<u8>>,
    /// Room to work in; several cursors share its memory.
    pub scratch: ScratchSpace,
    /// Cursors that read an ordinary collection side by side, each with a thread of its own. 0 and 1 are one.
    ///
    /// A census with a filter, one that must tell declared documents apart and one in ranges are read by one.
    pub cursors: u32,
    /// Time that all censuses of one run of the probe may take, `limits.census`. No other limit bounds them.
    pub deadline: Duration,
}

impl fmt::Debug for CensusSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CensusSetup")
            .field("key", &self.key)
            .field("run", &self.run)
            .field("side", &self.side)
            .field("attempt", &self.attempt)
            .field("changes", &self.changes.len())
            .field("baseline", &self.baseline.len())
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field("cursors", &self.cursors)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl CensusSetup {
    /// The declared changes of fields and documents of a collection.
    fn changes_of(&self, collection: &str) -> Vec<DeclaredChange> {
        let of_it = |change: &&DeclaredChange| change.collection == collection && change.kind.needs_census();
        self.changes.iter().filter(of_it).cloned().collect()
    }

    /// The census of the baseline that one of today is going to be compared with. Not by its id: a collection that came
    /// in between makes every later census the next in line. Of several of one collection each says the same of it.
    fn baseline_of(&self, probe: &str, collection: &str) -> Option<&CensusFacts> {
        self.baseline.iter().find(|facts| facts.probe == probe && facts.collection == collection)
    }
}

/// What a census covers, as the probe sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CensusRequest {
    /// Which documents, as BSON that nobody has looked at yet; every one without.
    pub filter: Option<Vec<u8>>,
    /// Fields of the document itself that are not looked at, at most 1000 of at most 1024 bytes; never `_id`.
    pub ignored: Vec<String>,
    /// How finely.
    pub detail: DetailLevel,
    /// So many whole documents are kept, at most 1000.
    pub sample: u32,
}

/// A census that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusSummary {
    /// Names it in this run: `c1` is the first one that was asked for.
    pub id: String,
    /// Documents.
    pub documents: u64,
    /// Size of the documents, in BSON.
    pub bytes: u64,
}

/// The censuses of one run of a probe.
#[derive(Debug, Default)]
pub(crate) struct Censuses(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    asked: usize,
    took: Duration,
    recorded: Vec<CensusFile>,
}

impl Censuses {
    fn account(&self) -> MutexGuard<'_, Account> {
        // its fields are changed one at a time
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next one and the time that others took. Refused ones are numbered too: the same calls get the
    /// same ids on both sides, whatever becomes of them.
    fn ask(&self) -> (usize, Duration) {
        let mut account = self.account();
        account.asked += 1;
        (account.asked, account.took)
    }
}

/// What is recorded, checked.
struct Checked<'a> {
    id: String,
    target: CheckedTarget,
    /// `None`: it is not there.
    found: Option<&'a Collection>,
    filter: Option<CheckedFilter>,
    /// Documents that are told apart, in the order of their marks.
    marks: Vec<Mark>,
    recording: CensusSpec,
}

impl Database {
    /// Records every document of a collection, or those that fit a filter.
    pub async fn census(&self, collection: &str, request: CensusRequest) -> Result<CensusSummary, Failure> {
        let (number, took) = self.censuses().ask();
        self.admit(collection)?;
        let Some(setup) = &self.grant().census else { return Err(Refused::NoCensus.failure().asked(collection)) };
        let most = MOST.max(2 * self.grant().collections.len());
        if number > most {
            return Err(Refused::TooMany { most }.failure());
        }
        let begun = Instant::now();
        let left = setup.deadline.saturating_sub(took);
        let deadline = begun.checked_add(left).unwrap_or(begun + Duration::from_hours(24 * 365 * 30));
        let budget = Budget::of_census(deadline, setup.deadline, self.grant().setting.clone());
        let reader = Arc::new(Reader { session: Arc::clone(self.session()), budget });
        // dropping it closes the server's cursors and ends the threads
        let recording = self.record(setup, &reader, collection, format!("c{number}"), request);
        let recorded = timeout(left, recording).await.unwrap_or_else(|_| Err(reader.budget.out_of_time()));
        self.budget().add_census(&reader.budget.usage());
        self.censuses().account().took += begun.elapsed();
        let recorded = recorded.inspect_err(|failure| self.budget().note(failure))?;
        let summary =
            CensusSummary { id: recorded.identity.id.clone(), documents: recorded.documents, bytes: recorded.bytes };
        tracing::debug!(?summary, collection, took = ?begun.elapsed(), stored = recorded.length, "recorded a census");
        self.censuses().account().recorded.push(recorded);
        Ok(summary)
    }

    /// Hands over the censuses that were recorded, in the order in which they were asked for.
    #[must_use]
    pub fn take_censuses(&self) -> Vec<CensusFile> {
        std::mem::take(&mut self.censuses().account().recorded)
    }

    async fn record(
        &self,
        setup: &CensusSetup,
        reader: &Arc<Reader>,
        collection: &str,
        id: String,
        request: CensusRequest,
    ) -> Result<CensusFile, Failure> {
        let checked = self.check_census(setup, collection, id, request).await?;
        // before the first document is read: whatever expired until then was due by this clock
        let now = self.session().clock().await.map_err(|error| error.failure())?;
        self.read(checked.target.reads(), ());
        let place = CensusIdentity {
            app: setup.app.clone(),
            run: setup.run.clone(),
            side: setup.side,
            attempt: setup.attempt.clone(),
            probe: self.grant().probe.clone(),
            id: checked.id.clone(),
            database: self.session().facts.database.clone(),
            collection: collection.to_owned(),
        };
        let builders = Taking { database: self, reader, checked: &checked }.read(setup.cursors).await?;
        hashing::finish(builders, place, now).await
    }

    /// Passes everything that the probe and the operator say through the guard.
    async fn check_census(
        &self,
        setup: &CensusSetup,
        collection: &str,
        id: String,
        request: CensusRequest,
    ) -> Result<Checked<'_>, Failure> {
        let mut given = self.request().await?;
        let target = given.target(collection).map_err(database::refused)?;
        let filter = request.filter.as_deref().filter(|filter| *filter != EVERYTHING);
        let filter = filter.map(|bytes| given.filter(bytes)).transpose().map_err(database::refused)?;
        let found = self.collection(collection).await?;
        if found.is_some_and(|found| found.kind == CollectionKind::View) {
            let beneath = self.beneath(&target).await?;
            return Err(Refused::View { name: collection.to_owned(), beneath }.failure());
        }
        let marks = marks::read(setup, collection, self.request().await?).map_err(|refused| refused.failure())?;
        let changes = setup.changes_of(collection);
        let baseline = setup.baseline_of(&self.grant().probe, collection);
        let asked = options::asked(request, filter.as_ref()).map_err(|refused| refused.failure())?;
        let options = match baseline {
            Some(baseline) => {
                options::as_in(asked, baseline, setup.redaction.clone()).map_err(|refused| refused.failure())?
            }
            None => options::of(asked, &changes, found, setup.redaction.clone()),
        };
        let recording = CensusSpec {
            key: setup.key.clone(),
            options,
            side: setup.side,
            changes,
            secret: setup.secret.clone(),
            scratch: setup.scratch.clone(),
        };
        Ok(Checked { id, target, found, filter, marks, recording })
    }

    /// The collections that a view shows.
    async fn beneath(&self, view: &CheckedTarget) -> Result<String, Failure> {
        let inventory = self.inventory().await?;
        let is_view = |name: &&str| inventory.collection(name).is_some_and(|found| found.kind == CollectionKind::View);
        let names: Vec<&str> = view.reads().names().filter(|name| !is_view(name)).collect();
        Ok(names.join(", "))
    }
}

/// The filter that everything fits.
const EVERYTHING: &[u8] = &[5, 0, 0, 0, 0];
