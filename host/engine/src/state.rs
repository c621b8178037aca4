//! The host's state of one run.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use taster_model::Failure;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    deadline::Deadline,
    limits::{LimitSettings, Limits},
    log::GuestLog,
    memory_limiter::MemoryLimiter,
    wasi::{self, GuestEnvironment},
};

/// The progress of a probe, in its own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// The total, if the probe knows it.
    pub total: Option<u64>,
}

impl Progress {
    /// Reports that follow sooner are skipped.
    pub(crate) const MIN_INTERVAL: Duration = Duration::from_millis(100);
}

/// Called with the progress of a probe.
pub type ProgressCallback = Arc<dyn Fn(Progress) + Send + Sync>;

pub(crate) struct ProgressReporter {
    pub(crate) callback: ProgressCallback,
    pub(crate) called: bool,
    pub(crate) at: Instant,
}

impl ProgressReporter {
    pub(crate) fn new(callback: ProgressCallback) -> Self {
        Self { callback, called: false, at: Instant::now() }
    }
}

/// The data of a store: one run of one probe.
pub(crate) struct State {
    /// The resources behind the guest's handles.
    pub(crate) table: ResourceTable,
    pub(crate) memory: MemoryLimiter,
    pub(crate) log: GuestLog,
    pub(crate) setting: LimitSettings,
    /// Methods of `database` that the manifest declares.
    pub(crate) methods: Arc<[String]>,
    pub(crate) progress: Option<ProgressReporter>,
    /// How many host calls the guest made.
    pub(crate) calls: u64,
    /// How many cursors the guest holds, exhausted ones included.
    pub(crate) cursors: u32,
    /// The limit of handles.
    pub(crate) handles: u32,
    /// The host call that the guest waits for.
    pub(crate) current_call: Option<&'static str>,
    pub(crate) deadline: Deadline,
    /// Ids of the censuses that were recorded in this run.
    pub(crate) censuses: BTreeSet<String>,
    /// The refusals that the guest got.
    pub(crate) refusals: Refusals,
    wasi: WasiCtx,
}

/// The latest different refusals that a guest got: a guest may return one of them as the failure of its run, and nothing else
/// that it returns is taken for the host's word.
#[derive(Debug, Default)]
pub(crate) struct Refusals(VecDeque<Failure>);

impl Refusals {
    /// A guest that collects refusals gets no more memory than for this many.
    const MAX: usize = 64;

    pub(crate) fn record(&mut self, failure: &Failure) {
        if self.0.contains(failure) {
            return;
        }
        if self.0.len() == Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(failure.clone());
    }

    /// Whether the host refused a call with the same code and details. The message may have been extended by the guest.
    pub(crate) fn contains_details_of(&self, given: &Failure) -> bool {
        self.0.iter().any(|refusal| Failure { message: given.message.clone(), ..refusal.clone() } == *given)
    }
}

impl State {
    pub(crate) fn new(
        limits: &Limits,
        setting: LimitSettings,
        methods: Arc<[String]>,
        environment: &GuestEnvironment,
    ) -> Self {
        let log = GuestLog::new(limits.log_bytes, setting.name_of("logBytes"));
        let mut table = ResourceTable::new();
        // wasmtime limits the guest's own handles; this limits the host's table, where a handle may have several entries
        table.set_max_capacity(limits.handles as usize * 2 + 64);
        Self {
            table,
            memory: MemoryLimiter::new(limits.memory),
            wasi: wasi::context(environment, &log),
            log,
            setting,
            methods,
            progress: None,
            calls: 0,
            cursors: 0,
            handles: limits.handles,
            current_call: None,
            deadline: Deadline::after(limits.deadline),
            censuses: BTreeSet::new(),
            refusals: Refusals::default(),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("calls", &self.calls)
            .field("current_call", &self.current_call)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use taster_model::Refusal;

    use super::*;

    #[test]
    fn a_refusal_is_recognised_by_everything_but_its_message() {
        let refusal = |code, asked| Failure::refused(Refusal::Denied, code, "not granted").asked(asked);
        let mut refusals = Refusals::default();
        refusals.record(&refusal("T0202", "orders_old"));
        let extended = Failure { message: "orders: not granted".to_owned(), ..refusal("T0202", "orders_old") };
        assert!(refusals.contains_details_of(&extended));
        for other in [
            refusal("T0211", "orders_old"),
            refusal("T0202", "registrations"),
            Failure { refusal: Some(Refusal::Unavailable), ..refusal("T0202", "orders_old") },
            Failure::from_probe("not granted"),
        ] {
            assert!(!refusals.contains_details_of(&other), "{other:?}");
        }
    }

    #[test]
    fn only_the_latest_refusals_are_kept() {
        let refusal = |number: usize| Failure::refused(Refusal::Denied, "T0202", "not granted").asked(number);
        let mut refusals = Refusals::default();
        (0..1000).for_each(|number| refusals.record(&refusal(number % 100)));
        assert_eq!(refusals.0.len(), Refusals::MAX);
        assert!(refusals.contains_details_of(&refusal(99)) && !refusals.contains_details_of(&refusal(0)));
    }
}
