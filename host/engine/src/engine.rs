//! The engine: one wasmtime configuration for all guests, and loading components.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::{
    Config, OptLevel, Strategy, WasmBacktraceDetails, WasmFeatures,
    component::{Component, Linker},
};

use crate::{
    cache::{self, CodeCache, PrecompiledCode},
    compiled::CompiledComponent,
    error::EngineError,
    host, inspect,
    limits::{LimitSettings, Limits, STACK},
    probe::Probe,
    state::State,
    ticker, wasi,
};

/// Bytes of stack of a guest and of the host functions that it calls, which run on the same stack.
const FIBER_STACK: usize = STACK + (1 << 20);
/// Frames that a backtrace keeps.
const BACKTRACE: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not 0");

/// Options of the engine.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// A folder for compiled code. It is created if it is missing, and must belong to this user alone. `None`: no cache, and
    /// each start compiles again (tens of milliseconds for Rust guests, seconds for JavaScript and Python).
    pub cache: Option<PathBuf>,
    /// A folder of code from [`Engine::precompile`] that is shipped with the host. It must belong to root or to this user, and
    /// nobody else may be able to write to it.
    pub precompiled: Option<PathBuf>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

struct EngineInner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    cache: Option<CodeCache>,
    precompiled: Option<PrecompiledCode>,
    /// One component is compiled at a time: that uses all cores, and memory in proportion to the component.
    compiling: Arc<Semaphore>,
}

impl Engine {
    /// Creates an engine and starts its epoch ticker, which ends with the engine's last clone.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        let cache = options.cache.map(CodeCache::open).transpose()?;
        let precompiled = options.precompiled.map(PrecompiledCode::open).transpose()?;
        let wasmtime = wasmtime::Engine::new(&config()).map_err(setup)?;
        let mut linker = Linker::new(&wasmtime);
        wasi::add_to_linker(&mut linker).map_err(setup)?;
        host::add_to_linker(&mut linker).map_err(setup)?;
        ticker::start(&wasmtime)?;
        Ok(Self(Arc::new(EngineInner { wasmtime, linker, cache, precompiled, compiling: Arc::new(Semaphore::new(1)) })))
    }

    /// Makes a probe of a component: checks it, compiles it or takes it from the cache, and calls its `describe`.
    ///
    /// `setting` is the path of `limits` in the configuration, such as `probes[orders].limits`. Errors name it.
    pub async fn load(&self, bytes: &[u8], limits: &Limits, setting: &str) -> Result<Probe, EngineError> {
        let setting = LimitSettings::new(setting);
        let asked = bytes.len() as u64;
        if asked > limits.component_size {
            let (allowed, setting) = (limits.component_size, setting.name_of("componentSize"));
            return Err(EngineError::TooLarge { asked, allowed, setting });
        }
        inspect::check_is_component(bytes)?;
        let shared = Arc::clone(&self.0);
        let bytes: Arc<[u8]> = bytes.into();
        let permit = Arc::clone(&shared.compiling).acquire_owned().await;
        let compile = move || {
            // the semaphore is never closed
            let _permit = permit.ok();
            shared.compile(&bytes)
        };
        let loaded = match tokio::task::spawn_blocking(compile).await {
            Ok(loaded) => loaded?,
            Err(error) => return Err(EngineError::Compile(format!("the compiler panicked: {error}"))),
        };
        Probe::new(&self.0.wasmtime, &self.0.linker, loaded, limits, &setting).await
    }

    /// Compiles a component ahead of time for every Linux machine of this architecture. Returns the name and the contents of its
    /// file in [`EngineOptions::precompiled`]. The same component gives the same bytes.
    pub fn precompile(bytes: &[u8]) -> Result<(String, Vec<u8>), EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        inspect::check_is_component(bytes)?;
        inspect::validate(bytes)?;
        // with a target, wasmtime uses no feature that is specific to this processor
        let mut config = config();
        config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).map_err(setup)?;
        let wasmtime = wasmtime::Engine::new(&config).map_err(setup)?;
        let code = wasmtime.precompile_component(bytes).map_err(|error| EngineError::Compile(format!("{error:#}")))?;
        Ok((cache::precompiled_file_name(&hex::encode(Sha256::digest(bytes))), code))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl EngineInner {
    fn compile(&self, bytes: &[u8]) -> Result<CompiledComponent, EngineError> {
        let sha256 = hex::encode(Sha256::digest(bytes));
        let size = bytes.len() as u64;
        let precompiled = self.precompiled.as_ref().and_then(|precompiled| precompiled.load(&self.wasmtime, &sha256));
        let kept = || self.cache.as_ref().and_then(|cache| cache.load(&self.wasmtime, &sha256));
        if let Some(component) = precompiled.or_else(kept) {
            // components in the cache were validated before they were compiled
            let interface = inspect::read_interface(bytes).map_err(|error| EngineError::Invalid(error.to_string()))?;
            return Ok(CompiledComponent { component, interface, sha256, size, from_cache: true });
        }
        let interface = inspect::validate(bytes)?;
        let component = Component::from_binary(&self.wasmtime, bytes)
            .map_err(|error| EngineError::Compile(format!("{error:#}")))?;
        if let Some(cache) = &self.cache {
            cache.store(&self.wasmtime, &sha256, &component);
        }
        Ok(CompiledComponent { component, interface, sha256, size, from_cache: false })
    }
}

/// The configuration for all guests.
fn config() -> Config {
    let mut config = Config::new();
    config
        // never Winch: it has had a sandbox escape, and does not support epochs
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        // the bits of NaN are the only values that may differ between machines
        .cranelift_nan_canonicalization(true)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(inspect::features(), true)
        // the interface has no async functions or streams: without them, stores are smaller and calls are faster
        .concurrency_support(false)
        .max_wasm_stack(STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_backtrace_max_frames(Some(BACKTRACE))
        // function names are enough; the debug information of a hostile component is not parsed
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(true);
    config
}
