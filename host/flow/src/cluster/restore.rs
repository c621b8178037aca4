//! Back to what was there, in reverse order, as often as it takes while there is time.

use std::{
    fmt,
    time::{Duration, Instant},
};

use taster_cluster::{Cluster, ClusterError, Lock, Record, Restored, WorkloadRef};
use taster_model::{AppName, Scaled, ScaledWorkload, schema};
use taster_store::{AppStore, fault};
use tokio::time::{sleep, timeout};

use crate::stop::Stop;

/// How long an API server may be away where nothing presses.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long it may be away when it was waited for before.
const AGAIN: Duration = Duration::from_secs(10);
/// What of the grace period is left for saying what came of it.
const RESERVE: Duration = Duration::from_secs(4);
/// How long the store may take.
const STORE: Duration = Duration::from_secs(2);
/// How long an API server may refuse before it is believed.
const STARTING: Duration = Duration::from_secs(5);
/// How often an API server that is away is asked.
const PAUSE: Duration = Duration::from_millis(500);

/// A workload whose count was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub workload: WorkloadRef,
    /// The count that it had.
    pub from: i32,
    /// The count that it has.
    pub to: i32,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}→{}", self.workload, self.from, self.to)
    }
}

/// A workload that is not back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRestored {
    /// Which.
    pub workload: WorkloadRef,
    /// What it was scaled to and should go back to, where that is known.
    pub counts: Option<(i32, i32)>,
    /// Why not.
    pub why: String,
}

/// What came of putting workloads back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was scaled back.
    pub back: Vec<Moved>,
    /// What was not.
    pub failed: Vec<NotRestored>,
}

impl Report {
    /// Whether everything is back.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty()
    }

    /// `NOT RESTORED mongo 1→0`: what people have to be told first.
    #[must_use]
    pub fn not_restored(&self) -> Option<String> {
        if self.failed.is_empty() {
            return None;
        }
        let shown = |failed: &NotRestored| match failed.counts {
            Some((from, to)) => format!("{} {from}→{to}", failed.workload.name),
            None => failed.workload.name.clone(),
        };
        Some(format!("NOT RESTORED {}", self.failed.iter().map(shown).collect::<Vec<_>>().join(", ")))
    }
}

/// How long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'a> {
    /// Once the process is asked to stop, its grace period counts.
    pub(crate) stop: &'a Stop,
    /// That.
    pub(crate) grace: Duration,
    /// Whether it was tried before.
    pub(crate) again: bool,
}

impl Bounds<'_> {
    fn until(&self, begun: Instant) -> Instant {
        let patience = begun + if self.again { AGAIN } else { PATIENCE };
        match self.stop.now() {
            Some((_, asked)) => asked + self.grace.saturating_sub(RESERVE).max(Duration::from_secs(1)),
            None => patience,
        }
    }
}

/// Puts workloads back, and forgets them in the store.
pub(crate) struct Restorer<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) lock: &'a Lock,
    pub(crate) store: &'a AppStore,
    pub(crate) app: &'a AppName,
}

impl Restorer<'_> {
    /// Puts `workloads`, which stand in the order in which they are scaled up, back. `raised` is what this process has
    /// scaled itself.
    pub(crate) async fn back(
        &self,
        workloads: &[WorkloadRef],
        raised: &[ScaledWorkload],
        bounds: Bounds<'_>,
    ) -> Report {
        let begun = Instant::now();
        let mut known = raised.to_vec();
        known.extend(remembered(self.store).await);
        // what the configuration does not name any more was scaled all the same
        let named = |entry: &&ScaledWorkload| workloads.iter().any(|of| is_of(of, entry));
        let forgotten: Vec<WorkloadRef> = known.iter().filter(|entry| !named(entry)).map(reference).collect();
        let mut report = Report::default();
        let mut open: Vec<&WorkloadRef> = workloads.iter().chain(&forgotten).rev().collect();
        let mut done: Vec<&WorkloadRef> = Vec::new();
        let mut said = false;
        loop {
            let mut failed = Vec::new();
            for of in std::mem::take(&mut open) {
                let left = bounds.until(begun).saturating_duration_since(Instant::now());
                let result = timeout(left.max(PAUSE), self.one(of, &known)).await;
                match result.unwrap_or_else(|_| Err(ClusterError::Unreachable { detail: "no answer in time".into() })) {
                    Ok(restored) => {
                        done.push(of);
                        if let Restored::Back { workload, from, to } = restored {
                            let moved = Moved { workload, from, to };
                            tracing::info!("scaled {moved}");
                            report.back.push(moved);
                            fault::point("cluster: restored");
                        }
                    }
                    Err(error) if may_pass(&error, begun) => {
                        open.push(of);
                        failed.push(not_restored(of, &error, &known));
                        if !said {
                            tracing::warn!("{of} cannot be put back yet: {error}");
                            said = true;
                        }
                    }
                    Err(error) => {
                        tracing::error!("{of} cannot be put back: {error}");
                        report.failed.push(not_restored(of, &error, &known));
                        if matches!(error, ClusterError::LockLost { .. }) {
                            // another process is at work with all of them
                            self.forget(&done).await;
                            return report;
                        }
                    }
                }
            }
            if open.is_empty() || Instant::now() + PAUSE >= bounds.until(begun) {
                report.failed.extend(failed);
                self.forget(&done).await;
                return report;
            }
            sleep(PAUSE).await;
        }
    }

    async fn one(&self, of: &WorkloadRef, known: &[ScaledWorkload]) -> Result<Restored, ClusterError> {
        match self.lock.check().await {
            Ok(()) => {}
            // the lock is not what keeps from putting back: whoever may not renew it loses it to nobody at once
            Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Refused { .. })) => {
                tracing::warn!("the lock could not be confirmed: {error}");
            }
            Err(error) => return Err(error),
        }
        let known = known_of(of, known).map(|entry| (entry.uid.as_str(), record(self.app, entry)));
        self.cluster.restore(of, known.as_ref().map(|(uid, record)| (*uid, record))).await
    }

    /// Takes what is back out of the store.
    async fn forget(&self, done: &[&WorkloadRef]) {
        let is_done = |entry: &ScaledWorkload| done.iter().any(|of| is_of(of, entry));
        let forgotten = self.store.update_scaled(|scaled| {
            let mut workloads = scaled?.workloads;
            workloads.retain(|entry| !is_done(entry));
            Some(Scaled { schema: schema::SCALED.to_owned(), app: self.app.clone(), workloads })
        });
        match timeout(STORE, forgotten).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!("the store could not be told what is back: {error}"),
            Err(_) => tracing::warn!("the store could not be told what is back: no answer"),
        }
        fault::point("cluster: forgotten");
    }
}

/// What the store knows of scaled workloads. What stands on the workloads is enough: a store that is away, or hangs, keeps
/// nobody from putting back.
pub(crate) async fn remembered(store: &AppStore) -> Vec<ScaledWorkload> {
    match timeout(STORE, store.scaled()).await {
        Ok(Ok(scaled)) => return scaled.map(|scaled| scaled.workloads).unwrap_or_default(),
        Ok(Err(error)) => tracing::warn!("what the store knows of scaled workloads cannot be read: {error}"),
        Err(_) => tracing::warn!("what the store knows of scaled workloads cannot be read: no answer"),
    }
    Vec::new()
}

/// Whether an error may be another answer in a moment. A server that has just started refuses for some seconds what it
/// allows afterwards.
fn may_pass(error: &ClusterError, begun: Instant) -> bool {
    let starting = matches!(error, ClusterError::Forbidden { .. } | ClusterError::Refused { .. });
    error.is_passing() || matches!(error, ClusterError::Contended { .. }) || starting && begun.elapsed() < STARTING
}

fn is_of(of: &WorkloadRef, entry: &ScaledWorkload) -> bool {
    (&entry.kind, &entry.name) == (&of.kind, &of.name)
}

fn reference(entry: &ScaledWorkload) -> WorkloadRef {
    let ScaledWorkload { api_version, kind, name, .. } = entry.clone();
    WorkloadRef { api_version, kind, name }
}

/// What is noted of a workload.
pub(super) fn known_of<'a>(of: &WorkloadRef, known: &'a [ScaledWorkload]) -> Option<&'a ScaledWorkload> {
    known.iter().find(|entry| is_of(of, entry))
}

/// A note of the store as a record.
pub(super) fn record(app: &AppName, entry: &ScaledWorkload) -> Record {
    Record { app: app.to_string(), run: entry.run.clone(), found: entry.found, to: entry.to, since: entry.since }
}

fn not_restored(of: &WorkloadRef, error: &ClusterError, known: &[ScaledWorkload]) -> NotRestored {
    let counts = known_of(of, known).map(|entry| (entry.to, entry.found)).filter(|(to, found)| to != found);
    NotRestored { workload: of.clone(), counts, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_back_is_told_by_name_and_counts() {
        let of = |name: &str| WorkloadRef {
            api_version: "apps/v1".to_owned(),
            kind: "StatefulSet".to_owned(),
            name: name.to_owned(),
        };
        let failed = |name: &str, counts| NotRestored { workload: of(name), counts, why: "away".to_owned() };
        let report = Report { back: Vec::new(), failed: vec![failed("web", None), failed("mongo", Some((1, 0)))] };
        assert_eq!(report.not_restored().as_deref(), Some("NOT RESTORED web, mongo 1→0"));
        assert_eq!(Report::default().not_restored(), None);
        let moved = Moved { workload: of("mongo"), from: 0, to: 1 };
        assert_eq!(moved.to_string(), "StatefulSet mongo 0→1");
    }
}
