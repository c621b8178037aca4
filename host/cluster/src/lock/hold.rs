//! A lock that is held: renewed in the background, checked before every change, given back at the end.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use super::lease::{Holder, Leases};
use crate::ClusterError;

/// The lock, held. Renewed in the background until it is released or dropped.
pub struct Lock {
    held: Arc<Held>,
    renewing: JoinHandle<()>,
}

struct Held {
    leases: Leases,
    /// The Lease as it was written last. Whoever writes has this first: renewals do not race with each other.
    lease: Mutex<Lease>,
    /// Who took it.
    taken: watch::Sender<Option<String>>,
}

/// How often a write is tried that somebody else's write to the same Lease gets in the way of.
const TRIES: u32 = 5;

impl Lock {
    pub(super) fn hold(leases: Leases, lease: Lease) -> Self {
        let pause = leases.lease / 3;
        let held = Arc::new(Held { leases, lease: Mutex::new(lease), taken: watch::Sender::new(None) });
        let renewing = tokio::spawn({
            let held = Arc::clone(&held);
            async move {
                let mut next = pause;
                loop {
                    tokio::time::sleep(next).await;
                    next = pause;
                    match held.renew().await {
                        Ok(()) => {}
                        Err(ClusterError::LockLost { .. }) => return,
                        // nobody can take it from a server that is away; whoever took it is seen when it is back
                        Err(error) => {
                            tracing::debug!(%error, "the lock could not be renewed");
                            next = pause.min(Duration::from_secs(1));
                        }
                    }
                }
            }
        });
        Self { held, renewing }
    }

    /// Resolves when another process has the lock, with who has it.
    pub async fn lost(&self) -> ClusterError {
        let mut taken = self.held.taken.subscribe();
        let holder = match taken.wait_for(Option::is_some).await {
            Ok(holder) => holder.clone().unwrap_or_default(),
            // the sender lives as long as the lock
            Err(_) => return std::future::pending().await,
        };
        self.held.lost(holder)
    }

    /// Makes sure, by renewing it now, that it is still held.
    pub async fn check(&self) -> Result<(), ClusterError> {
        self.held.renew().await
    }

    /// Gives it back. The next one need not wait. One that was lost is left to who has it.
    pub async fn release(self) -> Result<(), ClusterError> {
        self.renewing.abort();
        let mut lease = self.held.lease.lock().await;
        for _ in 0..TRIES {
            if self.held.taken.borrow().is_some() || self.held.leases.free(&lease).await?.is_some() {
                return Ok(());
            }
            match self.held.found().await? {
                Some(found) => *lease = found,
                None => return Ok(()),
            }
        }
        Err(ClusterError::Contended { what: format!("Lease {}", self.held.leases.name), tries: TRIES })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Held {
    async fn renew(&self) -> Result<(), ClusterError> {
        let mut lease = self.lease.lock().await;
        for _ in 0..TRIES {
            if let Some(holder) = self.taken.borrow().clone() {
                return Err(self.lost(holder));
            }
            if let Some(renewed) = self.leases.renew(&lease).await? {
                *lease = renewed;
                return Ok(());
            }
            // Somebody wrote. Was it a person with kubectl, or the next holder?
            if let Some(found) = self.found().await? {
                *lease = found;
            }
        }
        Err(ClusterError::Contended { what: format!("Lease {}", self.leases.name), tries: TRIES })
    }

    /// The Lease as it is, if it is still this process's. `None`, with who has it noted, if not.
    async fn found(&self) -> Result<Option<Lease>, ClusterError> {
        let holder = match self.leases.get().await? {
            // a person who deletes a Lease takes it from nobody, unless somebody is faster
            None => match self.leases.create().await? {
                Some(made) => return Ok(Some(made)),
                None => "another process: it was deleted and made anew".to_owned(),
            },
            Some(found) => match Holder::of(&found) {
                Some(holder) if holder.identity == self.leases.identity => return Ok(Some(found)),
                Some(other) => other.to_string(),
                None => "nobody: it was freed".to_owned(),
            },
        };
        self.taken.send_replace(Some(holder));
        Ok(None)
    }

    fn lost(&self, holder: String) -> ClusterError {
        ClusterError::LockLost { lease: self.leases.name.clone(), holder }
    }
}
