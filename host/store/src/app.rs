//! One app's results: where it stands, and its runs.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use taster_model::{AppName, AttemptId, CurrentState, RunId, ScaledState, Verdict, schema};

use crate::{
    Committed, RunStore, StoreError, document,
    objects::{Listed, Objects, Swapped},
};

/// How often a swap is tried before it is given up: each conflict means that somebody else got something done.
const TRIES: u32 = 50;

/// Runs that are read at a time.
const AT_A_TIME: usize = 16;

/// A document of the app that moves: replaced by compare-and-swap, never created for good.
trait Moved: Serialize + DeserializeOwned + Clone + PartialEq {
    /// Its key within the app.
    const NAME: &'static str;
    /// What its `schema` key says.
    const SCHEMA: &'static str;
    /// Whose it is.
    fn app(&self) -> &AppName;
}

impl Moved for CurrentState {
    const NAME: &'static str = "current.json";
    const SCHEMA: &'static str = schema::CURRENT;
    fn app(&self) -> &AppName {
        &self.app
    }
}

impl Moved for ScaledState {
    const NAME: &'static str = "scaled.json";
    const SCHEMA: &'static str = schema::SCALED;
    fn app(&self) -> &AppName {
        &self.app
    }
}

/// One app's results.
#[derive(Clone)]
pub struct AppStore {
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) app: AppName,
}

/// One run, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// When the capture before the sync began.
    pub pre: Option<Timestamp>,
    /// When the latest capture after it began.
    pub post: Option<Timestamp>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// Whether a person accepted it.
    pub accepted: bool,
    /// What is wrong with its objects.
    pub damaged: Option<String>,
}

/// One run, as the listing of its objects alone shows it: nothing of it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// The run.
    pub run: RunId,
    /// When it last got somewhere: its latest capture, else whatever of it is latest. By the store's clock.
    pub at: Timestamp,
    /// Whether there is a capture before the sync.
    pub pre: bool,
    /// Attempts after the sync that were committed, the latest one last.
    pub posts: Vec<AttemptId>,
    /// Whether there is a verdict.
    pub verdict: bool,
    /// Whether a person accepted it.
    pub accepted: bool,
    /// Objects of it.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl RunEntry {
    fn new(run: RunId) -> Self {
        Self {
            run,
            at: Timestamp::MIN,
            pre: false,
            posts: Vec::new(),
            verdict: false,
            accepted: false,
            objects: 0,
            bytes: 0,
        }
    }

    /// Whether both sides of it were compared.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.verdict && self.pre && !self.posts.is_empty()
    }

    /// What `objects` of the run, keys relative to it, say of it.
    pub(crate) fn of(run: RunId, objects: &[(&str, &Listed)]) -> Self {
        let mut entry = Self::new(run);
        let mut latest = Timestamp::MIN;
        for (rest, object) in objects {
            entry.objects += 1;
            entry.bytes += object.size;
            latest = latest.max(object.modified);
            match *rest {
                "pre/capture.json" => entry.pre = true,
                "verdict.json" => entry.verdict = true,
                "accepted.json" => entry.accepted = true,
                rest => {
                    let attempt = rest.strip_prefix("post/").and_then(|rest| rest.strip_suffix("/capture.json"));
                    let attempt = attempt.and_then(|attempt| AttemptId::try_from(attempt.to_owned()).ok());
                    let Some(attempt) = attempt else { continue };
                    entry.posts.push(attempt);
                }
            }
            if rest.ends_with("/capture.json") {
                entry.at = entry.at.max(object.modified);
            }
        }
        entry.posts.sort();
        if entry.at == Timestamp::MIN {
            entry.at = latest;
        }
        entry
    }
}

impl AppStore {
    pub(crate) fn new(objects: Arc<dyn Objects>, app: AppName) -> Self {
        Self { objects, app }
    }

    pub(crate) fn prefix(&self) -> String {
        format!("v1/{}", self.app)
    }

    /// One run's results.
    #[must_use]
    pub fn run(&self, run: &RunId) -> RunStore {
        RunStore::new(self.clone(), run.clone())
    }

    /// Where the app stands.
    pub async fn current(&self) -> Result<Option<CurrentState>, StoreError> {
        self.moved().await
    }

    /// Moves `current.json` by compare-and-swap: `change` is called again on what others made of it, until it holds.
    /// `None` from `change` leaves it as it is. Returns what stands afterwards.
    pub async fn update_current(
        &self,
        change: impl FnMut(Option<CurrentState>) -> Option<CurrentState>,
    ) -> Result<Option<CurrentState>, StoreError> {
        self.update(change).await
    }

    /// What was scaled for the app and is not back yet.
    pub async fn scaled(&self) -> Result<Option<ScaledState>, StoreError> {
        self.moved().await
    }

    /// Moves `scaled.json` in the same way.
    pub async fn update_scaled(
        &self,
        change: impl FnMut(Option<ScaledState>) -> Option<ScaledState>,
    ) -> Result<Option<ScaledState>, StoreError> {
        self.update(change).await
    }

    async fn moved<T: Moved>(&self) -> Result<Option<T>, StoreError> {
        let key = format!("{}/{}", self.prefix(), T::NAME);
        let stored = self.objects.get(&key).await?;
        stored.map(|stored| self.read(&key, &stored.bytes)).transpose()
    }

    fn read<T: Moved>(&self, key: &str, bytes: &[u8]) -> Result<T, StoreError> {
        let document: T = document::read(key, T::SCHEMA, bytes)?;
        check(key, "app", document.app(), &self.app)?;
        Ok(document)
    }

    async fn update<T: Moved>(&self, mut change: impl FnMut(Option<T>) -> Option<T>) -> Result<Option<T>, StoreError> {
        let key = format!("{}/{}", self.prefix(), T::NAME);
        for _ in 0..TRIES {
            let stored = self.objects.get(&key).await?;
            let before = stored.as_ref().map(|stored| self.read::<T>(&key, &stored.bytes)).transpose()?;
            let Some(after) = change(before.clone()) else { return Ok(before) };
            if before.as_ref() == Some(&after) {
                return Ok(before);
            }
            let bytes = document::write(&key, &after)?;
            match self.objects.swap(&key, stored.as_ref().map(|stored| &stored.version), &bytes).await? {
                Swapped::Done => return Ok(Some(after)),
                Swapped::Conflict => {}
            }
        }
        Err(StoreError::Contended { key, tries: TRIES })
    }

    /// Every run, newest first, from one listing: cheap, however much there is to each.
    pub async fn index(&self) -> Result<Vec<RunEntry>, StoreError> {
        let prefix = format!("{}/", self.prefix());
        let objects = self.objects.list(&prefix).await?;
        let mut found: BTreeMap<RunId, Vec<(&str, &Listed)>> = BTreeMap::new();
        for object in &objects {
            let Some((run, rest)) = object.key.strip_prefix(&prefix).and_then(|rest| rest.split_once('/')) else {
                continue;
            };
            if let Ok(run) = run.parse() {
                found.entry(run).or_default().push((rest, object));
            }
        }
        let mut runs: Vec<RunEntry> = found.into_iter().map(|(run, objects)| RunEntry::of(run, &objects)).collect();
        runs.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.run.clone())));
        Ok(runs)
    }

    /// Every run, newest first. A damaged one is listed as such and hides no other.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        let mut runs = self.summaries(self.index().await?).await?;
        runs.sort_by_key(|run| std::cmp::Reverse((run.pre.max(run.post), run.run.clone())));
        Ok(runs)
    }

    /// What stands in those runs, in their order; several are read at a time.
    pub async fn summaries(&self, entries: impl IntoIterator<Item = RunEntry>) -> Result<Vec<RunSummary>, StoreError> {
        let entries: Vec<RunEntry> = entries.into_iter().collect();
        stream::iter(entries.into_iter().map(|entry| self.summary(entry))).buffered(AT_A_TIME).try_collect().await
    }

    async fn summary(&self, entry: RunEntry) -> Result<RunSummary, StoreError> {
        let store = self.run(&entry.run);
        let mut damaged = None;
        let pre = if entry.pre { noted(store.pre().await, &mut damaged)? } else { None };
        let post = match entry.posts.last() {
            Some(attempt) => noted(store.post(attempt).await, &mut damaged)?,
            None => None,
        };
        let verdict = if entry.verdict { noted(store.verdict().await, &mut damaged)? } else { None };
        let accepted = entry.accepted && noted(store.accepted().await, &mut damaged)?.is_some();
        Ok(RunSummary {
            run: entry.run,
            pre: pre.map(|capture| capture.get().started),
            post: post.map(|capture| capture.get().started),
            verdict: verdict.map(|verdict| verdict.get().verdict),
            accepted,
            damaged,
        })
    }
}

/// The first damage becomes a note. A store that cannot be read at all has failed to list before.
fn noted<T>(
    result: Result<Option<Committed<T>>, StoreError>,
    damaged: &mut Option<String>,
) -> Result<Option<Committed<T>>, StoreError> {
    match result {
        Err(
            error @ (StoreError::Damaged { .. } | StoreError::Misplaced { .. } | StoreError::Io { action: "read", .. }),
        ) => {
            damaged.get_or_insert_with(|| error.to_string());
            Ok(None)
        }
        other => other,
    }
}

/// An object that was copied to another's place is no answer about that other.
pub(crate) fn check<T: PartialEq + std::fmt::Display>(
    key: &str,
    field: &'static str,
    found: &T,
    expected: &T,
) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Misplaced { key: key.to_owned(), field, found: found.to_string(), expected: expected.to_string() })
}
