//! `restore`: puts back what another process scaled up and could not put back itself. It needs no database and no store:
//! what stands on the workloads is enough.

use std::time::Duration;

use taster_cluster::{Busy, Cluster, ClusterError, LEASE, Lock, LockRequest, OwnJob, WorkloadRef};
use taster_config::{ClusterSection, Config};
use taster_diagnostics::CliError;
use taster_model::RunId;
use taster_store::{Store, fault};
use tokio::time::timeout;

use super::{
    FlowError, Report,
    cluster::{self, Bounds, Restorer, patiently},
    run_id,
    stop::{Stop, Until},
};

/// How long an API server may be away.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long giving back the lock may take.
const RELEASE: Duration = Duration::from_secs(3);

/// What is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restoring {
    /// Everything: the sync failed.
    Everything,
    /// What stands for longer than `cluster.maxUp`, if nobody is at work.
    Abandoned,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restoration {
    /// This was put back; nothing where nothing stood scaled.
    Done(Report),
    /// Another process is at work: who.
    InUse(String),
}

/// Puts back.
pub async fn restore(config: &Config, given: Option<&RunId>, what: Restoring) -> Result<Restoration, CliError> {
    let Some(section) = &config.cluster else { return Err(FlowError::NoCluster.into()) };
    let stop = Stop::on_signals();
    let store = Store::at(config.settings()).await?.app(&config.app);
    let cluster = cluster::connect(config).await?;
    // it only says how much time there is
    let job = match patiently(PATIENCE, async || cluster.own_job().await).await {
        Ok(job) => job,
        Err(error) => {
            tracing::warn!("the own Job cannot be read: {error}");
            None
        }
    };
    if let Some(OwnJob { name, left: Some(left), .. }) = job.clone() {
        stop.at_the_end(left, name);
    }
    let until = Until::While("the lock was waited for; nothing was put back");
    let workloads: Vec<WorkloadRef> = section.workloads().into_iter().map(|workload| workload.of).collect();
    if what == Restoring::Abandoned && abandoned(&cluster, &store, section, &workloads).await?.is_empty() {
        return Ok(Restoration::Done(Report::default()));
    }
    let request = LockRequest {
        run: run_id::named(given, &super::hook_names()),
        what: "restore",
        busy: match what {
            Restoring::Everything => Busy::TakeOver(section.lock.patience()),
            // a holder that is dead is seen to be so within its lease
            Restoring::Abandoned => Busy::Wait(LEASE + Duration::from_secs(5)),
        },
        lease: LEASE,
    };
    let say = |text: &str| tracing::info!("{text}");
    let locking = async { Ok(patiently(PATIENCE, async || cluster.lock(request.clone(), &say).await).await) };
    let lock = match stop.unless(until, locking).await? {
        Ok(lock) => lock,
        Err(ClusterError::Locked { holder, .. }) if what == Restoring::Abandoned => {
            return Ok(Restoration::InUse(holder));
        }
        Err(error) => return Err(error.into()),
    };
    fault::arm();
    taster_cluster::on_step(fault::point);
    fault::point("restore: locked");
    let workloads = match what {
        Restoring::Everything => Ok(workloads),
        // whoever held the lock may have been at work with them
        Restoring::Abandoned => abandoned(&cluster, &store, section, &workloads).await,
    };
    let report = match workloads {
        Ok(workloads) => {
            let restorer = Restorer { cluster: &cluster, lock: &lock, store: &store, app: &config.app };
            let grace = job.map_or(Duration::from_secs(30), |job| job.grace);
            Ok(restorer.back(&workloads, &[], Bounds { stop: &stop, grace, again: false }).await)
        }
        Err(problem) => Err(problem),
    };
    release(lock).await;
    let report = report?;
    cluster::say_restored(&cluster, &report).await;
    if report.is_whole() {
        return Ok(Restoration::Done(report));
    }
    let why: Vec<String> = report.failed.iter().map(|failed| format!("{}: {}", failed.workload, failed.why)).collect();
    let count = taster_text::counted(report.failed.len() as u64, "workload");
    let problem: CliError = FlowError::NotRestored { count, why: why.join("; ") }.into();
    Err(problem.with_lead(report.not_restored()))
}

async fn release(lock: Lock) {
    match timeout(RELEASE, lock.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("the lock could not be given back: {error}"),
        Err(_) => tracing::warn!("the lock could not be given back in time"),
    }
}

/// The workloads that stand scaled up for longer than they may, by the API server's clock.
async fn abandoned(
    cluster: &Cluster,
    store: &taster_store::AppStore,
    section: &ClusterSection,
    workloads: &[WorkloadRef],
) -> Result<Vec<WorkloadRef>, CliError> {
    let now = patiently(PATIENCE, async || cluster.now().await).await?;
    let known = cluster::remembered(store).await;
    let mut old = Vec::new();
    for of in workloads {
        let recorded = match patiently(PATIENCE, async || cluster.recorded(of).await).await {
            Ok(recorded) => recorded,
            Err(error) if error.is_passing() => return Err(error.into()),
            // one that cannot be told hides none of the others
            Err(error) => {
                tracing::error!("{of}: {error}");
                continue;
            }
        };
        let noted = known.iter().find(|entry| (&entry.kind, &entry.name) == (&of.kind, &of.name));
        let since = recorded.map(|record| record.since).or_else(|| noted.map(|entry| entry.since));
        let Some(since) = since else { continue };
        let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        if age > section.max_up.get() {
            tracing::info!("{of} stands scaled up for {}", taster_text::duration(age));
            old.push(of.clone());
        }
    }
    Ok(old)
}
