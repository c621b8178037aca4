//! Reasons why a workload is not ready.

use taster_model::Diagnostic;

/// Reasons why a workload is not ready.
#[derive(Debug, thiserror::Error)]
pub enum ReadinessError {
    /// Waiting does not help.
    #[error("{workload} cannot become ready: {reason}")]
    Unrecoverable {
        /// `StatefulSet mongo`.
        workload: String,
        /// As the kubelet or the scheduler reports it: `pod mongo-0: container mongo: CrashLoopBackOff: …`.
        reason: String,
    },
    /// The API server rejects its pods.
    #[error("{workload} cannot become ready: the API server rejects its pods: {reason}")]
    PodsRejected {
        /// `StatefulSet mongo`.
        workload: String,
        /// `pods "mongo-0" is forbidden: exceeded quota: …`.
        reason: String,
    },
    /// `readyTimeout` is over.
    #[error("{workload} is not ready after {limit} (`readyTimeout` of {setting}): {last_state}")]
    Timeout {
        /// `StatefulSet mongo`.
        workload: String,
        /// `15m`.
        limit: String,
        /// What was missing last.
        last_state: String,
        /// `cluster.data[mongo]`.
        setting: String,
    },
    /// The workload was deleted.
    #[error("{workload} was deleted before it became ready")]
    Deleted {
        /// `StatefulSet mongo`.
        workload: String,
    },
    /// Another client scaled it down.
    #[error("{workload} was scaled to {now} before it became ready; {wanted} needed{changed_by}")]
    ScaledDown {
        /// `StatefulSet mongo`.
        workload: String,
        /// The count that was set.
        now: i32,
        /// The count that a capture needs.
        wanted: i32,
        /// `; last set by argocd-controller`, where the object names its field manager.
        changed_by: String,
    },
}

impl Diagnostic for ReadinessError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unrecoverable { .. } => "T0720",
            Self::PodsRejected { .. } => "T0721",
            Self::Timeout { .. } => "T0722",
            Self::Deleted { .. } => "T0723",
            Self::ScaledDown { .. } => "T0724",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unrecoverable { .. } => {
                "fix what the reason names; for details: `kubectl describe pod` and `kubectl logs --previous`"
            }
            Self::PodsRejected { .. } => "raise the quota, change the policy, or request less in the pod template",
            Self::Timeout { setting, .. } => {
                return Some(format!("fix what it waits for, or raise `readyTimeout` of {setting}"));
            }
            Self::Deleted { .. } => "check for a second sync or a prune at the same time, then sync again",
            Self::ScaledDown { .. } => {
                "keep other clients from setting the count: in Argo CD `ignoreDifferences` on /spec/replicas with \
                 `RespectIgnoreDifferences=true`"
            }
        };
        Some(help.to_owned())
    }
}
