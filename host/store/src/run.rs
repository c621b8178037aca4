//! One run's results: its captures, its verdict, its reports.

use std::sync::Arc;

use taster_census::CensusFile;
use taster_model::{Acceptance, AttemptId, Capture, ObjectRef, RunId, Side, VerdictDocument, schema};

use crate::{
    AppStore, Censuses, Committed, RunEntry, StoreError,
    app::check,
    document,
    objects::{Created, Swapped},
};

const TRIES: u32 = 50;

/// One run's results.
#[derive(Clone)]
pub struct RunStore {
    app: AppStore,
    run: RunId,
}

/// What came of committing a capture before the sync.
#[derive(Debug)]
pub enum CommitPre {
    /// This one stands.
    Committed(Committed<Capture>),
    /// Another attempt was faster; its capture stands.
    Standing(Committed<Capture>),
}

impl RunStore {
    pub(crate) fn new(app: AppStore, run: RunId) -> Self {
        Self { app, run }
    }

    fn key(&self, rest: &str) -> String {
        format!("v1/{}/{}/{rest}", self.app.app, self.run)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.app.objects.get(key).await?.map(|stored| stored.bytes))
    }

    /// Creates an object that must not be there yet. One with the same bytes is one's own, from before a lost answer.
    async fn create(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match self.app.objects.create(key, bytes).await? {
            Created::New => Ok(()),
            Created::Exists if self.get(key).await?.as_deref() == Some(bytes) => Ok(()),
            Created::Exists => Err(StoreError::Exists { key: key.to_owned() }),
        }
    }

    /// The run as the listing of its objects alone shows it; `None` where there is none.
    pub async fn entry(&self) -> Result<Option<RunEntry>, StoreError> {
        let prefix = self.key("");
        let objects = self.app.objects.list(&prefix).await?;
        let objects: Vec<_> =
            objects.iter().filter_map(|object| Some((object.key.strip_prefix(&prefix)?, object))).collect();
        Ok((!objects.is_empty()).then(|| RunEntry::of(self.run.clone(), &objects)))
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

    /// The capture of the latest-started attempt after the sync.
    pub async fn latest_post(&self) -> Result<Option<Committed<Capture>>, StoreError> {
        let prefix = self.key("post/");
        let objects = self.app.objects.list(&prefix).await?;
        // attempts sort by the time they began
        let latest = objects
            .iter()
            .filter_map(|object| object.key.strip_prefix(&prefix)?.strip_suffix("/capture.json"))
            .filter_map(|attempt| AttemptId::try_from(attempt.to_owned()).ok())
            .max();
        match latest {
            Some(attempt) => self.post(&attempt).await,
            None => Ok(None),
        }
    }

    fn capture(
        &self,
        key: &str,
        side: Side,
        attempt: Option<&AttemptId>,
        bytes: &[u8],
    ) -> Result<Committed<Capture>, StoreError> {
        let capture: Capture = document::read(key, schema::CAPTURE, bytes)?;
        check(key, "app", &capture.app, &self.app.app)?;
        check(key, "run", &capture.run, &self.run)?;
        check(key, "side", &capture.side, &side)?;
        if let Some(attempt) = attempt {
            check(key, "attempt", &capture.attempt, attempt)?;
        }
        Ok(Committed::confirmed(capture))
    }

    /// Commits the capture before the sync: the first one stands, whoever else is at it.
    pub async fn commit_pre(&self, capture: &Capture) -> Result<CommitPre, StoreError> {
        let key = self.key("pre/capture.json");
        let bytes = document::write(&key, capture)?;
        // read as others will read it, before it stands forever
        self.capture(&key, Side::Pre, Some(&capture.attempt), &bytes)?;
        self.app.objects.create(&key, &bytes).await?;
        let Some(standing) = self.pre().await? else {
            return Err(StoreError::damaged(&key, "it vanished after it was written"));
        };
        // after a lost answer one's own capture is already there
        let own = standing.get().attempt == capture.attempt;
        Ok(if own { CommitPre::Committed(standing) } else { CommitPre::Standing(standing) })
    }

    /// Commits the capture of an attempt after the sync.
    pub async fn commit_post(&self, capture: &Capture) -> Result<Committed<Capture>, StoreError> {
        let key = self.key(&format!("post/{}/capture.json", capture.attempt));
        let bytes = document::write(&key, capture)?;
        self.capture(&key, Side::Post, Some(&capture.attempt), &bytes)?;
        self.create(&key, &bytes).await?;
        self.post(&capture.attempt).await?.ok_or_else(|| StoreError::damaged(&key, "it vanished after it was written"))
    }

    /// The censuses of its captures.
    #[must_use]
    pub fn censuses(&self) -> Censuses {
        Censuses::new(Arc::clone(&self.app.objects), self.key(""))
    }

    /// Keeps a census of an attempt, before the capture that lists it. Memory does not grow with it, and none is ever
    /// overwritten: a second one of the same collection gets a name of its own.
    pub async fn put_census(
        &self,
        side: Side,
        attempt: &AttemptId,
        recorded: &CensusFile,
    ) -> Result<ObjectRef, StoreError> {
        let place = &recorded.identity;
        let key = format!("the census of {}", place.collection);
        check(&key, "app", &place.app, &self.app.app)?;
        check(&key, "run", &place.run, &self.run)?;
        check(&key, "side", &place.side, &side)?;
        check(&key, "attempt", &place.attempt, attempt)?;
        self.censuses().put(recorded).await
    }

    /// Keeps a report beside the attempt that it is about.
    pub async fn put_report(&self, attempt: &AttemptId, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.create(&self.key(&format!("post/{attempt}/{name}")), bytes).await
    }

    /// Where a person finds a report.
    #[must_use]
    pub fn report_url(&self, attempt: &AttemptId, name: &str) -> String {
        self.app.objects.url(&self.key(&format!("post/{attempt}/{name}")))
    }

    /// Keeps the verdict of its attempt, and lets it stand for the run unless a later-started attempt has spoken.
    /// Returns the one that stands.
    pub async fn put_verdict(&self, verdict: &VerdictDocument) -> Result<VerdictDocument, StoreError> {
        let key = self.key(&format!("post/{}/verdict.json", verdict.attempt));
        let bytes = document::write(&key, verdict)?;
        self.create(&key, &bytes).await?;
        let key = self.key("verdict.json");
        for _ in 0..TRIES {
            let stored = self.app.objects.get(&key).await?;
            if let Some(stored) = &stored {
                let standing = self.read_verdict(&key, &stored.bytes)?.into_inner();
                if standing.attempt >= verdict.attempt {
                    return Ok(standing);
                }
            }
            let version = stored.as_ref().map(|stored| &stored.version);
            if self.app.objects.swap(&key, version, &bytes).await? == Swapped::Done {
                return Ok(verdict.clone());
            }
        }
        Err(StoreError::Contended { key, tries: TRIES })
    }

    /// The verdict of the run.
    pub async fn verdict(&self) -> Result<Option<Committed<VerdictDocument>>, StoreError> {
        let key = self.key("verdict.json");
        let bytes = self.get(&key).await?;
        bytes.map(|bytes| self.read_verdict(&key, &bytes)).transpose()
    }

    fn read_verdict(&self, key: &str, bytes: &[u8]) -> Result<Committed<VerdictDocument>, StoreError> {
        let verdict: VerdictDocument = document::read(key, schema::VERDICT, bytes)?;
        check(key, "app", &verdict.app, &self.app.app)?;
        check(key, "run", &verdict.run, &self.run)?;
        Ok(Committed::confirmed(verdict))
    }

    /// Keeps that a person accepted the verdict of one attempt. It is kept once a run; accepting the same verdict again
    /// finds the first acceptance, accepting another one of the same run is refused.
    pub async fn accept(&self, acceptance: &Acceptance) -> Result<Committed<Acceptance>, StoreError> {
        let key = self.key("accepted.json");
        self.app.objects.create(&key, &document::write(&key, acceptance)?).await?;
        match self.accepted().await? {
            Some(standing) if standing.get().attempt == acceptance.attempt => Ok(standing),
            Some(_) => Err(StoreError::Exists { key }),
            None => Err(StoreError::damaged(&key, "it vanished after it was written")),
        }
    }

    /// Who accepted, and why.
    pub async fn accepted(&self) -> Result<Option<Committed<Acceptance>>, StoreError> {
        let key = self.key("accepted.json");
        let Some(bytes) = self.get(&key).await? else { return Ok(None) };
        let acceptance: Acceptance = document::read(&key, schema::ACCEPTED, &bytes)?;
        check(&key, "app", &acceptance.app, &self.app.app)?;
        check(&key, "run", &acceptance.run, &self.run)?;
        Ok(Some(Committed::confirmed(acceptance)))
    }
}
