//! Waiting until a workload is ready.

use std::time::{Duration, Instant};

use kube::api::ApiResource;
use tokio::time::{sleep, timeout};

use super::{
    obstacle::Recoverability,
    pod_events,
    wait_state::{Readiness, WaitState},
};
use crate::{
    connection::Cluster,
    error::{ClusterError, ReadinessError},
    workload::Workload,
};

/// The time between two observations.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long one observation may take, the last one too. An API server that takes longer counts as unreachable.
const OBSERVATION_TIMEOUT: Duration = Duration::from_secs(10);

impl Cluster {
    /// Waits until the controller has observed the workload's specification and `replicas` pods of it are ready.
    ///
    /// Calls `on_change` with what is missing, whenever that changes.
    ///
    /// # Errors
    /// At once where waiting does not help (crash loop, image name, configuration, missing claim, quota, admission), with
    /// the reason of the container; at `deadline` otherwise, with what was missing last.
    pub async fn wait_until_ready(
        &self,
        workload: &Workload,
        deadline: Instant,
        on_change: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), ClusterError> {
        let began = Instant::now();
        let mut state = WaitState::default();
        let mut resource = None;
        let mut missing = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // observe once more after the deadline, so that the error has the last reason
            let limit = OBSERVATION_TIMEOUT.min(left.max(POLL_INTERVAL));
            let text = match timeout(limit, self.observe(workload, &mut resource, &mut state)).await {
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(text))) => text,
                Ok(Err(error)) if error.is_transient() => format!("{}: {error}", workload.reference),
                Ok(Err(error)) => return Err(error),
                Err(_) => format!("{}: the Kubernetes API server does not answer", workload.reference),
            };
            if text != missing {
                on_change(&text);
                missing = text;
            }
            if Instant::now() >= deadline {
                let last_state = missing.split_once(": ").map_or(missing.as_str(), |(_, rest)| rest).to_owned();
                return Err(ReadinessError::Timeout {
                    workload: workload.reference.to_string(),
                    limit: taster_text::age(began.elapsed()),
                    last_state,
                    setting: workload.setting.clone(),
                }
                .into());
            }
            sleep(POLL_INTERVAL.min(deadline.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Observes the workload once. `None` where it is ready; else what is missing.
    async fn observe(
        &self,
        workload: &Workload,
        resource: &mut Option<ApiResource>,
        state: &mut WaitState,
    ) -> Result<Option<String>, ClusterError> {
        let resource = match resource {
            Some(known) => known,
            None => resource.insert(self.api_resource(&workload.reference).await?),
        };
        let observation = self.observe_workload(&workload.reference, resource).await?;
        let Readiness::Pending(mut pending) = state.evaluate(workload, &observation)? else { return Ok(None) };
        for pod in &mut pending.pods {
            let obstacle = &mut pod.obstacle;
            match &obstacle.recoverability {
                Recoverability::UnlessClaimMissing(claim) if self.is_claim_missing(claim).await? => {
                    let reason = format!("pod {}: {}", pod.name, obstacle.text);
                    return Err(unrecoverable(workload, reason));
                }
                recoverability @ (Recoverability::SettingUp | Recoverability::Probed) => {
                    if let Some(cause) = pod_events::latest_cause(&self.events_about(&pod.uid).await?, recoverability) {
                        obstacle.text = format!("{}: {cause}", obstacle.text);
                    }
                }
                Recoverability::UnlessClaimMissing(_) | Recoverability::Possible | Recoverability::Impossible => {}
            }
        }
        if pending.lacks_pods {
            let events = self.events_about(&observation.object.metadata.uid).await?;
            pending.remarks.extend(state.observe_events(workload, &events)?);
        }
        Ok(Some(pending.describe(workload)))
    }
}

fn unrecoverable(workload: &Workload, reason: String) -> ClusterError {
    ReadinessError::Unrecoverable { workload: workload.reference.to_string(), reason }.into()
}
