//! `restore`: restores workloads that another process scaled up and could not restore. It needs no database, and the store
//! may be unreachable: the records on the workloads are enough.

use std::time::Duration;

use taster_cluster::{Cluster, ClusterError, LEASE_DURATION, Lock, LockRequest, OwnJob, WhenLocked, WorkloadRef};
use taster_config::{ClusterSection, Config};
use taster_diagnostics::CliError;
use taster_model::RunId;
use taster_store::{AppStore, Store, fault};
use tracing::{Instrument, field};

use crate::{
    cluster::{
        self, RestoreAttempt, RestoreLimits, RestoreReport, WorkloadRestorer, release_lock, retry_while_unreachable,
    },
    error::FlowError,
    run_id,
    shutdown::{Shutdown, StopPoint},
};

/// How long to retry while the API server is unreachable.
const API_TIMEOUT: Duration = Duration::from_mins(2);
/// How long releasing the lock may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);
/// The grace period of a pod where the Job does not say.
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(30);
/// A stop before the lock is held.
const BEFORE_LOCK: StopPoint = StopPoint::During("waiting for the lock; nothing was restored");

/// Which workloads are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreScope {
    /// All of them: the sync failed.
    Everything,
    /// Those that are scaled up for longer than `cluster.abandonedAfter`, unless another process holds the lock.
    Abandoned,
}

/// The result of `restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// These workloads were restored; none where nothing was scaled up.
    Done(RestoreReport),
    /// Another process holds the lock: its name.
    InUse(String),
}

/// Restores workloads. Fails with a [`FlowError::NotRestored`] if one of them was not restored.
pub async fn restore(config: &Config, given: Option<&RunId>, scope: RestoreScope) -> Result<RestoreOutcome, CliError> {
    let Some(section) = &config.cluster else { return Err(FlowError::NoCluster.into()) };
    let run = run_id::from_flag_or_hook(given, &run_id::hook_names());
    let span = tracing::info_span!("run", app = %config.app, run = field::Empty, side = "restore");
    if let Some(run) = &run {
        span.record("run", field::display(run));
    }
    restore_section(config, section, run, scope).instrument(span).await
}

async fn restore_section(
    config: &Config,
    section: &ClusterSection,
    run: Option<RunId>,
    scope: RestoreScope,
) -> Result<RestoreOutcome, CliError> {
    let shutdown = Shutdown::on_signals();
    let store = Store::open_unverified(config.store_settings()).await?.app(&config.app);
    let cluster = cluster::connect(config).await?;
    let job = own_job(&cluster).await;
    if let Some(OwnJob { name, time_left: Some(left), .. }) = job.clone() {
        shutdown.request_after(left, name);
    }
    let search = Search { cluster: &cluster, store: &store, section };
    if scope == RestoreScope::Abandoned && search.abandoned().await?.is_empty() {
        return Ok(RestoreOutcome::Done(RestoreReport::default()));
    }
    let lock = match take_lock(&cluster, section, run, scope, &shutdown).await? {
        Locking::Held(lock) => lock,
        Locking::InUse(holder) => return Ok(RestoreOutcome::InUse(holder)),
    };
    fault::arm();
    taster_cluster::on_step(fault::point);
    fault::point("restore: locked");
    let workloads = match scope {
        RestoreScope::Everything => Ok(search.configured()),
        // read again: the process that held the lock may have restored some of them
        RestoreScope::Abandoned => search.abandoned().await,
    };
    let report = match workloads {
        Ok(workloads) => {
            let restorer = WorkloadRestorer { cluster: &cluster, lock: &lock, store: &store, app: &config.app };
            let grace_period = job.map_or(DEFAULT_GRACE_PERIOD, |job| job.grace_period);
            let limits = RestoreLimits { shutdown: &shutdown, grace_period, attempt: RestoreAttempt::First };
            Ok(restorer.restore_all(&workloads, &[], limits).await)
        }
        Err(error) => Err(error),
    };
    release_lock(lock, RELEASE_TIMEOUT).await;
    let report = report?;
    cluster::publish_restored(&cluster, &report).await;
    if report.is_complete() { Ok(RestoreOutcome::Done(report)) } else { Err(not_restored(&report)) }
}

/// The Job that this process runs in. It only says how much time is left.
async fn own_job(cluster: &Cluster) -> Option<OwnJob> {
    match retry_while_unreachable(API_TIMEOUT, async || cluster.own_job().await).await {
        Ok(job) => job,
        Err(error) => {
            tracing::warn!(%error, "cannot read the Job of this pod");
            None
        }
    }
}

/// The result of taking the lock.
enum Locking {
    Held(Lock),
    /// Another process holds it, and it is at work.
    InUse(String),
}

async fn take_lock(
    cluster: &Cluster,
    section: &ClusterSection,
    run: Option<RunId>,
    scope: RestoreScope,
    shutdown: &Shutdown,
) -> Result<Locking, CliError> {
    let request = LockRequest {
        run,
        command: "restore",
        when_locked: match scope {
            RestoreScope::Everything => WhenLocked::TakeOver(section.lock.wait_timeout()),
            // long enough to see that a holder has died: its Lease expires
            RestoreScope::Abandoned => WhenLocked::Wait(LEASE_DURATION + Duration::from_secs(5)),
        },
        lease_duration: LEASE_DURATION,
    };
    let log = |holder: &str| tracing::info!(%holder, "waiting for the lock");
    let locking = async || cluster.acquire_lock(request.clone(), &log).await;
    let locking = async { Ok(retry_while_unreachable(API_TIMEOUT, locking).await) };
    match shutdown.run_until(BEFORE_LOCK, locking).await? {
        Ok(lock) => Ok(Locking::Held(lock)),
        Err(ClusterError::Locked { holder, .. }) if scope == RestoreScope::Abandoned => Ok(Locking::InUse(holder)),
        Err(error) => Err(error.into()),
    }
}

fn not_restored(report: &RestoreReport) -> CliError {
    let why: Vec<String> = report.failed.iter().map(|failed| format!("{}: {}", failed.workload, failed.why)).collect();
    let count = taster_text::counted(report.failed.len() as u64, "workload");
    let error: CliError = FlowError::NotRestored { count, why: why.join("; ") }.into();
    error.with_lead(report.not_restored())
}

/// Finds the workloads to restore.
struct Search<'a> {
    cluster: &'a Cluster,
    store: &'a AppStore,
    section: &'a ClusterSection,
}

impl Search<'_> {
    fn configured(&self) -> Vec<WorkloadRef> {
        self.section.workloads().into_iter().map(|workload| workload.reference).collect()
    }

    /// The workloads that are scaled up for longer than `cluster.abandonedAfter`, by the API server's clock.
    async fn abandoned(&self) -> Result<Vec<WorkloadRef>, CliError> {
        let cluster = self.cluster;
        let now = retry_while_unreachable(API_TIMEOUT, async || cluster.server_time().await).await?;
        let stored = cluster::stored_workloads(self.store).await;
        let mut abandoned = Vec::new();
        for workload in self.configured() {
            let recorded =
                match retry_while_unreachable(API_TIMEOUT, async || cluster.scale_record(&workload).await).await {
                    Ok(recorded) => recorded,
                    Err(error) if error.is_transient() => return Err(error.into()),
                    // a workload whose record is unreadable must not hide the others
                    Err(error) => {
                        tracing::error!(%workload, %error, "cannot read the record of a scaled workload");
                        continue;
                    }
                };
            let entry = stored.iter().find(|entry| (&entry.kind, &entry.name) == (&workload.kind, &workload.name));
            let since = recorded.map(|record| record.since).or_else(|| entry.map(|entry| entry.since));
            let Some(since) = since else { continue };
            let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
            if age > self.section.abandoned_after.get() {
                tracing::info!(%workload, age_s = age.as_secs(), "scaled up for longer than cluster.abandonedAfter");
                abandoned.push(workload);
            }
        }
        Ok(abandoned)
    }
}
