//! What the host knows of one run while it runs.

use std::{
    collections::BTreeSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    deadline::Deadline,
    limits::{Limits, Setting},
    log::Log,
    meter::Meter,
    wasi,
};

/// How far a probe is, in whatever it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// Of so many, where the probe knows.
    pub total: Option<u64>,
}

impl Progress {
    /// Reports closer together are left out.
    pub(crate) const APART: Duration = Duration::from_millis(100);
}

/// Whom to tell how far a probe is.
pub type TellProgress = Arc<dyn Fn(Progress) + Send + Sync>;

pub(crate) struct Reporter {
    pub(crate) tell: TellProgress,
    pub(crate) called: bool,
    pub(crate) at: Instant,
}

impl Reporter {
    pub(crate) fn new(tell: TellProgress) -> Self {
        Self { tell, called: false, at: Instant::now() }
    }
}

/// The data of a store: one run of one probe.
pub(crate) struct State {
    /// What the guest's handles stand for.
    pub(crate) table: ResourceTable,
    pub(crate) meter: Meter,
    pub(crate) log: Log,
    pub(crate) setting: Setting,
    /// Functions of `database` that the manifest declares.
    pub(crate) methods: Arc<[String]>,
    pub(crate) progress: Option<Reporter>,
    /// Calls of the guest to the host.
    pub(crate) calls: u64,
    /// Cursors that the guest holds, finished ones included.
    pub(crate) cursors: u32,
    /// Most handles of a guest.
    pub(crate) handles: u32,
    /// What the guest waits for.
    pub(crate) waiting: Option<&'static str>,
    pub(crate) deadline: Deadline,
    /// Ids of the censuses that were recorded for it.
    pub(crate) censuses: BTreeSet<String>,
    wasi: WasiCtx,
}

/// The world as a guest sees it: the same on both sides of a sync.
#[derive(Clone, Copy)]
pub(crate) struct World {
    pub(crate) clock: Timestamp,
    pub(crate) seed: [u8; 32],
}

impl State {
    pub(crate) fn new(limits: &Limits, setting: Setting, methods: Arc<[String]>, world: &World) -> Self {
        let log = Log::new(limits.log_bytes, setting.of("logBytes"));
        let mut table = ResourceTable::new();
        // wasmtime counts the guest's handles itself; this bounds what a handle may stand for several times
        table.set_max_capacity(limits.handles as usize * 2 + 64);
        Self {
            table,
            meter: Meter::new(limits.memory),
            wasi: wasi::context(world, &log),
            log,
            setting,
            methods,
            progress: None,
            calls: 0,
            cursors: 0,
            handles: limits.handles,
            waiting: None,
            deadline: Deadline::after(limits.deadline),
            censuses: BTreeSet::new(),
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
        f.debug_struct("State").field("calls", &self.calls).field("waiting", &self.waiting).finish_non_exhaustive()
    }
}
