//! The sandbox: one set of rules for all guests, and loading them.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::{
    Config, OptLevel, Strategy, WasmBacktraceDetails, WasmFeatures,
    component::{Component, Linker},
};

use crate::{
    EngineError, Limits, Probe,
    cache::{self, Cache, Shipped},
    host, inspect,
    limits::Setting,
    state::State,
    ticker, wasi,
};

/// Stack of a guest. Python interprets recursively; twice the default is what its deepest honest programs need.
pub(crate) const STACK: usize = 1 << 20;
/// Stack of a guest and of the host functions it calls, which run on the same one.
const FIBER_STACK: usize = STACK + (1 << 20);
/// Frames that a backtrace keeps.
const BACKTRACE: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not 0");

/// How the sandbox is set up.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// A folder for compiled code, made where it is missing; it must belong to this user alone. `None`: nothing is kept,
    /// and each start compiles anew (tens of milliseconds for Rust guests, seconds for JavaScript and Python).
    pub cache: Option<PathBuf>,
    /// A folder of code that was compiled ahead by [`Engine::precompile`] and came with the host; it must belong to root, or
    /// to this user, and be writable by nobody else.
    pub shipped: Option<PathBuf>,
}

/// The sandbox. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    cache: Option<Cache>,
    shipped: Option<Shipped>,
    /// Compiling uses all cores by itself, and memory in proportion to the component: one at a time.
    compiling: Arc<Semaphore>,
}

/// A component as it is loaded.
pub(crate) struct Loaded {
    pub(crate) component: Component,
    pub(crate) border: inspect::Border,
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) from_cache: bool,
}

impl Engine {
    /// Sets the sandbox up and starts its ticker, which ends with the last clone of it.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        let cache = options.cache.map(Cache::open).transpose()?;
        let shipped = options.shipped.map(Shipped::at).transpose()?;
        let wasmtime = wasmtime::Engine::new(&config()).map_err(setup)?;
        let mut linker = Linker::new(&wasmtime);
        wasi::add_to_linker(&mut linker).map_err(setup)?;
        host::add_to_linker(&mut linker).map_err(setup)?;
        ticker::start(&wasmtime)?;
        Ok(Self(Arc::new(Shared { wasmtime, linker, cache, shipped, compiling: Arc::new(Semaphore::new(1)) })))
    }

    /// Makes a probe of `bytes`: checked, compiled (or taken from the cache) and asked to describe itself.
    ///
    /// `setting` is where `limits` stand in the configuration, `probes[orders].limits`, to be named in refusals.
    pub async fn load(&self, bytes: &[u8], limits: &Limits, setting: &str) -> Result<Probe, EngineError> {
        let setting = Setting::new(setting);
        let asked = bytes.len() as u64;
        if asked > limits.component_size {
            let (allowed, setting) = (limits.component_size, setting.of("componentSize"));
            return Err(EngineError::TooLarge { asked, allowed, setting });
        }
        inspect::kind(bytes)?;
        let shared = Arc::clone(&self.0);
        let bytes: Arc<[u8]> = bytes.into();
        let permit = Arc::clone(&shared.compiling).acquire_owned().await;
        let compile = move || {
            // the semaphore is never closed; were it, compiling unbounded is better than not at all
            let _permit = permit.ok();
            shared.compile(&bytes)
        };
        let loaded = match tokio::task::spawn_blocking(compile).await {
            Ok(loaded) => loaded?,
            Err(error) => return Err(EngineError::Compile(format!("the compiler panicked: {error}"))),
        };
        Probe::new(&self.0.wasmtime, &self.0.linker, loaded, limits, &setting).await
    }

    /// Compiles a component for every Linux machine of this architecture, not only for this one, to be shipped with the host: the
    /// name of the file and what belongs in it. The same component gives the same bytes.
    pub fn precompile(bytes: &[u8]) -> Result<(String, Vec<u8>), EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        inspect::kind(bytes)?;
        inspect::validate(bytes)?;
        // for a named target, no feature of this processor is taken for granted
        let mut config = config();
        config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).map_err(setup)?;
        let wasmtime = wasmtime::Engine::new(&config).map_err(setup)?;
        let code = wasmtime.precompile_component(bytes).map_err(|error| EngineError::Compile(format!("{error:#}")))?;
        Ok((cache::file_name(&hex::encode(Sha256::digest(bytes))), code))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl Shared {
    fn compile(&self, bytes: &[u8]) -> Result<Loaded, EngineError> {
        let sha256 = hex::encode(Sha256::digest(bytes));
        let size = bytes.len() as u64;
        let shipped = self.shipped.as_ref().and_then(|shipped| shipped.load(&self.wasmtime, &sha256));
        let kept = || self.cache.as_ref().and_then(|cache| cache.load(&self.wasmtime, &sha256));
        if let Some(component) = shipped.or_else(kept) {
            // whose code is in the cache was valid when it was compiled
            let border = inspect::border(bytes).map_err(|error| EngineError::Invalid(error.to_string()))?;
            return Ok(Loaded { component, border, sha256, size, from_cache: true });
        }
        let border = inspect::validate(bytes)?;
        let component = Component::from_binary(&self.wasmtime, bytes)
            .map_err(|error| EngineError::Compile(format!("{error:#}")))?;
        if let Some(cache) = &self.cache {
            cache.store(&self.wasmtime, &sha256, &component);
        }
        Ok(Loaded { component, border, sha256, size, from_cache: false })
    }
}

/// One set of rules for all guests.
fn config() -> Config {
    let mut config = Config::new();
    config
        // never Winch: it has had an escape from the sandbox, and knows no epochs
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        // bits of NaN are the one thing in which two machines may differ
        .cranelift_nan_canonicalization(true)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(inspect::features(), true)
        // no async functions or streams in the interface: without them each store is smaller and calls are faster
        .concurrency_support(false)
        .max_wasm_stack(STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_backtrace_max_frames(Some(BACKTRACE))
        // names suffice; debug information of a hostile component is not parsed
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(true);
    config
}
