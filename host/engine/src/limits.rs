//! The limits of a probe, with their defaults and settings.

use std::time::Duration;

/// Bytes of stack of a guest. The interpreter of Python recurses; its deepest programs need twice wasmtime's default.
pub(crate) const STACK: usize = 1 << 20;

const MIB: u64 = 1 << 20;

/// The limits of one probe. `limits.X` in the configuration, in camel case, sets each one; failures name that setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of a run, from instantiation to the last metric. It includes waiting for the database but not censuses, which
    /// have a deadline of their own. `describe` has at most 10 seconds.
    ///
    /// Limits computing (checked every 10 ms) and waiting for host calls. Checking and sorting the result is not included.
    /// Default 10 min; `limits.deadline`.
    pub deadline: Duration,
    /// Bytes of all linear memories and tables together, initial ones included.
    ///
    /// The host's own memory per running probe is about this, plus `hostcall_bytes`, plus `log_bytes`, plus three
    /// batches of the database. Growing beyond it fails as in any WebAssembly runtime: `memory.grow` returns -1.
    /// Default 256 MiB; `limits.memory`.
    pub memory: u64,
    /// Metrics in a result. Each takes about 150 bytes of the host, plus its text. Default 10 000; `limits.metrics`.
    pub metrics: u32,
    /// Bytes of all texts and documents in a result. Each text counts 8 bytes more than its length, so that empty texts count,
    /// too. Default 1 MiB; `limits.resultBytes`.
    pub result_bytes: u64,
    /// Bytes of a run's log, standard output and standard error included. Each line counts 16 bytes more than its length.
    /// Further lines are dropped and counted, which is no error. Default 64 KiB; `limits.logBytes`.
    pub log_bytes: u64,
    /// Open handles at a time: cursors, streams, borrowed databases. Open cursors on the server have a smaller limit of their
    /// own. Default 10 000; `limits.handles`.
    pub handles: u32,
    /// Bytes that one call may make the host allocate: for a filter, a pipeline, a log line. It is raised automatically to what
    /// `metrics` and `result_bytes` need. Default 8 MiB; `limits.hostcallBytes`.
    pub hostcall_bytes: u64,
    /// Bytes of the component. Default 64 MiB; `limits.componentSize`.
    pub component_size: u64,
    /// Wall time of compiling the component, which no other limit counts. Code from the cache and precompiled code take none. It is
    /// long because a container with half a processor, or a busy machine, needs twenty times as long as an idle one.
    /// Default 5 min; `limits.compileTime`.
    pub compile_time: Duration,
    /// Bytes of memory of the process that compiles the component, at least some megabytes. Default 1 GiB;
    /// `limits.compileMemory`.
    pub compile_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(10),
            memory: 256 * MIB,
            metrics: 10_000,
            result_bytes: MIB,
            log_bytes: 64 << 10,
            handles: 10_000,
            hostcall_bytes: 8 * MIB,
            component_size: 64 * MIB,
            compile_time: Duration::from_mins(5),
            compile_memory: 1024 * MIB,
        }
    }
}

/// The path of a probe's limits in the configuration, so that failures can name the setting of a limit.
#[derive(Debug, Clone)]
pub(crate) struct LimitSettings(String);

impl LimitSettings {
    /// `prefix` is the path of the limits, such as `probes[orders].limits`.
    pub(crate) fn new(prefix: &str) -> Self {
        Self(prefix.to_owned())
    }

    /// The setting of one limit, such as `probes[orders].limits.memory`.
    pub(crate) fn name_of(&self, limit: &str) -> String {
        format!("{}.{limit}", self.0)
    }
}
