//! `probes[].limits`: what one run of a probe may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{Period, Size};

/// Limits of the resources of one probe. Every limit has a default; an error names the limit and its setting.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(default)]
pub struct Limits {
    /// Wall time of a run. Default `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Period>,
    /// Wall time of all censuses of a run; no other limit counts it. Default `6h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub census: Option<Period>,
    /// Bytes of scratch files and stored results of all censuses of a run. Default `16GiB`, enough for a billion documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub census_bytes: Option<Size>,
    /// All memories and tables together. Default `256MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Documents read. Default 100 000 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// Bytes of documents read. Default `1TiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Size>,
    /// Open server cursors at the same time. Default 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursors: Option<u32>,
    /// Time that the server spends on its reads. Default `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_time: Option<Period>,
    /// Bytes of one batch of documents, unless one document is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Size>,
    /// Metrics in a result. Default 10 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<u32>,
    /// Bytes of a result. Default `1MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_bytes: Option<Size>,
    /// Bytes of log kept. Default `64KiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<Size>,
    /// Open handles of resources at the same time. Default 10 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handles: Option<u32>,
    /// Bytes that the host allocates for one call of the probe. Default `8MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostcall_bytes: Option<Size>,
    /// Size of the component. Default `64MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_size: Option<Size>,
    /// Wall time of compiling the component; no other limit counts it. Code in the cache is not compiled again. Default `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_time: Option<Period>,
    /// Memory of the process that compiles the component, at most three quarters of what the container has. Default `1GiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_memory: Option<Size>,
}

/// How long one census may take by default. It is long because collections of many millions of documents are common.
pub const DEFAULT_CENSUS: Period = Period::from_secs(6 * 60 * 60);

/// How many bytes on disk all censuses of one run may take by default: 11 a document and collection, and scratch files of a
/// multiple of that for a while.
pub const DEFAULT_CENSUS_BYTES: u64 = 16 << 30;
