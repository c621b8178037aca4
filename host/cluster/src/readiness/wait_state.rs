//! The state of a wait: evaluates each observation as ready, unrecoverable or pending.

use std::collections::HashSet;

use k8s_openapi::api::{core::v1::Pod, events::v1::Event};

use super::{
    object::is_rejection,
    observation::WorkloadObservation,
    obstacle::{Obstacle, Recoverability, RestartCounts, find_obstacle, pod_failure, record_restarts},
    pods::WorkloadPods,
};
use crate::{error::ReadinessError, text::one_line, workload::Workload};

/// How many pods one line lists.
const MAX_LISTED_PODS: usize = 3;

/// The state of a wait. What happened before the wait does not count against the workload.
#[derive(Debug, Default)]
pub(super) struct WaitState {
    begun: bool,
    /// Restart counts at the beginning.
    restarts: RestartCounts,
    /// UIDs of pods that had failed as a whole at the beginning.
    failed_before: HashSet<String>,
    /// Events at the beginning about pods that could not be created: UID and resource version, which changes when it happens
    /// again. `None` until events are observed.
    create_failures_before: Option<HashSet<(String, String)>>,
    /// UIDs of pods that have failed as a whole since.
    failed_since: HashSet<String>,
}

/// What an observation means.
#[derive(Debug)]
pub(super) enum Readiness {
    /// The workload is ready.
    Ready,
    /// It is not ready yet.
    Pending(PendingWorkload),
}

/// A workload that is not ready yet.
#[derive(Debug, Default)]
pub(super) struct PendingWorkload {
    /// `0 of 1 ready`.
    pub(super) counts: String,
    /// The first pods that are not ready.
    pub(super) pods: Vec<PendingPod>,
    /// Further remarks.
    pub(super) remarks: Vec<String>,
    /// Whether there are too few pods, so that events of the workload may say why.
    pub(super) lacks_pods: bool,
}

/// A pod that is not ready yet.
#[derive(Debug)]
pub(super) struct PendingPod {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) obstacle: Obstacle,
}

impl PendingWorkload {
    /// On one line: `StatefulSet mongo: 0 of 1 ready; pod mongo-0: …`.
    pub(super) fn describe(&self, workload: &Workload) -> String {
        let pods = self.pods.iter().map(|pod| format!("pod {}: {}", pod.name, pod.obstacle.text));
        let parts = std::iter::once(self.counts.clone()).chain(pods).chain(self.remarks.iter().cloned());
        format!("{}: {}", workload.reference, parts.collect::<Vec<_>>().join("; "))
    }
}

impl WaitState {
    /// Evaluates an observation.
    ///
    /// # Errors
    /// The workload cannot become ready, or was scaled down.
    pub(super) fn evaluate(
        &mut self,
        workload: &Workload,
        observation: &WorkloadObservation,
    ) -> Result<Readiness, ReadinessError> {
        let wanted = workload.replicas;
        if observation.wanted_replicas < wanted {
            let manager = observation.object.scaled_by();
            return Err(ReadinessError::ScaledDown {
                workload: workload.reference.to_string(),
                now: observation.wanted_replicas,
                wanted,
                changed_by: manager.map_or_else(String::new, |manager| format!("; last set by {manager}")),
            });
        }
        let pods = observation.pods.as_ref();
        let current = pods.map_or(&[][..], |pods| &pods.current);
        self.begin(current);
        if is_ready(observation, wanted) {
            return Ok(Readiness::Ready);
        }
        let mut pending = self.pending_pods(workload, observation, current)?;
        // a condition about an earlier specification does not apply to this one
        let failure = observation.object.replica_failure().filter(|_| observation.object.is_observed());
        if let Some(reason) = failure.filter(|message| is_rejection(message)) {
            let workload = workload.reference.to_string();
            return Err(ReadinessError::PodsRejected { workload, reason: one_line(reason) });
        }
        let mut remarks: Vec<String> = failure.map(one_line).into_iter().collect();
        if pending.len() > MAX_LISTED_PODS {
            remarks.push(format!("and {} more", pending.len() - MAX_LISTED_PODS));
            pending.truncate(MAX_LISTED_PODS);
        }
        remarks.extend(pod_remarks(observation));
        remarks.extend(observation.object.remarks());
        let ready = pods.map_or(observation.replicas, WorkloadPods::ready_count);
        Ok(Readiness::Pending(PendingWorkload {
            counts: format!("{ready} of {wanted} ready"),
            pods: pending,
            remarks,
            lacks_pods: pods.is_some() && i32::try_from(current.len()).is_ok_and(|count| count < wanted),
        }))
    }

    /// The pods that are not ready, with their obstacles.
    fn pending_pods(
        &mut self,
        workload: &Workload,
        observation: &WorkloadObservation,
        current: &[Pod],
    ) -> Result<Vec<PendingPod>, ReadinessError> {
        let is_observed = observation.object.is_observed();
        let mut pending = Vec::new();
        for pod in current {
            if is_observed {
                self.check_pod_failures(workload, pod)?;
            }
            let Some(mut obstacle) = find_obstacle(pod, &self.restarts) else { continue };
            // until its controller has observed the specification, these may be pods that it is about to replace
            if !is_observed {
                obstacle.recoverability = Recoverability::Possible;
            }
            let name = pod.metadata.name.clone().unwrap_or_default();
            if obstacle.recoverability == Recoverability::Impossible {
                let reason = format!("pod {name}: {}", obstacle.text);
                return Err(ReadinessError::Unrecoverable { workload: workload.reference.to_string(), reason });
            }
            pending.push(PendingPod { name, uid: pod.metadata.uid.clone().unwrap_or_default(), obstacle });
        }
        Ok(pending)
    }

    /// The latest event of the workload about a pod that could not be created.
    ///
    /// # Errors
    /// The API server has rejected a pod since the beginning of the wait.
    pub(super) fn observe_events(
        &mut self,
        workload: &Workload,
        events: &[Event],
    ) -> Result<Option<String>, ReadinessError> {
        let create_failures = || events.iter().filter(|event| event.reason.as_deref() == Some("FailedCreate"));
        let key = |event: &Event| {
            let metadata = event.metadata.clone();
            (metadata.uid.unwrap_or_default(), metadata.resource_version.unwrap_or_default())
        };
        // the controller tries again and again, which changes the event each time: an unchanged one is from before the wait
        let before = self.create_failures_before.get_or_insert_with(|| create_failures().map(key).collect());
        let message = |event: &Event| one_line(event.note.as_deref().unwrap_or("FailedCreate"));
        let mut since = create_failures().filter(|event| !before.contains(&key(event))).map(message);
        if let Some(reason) = since.find(|message| is_rejection(message)) {
            return Err(ReadinessError::PodsRejected { workload: workload.reference.to_string(), reason });
        }
        Ok(create_failures().next_back().map(message))
    }

    /// Notes the restarts and failures of the pods at the first observation.
    fn begin(&mut self, pods: &[Pod]) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for pod in pods {
            record_restarts(pod, &mut self.restarts);
            if pod_failure(pod).is_some() {
                self.failed_before.extend(pod.metadata.uid.clone());
            }
        }
    }

    /// Tolerates one pod that fails as a whole: after an eviction, its successor may be scheduled elsewhere. The second is an
    /// error.
    fn check_pod_failures(&mut self, workload: &Workload, pod: &Pod) -> Result<(), ReadinessError> {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let Some(failure) = pod_failure(pod).filter(|_| !self.failed_before.contains(&uid)) else { return Ok(()) };
        self.failed_since.insert(uid);
        if self.failed_since.len() < 2 {
            return Ok(());
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let reason = format!("pod {name} failed, as another one before it: {failure}");
        Err(ReadinessError::Unrecoverable { workload: workload.reference.to_string(), reason })
    }
}

fn is_ready(observation: &WorkloadObservation, wanted: i32) -> bool {
    let is_enough = |count: Option<i32>| count.is_none_or(|count| count >= wanted);
    observation.object.is_observed()
        && observation.replicas >= wanted
        && is_enough(observation.ready_replicas)
        && is_enough(observation.updated_replicas)
        && is_enough(observation.pods.as_ref().map(WorkloadPods::ready_count))
        && observation.pods.as_ref().is_none_or(|pods| pods.older.is_empty())
}

/// Remarks on pods that do not count.
fn pod_remarks(observation: &WorkloadObservation) -> Vec<String> {
    let Some(pods) = &observation.pods else {
        return vec!["its pods are unknown, because its scale has no selector".to_owned()];
    };
    let listed = |pods: &[Pod], what: &str| {
        let names = pods.iter().filter_map(|pod| pod.metadata.name.as_deref());
        let names: Vec<&str> = names.take(MAX_LISTED_PODS).collect();
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    };
    let older = listed(&pods.older, "of an older revision");
    [older, listed(&pods.terminating, "terminating")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
