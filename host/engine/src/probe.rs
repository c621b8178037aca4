//! A loaded probe: described once, and run any number of times, each time in a new store.

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
    bindings::{Probe as Instance, ProbeIndices, taster::probe::types},
    capability::{DatabaseHandle, Mongo, MongoUsage},
    compiled::CompiledComponent,
    deadline::WithDeadline,
    error::EngineError,
    inspect::ComponentInterface,
    limits::{LimitSettings, Limits},
    log::LogLine,
    manifest, result,
    state::{ProgressCallback, ProgressReporter, State},
    timed_poll::TimedPoll,
    trap,
    wasi::GuestEnvironment,
};

/// The deadline of `describe`, which reads no data. Python and JavaScript guests take a second to start on a slow machine.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(10);
/// Handles beside the cursors: the database, current borrows, WASI streams.
const SPARE_HANDLES: usize = 64;

/// A compiled component of the world `taster:probe/probe`, with its manifest. Cheap to clone.
#[derive(Clone)]
pub struct Probe(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    pre: InstancePre<State>,
    indices: ProbeIndices,
    manifest: Manifest,
    methods: Arc<[String]>,
    interface: ComponentInterface,
    sha256: String,
    size: u64,
    from_cache: bool,
}

/// The input of a run.
pub struct RunInput<D = taster_query::Database> {
    /// The probe's name in the configuration.
    pub probe: String,
    /// The capability to read the database.
    pub database: D,
    /// The operator's configuration for the probe as JSON; `null` if there is none.
    pub config: String,
    /// The probe's limits.
    pub limits: Limits,
    /// The path of the limits in the configuration, such as `probes[orders].limits`.
    pub setting: String,
    /// The time that the probe sees: the capture's.
    pub clock: Timestamp,
    /// The seed of the randomness that the probe sees: the capture's.
    pub seed: [u8; 32],
    /// Called with the probe's progress, at most every 100 ms. It runs within the run and must not block.
    pub progress: Option<ProgressCallback>,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// Checked metrics, sorted by name and labels; or why the run failed.
    pub outcome: Result<Vec<Metric>, Failure>,
    /// What the run used.
    pub usage: Usage,
    /// The log lines.
    pub log: Vec<LogLine>,
}

/// Why a call of a guest's export failed.
enum CallFailure {
    /// The component does not implement the interface.
    InterfaceMismatch(wasmtime::Error),
    /// The guest trapped, or reached a limit.
    Error(wasmtime::Error),
}

impl Probe {
    pub(crate) async fn new(
        engine: &wasmtime::Engine,
        linker: &Linker<State>,
        compiled: CompiledComponent,
        limits: &Limits,
        setting: &LimitSettings,
    ) -> Result<Self, EngineError> {
        let mismatch = |error: wasmtime::Error| EngineError::InterfaceMismatch(format!("{error:#}"));
        let pre = linker.instantiate_pre(&compiled.component).map_err(mismatch)?;
        let indices = ProbeIndices::new(&pre).map_err(mismatch)?;
        let manifest = describe(engine, &pre, &indices, limits, setting).await?;
        Ok(Self(Arc::new(Inner {
            engine: engine.clone(),
            pre,
            indices,
            methods: manifest.methods.as_slice().into(),
            manifest,
            interface: compiled.interface,
            sha256: compiled.sha256,
            size: compiled.size,
            from_cache: compiled.from_cache,
        })))
    }

    /// SHA-256 of the file that was loaded, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The names of its imports.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.interface.imports
    }

    /// The names of its exports.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.0.interface.exports
    }

    /// Size of the component in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Whether its compiled code came from the cache or was precompiled.
    #[must_use]
    pub fn from_cache(&self) -> bool {
        self.0.from_cache
    }

    /// Calls `describe` again, in a new store. Benchmarks use it to measure a call that only starts the guest.
    pub async fn describe(&self, limits: &Limits, setting: &str) -> Result<Manifest, EngineError> {
        describe(&self.0.engine, &self.0.pre, &self.0.indices, limits, &LimitSettings::new(setting)).await
    }

    /// Creates an instance and drops it. Benchmarks use it to measure what every run costs.
    pub async fn instantiate(&self, limits: &Limits, setting: &str) -> Result<(), EngineError> {
        let state =
            State::new(limits, LimitSettings::new(setting), Arc::clone(&self.0.methods), &GuestEnvironment::empty());
        let mut store = new_store(&self.0.engine, limits, state);
        match instantiate(&self.0.pre, &self.0.indices, &mut store).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.into_error(store.data(), limits)),
        }
    }

    /// Runs the probe once.
    pub async fn run<D: Mongo>(&self, input: RunInput<D>) -> RunReport {
        let begun = Instant::now();
        let limits = &input.limits;
        let setting = LimitSettings::new(&input.setting);
        let environment = GuestEnvironment { clock: input.clock, seed: input.seed };
        let mut state = State::new(limits, setting.clone(), Arc::clone(&self.0.methods), &environment);
        state.progress = input.progress.map(ProgressReporter::new);
        let mongo: Arc<dyn Mongo> = Arc::new(input.database);
        let mut store = new_store(&self.0.engine, limits, state);
        let mut computing = Duration::ZERO;
        let outcome = {
            let deadline = store.data().deadline.clone();
            let call = self.call(&mut store, Arc::clone(&mongo), &input.config);
            WithDeadline::new(TimedPoll::new(Box::pin(call), &mut computing), deadline).await
        };
        let outcome = match outcome {
            None => Err(trap::deadline_failure(store.data(), limits)),
            Some(Err(CallFailure::InterfaceMismatch(error) | CallFailure::Error(error))) => {
                Err(trap::failure_of(&error, store.data(), limits))
            }
            Some(Ok(Err(failure))) => Err(trap::guest_failure(failure, &store.data().refusals)),
            Some(Ok(Ok(metrics))) => result::check(metrics, &self.0.manifest, limits, &setting, &store.data().censuses),
        };
        let (calls, memory_peak, log) = (store.data().calls, store.data().memory.peak(), store.data().log.clone());
        // closes cursors and log lines that the guest left open
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
        tracing::debug!(
            ok = outcome.is_ok(),
            wall_ms = usage.wall_ms,
            guest_ms = usage.guest_ms,
            server_ms = usage.server_ms,
            documents = usage.documents,
            bytes = usage.bytes,
            memory_peak = usage.memory_peak,
            host_calls = usage.host_calls,
            "probe ended"
        );
        RunReport { outcome, usage, log: log.lines }
    }

    async fn call(
        &self,
        store: &mut Store<State>,
        mongo: Arc<dyn Mongo>,
        config: &str,
    ) -> Result<Result<Vec<types::Metric>, types::Failure>, CallFailure> {
        let instance = instantiate(&self.0.pre, &self.0.indices, store).await?;
        let database =
            store.data_mut().table.push(DatabaseHandle(mongo)).map_err(|error| CallFailure::Error(error.into()))?;
        instance.call_run(store, database, config).await.map_err(CallFailure::Error)
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

impl CallFailure {
    fn into_error(self, state: &State, limits: &Limits) -> EngineError {
        match self {
            Self::InterfaceMismatch(error) => EngineError::InterfaceMismatch(format!("{error:#}")),
            Self::Error(error) => EngineError::Describe(Box::new(trap::failure_of(&error, state, limits))),
        }
    }
}

async fn describe(
    engine: &wasmtime::Engine,
    pre: &InstancePre<State>,
    indices: &ProbeIndices,
    limits: &Limits,
    setting: &LimitSettings,
) -> Result<Manifest, EngineError> {
    let limits = Limits { deadline: limits.deadline.min(DESCRIBE_DEADLINE), ..limits.clone() };
    let state = State::new(&limits, setting.clone(), Arc::new([]), &GuestEnvironment::empty());
    let mut store = new_store(engine, &limits, state);
    let ended = {
        let deadline = store.data().deadline.clone();
        let call = async {
            let instance = instantiate(pre, indices, &mut store).await?;
            instance.call_describe(&mut store).await.map_err(CallFailure::Error)
        };
        WithDeadline::new(Box::pin(call), deadline).await
    };
    match ended {
        None => Err(EngineError::Describe(Box::new(trap::deadline_failure(store.data(), &limits)))),
        Some(Err(failure)) => Err(failure.into_error(store.data(), &limits)),
        Some(Ok(given)) => manifest::check(given),
    }
}

/// Creates a store with all limits set, so that they also apply to the guest's initialisers.
fn new_store(engine: &wasmtime::Engine, limits: &Limits, state: State) -> Store<State> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    let fuel = limits.hostcall_bytes.max(result::handover_bytes(limits));
    store.set_hostcall_fuel(usize::try_from(fuel).unwrap_or(usize::MAX));
    store.set_max_component_handles(limits.handles as usize + SPARE_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        if store.data().deadline.has_passed() {
            return Ok(UpdateDeadline::Interrupt);
        }
        // lets other tasks of this thread run: timers, the database, other probes
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}

async fn instantiate(
    pre: &InstancePre<State>,
    indices: &ProbeIndices,
    store: &mut Store<State>,
) -> Result<Instance, CallFailure> {
    let instance = pre.instantiate_async(&mut *store).await.map_err(CallFailure::Error)?;
    indices.load(&mut *store, &instance).map_err(CallFailure::InterfaceMismatch)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
