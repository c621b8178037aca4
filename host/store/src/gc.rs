//! Garbage collection: removes old runs that nothing depends on.
//!
//! The verdict of a run is removed first, then its captures, then the rest. If the process is killed in between, what is left
//! has no verdict that could pass and no capture that could be compared, and the next collection removes it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use taster_model::{Diagnostic, RunId};

use crate::{
    app::AppStore,
    backend::VERIFICATION_PREFIX,
    document::Committed,
    entry::RunEntry,
    error::StoreError,
    fault,
    retention::{GcMode, Retention},
};

/// A run this young is kept whatever the settings are: another process may be working on it.
const MIN_AGE: SignedDuration = SignedDuration::from_hours(1);
/// An unfinished write that began this long ago is abandoned: its process no longer exists.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What the collection did with one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CollectedRun {
    /// The run.
    pub run: RunId,
    /// When its latest capture was written, or else its latest object.
    pub at: Timestamp,
    /// How many objects it has.
    pub objects: u64,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// What was done with it.
    #[serde(rename = "fate")]
    pub outcome: GcOutcome,
    /// The reason, for people.
    pub why: String,
}

/// What the collection did with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GcOutcome {
    /// It was kept.
    Kept,
    /// It was removed; in a dry run, it would be.
    Removed,
    /// The store refused to remove an object of it.
    Refused,
}

/// What the collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Every run, newest first.
    pub runs: Vec<CollectedRun>,
    /// How many unfinished writes of killed processes were removed.
    pub unfinished: u64,
}

impl AppStore {
    /// Removes the runs beyond `retention` that nothing depends on. The app's current state is read again before each run,
    /// because other processes may change it. If it cannot be read, nothing more is removed.
    pub async fn collect(&self, retention: Retention, now: Timestamp, mode: GcMode) -> Result<GcReport, StoreError> {
        let index = self.index().await?;
        let needed = self.needed_by_kept_runs(&index, retention, now).await?;
        let mut report = GcReport::default();
        for (rank, entry) in index.iter().enumerate() {
            let why = match reason_kept(&index, rank, retention, now) {
                Some(why) => Some(why),
                None => match needed.iter().find(|(run, _)| *run == entry.run) {
                    Some((_, why)) => Some(*why),
                    None => self.reason_in_use(&entry.run).await?,
                },
            };
            let mut collected = CollectedRun {
                run: entry.run.clone(),
                at: entry.at,
                objects: entry.objects,
                bytes: entry.bytes,
                outcome: GcOutcome::Kept,
                why: why.unwrap_or("beyond the limits").to_owned(),
            };
            if why.is_none() {
                collected.outcome = GcOutcome::Removed;
                if mode == GcMode::Remove
                    && let Err(error) = self.remove(&entry.run).await
                {
                    (collected.outcome, collected.why) = (GcOutcome::Refused, format!("{}: {error}", error.code()));
                }
            }
            report.runs.push(collected);
        }
        let before = now - ABANDONED_AFTER;
        report.unfinished = self.objects.sweep(&format!("{}/", self.prefix()), before, mode).await?;
        // verification objects of killed processes belong to no app, so the collection of any app removes them
        report.unfinished += self.objects.sweep(VERIFICATION_PREFIX, before, mode).await?;
        Ok(report)
    }

    /// Runs that a kept run was judged against: without them it could not be judged again.
    async fn needed_by_kept_runs(
        &self,
        index: &[RunEntry],
        retention: Retention,
        now: Timestamp,
    ) -> Result<BTreeSet<(RunId, &'static str)>, StoreError> {
        let mut needed = BTreeSet::new();
        for (rank, entry) in index.iter().enumerate().filter(|(_, entry)| entry.verdict) {
            if reason_kept(index, rank, retention, now).is_none() {
                continue;
            }
            match self.run(&entry.run).verdict().await {
                Ok(verdict) => {
                    let verdict = verdict.map(Committed::into_inner);
                    let runs = verdict.into_iter().flat_map(|verdict| {
                        let added = verdict.added.into_iter().map(|probe| probe.run);
                        verdict.before.map(|before| before.run).into_iter().chain(added)
                    });
                    needed.extend(runs.map(|run| (run, "a kept run was judged against it")));
                }
                // a damaged verdict names no other run
                Err(StoreError::Damaged { .. } | StoreError::Misplaced { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(needed)
    }

    /// Why the app's current state needs a run.
    async fn reason_in_use(&self, run: &RunId) -> Result<Option<&'static str>, StoreError> {
        if let Some(current) = self.current().await? {
            if current.baseline.as_ref().is_some_and(|baseline| baseline.run == *run) {
                return Ok(Some("the app's baseline"));
            }
            let mut added = current.baseline.iter().flat_map(|baseline| &baseline.added);
            if added.any(|probe| probe.run == *run) {
                return Ok(Some("the baseline of a probe that was added later"));
            }
            if current.claims.iter().any(|claim| claim.run == *run) {
                return Ok(Some("a capture of it is being committed"));
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
        let order = |key: &str| match key.strip_prefix(&prefix).unwrap_or(key) {
            "verdict.json" => 0,
            rest if rest.ends_with("/capture.json") => 1,
            _ => 2,
        };
        objects.sort_by_cached_key(|object| (order(&object.key), object.key.clone()));
        for object in objects {
            self.objects.remove(&object.key).await?;
            fault::point("gc: removed");
        }
        self.objects.remove_empty_folders(&prefix).await
    }
}

/// Why a run is kept, as far as its listing shows. `rank` is its place among the newest, counted from 0.
fn reason_kept(index: &[RunEntry], rank: usize, retention: Retention, now: Timestamp) -> Option<&'static str> {
    let entry = &index[rank];
    if index.iter().position(RunEntry::complete) == Some(rank) {
        return Some("the newest complete run");
    }
    if now.duration_since(entry.at) < MIN_AGE {
        return Some("younger than an hour");
    }
    retention.keeps(rank, entry.at, now).then_some("within the limits")
}
