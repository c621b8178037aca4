//! Acquiring the lock, and waiting for it.

use std::time::{Duration, Instant};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::Api;

use super::{
    decision::{Contender, Decision, HolderPod, LeaseState, decide},
    held::Lock,
    holder::Holder,
    lease::LeaseClient,
    process,
    request::LockRequest,
};
use crate::{connection::Cluster, error::ClusterError, request::ApiRequest};

impl Cluster {
    /// Acquires the lock of the app. Calls `on_wait` with the holder, whenever that changes.
    ///
    /// # Errors
    /// Another process holds the lock until the wait is over; a missing right; an unreachable API server, at once.
    pub async fn acquire_lock(
        &self,
        request: LockRequest,
        on_wait: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Lock, ClusterError> {
        let leases = LeaseClient::new(self, &request);
        let mut wait = LockWait::begin();
        loop {
            let Some(current) = leases.get().await? else {
                if let Some(lease) = leases.create().await? {
                    return Ok(Lock::start_renewing(leases, lease));
                }
                continue;
            };
            let holder = Holder::from_lease(&current);
            let contender =
                Contender { identity: &leases.identity, run: request.run.as_ref(), when_locked: request.when_locked };
            let unchanged_for = wait.observe(&current);
            match self.decide_about(&contender, holder.as_ref(), unchanged_for, wait.begun).await? {
                Decision::Take => {
                    // `None`: another process was faster, or the holder has renewed after all
                    if let Some(lease) = leases.take(&current).await? {
                        return Ok(Lock::start_renewing(leases, lease));
                    }
                }
                // the pod was looked up; the state of the Lease is read again
                Decision::LookUpPod => {}
                Decision::GiveUp => return Err(locked(leases.name, holder.as_ref(), &request, wait.begun.elapsed())),
                Decision::Wait(pause) => {
                    wait.announce(holder.as_ref(), on_wait);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Decides what to do about a Lease; looks up the holder's pod where that matters.
    async fn decide_about(
        &self,
        contender: &Contender<'_>,
        holder: Option<&Holder>,
        unchanged_for: Duration,
        begun: Instant,
    ) -> Result<Decision, ClusterError> {
        let mut state = LeaseState { holder, unchanged_for, pod: HolderPod::Unknown, waited: begun.elapsed() };
        let decision = decide(contender, &state);
        let (Decision::LookUpPod, Some(holder)) = (decision, holder) else { return Ok(decision) };
        state.pod = self.look_up_pod(holder).await?;
        state.waited = begun.elapsed();
        Ok(decide(contender, &state))
    }

    async fn look_up_pod(&self, holder: &Holder) -> Result<HolderPod, ClusterError> {
        let Some(name) = &holder.pod else {
            let has_ended = holder.process.as_deref().is_some_and(process::has_ended);
            return Ok(if has_ended { HolderPod::Gone } else { HolderPod::Alive });
        };
        let namespace = holder.namespace.as_deref().unwrap_or(&self.namespace);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let request = ApiRequest { verb: "get", resource: "pods", name, namespace };
        let Some(pod) = request.send_optional(pods.get(name)).await? else { return Ok(HolderPod::Gone) };
        let phase = pod.status.and_then(|status| status.phase);
        let ended = matches!(phase.as_deref(), Some("Succeeded" | "Failed"));
        let replaced = pod.metadata.uid.as_deref() != Some(&holder.identity);
        Ok(if ended || replaced { HolderPod::Gone } else { HolderPod::Alive })
    }
}

/// A wait for the lock.
struct LockWait {
    begun: Instant,
    /// Since when the Lease has been seen at a resource version.
    unchanged: Option<(String, Instant)>,
    /// The holder that was announced last.
    announced: Option<String>,
}

impl LockWait {
    fn begin() -> Self {
        Self { begun: Instant::now(), unchanged: None, announced: None }
    }

    /// How long the Lease has been seen unchanged.
    fn observe(&mut self, lease: &Lease) -> Duration {
        let version = lease.metadata.resource_version.as_deref().unwrap_or_default();
        match &self.unchanged {
            Some((seen, since)) if seen == version => since.elapsed(),
            _ => {
                self.unchanged = Some((version.to_owned(), Instant::now()));
                Duration::ZERO
            }
        }
    }

    fn announce(&mut self, holder: Option<&Holder>, on_wait: &(dyn Fn(&str) + Send + Sync)) {
        let holder = holder.map(ToString::to_string).unwrap_or_default();
        if self.announced.as_ref() != Some(&holder) {
            on_wait(&holder);
            self.announced = Some(holder);
        }
    }
}

fn locked(lease: String, holder: Option<&Holder>, request: &LockRequest, waited: Duration) -> ClusterError {
    let waits = !request.when_locked.wait_limit().is_zero();
    ClusterError::Locked {
        lease,
        holder: holder.map(ToString::to_string).unwrap_or_default(),
        waited: waits.then_some(waited),
        lease_duration: holder.map_or(request.lease_duration, |holder| holder.lease_duration),
    }
}
