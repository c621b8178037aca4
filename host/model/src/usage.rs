//! What a probe used of its limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a probe used, beside what it was allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Wall time of the run, in milliseconds.
    pub wall_ms: u64,
    /// Time the guest itself was computing, in milliseconds.
    pub guest_ms: u64,
    /// Time spent waiting for the server, in milliseconds.
    pub server_ms: u64,
    /// Documents that were handed to the guest.
    pub documents: u64,
    /// Bytes of those documents.
    pub bytes: u64,
    /// Greatest sum of all memories and tables, in bytes.
    pub memory_peak: u64,
    /// Calls of the guest to the host.
    pub host_calls: u64,
    /// Bytes of log that were kept.
    pub log_bytes: u64,
    /// Bytes of log that were dropped past the limit.
    pub log_dropped: u64,
    /// Collections that it read, sorted.
    pub collections: Vec<String>,
}
