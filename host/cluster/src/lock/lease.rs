//! The Lease as it is written and read. Every write names the version that it is meant for.

use std::{collections::BTreeMap, fmt, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use taster_model::RunId;

use super::LockRequest;
use crate::{
    Cluster, ClusterError,
    cluster::{self, MANAGER},
};

const POD: &str = "taster.dev/pod";
const NAMESPACE: &str = "taster.dev/namespace";
const RUN: &str = "taster.dev/run";
const WHAT: &str = "taster.dev/what";

/// Who holds a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) identity: String,
    pub(super) pod: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) run: Option<RunId>,
    pub(super) what: String,
    /// How long it may be silent.
    pub(super) lease: Duration,
}

impl Holder {
    /// `None` where nobody holds it.
    pub(super) fn of(lease: &Lease) -> Option<Self> {
        let spec = lease.spec.as_ref()?;
        let identity = spec.holder_identity.clone().filter(|identity| !identity.is_empty())?;
        let note = |key: &str| lease.metadata.annotations.as_ref()?.get(key).cloned();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Some(Self {
            identity,
            pod: note(POD),
            namespace: note(NAMESPACE),
            run: note(RUN).and_then(|run| run.parse().ok()),
            what: note(WHAT).unwrap_or_default(),
            lease: seconds.map_or(super::LEASE, Duration::from_secs),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pod {
            Some(pod) => write!(f, "pod {pod}")?,
            None => write!(f, "process {}", self.identity)?,
        }
        match (&*self.what, &self.run) {
            ("", _) => Ok(()),
            (what, Some(run)) => write!(f, " ({what} of run {run})"),
            (what, None) => write!(f, " ({what})"),
        }
    }
}

/// The Lease of one app, for one process.
pub(super) struct Leases {
    api: Api<Lease>,
    namespace: String,
    pub(super) name: String,
    pub(super) identity: String,
    pub(super) lease: Duration,
    notes: BTreeMap<String, String>,
}

impl Leases {
    pub(super) fn new(cluster: &Cluster, request: &LockRequest) -> Self {
        let me = &cluster.me;
        // a pod's name without its UID proves nothing: another one may have it by now
        let in_pod = me.uid.is_some();
        let notes = [
            (POD, me.pod.clone().filter(|_| in_pod)),
            (NAMESPACE, me.namespace.clone().filter(|_| in_pod)),
            (RUN, request.run.as_ref().map(ToString::to_string)),
            (WHAT, Some(request.what.to_owned())),
        ];
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            namespace: cluster.namespace.clone(),
            name: name(cluster.app.as_str()),
            identity: me.uid.clone().unwrap_or_else(|| ulid::Ulid::generate().to_string()),
            lease: request.lease.max(Duration::from_secs(1)),
            notes: notes.into_iter().filter_map(|(key, note)| Some((key.to_owned(), note?))).collect(),
        }
    }

    fn asked(&self, verb: &'static str) -> cluster::Asked<'_> {
        cluster::Asked { verb, resource: "leases", name: &self.name, namespace: &self.namespace }
    }

    pub(super) async fn get(&self) -> Result<Option<Lease>, ClusterError> {
        cluster::ask_for(self.asked("get"), self.api.get(&self.name)).await
    }

    /// `None` where somebody else made it first.
    pub(super) async fn create(&self) -> Result<Option<Lease>, ClusterError> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let lease = self.held(Lease { metadata, spec: None });
        match cluster::ask(self.asked("create"), self.api.create(&params(), &lease)).await {
            // it is the namespace that is not there
            Err(ClusterError::NotFound { .. }) => {
                let what = format!("namespace {} (`cluster.namespace`)", self.namespace);
                Err(ClusterError::NotFound { what, namespace: self.namespace.clone() })
            }
            answer => unless_faster(answer),
        }
    }

    /// Takes over what was found. `None` where it has changed since.
    pub(super) async fn take(&self, found: &Lease) -> Result<Option<Lease>, ClusterError> {
        self.replace(self.held(found.clone())).await
    }

    /// Says that the holder lives. `None` where it was changed by somebody else.
    pub(super) async fn renew(&self, held: &Lease) -> Result<Option<Lease>, ClusterError> {
        let mut lease = held.clone();
        lease.spec.get_or_insert_default().renew_time = Some(now());
        self.replace(lease).await
    }

    /// Gives it back.
    pub(super) async fn free(&self, held: &Lease) -> Result<Option<Lease>, ClusterError> {
        let mut lease = held.clone();
        lease.spec.get_or_insert_default().holder_identity = None;
        for key in [POD, NAMESPACE, RUN, WHAT] {
            lease.metadata.annotations.get_or_insert_default().remove(key);
        }
        self.replace(lease).await
    }

    async fn replace(&self, lease: Lease) -> Result<Option<Lease>, ClusterError> {
        unless_faster(cluster::ask(self.asked("update"), self.api.replace(&self.name, &params(), &lease)).await)
    }

    fn held(&self, mut lease: Lease) -> Lease {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        for key in [POD, NAMESPACE, RUN, WHAT] {
            annotations.remove(key);
        }
        annotations.extend(self.notes.clone());
        let before = lease.spec.take().unwrap_or_default();
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.lease.as_secs()).ok(),
            acquire_time: Some(now()),
            renew_time: Some(now()),
            lease_transitions: Some(before.lease_transitions.unwrap_or(0).saturating_add(1)),
            ..before
        });
        lease
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}

/// For people who look at the Lease; nobody compares it with a clock.
fn now() -> MicroTime {
    MicroTime(k8s_openapi::jiff::Timestamp::now())
}

fn unless_faster<T>(answer: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        // changed, or deleted, by somebody else
        Err(ClusterError::Contended { .. } | ClusterError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `taster-<app>`; an app's name may have characters that an object's may not, then it is told apart by a number.
fn name(app: &str) -> String {
    let fits = app.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !app.ends_with('-');
    if fits {
        return format!("taster-{app}");
    }
    let plain: String = app.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // FNV-1a: short, the same everywhere, and no secret hangs on it
    let hash =
        app.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("taster-{plain}-{:08x}", hash & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_app_has_a_lease_of_its_own() {
        assert_eq!(name("pxbbq"), "taster-pxbbq");
        assert_ne!(name("a_b"), name("a.b"));
        for app in ["a_b", "a.b", "a-", "a..", "a-b"] {
            let name = name(app);
            let fits = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(fits && !name.ends_with('-'), "{name}");
        }
    }
}
