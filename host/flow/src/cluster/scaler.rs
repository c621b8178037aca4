//! [`Scaler`]: holds the lock of an app, knows the workloads of one flow, and restores them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use taster_cluster::{
    Cluster, ClusterError, InspectedWorkload, LEASE_DURATION, Lock, LockRequest, OwnJob, ScaleRecord, WorkloadRef,
};
use taster_config::ClusterSection;
use taster_diagnostics::CliError;
use taster_model::{RunId, ScaledWorkload};
use taster_store::fault;
use tokio::time::timeout;

use super::{
    api::{connect, retry_while_unreachable},
    report::{ReplicaChange, RestoreReport},
    restore::{RestoreAttempt, RestoreLimits, WorkloadRestorer},
};
use crate::{context::FlowContext, error::FlowError, shutdown::StopReason, timing::Phase};

/// How long to retry while the API server is unreachable and nothing is scaled yet.
pub(super) const API_TIMEOUT: Duration = Duration::from_secs(30);
/// The grace period of a pod where the Job does not say.
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(30);

/// A workload that this process has scaled.
#[derive(Debug, Clone)]
pub(super) struct ScaledUp {
    pub(super) workload: WorkloadRef,
    pub(super) uid: String,
    /// The replica count before.
    pub(super) replicas_before: i32,
    pub(super) record: ScaleRecord,
}

impl ScaledUp {
    pub(super) fn change(&self) -> ReplicaChange {
        ReplicaChange { workload: self.workload.clone(), from: self.replicas_before, to: self.record.target }
    }

    /// The entry for the store.
    fn stored(&self) -> ScaledWorkload {
        let WorkloadRef { api_version, kind, name } = self.workload.clone();
        let ScaleRecord { original, target, run, since, .. } = self.record.clone();
        ScaledWorkload { api_version, kind, name, uid: self.uid.clone(), found: original, to: target, run, since }
    }
}

/// Scales the workloads of one flow up, and knows what to restore. It holds the lock of the app.
pub(crate) struct Scaler<'a> {
    pub(super) context: &'a FlowContext,
    pub(super) section: &'a ClusterSection,
    pub(crate) cluster: Cluster,
    pub(super) lock: Lock,
    pub(super) job: Option<OwnJob>,
    state: Mutex<ScalerState>,
}

/// What was found and done so far.
#[derive(Default)]
pub(super) struct ScalerState {
    pub(super) found: Vec<InspectedWorkload>,
    pub(super) scaled_up: Vec<ScaledUp>,
    pub(super) restored: Option<RestoreReport>,
    /// Whether a capture is committed, or about to be.
    pub(super) committed: bool,
    /// Until when the database must answer, and the setting of that limit.
    pub(super) ready_until: Option<(Instant, String)>,
}

impl<'a> Scaler<'a> {
    /// Connects to the cluster and takes the lock.
    pub(super) async fn connect_and_lock(
        context: &'a FlowContext,
        section: &'a ClusterSection,
        command: &'static str,
        run: Option<&RunId>,
    ) -> Result<Self, CliError> {
        let cluster = connect(&context.config).await?;
        let job = retry_while_unreachable(API_TIMEOUT, async || cluster.own_job().await).await?;
        if let Some(OwnJob { name, time_left: Some(left), .. }) = job.clone() {
            // from here on: taking the lock may take long
            context.shutdown.request_after(left, name);
        }
        let request = LockRequest {
            run: run.cloned(),
            command,
            when_locked: section.lock.when_locked(),
            lease_duration: LEASE_DURATION,
        };
        let log = |holder: &str| tracing::info!(%holder, "waiting for the lock");
        let locking = retry_while_unreachable(API_TIMEOUT, async || cluster.acquire_lock(request.clone(), &log).await);
        let lock = context.timer.time(Phase::Cluster, locking).await?;
        tracing::info!(app = %context.config.app, namespace = cluster.namespace(), "holds the lock");
        fault::arm();
        taster_cluster::on_step(fault::point);
        fault::point("cluster: locked");
        Ok(Self { context, section, cluster, lock, job, state: Mutex::new(ScalerState::default()) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ScalerState> {
        // after a panic the state still says what was done
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the lock is lost.
    pub(super) async fn lock_lost(&self) -> StopReason {
        match self.lock.lost().await {
            ClusterError::LockLost { lease, holder } => StopReason::LockLost { lease, holder },
            other => StopReason::LockLost { lease: String::new(), holder: other.to_string() },
        }
    }

    /// The error for configured workloads of which none exists, although they existed before.
    pub(crate) fn all_absent(&self) -> FlowError {
        let absent: Vec<String> =
            self.section.workloads().iter().map(|workload| workload.reference.to_string()).collect();
        FlowError::AllAbsent { absent: absent.join(", "), namespace: self.cluster.namespace().to_owned() }
    }

    /// Makes sure before a commit that no other process has taken the lock. While the API server is unreachable, no process
    /// can take it.
    pub(crate) async fn confirm_lock(&self) -> Result<(), CliError> {
        match self.lock.confirm().await {
            Err(error) if error.is_transient() => {}
            result => result?,
        }
        self.state().committed = true;
        Ok(())
    }

    /// Restores every workload. Idempotent: workloads that are restored already are left alone.
    pub(crate) async fn restore(&self) -> RestoreReport {
        let earlier = self.state().restored.clone();
        if let Some(earlier) = earlier.as_ref().filter(|report| report.is_complete()) {
            return earlier.clone();
        }
        let restorer = WorkloadRestorer {
            cluster: &self.cluster,
            lock: &self.lock,
            store: &self.context.store,
            app: &self.context.config.app,
        };
        let limits = RestoreLimits {
            shutdown: &self.context.shutdown,
            grace_period: self.job.as_ref().map_or(DEFAULT_GRACE_PERIOD, |job| job.grace_period),
            attempt: if earlier.is_some() { RestoreAttempt::Repeated } else { RestoreAttempt::First },
        };
        let workloads: Vec<_> = self.section.workloads().into_iter().map(|workload| workload.reference).collect();
        let scaled_up: Vec<_> = self.state().scaled_up.iter().map(ScaledUp::stored).collect();
        let mut report = restorer.restore_all(&workloads, &scaled_up, limits).await;
        if let Some(earlier) = earlier {
            report.restored.splice(0..0, earlier.restored);
        }
        self.state().restored = Some(report.clone());
        report
    }

    /// The parts that are needed to report the result after the lock is released.
    pub(super) fn into_parts(self) -> (Cluster, Lock, Option<OwnJob>) {
        (self.cluster, self.lock, self.job)
    }
}

/// Releases the lock. A Lease that is not released expires.
pub(crate) async fn release_lock(lock: Lock, limit: Duration) {
    match timeout(limit, lock.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "cannot release the lock"),
        Err(_) => tracing::warn!(limit_s = limit.as_secs(), "cannot release the lock in time"),
    }
}
