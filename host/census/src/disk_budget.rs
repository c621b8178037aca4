//! What the censuses of one run may take on disk.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::CensusError;

/// The bytes that scratch files and finished censuses may take together. Clones share them. A probe decides how many censuses
/// are taken, so that without a limit it could fill the disk and the store.
#[derive(Debug, Clone)]
pub struct DiskBudget {
    limit: u64,
    used: Arc<AtomicU64>,
}

impl DiskBudget {
    /// Nothing is used yet.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Takes bytes that are about to be written.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), CensusError> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.limit {
            return Ok(());
        }
        self.give_back(bytes);
        Err(CensusError::DiskBudget { limit: self.limit })
    }

    /// Returns the bytes of a scratch file that was removed.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_bytes() {
        let budget = DiskBudget::new(100);
        let other = budget.clone();
        budget.take(60).unwrap();
        assert!(matches!(other.take(41), Err(CensusError::DiskBudget { limit: 100 })));
        other.take(40).unwrap();
        budget.give_back(60);
        other.take(60).unwrap();
        assert!(budget.take(1).is_err());
    }
}
