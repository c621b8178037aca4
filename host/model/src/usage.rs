//! Resources that a probe used, and its limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resources that a probe used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Wall time of the run, in milliseconds.
    pub wall_ms: u64,
    /// Time that the probe itself was computing, in milliseconds.
    pub guest_ms: u64,
    /// Time spent waiting for the database server, in milliseconds.
    pub server_ms: u64,
    /// Documents that the probe read.
    pub documents: u64,
    /// Bytes of those documents.
    pub bytes: u64,
    /// Peak size of all memories and tables, in bytes.
    pub memory_peak: u64,
    /// Calls of the probe to the host.
    pub host_calls: u64,
    /// Bytes of log that were kept.
    pub log_bytes: u64,
    /// Bytes of log that were dropped because the limit was reached.
    pub log_dropped: u64,
    /// Collections that it read, sorted.
    pub collections: Vec<String>,
}

/// Limits of a probe, named like the fields of [`Usage`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageLimits {
    /// Wall time of the run without its censuses, in milliseconds: `limits.deadline`.
    pub wall_ms: u64,
    /// Time the server may spend on its reads, in milliseconds: `limits.serverTime`.
    pub server_ms: u64,
    /// Wall time of its censuses, in milliseconds: `limits.census`.
    pub census_ms: u64,
    /// Documents read: `limits.documents`.
    pub documents: u64,
    /// Bytes of those documents: `limits.bytes`.
    pub bytes: u64,
    /// Sum of all memories and tables, in bytes: `limits.memory`.
    pub memory_peak: u64,
    /// Metrics in a result: `limits.metrics`.
    pub metrics: u64,
    /// Bytes of log: `limits.logBytes`.
    pub log_bytes: u64,
}
