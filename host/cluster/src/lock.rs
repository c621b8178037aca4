//! The lock: a Lease of the app, held by one process at a time.

use std::time::Duration;

use taster_model::RunId;

use crate::{Cluster, ClusterError};

/// What to do when another process holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Wait so long, then fail.
    Wait(Duration),
    /// Fail at once.
    Fail,
    /// Take it from a process of the same run; wait so long for any other one.
    TakeOver(Duration),
}

/// What the lock is wanted for.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// The run, where it is known.
    pub run: Option<RunId>,
    /// `pre`, `post`, `restore`: for whoever finds it held.
    pub what: &'static str,
    /// When somebody else has it.
    pub busy: Busy,
}

/// The lock, held. Renewed in the background until it is released or dropped.
pub struct Lock {
    _private: (),
}

impl Cluster {
    /// Takes the lock of the app.
    pub async fn lock(&self, _request: LockRequest, _say: &(dyn Fn(&str) + Send + Sync)) -> Result<Lock, ClusterError> {
        todo!()
    }
}

impl Lock {
    /// Resolves when another process has the lock, with who has it.
    pub async fn lost(&self) -> ClusterError {
        todo!()
    }

    /// Makes sure, by renewing it now, that it is still held.
    pub async fn check(&self) -> Result<(), ClusterError> {
        todo!()
    }

    /// Gives it back. The next one need not wait.
    pub async fn release(self) -> Result<(), ClusterError> {
        todo!()
    }
}
