//! Errors of everything that talks to the cluster.

mod freshness;
mod readiness;

use std::{path::PathBuf, time::Duration};

use taster_model::{Diagnostic, RunId};

pub use freshness::FreshnessError;
pub use readiness::ReadinessError;

use crate::workload::WorkloadRef;

/// Errors of everything that talks to the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server cannot be reached, is overloaded or is starting.
    #[error("the Kubernetes API server does not answer: {detail}")]
    Unreachable {
        /// The client's message.
        detail: String,
    },
    /// A right is missing. Written as in a Role.
    #[error("the ServiceAccount may not {verb} {resource} in namespace {namespace}")]
    Forbidden {
        /// `patch`.
        verb: String,
        /// `statefulsets/scale mongo`.
        resource: String,
        /// `apps`; empty for the core group.
        group: String,
        /// Namespace of the request.
        namespace: String,
    },
    /// An object that must exist does not.
    #[error("{object} not found in namespace {namespace}")]
    NotFound {
        /// `StatefulSet mongo`.
        object: String,
        /// Namespace of the request.
        namespace: String,
    },
    /// Other clients change an object faster than it can be read and written.
    #[error("{object} could not be changed: other clients wrote to it during each of {tries} attempts")]
    Conflict {
        /// `StatefulSet mongo`.
        object: String,
        /// Number of attempts.
        tries: u32,
    },
    /// The API server rejected the request: validation, admission, authentication.
    #[error("the Kubernetes API server rejected `{verb} {resource}`: {message}")]
    Rejected {
        /// `patch`.
        verb: String,
        /// `statefulsets/scale mongo`.
        resource: String,
        /// The server's message.
        message: String,
    },
    /// Neither a pod's ServiceAccount nor a kubeconfig.
    #[error("no Kubernetes cluster is configured: {detail}")]
    NoConfig {
        /// The client's message.
        detail: String,
    },
    /// An unknown kind, or one without replicas.
    #[error("{setting}: {kind} of {api_version} {message}")]
    NotScalable {
        /// The setting of the workload: `cluster.data[mongo]`.
        setting: String,
        /// Its kind.
        kind: String,
        /// Its group and version.
        api_version: String,
        /// `has no scale subresource`.
        message: String,
    },
    /// An autoscaler manages the workload.
    #[error("{workload} is managed by {autoscaler}, which would scale it again")]
    Autoscaled {
        /// The workload.
        workload: WorkloadRef,
        /// `HorizontalPodAutoscaler mongo`.
        autoscaler: String,
        /// The setting of the workload.
        setting: String,
    },
    /// Another object owns the workload and sets its replicas.
    #[error("{workload} is controlled by {owner}, which would reset its replicas")]
    Owned {
        /// The workload.
        workload: WorkloadRef,
        /// `MongoDBCommunity shop`.
        owner: String,
        /// The setting of the workload.
        setting: String,
    },
    /// Another app has scaled the workload and has not restored it.
    #[error("{workload} was scaled up by app `{app}`, run `{run}`, and has not been restored")]
    ScaledByOtherApp {
        /// The workload.
        workload: WorkloadRef,
        /// The other app.
        app: String,
        /// Its run.
        run: RunId,
    },
    /// The scale record of a workload is invalid.
    #[error("{workload}: the annotation {annotation} is invalid: {message}")]
    InvalidRecord {
        /// The workload.
        workload: WorkloadRef,
        /// The annotation.
        annotation: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Another process holds the lock.
    #[error("the lock (Lease {lease}) is held by {holder}{}", waited_for(*waited))]
    Locked {
        /// Name of the Lease.
        lease: String,
        /// `pod pre-taste-x7k2p (pre of run 1764000000)`.
        holder: String,
        /// How long it was waited for. `None` where the request was not to wait.
        waited: Option<Duration>,
        /// How long the holder may go without a renewal before its lock is taken over.
        lease_duration: Duration,
    },
    /// Another process took the lock.
    #[error("the lock (Lease {lease}) was lost to {holder}")]
    LockLost {
        /// Name of the Lease.
        lease: String,
        /// The process that has it now.
        holder: String,
    },
    /// A workload is not ready.
    #[error(transparent)]
    Readiness(#[from] ReadinessError),
    /// The data are not known to be fresh.
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    /// An error of the cluster that a kubeconfig names.
    #[error("{cause} (in the cluster of {})", kubeconfig.display())]
    OtherCluster {
        /// The kubeconfig.
        kubeconfig: PathBuf,
        /// What went wrong there.
        cause: Box<ClusterError>,
    },
}

fn waited_for(waited: Option<Duration>) -> String {
    waited.map_or_else(String::new, |waited| format!("; waited {} for it", taster_text::duration(waited)))
}

impl ClusterError {
    /// Whether the same request may succeed in a moment: the API server is unreachable, overloaded or starting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl Diagnostic for ClusterError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "T0701",
            Self::Forbidden { .. } => "T0702",
            Self::NotFound { .. } => "T0703",
            Self::Conflict { .. } => "T0704",
            Self::Rejected { .. } => "T0705",
            Self::NoConfig { .. } => "T0706",
            Self::NotScalable { .. } => "T0707",
            Self::Autoscaled { .. } => "T0708",
            Self::Owned { .. } => "T0709",
            Self::ScaledByOtherApp { .. } => "T0710",
            Self::InvalidRecord { .. } => "T0711",
            Self::Locked { .. } => "T0712",
            Self::LockLost { .. } => "T0713",
            Self::Readiness(error) => error.code(),
            Self::Freshness(error) => error.code(),
            Self::OtherCluster { cause, .. } => cause.code(),
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Readiness(error) => return error.help(),
            Self::Freshness(error) => return error.help(),
            Self::OtherCluster { cause, .. } => return cause.help(),
            Self::Unreachable { .. } => {
                "check that the API server is up and that no NetworkPolicy blocks the pod's way to it".to_owned()
            }
            Self::Forbidden { verb, resource, group, .. } => {
                let resource = resource.split(' ').next().unwrap_or_default();
                format!(
                    "add to the Role of the ServiceAccount: {{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: \
                     [\"{verb}\"]}}"
                )
            }
            Self::NotFound { .. } => "check the name and `cluster.namespace`".to_owned(),
            Self::Conflict { object, .. } => {
                format!("find the client that keeps writing to {object}: managedFields names it")
            }
            Self::Rejected { .. } => "fix what the message names: a validation rule, a quota or a webhook".to_owned(),
            Self::NoConfig { .. } => {
                "in a pod, mount the ServiceAccount's token; elsewhere, set KUBECONFIG or create ~/.kube/config".to_owned()
            }
            Self::NotScalable { .. } => {
                "name a Deployment, a StatefulSet, or with `apiVersion` a kind that has a scale subresource".to_owned()
            }
            Self::Autoscaled { setting, .. } => format!(
                "remove the workload from the configuration and leave it to the autoscaler, or set {setting}.allowHPA: true"
            ),
            Self::Owned { owner, setting, .. } => {
                format!("name {owner} in {setting} instead, if it has a scale subresource")
            }
            Self::ScaledByOtherApp { .. } => "run `taster restore` with the configuration of that app".to_owned(),
            Self::InvalidRecord { workload, annotation, .. } => format!(
                "scale the workload to its original replicas by hand, then remove the annotation: kubectl annotate {} {} \
                 {annotation}-",
                workload.kind.to_lowercase(),
                workload.name
            ),
            Self::Locked { lease, lease_duration, .. } => {
                let limit = taster_text::exact_duration(*lease_duration);
                format!(
                    "let the other process finish, or raise `cluster.lock.wait`. The lock of a pod that has ended, or of a \
                     killed process of this machine, is taken over at once; the lock of any other killed process when \
                     `cluster.lock.wait` is longer than {limit}. If you know that it was killed: `kubectl delete lease \
                     {lease}` in the namespace of the workloads"
                )
            }
            Self::LockLost { .. } => {
                "nothing was restored, because the other process works with these workloads now; run this again when it \
                 has finished"
                    .to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder_and_the_wait() {
        let locked = |waited| ClusterError::Locked {
            lease: "taster-shop".to_owned(),
            holder: "pod pre-1 (pre of run r1)".to_owned(),
            waited,
            lease_duration: Duration::from_secs(30),
        };
        insta::assert_snapshot!(locked(None), @"the lock (Lease taster-shop) is held by pod pre-1 (pre of run r1)");
        let waited = locked(Some(Duration::from_secs(5)));
        insta::assert_snapshot!(waited, @"the lock (Lease taster-shop) is held by pod pre-1 (pre of run r1); waited 5.0 s for it");
        insta::assert_snapshot!(waited.help().unwrap(), @"let the other process finish, or raise `cluster.lock.wait`. The lock of a pod that has ended, or of a killed process of this machine, is taken over at once; the lock of any other killed process when `cluster.lock.wait` is longer than 30s. If you know that it was killed: `kubectl delete lease taster-shop` in the namespace of the workloads");
    }
}
