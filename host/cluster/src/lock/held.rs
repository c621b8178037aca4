//! A held lock: renewed in the background, confirmed before every change, released at the end.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use taster_retry::RetryPolicy;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use super::{holder::Holder, lease::LeaseClient};
use crate::error::ClusterError;

/// A held lock. Renewed in the background until it is released or dropped.
pub struct Lock {
    shared: Arc<HeldLease>,
    renewal: JoinHandle<()>,
}

struct HeldLease {
    leases: LeaseClient,
    /// The Lease as it was written last. Locked during every write, so that renewals do not race with each other.
    lease: Mutex<Lease>,
    /// The process that took the lock.
    new_holder: watch::Sender<Option<String>>,
}

/// How often a write is repeated after another client has changed the Lease.
const MAX_WRITE_ATTEMPTS: u32 = 5;
/// How soon a failed renewal is repeated.
const RENEWAL_RETRY: RetryPolicy = RetryPolicy::new(Duration::from_millis(250), Duration::from_secs(1));

impl Lock {
    pub(super) fn start_renewing(leases: LeaseClient, lease: Lease) -> Self {
        let interval = leases.lease_duration / 3;
        let shared = Arc::new(HeldLease { leases, lease: Mutex::new(lease), new_holder: watch::Sender::new(None) });
        let renewal = tokio::spawn(keep_renewing(Arc::clone(&shared), interval));
        Self { shared, renewal }
    }

    /// Resolves when another process has taken the lock, with an error that names it.
    pub async fn lost(&self) -> ClusterError {
        let mut new_holder = self.shared.new_holder.subscribe();
        let holder = match new_holder.wait_for(Option::is_some).await {
            Ok(holder) => holder.clone().unwrap_or_default(),
            // cannot happen: the sender lives as long as the lock
            Err(_) => return std::future::pending().await,
        };
        self.shared.lost_to(holder)
    }

    /// Confirms, by renewing it now, that this process still holds the lock.
    pub async fn confirm(&self) -> Result<(), ClusterError> {
        self.shared.renew().await
    }

    /// Releases the lock, so that the next process need not wait. A lock that was lost is left to its new holder.
    pub async fn release(self) -> Result<(), ClusterError> {
        self.renewal.abort();
        let mut lease = self.shared.lease.lock().await;
        for _ in 0..MAX_WRITE_ATTEMPTS {
            if self.shared.new_holder.borrow().is_some() || self.shared.leases.release(&lease).await?.is_some() {
                return Ok(());
            }
            match self.shared.read_own().await? {
                Some(current) => *lease = current,
                None => return Ok(()),
            }
        }
        Err(self.shared.conflict())
    }
}

/// Renews the lock at this interval, until it is lost.
async fn keep_renewing(shared: Arc<HeldLease>, interval: Duration) {
    let mut backoff = RENEWAL_RETRY.start();
    let mut pause = interval;
    loop {
        tokio::time::sleep(pause).await;
        match shared.renew().await {
            Ok(()) => {
                backoff = RENEWAL_RETRY.start();
                pause = interval;
            }
            Err(ClusterError::LockLost { .. }) => return,
            // while the server is unreachable, no process can take the lock; if another process took it before or after
            // that, the next successful renewal notices
            Err(error) => {
                tracing::debug!(%error, "the lock was not renewed");
                pause = backoff.next_pause(Duration::ZERO).unwrap_or(interval).min(interval);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl HeldLease {
    async fn renew(&self) -> Result<(), ClusterError> {
        let mut lease = self.lease.lock().await;
        for _ in 0..MAX_WRITE_ATTEMPTS {
            if let Some(holder) = self.new_holder.borrow().clone() {
                return Err(self.lost_to(holder));
            }
            if let Some(renewed) = self.leases.renew(&lease).await? {
                *lease = renewed;
                return Ok(());
            }
            // another client wrote: a person with kubectl, or the next holder
            if let Some(current) = self.read_own().await? {
                *lease = current;
            }
        }
        Err(self.conflict())
    }

    /// The current Lease, if this process still holds it. If not, `None`, and the new holder is noted.
    async fn read_own(&self) -> Result<Option<Lease>, ClusterError> {
        let holder = match self.leases.get().await? {
            // deleting a Lease does not take it from its holder, unless another process creates it first
            None => match self.leases.create().await? {
                Some(created) => return Ok(Some(created)),
                None => "another process, after the Lease was deleted".to_owned(),
            },
            Some(current) => match Holder::from_lease(&current) {
                Some(holder) if holder.identity == self.leases.identity => return Ok(Some(current)),
                Some(other) => other.to_string(),
                None => "no process: another client removed the holder".to_owned(),
            },
        };
        self.new_holder.send_replace(Some(holder));
        Ok(None)
    }

    fn lost_to(&self, holder: String) -> ClusterError {
        ClusterError::LockLost { lease: self.leases.name.clone(), holder }
    }

    fn conflict(&self) -> ClusterError {
        ClusterError::Conflict { object: format!("Lease {}", self.leases.name), tries: MAX_WRITE_ATTEMPTS }
    }
}
