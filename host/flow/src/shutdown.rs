//! [`Shutdown`]: the reason for which a flow has to stop early, such as a signal, the Job's deadline or a lost lock.
//!
//! One place listens, every clone sees the same reason, and only the first reason counts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use taster_cluster::ClusterError;
use taster_diagnostics::{CliError, Exit};
use tokio::{
    signal::unix::{self, SignalKind},
    sync::watch,
};

use crate::error::FlowError;

/// Why a flow stops early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The process received a signal.
    Signal(&'static str),
    /// The Job is about to reach `activeDeadlineSeconds`.
    Deadline {
        /// The name of the Job.
        job: String,
    },
    /// Another process holds the lock.
    LockLost {
        /// Name of the Lease.
        lease: String,
        /// Who holds it.
        holder: String,
    },
}

/// How far the work has come when it is stopped. It decides what the error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopPoint {
    /// Before this was committed, as in `capture before the sync`: nothing of the attempt counts.
    BeforeCommit(&'static str),
    /// During this step, as in `starting the applications`: a capture that was committed earlier still counts.
    During(&'static str),
}

impl StopReason {
    /// The error of a flow that was stopped at `point`.
    pub(crate) fn error(&self, point: StopPoint) -> CliError {
        match (self.clone(), point) {
            (Self::Signal(signal), StopPoint::BeforeCommit(what)) => {
                interrupted(signal, FlowError::Interrupted { signal, what })
            }
            (Self::Signal(signal), StopPoint::During(doing)) => {
                interrupted(signal, FlowError::InterruptedLater { signal, doing })
            }
            (Self::Deadline { job }, StopPoint::BeforeCommit(what) | StopPoint::During(what)) => {
                FlowError::OutOfTime { job, what }.into()
            }
            (Self::LockLost { lease, holder }, _) => ClusterError::LockLost { lease, holder }.into(),
        }
    }
}

/// A person at a terminal pressed Ctrl-C: shells and scripts know that by 130. SIGTERM comes from Kubernetes and is a failure.
fn interrupted(signal: &str, error: FlowError) -> CliError {
    let exit = if signal == "SIGINT" { Exit::Interrupted } else { Exit::Failed };
    CliError::from(error).with_exit(exit)
}

/// Whether to stop, why, and since when. All clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    first: Arc<watch::Sender<Option<(StopReason, Instant)>>>,
}

impl Shutdown {
    fn new() -> Self {
        Self { first: Arc::new(watch::Sender::new(None)) }
    }

    /// Listens to SIGTERM and SIGINT from now on.
    pub(crate) fn on_signals() -> Self {
        let shutdown = Self::new();
        for (kind, name) in [(SignalKind::terminate(), "SIGTERM"), (SignalKind::interrupt(), "SIGINT")] {
            // where the process cannot listen, the signal ends it at once
            let Ok(mut signal) = unix::signal(kind) else { continue };
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                signal.recv().await;
                shutdown.request(StopReason::Signal(name));
            });
        }
        shutdown
    }

    /// Requests a stop. Only the first request counts.
    pub(crate) fn request(&self, reason: StopReason) {
        self.first.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                *first = Some((reason, Instant::now()));
            }
            is_first
        });
    }

    /// Requests a stop after `left`, the time that the Job has left.
    pub(crate) fn request_after(&self, left: Duration, job: String) {
        let shutdown = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(left).await;
            shutdown.request(StopReason::Deadline { job });
        });
    }

    /// Resolves when a stop is requested.
    pub(crate) async fn requested(&self) -> StopReason {
        let mut first = self.first.subscribe();
        match first.wait_for(Option::is_some).await.as_deref() {
            Ok(Some((reason, _))) => reason.clone(),
            // the sender lives as long as `self`
            _ => std::future::pending().await,
        }
    }

    /// The reason and the time of the request, if there was one.
    pub(crate) fn reason(&self) -> Option<(StopReason, Instant)> {
        self.first.borrow().clone()
    }

    /// Drives `work` until it is done or a stop is requested.
    pub(crate) async fn run_until<T>(
        &self,
        point: StopPoint,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            result = work => result,
            reason = self.requested() => Err(reason.error(point)),
        }
    }
}

/// Resolves when the process receives SIGTERM or SIGINT, with the signal's name.
pub async fn wait_for_signal() -> &'static str {
    let (Ok(mut term), Ok(mut int)) = (unix::signal(SignalKind::terminate()), unix::signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_first_reason_counts_and_every_clone_sees_it() {
        let shutdown = Shutdown::new();
        assert!(shutdown.reason().is_none());
        let done = shutdown.run_until(StopPoint::BeforeCommit("capture"), async { Ok(7) }).await;
        assert_eq!(done.unwrap(), 7);
        let clone = shutdown.clone();
        clone.request(StopReason::Signal("SIGTERM"));
        clone.request(StopReason::Deadline { job: "pre".to_owned() });
        assert_eq!(shutdown.requested().await, StopReason::Signal("SIGTERM"));
        let point = StopPoint::BeforeCommit("capture before the sync");
        let stopped = shutdown.run_until(point, std::future::pending::<Result<(), CliError>>()).await.unwrap_err();
        assert!(stopped.to_string().contains("stopped by SIGTERM before the capture before the sync"), "{stopped}");
        assert_eq!(stopped.exit, Exit::Failed);
        for point in [point, StopPoint::During("x")] {
            assert_eq!(StopReason::Signal("SIGINT").error(point).exit, Exit::Interrupted);
            assert_eq!(StopReason::Signal("SIGTERM").error(point).exit, Exit::Failed);
        }
        let late = StopReason::Deadline { job: "pre-x".to_owned() }.error(point);
        assert_eq!(late.code(), "T0625");
        assert!(late.to_string().contains("stopped before the end: capture before the sync"), "{late}");
    }
}
