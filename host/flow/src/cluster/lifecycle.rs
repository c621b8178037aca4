//! [`with_scaled_workloads`]: takes the lock, runs a flow, restores the workloads, releases the lock, reports.

use std::{panic::AssertUnwindSafe, pin::pin, time::Duration};

use futures_util::FutureExt;
use taster_config::ClusterSection;
use taster_diagnostics::CliError;
use taster_model::RunId;
use taster_store::{Store, fault};
use tokio::time::timeout;

use super::{
    events,
    report::{ReplicaChange, RestoreReport},
    scaler::{ScaledUp, Scaler, release_lock},
};
use crate::{
    context::FlowContext,
    error::FlowError,
    shutdown::{StopPoint, StopReason},
};

/// The code of the error of a lost lock.
const LOCK_LOST: &str = "T0713";
/// How long a flow may take to end by itself after a stop was requested: it closes its connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The same where there are no workloads to restore afterwards.
const CLOSE_TIMEOUT_WITHOUT_CLUSTER: Duration = Duration::from_secs(12);
/// The error of a stop after the capture was committed.
const AFTER_COMMIT: StopPoint = StopPoint::During("finishing the flow; the capture is kept");

/// How long the last steps may take.
struct EndLimits {
    release: Duration,
    events: Duration,
}

const END_LIMITS: EndLimits = EndLimits { release: Duration::from_secs(3), events: Duration::from_secs(20) };
/// After a stop was requested: the last seconds of the grace period are for the exit code.
const END_LIMITS_STOPPED: EndLimits = EndLimits { release: Duration::from_secs(1), events: Duration::from_secs(2) };

/// The result of a flow, with the workloads that were scaled for it.
#[derive(Debug)]
pub struct FlowOutcome<T> {
    /// The result.
    pub value: T,
    /// Workloads that were scaled up.
    pub scaled_up: Vec<ReplicaChange>,
    /// The result of restoring them; `None` where they are left scaled up.
    pub restored: Option<RestoreReport>,
}

impl<T> FlowOutcome<T> {
    /// `NOT RESTORED mongo 1→0`, if a workload was not restored.
    #[must_use]
    pub fn not_restored(&self) -> Option<String> {
        self.restored.as_ref().and_then(RestoreReport::not_restored)
    }
}

/// What happens to the workloads after a successful flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnSuccess {
    /// They stay scaled up: the sync needs them.
    KeepScaled,
    /// They are restored.
    Restore,
}

/// Which flow wants to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlowRequest<'a> {
    /// `pre` or `post`.
    pub(crate) command: &'static str,
    /// The run, where it is known before the store is read.
    pub(crate) run: Option<&'a RunId>,
    /// The error of a stop before anything is committed.
    pub(crate) stop_point: StopPoint,
}

/// Runs `work` with the lock held, and then restores the workloads, whatever the result is. Without a `cluster` in the
/// configuration, `work` gets no scaler and no cluster is accessed.
pub(crate) async fn with_scaled_workloads<'a, T>(
    context: &'a FlowContext,
    request: FlowRequest<'_>,
    work: impl AsyncFnOnce(Option<&Scaler<'a>>) -> Result<T, CliError>,
    on_success: impl Fn(&T) -> OnSuccess,
) -> Result<FlowOutcome<T>, CliError> {
    let Some(section) = &context.config.cluster else {
        let value = run_without_cluster(context, request, work(None)).await?;
        return Ok(FlowOutcome { value, scaled_up: Vec::new(), restored: None });
    };
    let scaler = lock(context, section, request).await?;
    let result = run_locked(&scaler, request, work(Some(&scaler))).await;
    let result = fail_if_stopped(context, result, &on_success);
    let report = match after(context, &result, &on_success) {
        OnSuccess::KeepScaled => None,
        OnSuccess::Restore => Some(Box::pin(scaler.restore()).await),
    };
    let result = Box::pin(finish(scaler, result, report)).await;
    fault::point("cluster: left");
    result
}

async fn run_without_cluster<T>(
    context: &FlowContext,
    request: FlowRequest<'_>,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    let mut work = pin!(work);
    tokio::select! {
        result = &mut work => result,
        reason = context.shutdown.requested() => match timeout(CLOSE_TIMEOUT_WITHOUT_CLUSTER, &mut work).await {
            Ok(result) => result,
            Err(_) => Err(reason.error(request.stop_point)),
        },
    }
}

async fn lock<'a>(
    context: &'a FlowContext,
    section: &'a ClusterSection,
    request: FlowRequest<'_>,
) -> Result<Scaler<'a>, CliError> {
    let locking = Box::pin(Scaler::connect_and_lock(context, section, request.command, request.run));
    context.shutdown.run_until(request.stop_point, locking).await
}

/// Drives the work until it is done, a stop is requested or the lock is lost. A panic becomes an error.
async fn run_locked<T>(
    scaler: &Scaler<'_>,
    request: FlowRequest<'_>,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    let shutdown = &scaler.context.shutdown;
    let work = async {
        // not before the lock: a hook whose store is gone must still restore scaled workloads
        Store::open_verified(scaler.context.config.store_settings()).await?;
        work.await
    };
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    let reason = tokio::select! {
        done = &mut work => return done.unwrap_or_else(|panic| Err(panic_error(&*panic))),
        reason = shutdown.requested() => reason,
        reason = scaler.lock_lost() => {
            shutdown.request(reason.clone());
            reason
        }
    };
    match timeout(CLOSE_TIMEOUT, &mut work).await {
        Ok(done) => done.unwrap_or_else(|panic| Err(panic_error(&*panic))),
        Err(_) if scaler.state().committed => Err(reason.error(AFTER_COMMIT)),
        Err(_) => Err(reason.error(request.stop_point)),
    }
}

fn panic_error(panic: &(dyn std::any::Any + Send)) -> CliError {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    FlowError::Panicked { message: text.unwrap_or("no message").to_owned() }.into()
}

/// A flow that would leave workloads scaled up fails if a stop was requested meanwhile: when a sync is terminated as its
/// hook ends, no later hook runs that would restore them.
fn fail_if_stopped<T>(
    context: &FlowContext,
    result: Result<T, CliError>,
    on_success: impl Fn(&T) -> OnSuccess,
) -> Result<T, CliError> {
    let value = result?;
    match context.shutdown.reason() {
        Some((reason @ (StopReason::Signal(_) | StopReason::Deadline { .. }), _))
            if on_success(&value) == OnSuccess::KeepScaled =>
        {
            Err(reason.error(AFTER_COMMIT))
        }
        _ => Ok(value),
    }
}

/// What happens to the workloads now. If the lock was lost, nothing: another process works with them.
fn after<T>(context: &FlowContext, result: &Result<T, CliError>, on_success: impl Fn(&T) -> OnSuccess) -> OnSuccess {
    let lock_lost = matches!(context.shutdown.reason(), Some((StopReason::LockLost { .. }, _)))
        || result.as_ref().is_err_and(|error| error.code() == LOCK_LOST);
    match result {
        _ if lock_lost => OnSuccess::KeepScaled,
        Ok(value) => on_success(value),
        Err(_) => OnSuccess::Restore,
    }
}

/// Releases the lock and publishes Events about the result.
async fn finish<T>(
    scaler: Scaler<'_>,
    result: Result<T, CliError>,
    report: Option<RestoreReport>,
) -> Result<FlowOutcome<T>, CliError> {
    let scaled_up = scaler.state().scaled_up.iter().map(ScaledUp::change).collect();
    let limits = if scaler.context.shutdown.reason().is_some() { END_LIMITS_STOPPED } else { END_LIMITS };
    let (cluster, lock, job) = scaler.into_parts();
    release_lock(lock, limits.release).await;
    let not_restored = report.as_ref().and_then(RestoreReport::not_restored);
    if let Some(text) = &not_restored {
        tracing::error!(details = %text, "cannot restore all workloads");
    }
    let result = result.map_err(|error| error.with_lead(not_restored));
    let publishing = async {
        if let Err(error) = &result {
            events::publish_failure(&cluster, job.as_ref(), error).await;
        }
        if let Some(report) = &report {
            events::publish_restored(&cluster, report).await;
        }
    };
    if timeout(limits.events, publishing).await.is_err() {
        tracing::warn!(limit_s = limits.events.as_secs(), "not all Events could be published in time");
    }
    result.map(|value| FlowOutcome { value, scaled_up, restored: report })
}
