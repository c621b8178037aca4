//! One probe: described once, run as often as one likes, each time in a fresh store.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use taster_model::{Failure, Manifest, Metric, Usage};
use wasmtime::{
    Store, UpdateDeadline,
    component::{InstancePre, Linker},
};

use crate::{
    EngineError, Limits,
    active::Active,
    bindings::{Probe as Instance, ProbeIndices, taster::probe::types},
    capability::{DatabaseHandle, Mongo, MongoUsage},
    deadline::Within,
    engine::Loaded,
    inspect::Border,
    limits::Setting,
    log::LogLine,
    manifest, result,
    state::{Reporter, State, TellProgress, World},
    trap,
};

/// `describe` has no data to wait for; Python and JavaScript take a second to wake up on a slow machine.
const DESCRIBE: Duration = Duration::from_secs(10);
/// Handles beside the cursors: the database, borrows under way, streams of WASI.
const SPARE_HANDLES: usize = 64;

/// A component of the world `taster:probe/probe`, compiled and described. Cheap to clone.
#[derive(Clone)]
pub struct Probe(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    pre: InstancePre<State>,
    indices: ProbeIndices,
    manifest: Manifest,
    methods: Arc<[String]>,
    border: Border,
    sha256: String,
    size: u64,
    from_cache: bool,
}

/// What one run of a probe is given.
pub struct RunInput<D = taster_query::Database> {
    /// Name of the probe in the configuration.
    pub probe: String,
    /// What it may read.
    pub database: D,
    /// The operator's configuration as JSON, `null` where there is none.
    pub config: String,
    /// What it may use.
    pub limits: Limits,
    /// Where the limits stand in the configuration, `probes[orders].limits`.
    pub setting: String,
    /// The only clock that it sees: the capture's.
    pub clock: Timestamp,
    /// The only entropy that it sees: the capture's.
    pub seed: [u8; 32],
    /// Whom to tell how far it is; called from within the run, at most every 100 ms, and must not block.
    pub progress: Option<TellProgress>,
}

/// How one run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// Metrics sorted by name and labels, each as declared; or why there are none.
    pub outcome: Result<Vec<Metric>, Failure>,
    /// What it used.
    pub usage: Usage,
    /// What it said.
    pub log: Vec<LogLine>,
}

/// Why a call into a guest gave nothing.
enum Stopped {
    /// It does not fit the interface.
    Misfit(wasmtime::Error),
    /// It trapped, or the sandbox refused it.
    Error(wasmtime::Error),
}

impl Probe {
    pub(crate) async fn new(
        engine: &wasmtime::Engine,
        linker: &Linker<State>,
        loaded: Loaded,
        limits: &Limits,
        setting: &Setting,
    ) -> Result<Self, EngineError> {
        let misfit = |error: wasmtime::Error| EngineError::Misfit(format!("{error:#}"));
        let pre = linker.instantiate_pre(&loaded.component).map_err(misfit)?;
        let indices = ProbeIndices::new(&pre).map_err(misfit)?;
        let manifest = describe(engine, &pre, &indices, limits, setting).await?;
        Ok(Self(Arc::new(Inner {
            engine: engine.clone(),
            pre,
            indices,
            methods: manifest.methods.as_slice().into(),
            manifest,
            border: loaded.border,
            sha256: loaded.sha256,
            size: loaded.size,
            from_cache: loaded.from_cache,
        })))
    }

    /// SHA-256 of the component, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// What it imports.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.border.imports
    }

    /// What it exports.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.0.border.exports
    }

    /// Size of the component in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Whether its code was compiled before.
    #[must_use]
    pub fn from_cache(&self) -> bool {
        self.0.from_cache
    }

    /// Asks it again what it is, in a fresh store: what a call costs that does nothing but start.
    pub async fn describe(&self, limits: &Limits, setting: &str) -> Result<Manifest, EngineError> {
        describe(&self.0.engine, &self.0.pre, &self.0.indices, limits, &Setting::new(setting)).await
    }

    /// Makes an instance and lets go of it: what every run costs before the guest does anything.
    pub async fn instantiate(&self, limits: &Limits, setting: &str) -> Result<(), EngineError> {
        let state = State::new(limits, Setting::new(setting), Arc::clone(&self.0.methods), &World::empty());
        let mut store = store(&self.0.engine, limits, state);
        match instance(&self.0.pre, &self.0.indices, &mut store).await {
            Ok(_) => Ok(()),
            Err(stopped) => Err(stopped.into_error(store.data(), limits)),
        }
    }

    /// Runs it once.
    pub async fn run<D: Mongo>(&self, input: RunInput<D>) -> RunReport {
        let begun = Instant::now();
        let limits = &input.limits;
        let setting = Setting::new(&input.setting);
        let world = World { clock: input.clock, seed: input.seed };
        let mut state = State::new(limits, setting.clone(), Arc::clone(&self.0.methods), &world);
        state.progress = input.progress.map(Reporter::new);
        let mongo: Arc<dyn Mongo> = Arc::new(input.database);
        let mut store = store(&self.0.engine, limits, state);
        let mut computing = Duration::ZERO;
        let outcome = {
            let deadline = store.data().deadline.clone();
            let call = self.call(&mut store, Arc::clone(&mongo), &input.config);
            Within::new(Active::new(Box::pin(call), &mut computing), deadline).await
        };
        let outcome = match outcome {
            None => Err(trap::deadline(store.data(), limits)),
            Some(Err(Stopped::Misfit(error) | Stopped::Error(error))) => {
                Err(trap::explain(&error, store.data(), limits))
            }
            Some(Ok(Err(failure))) => Err(trap::own(failure)),
            Some(Ok(Ok(metrics))) => result::check(metrics, &self.0.manifest, limits, &setting, &store.data().censuses),
        };
        let (calls, memory_peak, log) = (store.data().calls, store.data().meter.peak(), store.data().log.clone());
        // closes what the guest left open: cursors, and the ends of lines
        drop(store);
        let log = log.finish();
        let MongoUsage { documents, bytes, server_time, collections } = mongo.usage();
        let usage = Usage {
            wall_ms: millis(begun.elapsed()),
            guest_ms: millis(computing),
            server_ms: millis(server_time),
            documents,
            bytes,
            memory_peak,
            host_calls: calls,
            log_bytes: log.bytes,
            log_dropped: log.dropped,
            collections,
        };
        tracing::debug!(probe = input.probe, ?usage, ok = outcome.is_ok(), "run ended");
        RunReport { outcome, usage, log: log.lines }
    }

    async fn call(
        &self,
        store: &mut Store<State>,
        mongo: Arc<dyn Mongo>,
        config: &str,
    ) -> Result<Result<Vec<types::Metric>, types::Failure>, Stopped> {
        let instance = instance(&self.0.pre, &self.0.indices, store).await?;
        let database =
            store.data_mut().table.push(DatabaseHandle(mongo)).map_err(|error| Stopped::Error(error.into()))?;
        instance.call_run(store, database, config).await.map_err(Stopped::Error)
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("name", &self.0.manifest.name)
            .field("version", &self.0.manifest.version)
            .field("sha256", &self.0.sha256)
            .finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for RunInput<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInput").field("probe", &self.probe).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Stopped {
    fn into_error(self, state: &State, limits: &Limits) -> EngineError {
        match self {
            Self::Misfit(error) => EngineError::Misfit(format!("{error:#}")),
            Self::Error(error) => EngineError::Describe(Box::new(trap::explain(&error, state, limits))),
        }
    }
}

impl World {
    /// For calls that have no data to look at.
    fn empty() -> Self {
        Self { clock: Timestamp::UNIX_EPOCH, seed: [0; 32] }
    }
}

async fn describe(
    engine: &wasmtime::Engine,
    pre: &InstancePre<State>,
    indices: &ProbeIndices,
    limits: &Limits,
    setting: &Setting,
) -> Result<Manifest, EngineError> {
    let limits = Limits { deadline: limits.deadline.min(DESCRIBE), ..limits.clone() };
    let state = State::new(&limits, setting.clone(), Arc::new([]), &World::empty());
    let mut store = store(engine, &limits, state);
    let ended = {
        let deadline = store.data().deadline.clone();
        let call = async {
            let instance = instance(pre, indices, &mut store).await?;
            instance.call_describe(&mut store).await.map_err(Stopped::Error)
        };
        Within::new(Box::pin(call), deadline).await
    };
    match ended {
        None => Err(EngineError::Describe(Box::new(trap::deadline(store.data(), &limits)))),
        Some(Err(stopped)) => Err(stopped.into_error(store.data(), &limits)),
        Some(Ok(given)) => manifest::check(given),
    }
}

/// Fresh, with every limit in place before the guest's first instruction: its own initialisers count too.
fn store(engine: &wasmtime::Engine, limits: &Limits, state: State) -> Store<State> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    let carried = limits.hostcall_bytes.max(result::handover_bytes(limits));
    store.set_hostcall_fuel(usize::try_from(carried).unwrap_or(usize::MAX));
    store.set_max_component_handles(limits.handles as usize + SPARE_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        if store.data().deadline.has_passed() {
            return Ok(UpdateDeadline::Interrupt);
        }
        // other tasks of this thread go on: timers, the database, a second probe
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}

async fn instance(
    pre: &InstancePre<State>,
    indices: &ProbeIndices,
    store: &mut Store<State>,
) -> Result<Instance, Stopped> {
    let instance = pre.instantiate_async(&mut *store).await.map_err(Stopped::Error)?;
    indices.load(&mut *store, &instance).map_err(Stopped::Misfit)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
