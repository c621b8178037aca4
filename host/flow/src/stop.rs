//! What ends a flow before its time: a signal, the Job's deadline, a lock that was lost. One place listens, everybody
//! hears of it, and a second signal changes nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use taster_cluster::ClusterError;
use taster_diagnostics::CliError;
use tokio::{signal::unix, sync::watch};

use super::FlowError;

/// Why a flow ends before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// The process was asked to stop.
    Signal(&'static str),
    /// The Job's time is nearly over.
    Deadline {
        /// Its name.
        job: String,
    },
    /// Another process has the lock.
    LockLost {
        /// Name of the Lease.
        lease: String,
        /// Who has it.
        holder: String,
    },
}

/// What a stop means for what was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Nothing of it counts before it is committed: `capture before the sync`.
    Committed(&'static str),
    /// What was committed before stands: `the applications started`.
    While(&'static str),
}

impl Reason {
    /// As a person reads it.
    pub(super) fn problem(&self, until: Until) -> CliError {
        match (self.clone(), until) {
            (Self::Signal(signal), Until::Committed(what)) => FlowError::Interrupted { signal, what }.into(),
            (Self::Signal(signal), Until::While(doing)) => FlowError::InterruptedLater { signal, doing }.into(),
            (Self::Deadline { job }, Until::Committed(what) | Until::While(what)) => {
                FlowError::OutOfTime { job, what }.into()
            }
            (Self::LockLost { lease, holder }, _) => ClusterError::LockLost { lease, holder }.into(),
        }
    }
}

/// Whether to stop, and since when. Clones hear of the same.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    asked: Arc<watch::Sender<Option<(Reason, Instant)>>>,
}

impl Stop {
    /// Listens to SIGTERM and SIGINT from now on.
    pub(super) fn on_signals() -> Self {
        let stop = Self { asked: Arc::new(watch::Sender::new(None)) };
        let kinds = [(unix::SignalKind::terminate(), "SIGTERM"), (unix::SignalKind::interrupt(), "SIGINT")];
        for (kind, name) in kinds {
            // listened to before anything is begun; where that is not possible, the system ends the process
            let Ok(mut signal) = unix::signal(kind) else { continue };
            let stop = stop.clone();
            tokio::spawn(async move {
                signal.recv().await;
                stop.ask(Reason::Signal(name));
            });
        }
        stop
    }

    /// Asks everybody to stop. The first reason stands.
    pub(super) fn ask(&self, reason: Reason) {
        self.asked.send_if_modified(|asked| {
            let first = asked.is_none();
            if first {
                *asked = Some((reason, Instant::now()));
            }
            first
        });
    }

    /// Asks everybody to stop when so much time is over: what a Job has left.
    pub(super) fn at_the_end(&self, left: Duration, job: String) {
        let stop = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(left).await;
            stop.ask(Reason::Deadline { job });
        });
    }

    /// Resolves when it is time to stop.
    pub(super) async fn asked(&self) -> Reason {
        let mut asked = self.asked.subscribe();
        match asked.wait_for(Option::is_some).await.as_deref() {
            Ok(Some((reason, _))) => reason.clone(),
            // the sender lives as long as this
            _ => std::future::pending().await,
        }
    }

    /// Why and since when, if it is time.
    pub(super) fn now(&self) -> Option<(Reason, Instant)> {
        self.asked.borrow().clone()
    }

    /// Works until it is done or time to stop.
    pub(super) async fn unless<T>(
        &self,
        until: Until,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            result = work => result,
            reason = self.asked() => Err(reason.problem(until)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stands_and_everybody_hears_it() {
        let stop = Stop { asked: Arc::new(watch::Sender::new(None)) };
        assert!(stop.now().is_none());
        let done = stop.unless(Until::Committed("capture"), async { Ok(7) }).await;
        assert_eq!(done.unwrap(), 7);
        let other = stop.clone();
        other.ask(Reason::Signal("SIGTERM"));
        other.ask(Reason::Deadline { job: "pre".to_owned() });
        assert_eq!(stop.asked().await, Reason::Signal("SIGTERM"));
        let until = Until::Committed("capture before the sync");
        let stopped = stop.unless(until, std::future::pending::<Result<(), CliError>>()).await.unwrap_err();
        assert!(stopped.to_string().contains("stopped by SIGTERM before the capture before the sync"), "{stopped}");
        let late = Reason::Deadline { job: "pre-x".to_owned() }.problem(until);
        assert_eq!(late.code(), "T0625");
    }
}
