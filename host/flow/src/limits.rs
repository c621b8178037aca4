//! The limits of a probe: from the configuration to the engine, the capability and the capture.

use std::time::Duration;

use taster_config::{DEFAULT_CENSUS, Limits};
use taster_model::UsageLimits;

/// The engine's limits: those of the configuration, else the defaults.
#[must_use]
pub fn engine_limits(limits: &Limits) -> taster_engine::Limits {
    let defaults = taster_engine::Limits::default();
    taster_engine::Limits {
        deadline: limits.deadline.map_or(defaults.deadline, taster_config::Period::get),
        memory: limits.memory.map_or(defaults.memory, taster_config::Size::bytes),
        metrics: limits.metrics.unwrap_or(defaults.metrics),
        result_bytes: limits.result_bytes.map_or(defaults.result_bytes, taster_config::Size::bytes),
        log_bytes: limits.log_bytes.map_or(defaults.log_bytes, taster_config::Size::bytes),
        handles: limits.handles.unwrap_or(defaults.handles),
        hostcall_bytes: limits.hostcall_bytes.map_or(defaults.hostcall_bytes, taster_config::Size::bytes),
        component_size: limits.component_size.map_or(defaults.component_size, taster_config::Size::bytes),
        compile_time: limits.compile_time.map_or(defaults.compile_time, taster_config::Period::get),
        compile_memory: limits.compile_memory.map_or(defaults.compile_memory, taster_config::Size::bytes),
    }
}

/// The limits as a capture records them, next to what was used of them.
pub(crate) fn recorded_limits(limits: &Limits) -> UsageLimits {
    let (engine, query) = (engine_limits(limits), query_limits(limits));
    let millis = |period: Duration| u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    UsageLimits {
        wall_ms: millis(engine.deadline),
        server_ms: millis(query.server_time),
        census_ms: millis(limits.census.unwrap_or(DEFAULT_CENSUS).get()),
        documents: query.documents,
        bytes: query.bytes,
        memory_peak: engine.memory,
        metrics: engine.metrics.into(),
        log_bytes: engine.log_bytes,
    }
}

/// The limits of the capability: those of the configuration, else the defaults.
pub(crate) fn query_limits(limits: &Limits) -> taster_query::Limits {
    let defaults = taster_query::Limits::default();
    taster_query::Limits {
        documents: limits.documents.unwrap_or(defaults.documents),
        bytes: limits.bytes.map_or(defaults.bytes, taster_config::Size::bytes),
        cursors: limits.cursors.unwrap_or(defaults.cursors),
        server_time: limits.server_time.map_or(defaults.server_time, taster_config::Period::get),
        batch: limits.batch.map_or(defaults.batch, |size| usize::try_from(size.bytes()).unwrap_or(usize::MAX)),
    }
}
