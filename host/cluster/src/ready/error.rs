//! Why a workload is not ready.

use taster_model::Diagnostic;

/// Why a workload is not ready.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// Waiting cannot mend it.
    #[error("{workload} cannot get ready: {reason}")]
    Hopeless {
        /// `StatefulSet mongo`.
        workload: String,
        /// In the words of the kubelet or the scheduler: `pod mongo-0: container mongo: CrashLoopBackOff: …`.
        reason: String,
    },
    /// The API server refuses its pods.
    #[error("{workload} cannot get ready: the API server refuses its pods: {reason}")]
    Refused {
        /// `StatefulSet mongo`.
        workload: String,
        /// `pods "mongo-0" is forbidden: exceeded quota: …`.
        reason: String,
    },
    /// The time is over.
    #[error("{workload} is not ready after {limit}: {waited}; the limit is `ready` of {setting}")]
    Late {
        /// `StatefulSet mongo`.
        workload: String,
        /// `15m`.
        limit: String,
        /// What was waited for last.
        waited: String,
        /// `cluster.data[mongo]`.
        setting: String,
    },
    /// Somebody took it away.
    #[error("{workload} was deleted while it was waited for")]
    Gone {
        /// `StatefulSet mongo`.
        workload: String,
    },
    /// Somebody else scaled it down.
    #[error("{workload} was scaled to {now} while it was waited for, and {wanted} are needed{by}")]
    ScaledDown {
        /// `StatefulSet mongo`.
        workload: String,
        /// What somebody else set.
        now: i32,
        /// What tasting needs.
        wanted: i32,
        /// `; argocd-controller set it last`, where the object says so.
        by: String,
    },
}

impl Diagnostic for ReadyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Hopeless { .. } => "T0720",
            Self::Refused { .. } => "T0721",
            Self::Late { .. } => "T0722",
            Self::Gone { .. } => "T0723",
            Self::ScaledDown { .. } => "T0724",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Hopeless { .. } => {
                "mend what the reason names; `kubectl describe pod` and `kubectl logs --previous` say more"
            }
            Self::Refused { .. } => {
                "raise the quota or mend the policy that refuses, or ask for less in the pod template"
            }
            Self::Late { setting, .. } => {
                return Some(format!("mend what it waits for, or raise `ready` of {setting}"));
            }
            Self::Gone { .. } => "two syncs at once? a prune? sync again",
            Self::ScaledDown { .. } => {
                "let nobody else set the count meanwhile: in Argo CD `ignoreDifferences` on /spec/replicas with `RespectIgnoreDifferences=true`"
            }
        };
        Some(help.to_owned())
    }
}
