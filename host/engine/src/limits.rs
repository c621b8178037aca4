//! What one probe may use: every limit, with its default and its setting.

use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Limits of one probe. `limits.X` in the configuration, in camel case, sets each; every refusal names its setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of a run, from instantiation to the last metric, time in the database included, that of censuses not:
    /// they are the host's work and have a deadline of their own. `describe` has at most 10 seconds of it.
    ///
    /// Bounds spinning guests (checked every 10 ms of computing) and host calls that wait. ReadMode, sorting and judging
    /// the result come after it. Default 10 min; `limits.deadline`.
    pub deadline: Duration,
    /// Bytes of all linear memories and tables together, those that the component brings along included.
    ///
    /// The host's own memory per running probe is about this, plus `hostcall_bytes`, plus `log_bytes`, plus three
    /// batches of the database. A growth past it is refused as the guest's language expects (`memory.grow` gives -1).
    /// Default 256 MiB; `limits.memory`.
    pub memory: u64,
    /// Metrics in a result. Each takes about 150 bytes of the host beside its text. Default 10 000; `limits.metrics`.
    pub metrics: u32,
    /// Bytes of all text and documents in a result; each text counts 8 bytes more than it is long, so that empty ones
    /// are not free. Multiplies with `metrics` only in that both must fit. Default 1 MiB; `limits.resultBytes`.
    pub result_bytes: u64,
    /// Bytes of log of a run that are kept, standard error and output included; each line counts 16 bytes more than it
    /// is long. Past it lines are dropped, counted and noted: never an error. Default 64 KiB; `limits.logBytes`.
    pub log_bytes: u64,
    /// Handles (cursors, streams, borrowed databases) that are alive at once. Live cursors on the server have their own,
    /// smaller limit. Default 10 000; `limits.handles`.
    pub handles: u32,
    /// Bytes that one call may make the host allocate: a filter, a pipeline, a line of log. Raised on its own to what
    /// `metrics` and `result_bytes` need. Default 8 MiB; `limits.hostcallBytes`.
    pub hostcall_bytes: u64,
    /// Bytes of the component itself, before anything is done with it: compiling takes time and memory in proportion.
    /// Default 64 MiB; `limits.componentSize`.
    pub component_size: u64,
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
        }
    }
}

/// Where a probe's limits stand in the configuration, so that each refusal can name its setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting(String);

impl Setting {
    /// `prefix` is the path of the limits: `probes[orders].limits`.
    pub(crate) fn new(prefix: &str) -> Self {
        Self(prefix.to_owned())
    }

    /// The path of one limit.
    pub(crate) fn of(&self, limit: &str) -> String {
        format!("{}.{limit}", self.0)
    }
}

/// A number of bytes as a configuration would write it, `256 MiB`, exact.
pub(crate) fn size(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{} {name}", bytes / unit);
        }
    }
    format!("{bytes} bytes")
}

/// A duration as a configuration would write it.
pub(crate) fn period(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_periods_read_as_they_are_written_in_a_configuration() {
        for (bytes, text) in
            [(0, "0 bytes"), (1, "1 bytes"), (1536, "1536 bytes"), (64 << 10, "64 KiB"), (MIB, "1 MiB")]
        {
            assert_eq!(size(bytes), text);
        }
        for (ms, text) in [(0, "0s"), (200, "200ms"), (30_000, "30s"), (600_000, "10m")] {
            assert_eq!(period(Duration::from_millis(ms)), text);
        }
    }
}
