//! The workloads are up while Taster tastes, and back afterwards, on every way out: success, failure, panic, a signal, the
//! Job's deadline. Only whoever loses the lock leaves everything as it is, for then another process is at work.

mod api;
mod facts;
mod restore;
mod say;
mod up;

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use taster_cluster::{Cluster, ClusterError, Found, LEASE, Lock, LockRequest, OwnJob};
use taster_model::RunId;
use taster_store::{Store, fault};
use tokio::time::timeout;

pub(super) use api::{connect, patiently};
pub(super) use facts::Surroundings;
pub(super) use restore::{Bounds, Restorer, remembered};
pub use restore::{Moved, NotRestored, Report};
pub(super) use say::restored as say_restored;
pub(super) use up::{Look, Versions};

use super::{
    FlowError, Kitchen,
    pace::For,
    stop::{Reason, Until},
};
use taster_config::ClusterSection;
use taster_diagnostics::CliError;

/// The code of a lock that was lost, whoever noticed.
const LOST: &str = "T0713";
/// How long work may take to end by itself once it was asked to: to close its connection.
const CLOSING: Duration = Duration::from_secs(3);
/// The same where nothing waits to be put back.
const CLOSING_ALONE: Duration = Duration::from_secs(12);
/// How long giving back the lock may take, and then saying what came of it.
const UNHURRIED: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(20));
/// The same in a process that is asked to stop.
const LAST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));
/// How long an API server may be away before anything was changed.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a stop means once a capture is committed.
const LATE: Until = Until::While("it ended; the capture stands");
/// What a pod is given to end in, where nobody says otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// What came of a flow, with what was scaled for it.
#[derive(Debug)]
pub struct Ended<T> {
    /// What came of it.
    pub value: T,
    /// What was scaled up.
    pub up: Vec<Moved>,
    /// What came of putting it back; `None` where it was left up.
    pub back: Option<Report>,
}

impl<T> Ended<T> {
    /// What is not back, as people are told first.
    #[must_use]
    pub fn not_restored(&self) -> Option<String> {
        self.back.as_ref().and_then(Report::not_restored)
    }
}

/// What becomes of the workloads when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The sync needs them.
    Up,
    /// Nobody does.
    Back,
}

/// Who comes in, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// `pre`, `post`.
    pub(super) what: &'static str,
    /// The run, where it is known before the store is read.
    pub(super) run: Option<&'a RunId>,
    /// What a stop means.
    pub(super) until: Until,
}

/// Scales the workloads of one process up, and knows what to put back.
pub(super) struct Scaler<'a> {
    kitchen: &'a Kitchen,
    section: &'a ClusterSection,
    pub(super) cluster: Cluster,
    lock: Lock,
    job: Option<OwnJob>,
    seen: Mutex<Seen>,
}

/// What was found and done so far.
#[derive(Default)]
struct Seen {
    found: Vec<Found>,
    up: Vec<up::Raised>,
    back: Option<Report>,
    /// Whether something is committed, or about to be.
    committed: bool,
    /// Until when the database may take to answer.
    ready_until: Option<(Instant, String)>,
}

/// Does the work with the lock held, and puts back what was scaled, whatever came of it. Without a `cluster` in the
/// configuration the work gets no scaler, and no cluster is touched.
pub(super) async fn within<'a, T>(
    kitchen: &'a Kitchen,
    entry: Entry<'_>,
    work: impl AsyncFnOnce(Option<&Scaler<'a>>) -> Result<T, CliError>,
    after: impl Fn(&T) -> After,
) -> Result<Ended<T>, CliError> {
    let stop = &kitchen.stop;
    let Some(section) = &kitchen.config.cluster else {
        let mut work = pin!(work(None));
        let value = tokio::select! {
            done = &mut work => done,
            reason = stop.asked() => match timeout(CLOSING_ALONE, &mut work).await {
                Ok(done) => done,
                Err(_) => Err(reason.problem(entry.until)),
            },
        };
        return Ok(Ended { value: value?, up: Vec::new(), back: None });
    };
    let scaler = stop.unless(entry.until, Box::pin(Scaler::enter(kitchen, section, entry))).await?;
    let (value, lost) = {
        let work = async {
            // the store is needed to the end; a hook whose store is gone still puts back what stands scaled
            Store::open(kitchen.config.settings()).await?;
            work(Some(&scaler)).await
        };
        let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
        let reason = tokio::select! {
            done = &mut work => Ok(done),
            reason = stop.asked() => Err(reason),
            reason = scaler.over() => {
                stop.ask(reason.clone());
                Err(reason)
            }
        };
        let done = match reason {
            Ok(done) => done,
            Err(reason) => match timeout(CLOSING, &mut work).await {
                Ok(done) => done,
                Err(_) if scaler.seen().committed => Ok(Err(reason.problem(LATE))),
                Err(_) => Ok(Err(reason.problem(entry.until))),
            },
        };
        let value = done.unwrap_or_else(|panic| Err(FlowError::Panicked { message: message_of(&*panic) }.into()));
        let lost = matches!(stop.now(), Some((Reason::LockLost { .. }, _)))
            || value.as_ref().is_err_and(|problem| problem.code() == LOST);
        (value, lost)
    };
    // a sync that is terminated as its hook ends comes to no other hook that would put back
    let value = match (value, stop.now()) {
        (Ok(value), Some((reason @ (Reason::Signal(_) | Reason::Deadline { .. }), _)))
            if after(&value) == After::Up =>
        {
            Err(reason.problem(LATE))
        }
        (value, _) => value,
    };
    let back = match value.as_ref().map(&after) {
        _ if lost => After::Up,
        Ok(after) => after,
        Err(_) => After::Back,
    };
    let report = match back {
        After::Up => None,
        After::Back => Some(Box::pin(scaler.restore()).await),
    };
    let result = Box::pin(scaler.leave(value, report)).await;
    fault::point("cluster: left");
    result
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

impl<'a> Scaler<'a> {
    /// Connects and takes the lock.
    async fn enter(kitchen: &'a Kitchen, section: &'a ClusterSection, entry: Entry<'_>) -> Result<Self, CliError> {
        let cluster = connect(&kitchen.config).await?;
        let job = patiently(PATIENCE, async || cluster.own_job().await).await?;
        if let Some(OwnJob { name, left: Some(left), .. }) = job.clone() {
            // from here on: the lock may take long to get
            kitchen.stop.at_the_end(left, name);
        }
        let request =
            LockRequest { run: entry.run.cloned(), what: entry.what, busy: section.lock.busy(), lease: LEASE };
        let say = |text: &str| tracing::info!("{text}");
        let locking = patiently(PATIENCE, async || cluster.lock(request.clone(), &say).await);
        let lock = kitchen.pace.of(For::Cluster, locking).await?;
        tracing::info!(namespace = cluster.namespace(), "holds the lock of {}", kitchen.config.app);
        fault::arm();
        taster_cluster::on_step(fault::point);
        fault::point("cluster: locked");
        Ok(Self { kitchen, section, cluster, lock, job, seen: Mutex::new(Seen::default()) })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // what a panic left behind is still what was done
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the lock is lost.
    async fn over(&self) -> Reason {
        match self.lock.lost().await {
            ClusterError::LockLost { lease, holder } => Reason::LockLost { lease, holder },
            other => Reason::LockLost { lease: String::new(), holder: other.to_string() },
        }
    }

    /// Puts everything back. What is back already is left alone.
    pub(super) async fn restore(&self) -> Report {
        let earlier = self.seen().back.clone();
        if let Some(earlier) = earlier.as_ref().filter(|report| report.is_whole()) {
            return earlier.clone();
        }
        let restorer = Restorer {
            cluster: &self.cluster,
            lock: &self.lock,
            store: &self.kitchen.store,
            app: &self.kitchen.config.app,
        };
        let grace = self.job.as_ref().map_or(GRACE, |job| job.grace);
        let bounds = Bounds { stop: &self.kitchen.stop, grace, again: earlier.is_some() };
        let workloads: Vec<_> = self.section.workloads().into_iter().map(|workload| workload.of).collect();
        let raised: Vec<_> = self.seen().up.iter().map(up::Raised::entry).collect();
        let mut report = restorer.back(&workloads, &raised, bounds).await;
        if let Some(earlier) = earlier {
            report.back.splice(0..0, earlier.back);
        }
        self.seen().back = Some(report.clone());
        report
    }

    /// Gives the lock back, says what came of it, and hands it on.
    async fn leave<T>(self, value: Result<T, CliError>, report: Option<Report>) -> Result<Ended<T>, CliError> {
        let up = self.seen().up.iter().map(up::Raised::moved).collect();
        let Self { cluster, lock, job, kitchen, .. } = self;
        // the last seconds of a grace period are for the exit code
        let hurry = kitchen.stop.now().is_some();
        let (release, say) = if hurry { LAST } else { UNHURRIED };
        // a Lease that is not given back expires
        match timeout(release, lock.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the lock could not be given back: {error}"),
            Err(_) => tracing::warn!("the lock could not be given back in time"),
        }
        let not_restored = report.as_ref().and_then(Report::not_restored);
        if let Some(text) = &not_restored {
            tracing::error!("{text}");
        }
        let failed = report.clone().filter(|_| value.is_err());
        let result = match value {
            Ok(value) => Ok(Ended { value, up, back: report }),
            Err(problem) => Err(problem.with_lead(not_restored)),
        };
        let saying = async {
            if let Err(problem) = &result {
                say::failed(&cluster, job.as_ref(), problem).await;
            }
            if let Ok(Ended { back: Some(report), .. }) = &result {
                say::restored(&cluster, report).await;
            } else if let Some(report) = &failed {
                say::restored(&cluster, report).await;
            }
        };
        if timeout(say, saying).await.is_err() {
            tracing::warn!("not everything could be said on the cluster in time");
        }
        result
    }
}
