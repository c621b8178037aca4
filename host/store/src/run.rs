//! One run's results: its captures, its verdict, its reports.

use std::{cmp::Ordering, sync::Arc};

use taster_census::CensusFile;
use taster_model::{
    Acceptance, AppName, AttemptId, Capture, DroppedBaseline, ObjectRef, ReadMoment, RunId, Side, VerdictDocument,
    schema,
};

use crate::{
    backend::{CreateOutcome, ObjectBackend, SwapOutcome},
    census::Censuses,
    document::{self, Committed},
    entry::RunEntry,
    error::StoreError,
    location::check_location,
};

/// Attempts of a swap. Each conflict means that another process succeeded.
const MAX_SWAP_ATTEMPTS: u32 = 50;

/// One run's results.
#[derive(Clone)]
pub struct RunStore {
    objects: Arc<dyn ObjectBackend>,
    app: AppName,
    run: RunId,
}

/// How committing the capture before the sync ended.
#[derive(Debug)]
pub enum CommitPre {
    /// This capture is the one of the run.
    Committed(Committed<Capture>),
    /// Another attempt committed its capture first; this is that one.
    AlreadyCommitted(Committed<Capture>),
}

impl RunStore {
    pub(crate) fn new(objects: Arc<dyn ObjectBackend>, app: AppName, run: RunId) -> Self {
        Self { objects, app, run }
    }

    fn key(&self, rest: &str) -> String {
        format!("v1/{}/{}/{rest}", self.app, self.run)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.objects.get(key).await?.map(|stored| stored.bytes))
    }

    /// Creates an object that must not exist yet. One with the same bytes was written by an earlier attempt whose answer was
    /// lost.
    async fn create(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match self.objects.create(key, bytes).await? {
            CreateOutcome::Created => Ok(()),
            CreateOutcome::AlreadyExists if self.get(key).await?.as_deref() == Some(bytes) => Ok(()),
            CreateOutcome::AlreadyExists => Err(StoreError::Exists { key: key.to_owned() }),
        }
    }

    /// The run as the listing of its objects shows it; `None` if it has no objects.
    pub async fn entry(&self) -> Result<Option<RunEntry>, StoreError> {
        let prefix = self.key("");
        let objects = self.objects.list(&prefix).await?;
        let objects: Vec<_> =
            objects.iter().filter_map(|object| Some((object.key.strip_prefix(&prefix)?, object))).collect();
        Ok((!objects.is_empty()).then(|| RunEntry::from_objects(self.run.clone(), &objects)))
    }

    /// The capture before the sync.
    pub async fn pre(&self) -> Result<Option<Committed<Capture>>, StoreError> {
        let key = self.key("pre/capture.json");
        let bytes = self.get(&key).await?;
        bytes.map(|bytes| self.capture(&key, Side::Pre, None, &bytes)).transpose()
    }

    /// The capture of one attempt after the sync.
    pub async fn post(&self, attempt: &AttemptId) -> Result<Option<Committed<Capture>>, StoreError> {
        let key = self.key(&format!("post/{attempt}/capture.json"));
        let bytes = self.get(&key).await?;
        bytes.map(|bytes| self.capture(&key, Side::Post, Some(attempt), &bytes)).transpose()
    }

    /// The capture after the sync that read the data last.
    pub async fn latest_post(&self) -> Result<Option<Committed<Capture>>, StoreError> {
        let prefix = self.key("post/");
        let objects = self.objects.list(&prefix).await?;
        let attempts = objects
            .iter()
            .filter_map(|object| object.key.strip_prefix(&prefix)?.strip_suffix("/capture.json"))
            .filter_map(|attempt| AttemptId::try_from(attempt.to_owned()).ok());
        let mut latest: Option<Committed<Capture>> = None;
        for attempt in attempts {
            let Some(next) = self.post(&attempt).await? else { continue };
            if latest.as_ref().is_none_or(|latest| order(next.get(), latest.get()).is_gt()) {
                latest = Some(next);
            }
        }
        Ok(latest)
    }

    /// The first of `attempts` that read the data later than the attempt of `verdict`, which is the verdict of the run: it has
    /// not been compared yet, or its process was killed before it was.
    pub async fn read_later_than(
        &self,
        verdict: &VerdictDocument,
        attempts: &[AttemptId],
    ) -> Result<Option<AttemptId>, StoreError> {
        let judged = verdict.after.server.moment();
        for attempt in attempts.iter().filter(|attempt| **attempt != verdict.attempt) {
            let Some(capture) = self.post(attempt).await? else { continue };
            let moment = capture.get().server.moment();
            if ReadMoment::order_of_attempts((&moment, attempt), (&judged, &verdict.attempt)).is_gt() {
                return Ok(Some(attempt.clone()));
            }
        }
        Ok(None)
    }

    fn capture(
        &self,
        key: &str,
        side: Side,
        attempt: Option<&AttemptId>,
        bytes: &[u8],
    ) -> Result<Committed<Capture>, StoreError> {
        let capture: Capture = document::read(key, schema::CAPTURE, bytes)?;
        check_location(key, "app", &capture.app, &self.app)?;
        check_location(key, "run", &capture.run, &self.run)?;
        check_location(key, "side", &capture.side, &side)?;
        if let Some(attempt) = attempt {
            check_location(key, "attempt", &capture.attempt, attempt)?;
        }
        Ok(Committed::confirmed(capture))
    }

    /// Commits the capture before the sync, unless another process has already committed one.
    pub async fn commit_pre(&self, capture: &Capture) -> Result<CommitPre, StoreError> {
        let key = self.key("pre/capture.json");
        let bytes = document::write(&key, capture)?;
        // checked before it is written, because it is never overwritten
        self.capture(&key, Side::Pre, Some(&capture.attempt), &bytes)?;
        self.objects.create(&key, &bytes).await?;
        let Some(committed) = self.pre().await? else {
            return Err(StoreError::damaged(&key, "it was missing after it was written"));
        };
        // after a lost answer, this attempt's own capture exists already
        let own = committed.get().attempt == capture.attempt;
        Ok(if own { CommitPre::Committed(committed) } else { CommitPre::AlreadyCommitted(committed) })
    }

    /// Commits the capture of an attempt after the sync.
    pub async fn commit_post(&self, capture: &Capture) -> Result<Committed<Capture>, StoreError> {
        let key = self.key(&format!("post/{}/capture.json", capture.attempt));
        let bytes = document::write(&key, capture)?;
        self.capture(&key, Side::Post, Some(&capture.attempt), &bytes)?;
        self.create(&key, &bytes).await?;
        self.post(&capture.attempt)
            .await?
            .ok_or_else(|| StoreError::damaged(&key, "it was missing after it was written"))
    }

    /// The censuses of its captures.
    #[must_use]
    pub fn censuses(&self) -> Censuses {
        Censuses::new(Arc::clone(&self.objects), self.key(""))
    }

    /// Stores a census of an attempt, before the capture that lists it. Memory does not grow with its size. A second census of
    /// the same collection gets another name.
    pub async fn put_census(
        &self,
        side: Side,
        attempt: &AttemptId,
        recorded: &CensusFile,
    ) -> Result<ObjectRef, StoreError> {
        let place = &recorded.identity;
        let key = format!("the census of {}", place.collection);
        check_location(&key, "app", &place.app, &self.app)?;
        check_location(&key, "run", &place.run, &self.run)?;
        check_location(&key, "side", &place.side, &side)?;
        check_location(&key, "attempt", &place.attempt, attempt)?;
        self.censuses().put(recorded).await
    }

    /// Stores a report of an attempt.
    pub async fn put_report(&self, attempt: &AttemptId, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.create(&self.key(&format!("post/{attempt}/{name}")), bytes).await
    }

    /// The URL of a report, for people.
    #[must_use]
    pub fn report_url(&self, attempt: &AttemptId, name: &str) -> String {
        self.objects.url(&self.key(&format!("post/{attempt}/{name}")))
    }

    /// Stores the verdict of its attempt, and makes it the verdict of the run unless an attempt that read the data later already
    /// has one. Of two attempts that read at the same moment, the worse verdict counts. Returns the verdict of the run.
    pub async fn put_verdict(&self, verdict: &VerdictDocument) -> Result<VerdictDocument, StoreError> {
        let key = self.key(&format!("post/{}/verdict.json", verdict.attempt));
        let bytes = document::write(&key, verdict)?;
        self.create(&key, &bytes).await?;
        let key = self.key("verdict.json");
        for _ in 0..MAX_SWAP_ATTEMPTS {
            let stored = self.objects.get(&key).await?;
            if let Some(stored) = &stored {
                let latest = self.read_verdict(&key, &stored.bytes)?.into_inner();
                if latest.attempt == verdict.attempt || !verdict.supersedes(&latest) {
                    return Ok(latest);
                }
            }
            let version = stored.as_ref().map(|stored| &stored.version);
            if self.objects.swap(&key, version, &bytes).await? == SwapOutcome::Swapped {
                return Ok(verdict.clone());
            }
        }
        Err(StoreError::Contended { key, tries: MAX_SWAP_ATTEMPTS })
    }

    /// The verdict of the run.
    pub async fn verdict(&self) -> Result<Option<Committed<VerdictDocument>>, StoreError> {
        let key = self.key("verdict.json");
        let bytes = self.get(&key).await?;
        bytes.map(|bytes| self.read_verdict(&key, &bytes)).transpose()
    }

    fn read_verdict(&self, key: &str, bytes: &[u8]) -> Result<Committed<VerdictDocument>, StoreError> {
        let verdict: VerdictDocument = document::read(key, schema::VERDICT, bytes)?;
        check_location(key, "app", &verdict.app, &self.app)?;
        check_location(key, "run", &verdict.run, &self.run)?;
        Ok(Committed::confirmed(verdict))
    }

    /// Stores that a person accepted the verdict of an attempt, once a run. Accepting the same verdict again returns the first
    /// acceptance; accepting another one of the same run is an error.
    pub async fn accept(&self, acceptance: &Acceptance) -> Result<Committed<Acceptance>, StoreError> {
        let key = self.key("accepted.json");
        self.objects.create(&key, &document::write(&key, acceptance)?).await?;
        match self.accepted().await? {
            Some(first) if first.get().attempt == acceptance.attempt => Ok(first),
            Some(_) => Err(StoreError::Exists { key }),
            None => Err(StoreError::damaged(&key, "it was missing after it was written")),
        }
    }

    /// The acceptance of the run's verdict.
    pub async fn accepted(&self) -> Result<Option<Committed<Acceptance>>, StoreError> {
        let key = self.key("accepted.json");
        let Some(bytes) = self.get(&key).await? else { return Ok(None) };
        let acceptance: Acceptance = document::read(&key, schema::ACCEPTED, &bytes)?;
        check_location(&key, "app", &acceptance.app, &self.app)?;
        check_location(&key, "run", &acceptance.run, &self.run)?;
        Ok(Some(Committed::confirmed(acceptance)))
    }

    /// Stores that a person dropped the baseline that the run's `pre` recorded, once a run. Dropping it again returns the first
    /// record.
    pub async fn drop_baseline(&self, dropped: &DroppedBaseline) -> Result<Committed<DroppedBaseline>, StoreError> {
        let key = self.key("dropped.json");
        self.objects.create(&key, &document::write(&key, dropped)?).await?;
        self.dropped().await?.ok_or_else(|| StoreError::damaged(&key, "it was missing after it was written"))
    }

    /// Who dropped the baseline that the run's `pre` recorded.
    pub async fn dropped(&self) -> Result<Option<Committed<DroppedBaseline>>, StoreError> {
        let key = self.key("dropped.json");
        let Some(bytes) = self.get(&key).await? else { return Ok(None) };
        let dropped: DroppedBaseline = document::read(&key, schema::DROPPED, &bytes)?;
        check_location(&key, "app", &dropped.app, &self.app)?;
        check_location(&key, "run", &dropped.run, &self.run)?;
        Ok(Some(Committed::confirmed(dropped)))
    }
}

/// The order of two captures by what they read.
fn order(own: &Capture, other: &Capture) -> Ordering {
    let moments = [own, other].map(|capture| capture.server.moment());
    ReadMoment::order_of_attempts((&moments[0], &own.attempt), (&moments[1], &other.attempt))
}
