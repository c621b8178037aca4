//! Retention: old runs go, and never one that anything still rests on.
//!
//! A run goes verdict first, captures next, then the rest: killed between two objects, what is left has no verdict that
//! could pass and no capture that could be compared, and the next time takes it.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use taster_model::{Diagnostic, RunId};

use crate::{AppStore, PROOFS, RunEntry, StoreError, fault};

/// Whatever the settings say, a run that got somewhere so lately may be somebody's who is at work.
const YOUNG: SignedDuration = SignedDuration::from_hours(1);
/// Writes that were begun so long ago are nobody's any more.
const UNFINISHED: SignedDuration = SignedDuration::from_hours(24);

/// Which runs may go. With both limits a run goes when it is beyond both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// So many of the newest runs stay.
    pub keep: Option<u32>,
    /// Runs that got somewhere since stay.
    pub max_age: Option<Duration>,
}

impl Retention {
    /// Whether the `place`th newest run, counted from 0, may stay for its place or its age.
    fn allows(self, place: usize, entry: &RunEntry, now: Timestamp) -> bool {
        let by_place = self.keep.is_some_and(|keep| place < usize::try_from(keep).unwrap_or(usize::MAX));
        let by_age = self
            .max_age
            .is_some_and(|most| SignedDuration::try_from(most).is_ok_and(|most| now.duration_since(entry.at) <= most));
        // no limit at all removes nothing
        by_place || by_age || (self.keep.is_none() && self.max_age.is_none())
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The run.
    pub run: RunId,
    /// When it last got somewhere.
    pub at: Timestamp,
    /// Objects of it.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What became of it.
    pub fate: Fate,
    /// Why, for people.
    pub why: String,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It stays.
    Kept,
    /// It is gone; or would be, where nothing was to be touched.
    Removed,
    /// The store would not let go of all of it.
    Refused,
}

/// What became of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// Every run, newest first.
    pub runs: Vec<Collected>,
    /// Unfinished writes that were removed: of processes that were killed.
    pub unfinished: u64,
}

impl AppStore {
    /// Removes runs beyond `retention`; with `dry`, only says which. Where the app stands is read again before each, for
    /// others go on working meanwhile; when that cannot be read, nothing more is removed.
    pub async fn collect(&self, retention: Retention, now: Timestamp, dry: bool) -> Result<Collection, StoreError> {
        let index = self.index().await?;
        let resting = self.rested_on(&index, retention, now).await?;
        let mut collection = Collection::default();
        for (place, entry) in index.iter().enumerate() {
            let why = match why_kept(&index, place, retention, now) {
                Some(why) => Some(why),
                None => match resting.iter().find(|(run, _)| *run == entry.run) {
                    Some((_, why)) => Some(*why),
                    None => self.stands(&entry.run).await?,
                },
            };
            let mut collected = Collected {
                run: entry.run.clone(),
                at: entry.at,
                objects: entry.objects,
                bytes: entry.bytes,
                fate: Fate::Kept,
                why: why.unwrap_or("beyond the limits").to_owned(),
            };
            if why.is_none() {
                collected.fate = Fate::Removed;
                if !dry && let Err(error) = self.remove(&entry.run).await {
                    (collected.fate, collected.why) = (Fate::Refused, format!("{}: {error}", error.code()));
                }
            }
            collection.runs.push(collected);
        }
        let before = now - UNFINISHED;
        collection.unfinished = self.objects.sweep(&format!("{}/", self.prefix()), before, dry).await?;
        // what a process left that was killed while it proved the store belongs to no app, so each one takes it away
        collection.unfinished += self.objects.sweep(PROOFS, before, dry).await?;
        Ok(collection)
    }

    /// Runs that a kept one was judged against: without them it could not be judged again.
    async fn rested_on(
        &self,
        index: &[RunEntry],
        retention: Retention,
        now: Timestamp,
    ) -> Result<BTreeSet<(RunId, &'static str)>, StoreError> {
        let mut resting = BTreeSet::new();
        for (place, entry) in index.iter().enumerate().filter(|(_, entry)| entry.verdict) {
            if why_kept(index, place, retention, now).is_none() {
                continue;
            }
            match self.run(&entry.run).verdict().await {
                Ok(verdict) => {
                    let before = verdict.and_then(|verdict| verdict.into_inner().before);
                    resting.extend(before.map(|before| (before.run, "a kept run was judged against it")));
                }
                // a damaged verdict rests on nothing
                Err(StoreError::Damaged { .. } | StoreError::Misplaced { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(resting)
    }

    /// Why a run stays, by what the app stands on at this moment.
    async fn stands(&self, run: &RunId) -> Result<Option<&'static str>, StoreError> {
        if let Some(current) = self.current().await? {
            if current.baseline.as_ref().is_some_and(|baseline| baseline.run == *run) {
                return Ok(Some("the standing baseline"));
            }
            if current.claims.iter().any(|claim| claim.run == *run) {
                return Ok(Some("a capture of it was announced"));
            }
            if current.last.as_ref().is_some_and(|last| last.run == *run) || current.nothing_yet.as_ref() == Some(run) {
                return Ok(Some("the last run"));
            }
        }
        let scaled = self.scaled().await?;
        let up = scaled.is_some_and(|scaled| scaled.workloads.iter().any(|workload| workload.run == *run));
        Ok(up.then_some("workloads are still scaled for it"))
    }

    async fn remove(&self, run: &RunId) -> Result<(), StoreError> {
        let prefix = format!("{}/{run}/", self.prefix());
        let mut objects = self.objects.list(&prefix).await?;
        let turn = |key: &str| match key.strip_prefix(&prefix).unwrap_or(key) {
            "verdict.json" => 0,
            rest if rest.ends_with("/capture.json") => 1,
            _ => 2,
        };
        objects.sort_by_cached_key(|object| (turn(&object.key), object.key.clone()));
        for object in objects {
            self.objects.remove(&object.key).await?;
            fault::point("gc: removed");
        }
        self.objects.forget(&prefix).await
    }
}

/// Why the `place`th newest run stays, as far as the listing says.
fn why_kept(index: &[RunEntry], place: usize, retention: Retention, now: Timestamp) -> Option<&'static str> {
    let entry = &index[place];
    if index.iter().position(RunEntry::complete) == Some(place) {
        return Some("the newest complete run");
    }
    if now.duration_since(entry.at) < YOUNG {
        return Some("younger than an hour");
    }
    retention.allows(place, entry, now).then_some("within the limits")
}
