//! Up, and back to what was there before.

use jiff::Timestamp;
use taster_model::RunId;

use crate::{Cluster, ClusterError, Found, Lock, WorkloadRef};

/// What is recorded on a workload before it is scaled (annotation `taster.dev/scaled`, JSON).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The app that scaled it.
    pub app: String,
    /// Its run.
    pub run: RunId,
    /// The count that was there before.
    pub found: i32,
    /// The count that it was scaled to.
    pub to: i32,
    /// Since when, by the API server's clock.
    pub since: Timestamp,
}

/// What a restore did with one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// Nothing was recorded: it is as it was.
    Untouched(WorkloadRef),
    /// It is back: from the live count to the recorded one.
    Back {
        /// Which.
        workload: WorkloadRef,
        /// The count that was live.
        from: i32,
        /// The count it has again.
        to: i32,
    },
    /// It is gone, or was made anew since: nothing to put back.
    Gone(WorkloadRef),
}

impl Cluster {
    /// Records what was found on the workload, then scales it up. One that has enough replicas is recorded and left.
    ///
    /// The record that stands is kept; conflicts are retried; the lock is checked before.
    pub async fn raise(&self, _found: &Found, _run: &RunId, _lock: &Lock) -> Result<Record, ClusterError> {
        todo!()
    }

    /// Puts one workload back to what is recorded on it, and takes the record off. `known` is the record that the store
    /// holds, with the UID of the workload it was made of, for a workload whose annotation was taken off.
    ///
    /// Doing it twice does nothing the second time. An API server that is away is an error; the caller retries.
    pub async fn restore(
        &self,
        _workload: &WorkloadRef,
        _known: Option<(&str, &Record)>,
    ) -> Result<Restored, ClusterError> {
        todo!()
    }
}
