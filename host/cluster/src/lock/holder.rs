//! The holder of a Lease, read from its spec and annotations.

use std::{collections::BTreeMap, fmt, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use taster_model::RunId;

use super::{
    process,
    request::{LEASE_DURATION, LockRequest},
};
use crate::connection::ProcessIdentity;

const POD: &str = "taster.dev/pod";
const NAMESPACE: &str = "taster.dev/namespace";
const RUN: &str = "taster.dev/run";
const COMMAND: &str = "taster.dev/what";
const PROCESS: &str = "taster.dev/process";

/// The annotations that describe the holder. A released Lease has none of them.
pub(super) const ANNOTATIONS: [&str; 5] = [POD, NAMESPACE, RUN, COMMAND, PROCESS];

/// The holder of a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// UID of its pod; outside a pod a ULID.
    pub(super) identity: String,
    /// Name of its pod. `None` outside a pod.
    pub(super) pod: Option<String>,
    /// Namespace of its pod.
    pub(super) namespace: Option<String>,
    pub(super) run: Option<RunId>,
    pub(super) command: String,
    /// Outside a pod: the process, so that another one on the same machine sees whether it has ended.
    pub(super) process: Option<String>,
    /// How long it may go without a renewal.
    pub(super) lease_duration: Duration,
}

impl Holder {
    /// `None` if no process holds the Lease.
    pub(super) fn from_lease(lease: &Lease) -> Option<Self> {
        let spec = lease.spec.as_ref()?;
        let identity = spec.holder_identity.clone().filter(|identity| !identity.is_empty())?;
        let annotation = |key: &str| lease.metadata.annotations.as_ref()?.get(key).cloned();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Some(Self {
            identity,
            pod: annotation(POD),
            namespace: annotation(NAMESPACE),
            run: annotation(RUN).and_then(|run| run.parse().ok()),
            command: annotation(COMMAND).unwrap_or_default(),
            process: annotation(PROCESS),
            lease_duration: seconds.map_or(LEASE_DURATION, Duration::from_secs),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pod {
            Some(pod) => write!(f, "pod {pod}")?,
            None => write!(f, "process {}", self.identity)?,
        }
        match (&*self.command, &self.run) {
            ("", _) => Ok(()),
            (command, Some(run)) => write!(f, " ({command} of run {run})"),
            (command, None) => write!(f, " ({command})"),
        }
    }
}

/// The annotations of a Lease that this process holds.
pub(super) fn annotations(identity: &ProcessIdentity, request: &LockRequest) -> BTreeMap<String, String> {
    // without its UID a pod's name proves nothing: another pod may have it by now
    let in_pod = identity.uid.is_some();
    let annotations = [
        (POD, identity.pod.clone().filter(|_| in_pod)),
        (NAMESPACE, identity.namespace.clone().filter(|_| in_pod)),
        (RUN, request.run.as_ref().map(ToString::to_string)),
        (COMMAND, Some(request.command.to_owned())),
        (PROCESS, if in_pod { None } else { process::this_process() }),
    ];
    annotations.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
