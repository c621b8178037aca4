//! Restoring the original replicas of a workload.

use crate::{
    connection::Cluster,
    error::ClusterError,
    record::{ScaleRecord, StoredRecord},
    scale_state::{MAX_ATTEMPTS, WriteTarget},
    step::step_done,
    workload::WorkloadRef,
};

/// What a restore did with one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// Nothing was recorded, or it had its original replicas.
    Unchanged(WorkloadRef),
    /// It was scaled back to its original replicas.
    Restored {
        /// The workload.
        workload: WorkloadRef,
        /// The replicas before the restore.
        from: i32,
        /// Its original replicas.
        to: i32,
    },
    /// It was deleted, or created anew since: nothing to restore.
    Gone(WorkloadRef),
}

impl Cluster {
    /// Restores the original replicas of a workload and removes the record. `stored` is the record that the store holds,
    /// for a workload whose annotation was removed.
    ///
    /// The restore is idempotent. An unreachable API server is an error, and the caller retries. A record that another
    /// process writes during the restore is an error too: the caller confirms that it holds the lock, and retries.
    pub async fn restore_workload(
        &self,
        workload: &WorkloadRef,
        stored: Option<StoredRecord<'_>>,
    ) -> Result<RestoreOutcome, ClusterError> {
        let endpoints = self.workload_api(workload, &workload.to_string()).await?;
        let conflict = || ClusterError::Conflict { object: workload.to_string(), tries: MAX_ATTEMPTS };
        let (mut scaled, mut first_seen) = (None, None);
        let outcome = |scaled: Option<(i32, i32)>| match scaled {
            Some((from, to)) => RestoreOutcome::Restored { workload: workload.clone(), from, to },
            None => RestoreOutcome::Unchanged(workload.clone()),
        };
        for _ in 0..MAX_ATTEMPTS {
            let Some(state) = self.read_scale_state(workload, &endpoints).await? else {
                return Ok(RestoreOutcome::Gone(workload.clone()));
            };
            let annotated = ScaleRecord::of_object(&state.object, workload)?;
            if let Some(record) = &annotated
                && record != first_seen.get_or_insert_with(|| record.clone())
            {
                return Err(conflict());
            }
            // a record of another app is restored by that app
            let own = annotated.as_ref().filter(|record| record.app == self.app.as_str());
            let stored = stored.filter(|_| annotated.is_none());
            let Some(record) = own.or_else(|| stored?.if_current(&state.uid, state.replicas)) else {
                let recreated = scaled.is_none() && stored.is_some_and(|stored| stored.uid != state.uid);
                return Ok(if recreated { RestoreOutcome::Gone(workload.clone()) } else { outcome(scaled) });
            };
            let target = WriteTarget { workload, endpoints: &endpoints, resource_version: &state.resource_version };
            if record.is_change() && state.replicas != record.original {
                if self.write_replicas(target, record.original).await?.is_some() {
                    scaled.get_or_insert((state.replicas, record.original));
                    step_done("cluster: scaled back");
                }
                // the write changed the resource version: read again, then remove the record
                continue;
            }
            if own.is_some() && self.write_record(target, None).await?.is_none() {
                continue;
            }
            return Ok(outcome(scaled));
        }
        Err(conflict())
    }

    /// The scale record that is on a workload now.
    pub async fn scale_record(&self, workload: &WorkloadRef) -> Result<Option<ScaleRecord>, ClusterError> {
        let endpoints = self.workload_api(workload, &workload.to_string()).await?;
        match self.read_scale_state(workload, &endpoints).await? {
            Some(state) => ScaleRecord::of_object(&state.object, workload),
            None => Ok(None),
        }
    }
}
