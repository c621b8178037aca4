//! The lock: a Lease of the app, held by one process at a time.
//!
//! It guards the process, not the run. A holder whose pod is gone is dead at once; any other is dead when its Lease was
//! not seen to change for as long as it said, by this machine's own stopwatch: no two clocks are ever compared.

mod hold;
mod lease;

use std::time::{Duration, Instant};

use taster_model::RunId;

use crate::{Cluster, ClusterError, cluster};
pub use hold::Lock;
use lease::{Holder, Leases};

/// How long a holder may be silent before it counts as dead.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a Lease that somebody else holds is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What to do when another process holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Wait so long, then fail.
    Wait(Duration),
    /// Fail at once.
    Fail,
    /// Take it from a process of the same run; wait so long for any other one.
    TakeOver(Duration),
}

/// What the lock is wanted for.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// The run, where it is known.
    pub run: Option<RunId>,
    /// `pre`, `post`, `restore`: for whoever finds it held.
    pub what: &'static str,
    /// When somebody else has it.
    pub busy: Busy,
    /// How long this holder may be silent: [`LEASE`], in whole seconds. It is renewed three times as often.
    pub lease: Duration,
}

/// What was seen of a holder, and since when it has not changed.
struct Watched {
    version: String,
    since: Instant,
}

impl Cluster {
    /// Takes the lock of the app. `say` is called with who holds it, whenever that changes.
    ///
    /// # Errors
    /// Somebody else holds it and goes on holding it; a missing right. An API server that is away is one at once.
    pub async fn lock(&self, request: LockRequest, say: &(dyn Fn(&str) + Send + Sync)) -> Result<Lock, ClusterError> {
        let leases = Leases::new(self, &request);
        let begun = Instant::now();
        let mut watched: Option<Watched> = None;
        let mut said = None;
        loop {
            let Some(found) = leases.get().await? else {
                if let Some(lease) = leases.create().await? {
                    return Ok(Lock::hold(leases, lease));
                }
                continue;
            };
            let holder = Holder::of(&found);
            let version = found.metadata.resource_version.clone().unwrap_or_default();
            let mine = match &holder {
                None => true,
                Some(holder) if holder.identity == leases.identity => true,
                Some(holder) => {
                    if watched.as_ref().is_none_or(|watched| watched.version != version) {
                        watched = Some(Watched { version, since: Instant::now() });
                    }
                    let silent = watched.as_ref().map_or(Duration::ZERO, |watched| watched.since.elapsed());
                    silent >= holder.lease
                        || self.is_gone(holder).await?
                        || matches!(request.busy, Busy::TakeOver(_))
                            && request.run.is_some()
                            && holder.run == request.run
                }
            };
            if mine {
                match leases.take(&found).await? {
                    Some(lease) => return Ok(Lock::hold(leases, lease)),
                    // somebody was faster, or the holder lives after all
                    None => continue,
                }
            }
            let holder = holder.map(|holder| holder.to_string()).unwrap_or_default();
            let waited = begun.elapsed();
            let patience = match request.busy {
                Busy::Wait(patience) | Busy::TakeOver(patience) => patience,
                Busy::Fail => Duration::ZERO,
            };
            if waited >= patience {
                let waited =
                    if patience.is_zero() { String::new() } else { format!(", for {} s already", waited.as_secs()) };
                return Err(ClusterError::Locked { lease: leases.name.clone(), holder, waited });
            }
            if said.as_ref() != Some(&holder) {
                say(&format!("waiting for the lock: {holder} holds it"));
                said = Some(holder);
            }
            tokio::time::sleep(LOOK.min(patience.saturating_sub(waited))).await;
        }
    }

    /// Whether the holder's pod is no more: gone, another one of the same name, or ended.
    async fn is_gone(&self, holder: &Holder) -> Result<bool, ClusterError> {
        let Some(name) = &holder.pod else { return Ok(false) };
        let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
            kube::Api::namespaced(self.client.clone(), holder.namespace.as_deref().unwrap_or(&self.namespace));
        let asked = self.asked("get", "pods", name);
        let Some(pod) = cluster::ask_for(asked, pods.get(name)).await? else { return Ok(true) };
        let ended =
            pod.status.and_then(|status| status.phase).is_some_and(|phase| phase == "Succeeded" || phase == "Failed");
        Ok(ended || pod.metadata.uid.as_deref() != Some(&holder.identity))
    }
}
