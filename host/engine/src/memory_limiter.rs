//! The memory limit of a run, over all memories and tables of a component together.

use wasmtime::ResourceLimiter;

/// Bytes of the host for a table entry: a pointer.
const TABLE_ENTRY: u64 = 8;

/// Core instances of one component. Python components link their libraries as instances: about a hundred.
const INSTANCES: usize = 200;
/// Tables of one component.
const TABLES: usize = 64;
/// Linear memories of one component.
const MEMORIES: usize = 32;

/// Counts all memories and tables of a store against one limit.
///
/// wasmtime's own limit is per memory and table: a component with two memories could use twice as much.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    allowed: u64,
    total: u64,
    peak: u64,
    /// The last growth, subtracted again if it fails after all.
    granted: u64,
    refused: Option<u64>,
}

impl MemoryLimiter {
    pub(crate) fn new(allowed: u64) -> Self {
        Self { allowed, total: 0, peak: 0, granted: 0, refused: None }
    }

    /// The greatest sum so far.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// What is allowed.
    pub(crate) fn allowed(&self) -> u64 {
        self.allowed
    }

    /// The sum that the last refused growth needed. A guest without memory mostly traps with `unreachable` later; this shows
    /// the real cause.
    pub(crate) fn refused(&self) -> Option<u64> {
        self.refused
    }

    fn grow(&mut self, current: usize, desired: usize, unit: u64) -> bool {
        let more = (desired.saturating_sub(current) as u64).saturating_mul(unit);
        let asked = self.total.saturating_add(more);
        if asked > self.allowed {
            self.granted = 0;
            self.refused = Some(asked);
            return false;
        }
        self.total = asked;
        self.granted = more;
        self.peak = self.peak.max(asked);
        true
    }

    fn give_back(&mut self) {
        self.total = self.total.saturating_sub(self.granted);
        self.granted = 0;
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, 1))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, TABLE_ENTRY))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut limiter = MemoryLimiter::new(1000);
        assert!(limiter.memory_growing(0, 500, None).unwrap());
        assert!(limiter.memory_growing(0, 400, None).unwrap());
        assert!(!limiter.table_growing(0, 13, None).unwrap(), "900 + 13 * 8 is past 1000");
        assert_eq!(limiter.refused(), Some(1004));
        assert!(limiter.table_growing(0, 12, None).unwrap());
        assert_eq!(limiter.peak(), 996);
    }

    #[test]
    fn a_growth_that_fails_after_all_is_given_back_once() {
        let mut limiter = MemoryLimiter::new(1000);
        assert!(limiter.memory_growing(0, 900, Some(100)).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("maximum")).unwrap();
        limiter.memory_grow_failed(wasmtime::Error::msg("maximum")).unwrap();
        assert!(limiter.memory_growing(0, 1000, None).unwrap());
    }
}
