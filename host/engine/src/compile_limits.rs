//! The limits of compiling one component: those of its probe, and never most of the memory that the container has.

use std::{fs, time::Duration};

use taster_text::exact_size;

use crate::{
    error::EngineError,
    limits::{LimitSettings, Limits},
};

/// Where the memory limit of this container is: in version 2 of control groups, and in version 1.
const CONTAINER_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The limits of compiling one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompileLimits {
    pub(crate) time: Duration,
    pub(crate) memory: u64,
    time_setting: String,
    /// What raises the limit of memory.
    memory_setting: String,
    /// What lowers it.
    pub(crate) lower_memory: String,
}

impl CompileLimits {
    /// The limits on this machine.
    pub(crate) fn of(limits: &Limits, setting: &LimitSettings) -> Self {
        let container = CONTAINER_LIMITS.iter().find_map(|path| parse_limit(&fs::read_to_string(path).ok()?));
        Self::within(limits, setting, container)
    }

    /// At most three quarters of the container's memory: beyond its limit, Kubernetes has every process of a container killed,
    /// also the one that would report the reason.
    fn within(limits: &Limits, setting: &LimitSettings, container: Option<u64>) -> Self {
        let lower_memory = setting.name_of("compileMemory");
        let (memory, memory_setting) = match container {
            Some(all) if all / 4 * 3 < limits.compile_memory => {
                (all / 4 * 3, format!("resources.limits.memory of the container, now {}", exact_size(all)))
            }
            _ => (limits.compile_memory, lower_memory.clone()),
        };
        let time_setting = setting.name_of("compileTime");
        Self { time: limits.compile_time, memory, time_setting, memory_setting, lower_memory }
    }

    pub(crate) fn too_slow(&self) -> EngineError {
        EngineError::CompileTime { allowed: self.time, setting: self.time_setting.clone() }
    }

    pub(crate) fn too_large(&self) -> EngineError {
        EngineError::CompileMemory { allowed: self.memory, setting: self.memory_setting.clone() }
    }
}

/// `None` for `max`, which is no limit.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_container_limits_the_memory_further() {
        let setting = LimitSettings::new("probes[a].limits");
        let limits = Limits { compile_memory: 1 << 30, ..Limits::default() };
        let within =
            |container: &str| CompileLimits::within(&limits, &setting, parse_limit(container)).too_large().to_string();
        let own = "compiling the component takes more than 1 GiB of memory (setting probes[a].limits.compileMemory)";
        assert_eq!(within("max\n"), own);
        assert_eq!(within("4294967296\n"), own);
        // what version 1 has for no limit
        assert_eq!(within("9223372036854771712\n"), own);
        assert_eq!(
            within("536870912\n"),
            "compiling the component takes more than 384 MiB of memory (setting resources.limits.memory of the container, now 512 MiB)"
        );
    }
}
