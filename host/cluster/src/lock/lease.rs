//! Reads and writes of the Lease. Every write names the resource version that it replaces.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};

use super::{
    holder::{self, ANNOTATIONS},
    request::LockRequest,
};
use crate::{
    connection::{Cluster, FIELD_MANAGER},
    error::ClusterError,
    request::ApiRequest,
};

/// The Lease of one app, as one process reads and writes it.
pub(super) struct LeaseClient {
    api: Api<Lease>,
    namespace: String,
    /// Name of the Lease.
    pub(super) name: String,
    /// The identity of this process as a holder.
    pub(super) identity: String,
    pub(super) lease_duration: Duration,
    annotations: BTreeMap<String, String>,
}

impl LeaseClient {
    pub(super) fn new(cluster: &Cluster, request: &LockRequest) -> Self {
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            namespace: cluster.namespace.clone(),
            name: lease_name(cluster.app.as_str()),
            identity: cluster.identity.uid.clone().unwrap_or_else(|| ulid::Ulid::generate().to_string()),
            lease_duration: request.lease_duration.max(Duration::from_secs(1)),
            annotations: holder::annotations(&cluster.identity, request),
        }
    }

    fn request(&self, verb: &'static str) -> ApiRequest<'_> {
        ApiRequest { verb, resource: "leases", name: &self.name, namespace: &self.namespace }
    }

    pub(super) async fn get(&self) -> Result<Option<Lease>, ClusterError> {
        self.request("get").send_optional(self.api.get(&self.name)).await
    }

    /// Creates the Lease, held by this process. `None` where another process created it first.
    pub(super) async fn create(&self) -> Result<Option<Lease>, ClusterError> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let lease = self.with_this_holder(Lease { metadata, spec: None });
        match self.request("create").send(self.api.create(&post_params(), &lease)).await {
            // on `create` only the namespace can be missing
            Err(ClusterError::NotFound { .. }) => {
                let object = format!("namespace {} (`cluster.namespace`)", self.namespace);
                Err(ClusterError::NotFound { object, namespace: self.namespace.clone() })
            }
            result => none_if_changed(result),
        }
    }

    /// Makes this process the holder of `current`. `None` where the Lease has changed since.
    pub(super) async fn take(&self, current: &Lease) -> Result<Option<Lease>, ClusterError> {
        self.replace(self.with_this_holder(current.clone())).await
    }

    /// Sets `renewTime`. `None` where another client has changed the Lease.
    pub(super) async fn renew(&self, held: &Lease) -> Result<Option<Lease>, ClusterError> {
        let mut lease = held.clone();
        lease.spec.get_or_insert_default().renew_time = Some(now());
        self.replace(lease).await
    }

    /// Removes the holder. `None` where another client has changed the Lease.
    pub(super) async fn release(&self, held: &Lease) -> Result<Option<Lease>, ClusterError> {
        let mut lease = held.clone();
        lease.spec.get_or_insert_default().holder_identity = None;
        for key in ANNOTATIONS {
            lease.metadata.annotations.get_or_insert_default().remove(key);
        }
        self.replace(lease).await
    }

    async fn replace(&self, lease: Lease) -> Result<Option<Lease>, ClusterError> {
        none_if_changed(self.request("update").send(self.api.replace(&self.name, &post_params(), &lease)).await)
    }

    fn with_this_holder(&self, mut lease: Lease) -> Lease {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        for key in ANNOTATIONS {
            annotations.remove(key);
        }
        annotations.extend(self.annotations.clone());
        let before = lease.spec.take().unwrap_or_default();
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.lease_duration.as_secs()).ok(),
            acquire_time: Some(now()),
            renew_time: Some(now()),
            lease_transitions: Some(before.lease_transitions.unwrap_or(0).saturating_add(1)),
            ..before
        });
        lease
    }
}

fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// For people who look at the Lease. No process compares it with a clock.
fn now() -> MicroTime {
    MicroTime(k8s_openapi::jiff::Timestamp::now())
}

/// `None` where another client has changed or deleted the Lease.
fn none_if_changed<T>(result: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match result {
        Ok(lease) => Ok(Some(lease)),
        Err(ClusterError::Conflict { .. } | ClusterError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `taster-<app>`. An app name with characters that an object name may not have gets a hash, so that no two apps share a
/// Lease.
fn lease_name(app: &str) -> String {
    let is_valid =
        app.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !app.ends_with('-');
    if is_valid {
        return format!("taster-{app}");
    }
    let replaced: String = app.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // FNV-1a: short and the same on every machine; it need not be secure
    let hash =
        app.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("taster-{replaced}-{:08x}", hash & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_app_has_its_own_lease() {
        assert_eq!(lease_name("pxbbq"), "taster-pxbbq");
        assert_ne!(lease_name("a_b"), lease_name("a.b"));
        for app in ["a_b", "a.b", "a-", "a..", "a-b"] {
            let name = lease_name(app);
            let is_valid = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(is_valid && !name.ends_with('-'), "{name}");
        }
    }
}
