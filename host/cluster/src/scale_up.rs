//! Scaling a workload up.
//!
//! The record is written before the replicas, and removed after they are restored, so that every step is crash-safe. Each
//! write names the resource version that it replaces. A record whose replicas were not changed restores nothing: the
//! current count then was set by another client.

use taster_model::RunId;

use crate::{
    connection::Cluster,
    error::ClusterError,
    inspect::InspectedWorkload,
    lock::Lock,
    record::ScaleRecord,
    scale_state::{MAX_ATTEMPTS, WriteTarget},
    step::step_done,
};

impl Cluster {
    /// Records the current replicas on the workload, then scales it up. A workload that has enough replicas is recorded and
    /// not scaled.
    ///
    /// An existing record keeps its original replicas, because the current ones were left by an earlier process; so does a
    /// record that was adopted from the store ([`InspectedWorkload::adopt_stored_record`]). Conflicts are retried; each
    /// attempt first confirms the lock.
    pub async fn scale_up(
        &self,
        inspected: &InspectedWorkload,
        run: &RunId,
        lock: &Lock,
    ) -> Result<ScaleRecord, ClusterError> {
        let workload = &inspected.workload.reference;
        let endpoints = self.workload_api(workload, &inspected.workload.setting).await?;
        // the record that an earlier attempt of this call wrote, which is not one of an earlier process
        let mut written = None;
        for _ in 0..MAX_ATTEMPTS {
            lock.confirm().await?;
            let state = self.read_scale_state(workload, &endpoints).await?.ok_or_else(|| ClusterError::NotFound {
                object: workload.to_string(),
                namespace: self.namespace.clone(),
            })?;
            let current = ScaleRecord::of_object(&state.object, workload)?;
            let adopted = inspected.record.as_ref().filter(|_| current.is_none() && inspected.is_unchanged(&state));
            let earlier = current.as_ref().filter(|record| written.as_ref() != Some(*record)).or(adopted);
            if let Some(other) = earlier.filter(|record| record.app != self.app.as_str()) {
                let (app, run) = (other.app.clone(), other.run.clone());
                return Err(ClusterError::ScaledByOtherApp { workload: workload.clone(), app, run });
            }
            let earlier = earlier.filter(|record| record.is_change());
            let record = ScaleRecord {
                app: self.app.to_string(),
                run: run.clone(),
                original: earlier.map_or(state.replicas, |record| record.original),
                target: state.replicas.max(inspected.workload.replicas),
                since: self.server_time().await?,
            };
            let text = serde_json::to_string(&record).expect("a record has only plain fields");
            // a record that keeps an earlier count still counts as one of the earlier process
            written = earlier.is_none().then(|| record.clone());
            let target = WriteTarget { workload, endpoints: &endpoints, resource_version: &state.resource_version };
            let Some(version) = self.write_record(target, Some(&text)).await? else { continue };
            step_done("cluster: recorded");
            let target = WriteTarget { resource_version: &version, ..target };
            if state.replicas == record.target || self.write_replicas(target, record.target).await?.is_some() {
                return Ok(record);
            }
        }
        Err(ClusterError::Conflict { object: workload.to_string(), tries: MAX_ATTEMPTS })
    }
}
