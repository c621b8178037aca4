//! `PhaseTimer`: how long a hook waits for the cluster, for MongoDB and for probes that are tried before the sync. The rest is
//! Taster's own time and the store's.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// When the process started.
static PROCESS_STARTED: OnceLock<Instant> = OnceLock::new();

/// Starts the clock of the process. Only the first call counts.
pub fn start() -> Instant {
    *PROCESS_STARTED.get_or_init(Instant::now)
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The lock, workloads that get ready, and the API server while workloads are restored.
    Cluster,
    /// The database.
    MongoDb,
    /// Probes that are compiled, and tried without data, before anything is scaled.
    Probes,
}

/// The level at which the times are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimingLevel {
    /// Always, for hooks.
    Info,
    /// With `-v`.
    Debug,
}

/// The times of one process.
#[derive(Debug)]
pub(crate) struct PhaseTimer {
    level: TimingLevel,
    state: Mutex<TimerState>,
}

#[derive(Debug)]
struct TimerState {
    waited: Waited,
    first_probe_logged: bool,
    /// When the last probe ended, or the process started, and what was waited until then.
    last: Mark,
}

/// How long each phase has taken so far.
#[derive(Debug, Clone, Copy, Default)]
struct Waited {
    cluster: Duration,
    mongodb: Duration,
    probes: Duration,
}

/// A moment, and what was waited until then.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    waited: Waited,
}

impl PhaseTimer {
    pub(crate) fn new(level: TimingLevel) -> Self {
        let last = Mark { at: start(), waited: Waited::default() };
        Self { level, state: Mutex::new(TimerState { waited: Waited::default(), first_probe_logged: false, last }) }
    }

    /// Drives `work` and adds the time it takes to `phase`.
    pub(crate) fn time<T>(&self, phase: Phase, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let work = Box::pin(work);
        async move {
            let started = Instant::now();
            let result = work.await;
            let mut state = self.state();
            let waited = match phase {
                Phase::Cluster => &mut state.waited.cluster,
                Phase::MongoDb => &mut state.waited.mongodb,
                Phase::Probes => &mut state.waited.probes,
            };
            *waited += started.elapsed();
            result
        }
    }

    /// A probe starts. For the first one, logs how long it took to get there.
    pub(crate) fn probe_started(&self) {
        let elapsed = {
            let mut state = self.state();
            if std::mem::replace(&mut state.first_probe_logged, true) {
                return;
            }
            Elapsed::between(state.last, Mark { at: Instant::now(), waited: state.waited })
        };
        self.log("the first probe began", &elapsed, None);
    }

    /// A probe has ended.
    pub(crate) fn probe_ended(&self) {
        let mut state = self.state();
        state.last = Mark { at: Instant::now(), waited: state.waited };
    }

    /// The result of the hook is stored: `what` is `capture` or `verdict`.
    pub(crate) fn result_written(&self, what: &str) {
        let elapsed = {
            let state = self.state();
            Elapsed::between(state.last, Mark { at: Instant::now(), waited: state.waited })
        };
        self.log(&format!("the {what} was written"), &elapsed, peak_memory());
    }

    fn log(&self, event: &str, elapsed: &Elapsed, peak_memory: Option<u64>) {
        let Elapsed { total, cluster, mongodb, probes } = *elapsed;
        let rest = total.saturating_sub(cluster).saturating_sub(mongodb).saturating_sub(probes);
        let [total_ms, cluster_ms, mongodb_ms, probes_ms, rest_ms] =
            [total, cluster, mongodb, probes, rest].map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let peak_memory = peak_memory.map(taster_text::size);
        match self.level {
            TimingLevel::Info => {
                tracing::info!(total_ms, cluster_ms, mongodb_ms, probes_ms, rest_ms, peak_memory, "{event}");
            }
            TimingLevel::Debug => {
                tracing::debug!(total_ms, cluster_ms, mongodb_ms, probes_ms, rest_ms, peak_memory, "{event}");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, TimerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most memory that this process has used, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The time between two marks, and how much of it each phase took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Elapsed {
    total: Duration,
    cluster: Duration,
    mongodb: Duration,
    probes: Duration,
}

impl Elapsed {
    fn between(start: Mark, end: Mark) -> Self {
        Self {
            total: end.at.saturating_duration_since(start.at),
            cluster: end.waited.cluster.saturating_sub(start.waited.cluster),
            mongodb: end.waited.mongodb.saturating_sub(start.waited.mongodb),
            probes: end.waited.probes.saturating_sub(start.waited.probes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_before_the_last_probe_does_not_count_after_it() {
        let at = Instant::now();
        let waited = |cluster, mongodb| Waited {
            cluster: Duration::from_secs(cluster),
            mongodb: Duration::from_secs(mongodb),
            probes: Duration::from_secs(4),
        };
        let last = Mark { at, waited: waited(5, 2) };
        let now = Mark { at: at + Duration::from_millis(1_500), waited: waited(5, 3) };
        let expected = Elapsed {
            total: Duration::from_millis(1_500),
            cluster: Duration::ZERO,
            mongodb: Duration::from_secs(1),
            probes: Duration::ZERO,
        };
        assert_eq!(Elapsed::between(last, now), expected);
    }

    #[tokio::test]
    async fn each_phase_is_counted_apart() {
        let timer = PhaseTimer::new(TimingLevel::Debug);
        timer.time(Phase::MongoDb, tokio::time::sleep(Duration::from_millis(20))).await;
        let waited = timer.state().waited;
        assert!(waited.mongodb >= Duration::from_millis(20), "{waited:?}");
        assert_eq!(waited.cluster, Duration::ZERO);
        timer.probe_ended();
        assert_eq!(timer.state().last.waited.mongodb, waited.mongodb);
    }
}
