//! Restoring the original replica counts, in reverse order, with retries for as long as there is time.

use std::time::{Duration, Instant};

use taster_cluster::{Cluster, ClusterError, Lock, RestoreOutcome, ScaleRecord, StoredRecord, WorkloadRef};
use taster_model::{AppName, ScaledState, ScaledWorkload, schema};
use taster_retry::RetryPolicy;
use taster_store::{AppStore, fault};
use tokio::time::timeout;

use super::report::{NotRestored, ReplicaChange, RestoreReport};
use crate::shutdown::Shutdown;

/// How long to retry the first time.
const FIRST_TIMEOUT: Duration = Duration::from_mins(2);
/// How long to retry when an earlier restore did not finish.
const REPEATED_TIMEOUT: Duration = Duration::from_secs(10);
/// The part of the grace period that is kept for the exit code and the Events.
const GRACE_RESERVE: Duration = Duration::from_secs(4);
/// How long a request to the store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an API server that has just started may refuse requests that it allows later.
const STARTUP_GRACE: Duration = Duration::from_secs(5);
/// The longest pause between two attempts, and the shortest time that an attempt gets.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether the same process has tried to restore before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestoreAttempt {
    /// It has not.
    First,
    /// It has, and some workloads were not restored.
    Repeated,
}

/// How long restoring may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RestoreLimits<'a> {
    /// Once a stop is requested, the grace period counts.
    pub(crate) shutdown: &'a Shutdown,
    /// The grace period of the pod.
    pub(crate) grace_period: Duration,
    /// Without a stop, this decides.
    pub(crate) attempt: RestoreAttempt,
}

impl RestoreLimits<'_> {
    fn deadline(&self, started: Instant) -> Instant {
        match (self.shutdown.reason(), self.attempt) {
            (Some((_, requested)), _) => {
                requested + self.grace_period.saturating_sub(GRACE_RESERVE).max(Duration::from_secs(1))
            }
            (None, RestoreAttempt::First) => started + FIRST_TIMEOUT,
            (None, RestoreAttempt::Repeated) => started + REPEATED_TIMEOUT,
        }
    }
}

/// Restores workloads and removes them from the store.
pub(crate) struct WorkloadRestorer<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) lock: &'a Lock,
    pub(crate) store: &'a AppStore,
    pub(crate) app: &'a AppName,
}

/// The state of one [`WorkloadRestorer::restore_all`].
struct Progress<'a> {
    started: Instant,
    /// What the store and this process know of scaled workloads.
    known: &'a [ScaledWorkload],
    /// Workloads that are still to be restored, in this order.
    open: Vec<&'a WorkloadRef>,
    /// Workloads that need no further attempt.
    done: Vec<&'a WorkloadRef>,
    report: RestoreReport,
    warned: bool,
}

impl WorkloadRestorer<'_> {
    /// Restores `workloads`, which are given in the order in which they are scaled up. `scaled_up` is what this process has
    /// scaled itself.
    pub(crate) async fn restore_all(
        &self,
        workloads: &[WorkloadRef],
        scaled_up: &[ScaledWorkload],
        limits: RestoreLimits<'_>,
    ) -> RestoreReport {
        let mut known = scaled_up.to_vec();
        known.extend(stored_workloads(self.store).await);
        // also restore scaled workloads that the configuration does not name any more
        let is_configured = |entry: &&ScaledWorkload| workloads.iter().any(|workload| is_entry_of(workload, entry));
        let unconfigured: Vec<WorkloadRef> =
            known.iter().filter(|entry| !is_configured(entry)).map(reference).collect();
        let mut progress = Progress {
            started: Instant::now(),
            known: &known,
            open: workloads.iter().chain(&unconfigured).rev().collect(),
            done: Vec::new(),
            report: RestoreReport::default(),
            warned: false,
        };
        let mut backoff = RetryPolicy::constant(PAUSE).start();
        loop {
            let Round::Open(failed) = self.restore_open(&mut progress, limits).await else { break };
            let deadline = limits.deadline(progress.started);
            backoff.set_deadline(deadline);
            let is_last = progress.open.is_empty() || Instant::now() + PAUSE >= deadline;
            if is_last || backoff.wait(PAUSE / 2).await.is_err() {
                progress.report.failed.extend(failed);
                break;
            }
        }
        self.remove_from_store(&progress.done).await;
        progress.report
    }

    /// Tries each open workload once.
    async fn restore_open(&self, progress: &mut Progress<'_>, limits: RestoreLimits<'_>) -> Round {
        let mut failed = Vec::new();
        for workload in std::mem::take(&mut progress.open) {
            let left = limits.deadline(progress.started).saturating_duration_since(Instant::now());
            let result = timeout(left.max(PAUSE), self.restore_one(workload, progress.known)).await;
            match result.unwrap_or_else(|_| Err(ClusterError::Unreachable { detail: "no answer in time".into() })) {
                Ok(restored) => {
                    progress.done.push(workload);
                    if let RestoreOutcome::Restored { workload, from, to } = restored {
                        let change = ReplicaChange { workload, from, to };
                        tracing::info!(workload = %change.workload, from, to, "scaled a workload");
                        progress.report.restored.push(change);
                        fault::point("cluster: restored");
                    }
                }
                Err(error) if is_retryable(&error, progress.started) => {
                    progress.open.push(workload);
                    failed.push(not_restored(workload, &error, progress.known));
                    if !std::mem::replace(&mut progress.warned, true) {
                        tracing::warn!(%workload, %error, "cannot restore a workload yet; retrying");
                    }
                }
                Err(error) => {
                    tracing::error!(%workload, %error, "cannot restore a workload");
                    progress.report.failed.push(not_restored(workload, &error, progress.known));
                    if matches!(error, ClusterError::LockLost { .. }) {
                        return Round::LockLost;
                    }
                }
            }
        }
        Round::Open(failed)
    }

    async fn restore_one(
        &self,
        workload: &WorkloadRef,
        known: &[ScaledWorkload],
    ) -> Result<RestoreOutcome, ClusterError> {
        match self.lock.confirm().await {
            Ok(()) => {}
            // a process that may not renew the lock does not lose it to another one at once
            Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Rejected { .. })) => {
                tracing::warn!(%error, "cannot confirm the lock");
            }
            Err(error) => return Err(error),
        }
        let known = stored_entry(workload, known).map(|entry| (entry.uid.as_str(), record(self.app, entry)));
        let stored = known.as_ref().map(|(uid, record)| StoredRecord { uid, record });
        self.cluster.restore_workload(workload, stored).await
    }

    async fn remove_from_store(&self, done: &[&WorkloadRef]) {
        let is_done = |entry: &ScaledWorkload| done.iter().any(|workload| is_entry_of(workload, entry));
        let removing = self.store.update_scaled(|scaled| {
            let mut workloads = scaled?.workloads;
            workloads.retain(|entry| !is_done(entry));
            Some(ScaledState { schema: schema::SCALED.to_owned(), app: self.app.clone(), workloads })
        });
        match timeout(STORE_TIMEOUT, removing).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot remove restored workloads from the store"),
            Err(_) => tracing::warn!(
                limit_s = STORE_TIMEOUT.as_secs(),
                "cannot remove restored workloads from the store in time"
            ),
        }
        fault::point("cluster: forgotten");
    }
}

/// The result of one attempt at every open workload.
enum Round {
    /// These failed with an error that may pass; they are open again.
    Open(Vec<NotRestored>),
    /// Another process is at work with the workloads.
    LockLost,
}

/// The scaled workloads that the store knows. The records on the workloads are enough: a store that is unreachable or slow
/// does not prevent restoring.
pub(crate) async fn stored_workloads(store: &AppStore) -> Vec<ScaledWorkload> {
    match timeout(STORE_TIMEOUT, store.scaled()).await {
        Ok(Ok(scaled)) => return scaled.map(|scaled| scaled.workloads).unwrap_or_default(),
        Ok(Err(error)) => tracing::warn!(%error, "cannot read the scaled workloads in the store"),
        Err(_) => {
            tracing::warn!(limit_s = STORE_TIMEOUT.as_secs(), "cannot read the scaled workloads in the store in time");
        }
    }
    Vec::new()
}

/// Whether another attempt may succeed.
fn is_retryable(error: &ClusterError, started: Instant) -> bool {
    let is_starting = matches!(error, ClusterError::Forbidden { .. } | ClusterError::Rejected { .. });
    error.is_transient()
        || matches!(error, ClusterError::Conflict { .. })
        || is_starting && started.elapsed() < STARTUP_GRACE
}

fn is_entry_of(workload: &WorkloadRef, entry: &ScaledWorkload) -> bool {
    (&entry.kind, &entry.name) == (&workload.kind, &workload.name)
}

fn reference(entry: &ScaledWorkload) -> WorkloadRef {
    let ScaledWorkload { api_version, kind, name, .. } = entry.clone();
    WorkloadRef { api_version, kind, name }
}

/// The entry of a workload, if there is one.
pub(super) fn stored_entry<'a>(workload: &WorkloadRef, known: &'a [ScaledWorkload]) -> Option<&'a ScaledWorkload> {
    known.iter().find(|entry| is_entry_of(workload, entry))
}

/// An entry of the store as the record that a workload carries.
pub(super) fn record(app: &AppName, entry: &ScaledWorkload) -> ScaleRecord {
    ScaleRecord {
        app: app.to_string(),
        run: entry.run.clone(),
        original: entry.found,
        target: entry.to,
        since: entry.since,
    }
}

fn not_restored(workload: &WorkloadRef, error: &ClusterError, known: &[ScaledWorkload]) -> NotRestored {
    let counts = stored_entry(workload, known).map(|entry| (entry.to, entry.found)).filter(|(to, found)| to != found);
    NotRestored { workload: workload.clone(), counts, why: error.to_string() }
}
