//! Limits on what one run of a probe may read.

use std::time::Duration;

/// How much one run of a probe may read. All cursors of the run count against the same limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Documents handed to the probe. Default 100 000 000.
    ///
    /// Documents that the host fetched ahead and never handed out do not count. The documents that fit are handed out; the
    /// first one that does not fit is refused.
    pub documents: u64,
    /// Bytes of those documents. Default 1 TiB.
    pub bytes: u64,
    /// Cursors open on the server at a time. Default 16.
    ///
    /// A cursor counts until its last batch is handed over or it is dropped. Each cursor may hold two server replies of at
    /// most 16 MiB on the host, so in the worst case this limit multiplies with 32 MiB of the host's memory.
    pub cursors: u32,
    /// Time spent waiting for the server, summed over all cursors, including prefetching. Default 10 min.
    ///
    /// The time that is left is sent to the server as `maxTimeMS`, so that the server stops too.
    pub server_time: Duration,
    /// Bytes of one batch handed to the probe, unless one document is larger. Default 2 MiB.
    ///
    /// A guest needs this much free memory, or twice as much where its language copies. Sizes between 256 KiB and 4 MiB were
    /// equally fast; 2 MiB holds a whole reply of 4096 ordinary documents.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            documents: 100_000_000,
            bytes: 1 << 40,
            cursors: 16,
            server_time: Duration::from_mins(10),
            batch: 2 * 1024 * 1024,
        }
    }
}
