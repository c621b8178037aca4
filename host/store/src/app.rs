//! One app's results: its current state and its runs.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use taster_model::{AppName, CurrentState, RunId, ScaledState, schema};

use crate::{
    backend::{ObjectBackend, ObjectInfo, SwapOutcome},
    document::{self, Committed},
    entry::{RunEntry, RunSummary},
    error::StoreError,
    location::check_location,
    run::RunStore,
};

/// Attempts of a swap. Each conflict means that another process succeeded.
const MAX_SWAP_ATTEMPTS: u32 = 50;

/// How many runs are read at a time.
const CONCURRENT_READS: usize = 16;

/// A document of the app that is replaced by compare-and-swap.
trait MutableDocument: Serialize + DeserializeOwned + Clone + PartialEq {
    /// Its key within the app.
    const NAME: &'static str;
    /// The value of its `schema` key.
    const SCHEMA: &'static str;
    /// The app that it belongs to.
    fn app(&self) -> &AppName;
}

impl MutableDocument for CurrentState {
    const NAME: &'static str = "current.json";
    const SCHEMA: &'static str = schema::CURRENT;
    fn app(&self) -> &AppName {
        &self.app
    }
}

impl MutableDocument for ScaledState {
    const NAME: &'static str = "scaled.json";
    const SCHEMA: &'static str = schema::SCALED;
    fn app(&self) -> &AppName {
        &self.app
    }
}

/// One app's results.
#[derive(Clone)]
pub struct AppStore {
    pub(crate) objects: Arc<dyn ObjectBackend>,
    pub(crate) app: AppName,
}

impl AppStore {
    pub(crate) fn new(objects: Arc<dyn ObjectBackend>, app: AppName) -> Self {
        Self { objects, app }
    }

    pub(crate) fn prefix(&self) -> String {
        format!("v1/{}", self.app)
    }

    /// One run's results.
    #[must_use]
    pub fn run(&self, run: &RunId) -> RunStore {
        RunStore::new(Arc::clone(&self.objects), self.app.clone(), run.clone())
    }

    /// The app's current state: baseline, claims and last run.
    pub async fn current(&self) -> Result<Option<CurrentState>, StoreError> {
        self.read_mutable().await
    }

    /// Changes `current.json` by compare-and-swap. After a conflict, `change` is called again with the newer document.
    /// `None` from `change` leaves it as it is. Returns the document afterwards.
    pub async fn update_current(
        &self,
        change: impl FnMut(Option<CurrentState>) -> Option<CurrentState>,
    ) -> Result<Option<CurrentState>, StoreError> {
        self.update(change).await
    }

    /// The workloads that were scaled for the app and not restored yet.
    pub async fn scaled(&self) -> Result<Option<ScaledState>, StoreError> {
        self.read_mutable().await
    }

    /// Changes `scaled.json` in the same way.
    pub async fn update_scaled(
        &self,
        change: impl FnMut(Option<ScaledState>) -> Option<ScaledState>,
    ) -> Result<Option<ScaledState>, StoreError> {
        self.update(change).await
    }

    async fn read_mutable<T: MutableDocument>(&self) -> Result<Option<T>, StoreError> {
        let key = format!("{}/{}", self.prefix(), T::NAME);
        let stored = self.objects.get(&key).await?;
        stored.map(|stored| self.read(&key, &stored.bytes)).transpose()
    }

    fn read<T: MutableDocument>(&self, key: &str, bytes: &[u8]) -> Result<T, StoreError> {
        let document: T = document::read(key, T::SCHEMA, bytes)?;
        check_location(key, "app", document.app(), &self.app)?;
        Ok(document)
    }

    async fn update<T: MutableDocument>(
        &self,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let key = format!("{}/{}", self.prefix(), T::NAME);
        for _ in 0..MAX_SWAP_ATTEMPTS {
            let stored = self.objects.get(&key).await?;
            let before = stored.as_ref().map(|stored| self.read::<T>(&key, &stored.bytes)).transpose()?;
            let Some(after) = change(before.clone()) else { return Ok(before) };
            if before.as_ref() == Some(&after) {
                return Ok(before);
            }
            let bytes = document::write(&key, &after)?;
            match self.objects.swap(&key, stored.as_ref().map(|stored| &stored.version), &bytes).await? {
                SwapOutcome::Swapped => return Ok(Some(after)),
                SwapOutcome::Conflict => {}
            }
        }
        Err(StoreError::Contended { key, tries: MAX_SWAP_ATTEMPTS })
    }

    /// Every run, newest first, from one listing without reading any object.
    pub async fn index(&self) -> Result<Vec<RunEntry>, StoreError> {
        let prefix = format!("{}/", self.prefix());
        let objects = self.objects.list(&prefix).await?;
        let mut found: BTreeMap<RunId, Vec<(&str, &ObjectInfo)>> = BTreeMap::new();
        for object in &objects {
            let Some((run, rest)) = object.key.strip_prefix(&prefix).and_then(|rest| rest.split_once('/')) else {
                continue;
            };
            if let Ok(run) = run.parse() {
                found.entry(run).or_default().push((rest, object));
            }
        }
        let mut runs: Vec<RunEntry> =
            found.into_iter().map(|(run, objects)| RunEntry::from_objects(run, &objects)).collect();
        runs.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.run.clone())));
        Ok(runs)
    }

    /// Every run, newest first. A damaged run is marked as such and does not hide the others.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        let mut runs = self.summaries(self.index().await?).await?;
        runs.sort_by_key(|run| std::cmp::Reverse((run.pre.max(run.post), run.run.clone())));
        Ok(runs)
    }

    /// Summaries of runs, in the given order. Several are read at a time.
    pub async fn summaries(&self, entries: impl IntoIterator<Item = RunEntry>) -> Result<Vec<RunSummary>, StoreError> {
        let entries: Vec<RunEntry> = entries.into_iter().collect();
        stream::iter(entries.into_iter().map(|entry| self.summary(entry)))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await
    }

    async fn summary(&self, entry: RunEntry) -> Result<RunSummary, StoreError> {
        let store = self.run(&entry.run);
        let mut damaged = None;
        let pre = if entry.pre { note_damage(store.pre().await, &mut damaged)? } else { None };
        let post = match entry.posts.last() {
            Some(attempt) => note_damage(store.post(attempt).await, &mut damaged)?,
            None => None,
        };
        let verdict = if entry.verdict { note_damage(store.verdict().await, &mut damaged)? } else { None };
        let accepted = entry.accepted && note_damage(store.accepted().await, &mut damaged)?.is_some();
        let dropped = entry.dropped && note_damage(store.dropped().await, &mut damaged)?.is_some();
        Ok(RunSummary {
            run: entry.run,
            pre: pre.map(|capture| capture.get().started),
            post: post.map(|capture| capture.get().started),
            verdict: verdict.map(|verdict| verdict.get().verdict),
            accepted,
            dropped,
            damaged,
        })
    }
}

/// Notes the first damage in `damaged` and goes on; returns other errors.
fn note_damage<T>(
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
