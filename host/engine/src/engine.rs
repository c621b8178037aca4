//! The engine: one wasmtime configuration for all guests, and loading components.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};
use wasmtime::{
    Config, OptLevel, Strategy, WasmBacktraceDetails, WasmFeatures,
    component::{Component, Linker},
};

use crate::{
    cache::{self, CodeCache, PrecompiledCode},
    compile_limits::CompileLimits,
    compiled::CompiledComponent,
    compiler::{self, ChildCode, Compiler},
    componentize,
    error::EngineError,
    host,
    inspect::{self, ComponentInterface},
    limits::{LimitSettings, Limits, STACK},
    precompiled,
    probe::Probe,
    state::State,
    ticker, wasi,
};

/// Bytes of stack of a guest and of the host functions that it calls, which run on the same stack.
const FIBER_STACK: usize = STACK + (1 << 20);
/// Frames that a backtrace keeps.
const BACKTRACE: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not 0");

/// Options of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Where components are compiled.
    pub compiler: Compiler,
    /// A folder for compiled code. It is created if it is missing. It must belong to this user or to root, and nobody else may be
    /// able to write to it. Where it cannot be written, what is in it is used. `None`: no cache, and each start compiles again
    /// (tens of milliseconds for Rust guests, seconds for JavaScript and Python).
    pub cache: Option<PathBuf>,
    /// A folder of code from [`Engine::precompile`] that is shipped with the host. It must belong to root or to this user, and
    /// nobody else may be able to write to it.
    pub precompiled: Option<PathBuf>,
}

impl EngineOptions {
    /// No cache and no precompiled code.
    #[must_use]
    pub fn new(compiler: Compiler) -> Self {
        Self { compiler, cache: None, precompiled: None }
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

struct EngineInner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    cache: Option<CodeCache>,
    precompiled: Option<PrecompiledCode>,
    compiler: Compiler,
    /// One component is compiled at a time: that uses all cores, and memory in proportion to the component.
    compiling: Arc<Semaphore>,
}

/// What is being done to load a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadPhase {
    /// Waiting for components that are loaded at the same time, then looking for code that was compiled earlier.
    #[default]
    Searching,
    /// Compiling.
    Compiling,
    /// Calling `describe`.
    Describing,
}

/// A file that is being loaded.
struct Source {
    /// A component, or a core module that becomes one.
    bytes: Vec<u8>,
    sha256: String,
}

impl Engine {
    /// Creates an engine and starts its epoch ticker, which ends with the engine's last clone.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        let cache = options.cache.map(CodeCache::open).transpose()?.flatten();
        let precompiled = options.precompiled.map(PrecompiledCode::open).transpose()?;
        let wasmtime = wasmtime::Engine::new(&config()).map_err(setup)?;
        let mut linker = Linker::new(&wasmtime);
        wasi::add_to_linker(&mut linker).map_err(setup)?;
        host::add_to_linker(&mut linker).map_err(setup)?;
        ticker::start(&wasmtime)?;
        let (compiler, compiling) = (options.compiler, Arc::new(Semaphore::new(1)));
        Ok(Self(Arc::new(EngineInner { wasmtime, linker, cache, precompiled, compiler, compiling })))
    }

    /// Makes a probe of a component: checks it, compiles it or takes it from the cache, and calls its `describe`.
    ///
    /// `bytes` may also be a core module that carries its interface: where components are compiled, it becomes a component first.
    /// The probe keeps the digest and the size of what was given.
    ///
    /// `setting` is the path of `limits` in the configuration, such as `probes[orders].limits`. Errors name it.
    pub async fn load(&self, bytes: &[u8], limits: &Limits, setting: &str) -> Result<Probe, EngineError> {
        self.load_observed(bytes, limits, setting, &watch::Sender::default()).await
    }

    /// [`Self::load`] that says what it is doing.
    pub async fn load_observed(
        &self,
        bytes: &[u8],
        limits: &Limits,
        setting: &str,
        phase: &watch::Sender<LoadPhase>,
    ) -> Result<Probe, EngineError> {
        let setting = LimitSettings::new(setting);
        let asked = bytes.len() as u64;
        if asked > limits.component_size {
            let (allowed, setting) = (limits.component_size, setting.name_of("componentSize"));
            return Err(EngineError::TooLarge { asked, allowed, setting });
        }
        inspect::check_format(bytes)?;
        let loaded = self.compiled(bytes, limits, &setting, phase).await?;
        phase.send_replace(LoadPhase::Describing);
        Probe::new(&self.0.wasmtime, &self.0.linker, loaded, limits, &setting).await
    }

    /// The code of a component: found in a folder of code, else compiled. Dropping the future kills the process that compiles.
    async fn compiled(
        &self,
        bytes: &[u8],
        limits: &Limits,
        setting: &LimitSettings,
        phase: &watch::Sender<LoadPhase>,
    ) -> Result<CompiledComponent, EngineError> {
        let source = Arc::new(Source { bytes: bytes.to_vec(), sha256: hex::encode(Sha256::digest(bytes)) });
        // waiting for other components is not compiling; the semaphore is never closed
        let permit = Arc::clone(&self.0.compiling).acquire_owned().await.ok();
        let (shared, wanted) = (Arc::clone(&self.0), Arc::clone(&source));
        if let Some(found) = off_thread(move || Ok(shared.find(&wanted))).await? {
            return Ok(found);
        }
        phase.send_replace(LoadPhase::Compiling);
        let shared = Arc::clone(&self.0);
        match &self.0.compiler {
            Compiler::InProcess => {
                off_thread(move || {
                    // held to the end of the work, which goes on if this future is dropped
                    let _permit = permit;
                    shared.compile(&source)
                })
                .await
            }
            Compiler::Child(command) => {
                let code =
                    compiler::compile_in_child(command, &source.bytes, &CompileLimits::of(limits, setting)).await?;
                off_thread(move || {
                    let _permit = permit;
                    shared.adopt(&source, &code)
                })
                .await
            }
        }
    }

    /// Compiles a component ahead of time for every Linux machine of this architecture. Returns the name and the contents of its
    /// file in [`EngineOptions::precompiled`]. The same component gives the same bytes. It has no limits of time and memory, and
    /// is for trusted components alone.
    pub fn precompile(bytes: &[u8]) -> Result<(String, Vec<u8>), EngineError> {
        let setup = |error: wasmtime::Error| EngineError::Setup(format!("{error:#}"));
        inspect::check_format(bytes)?;
        let component = componentize::component_of(bytes)?;
        inspect::validate(&component)?;
        // with a target, wasmtime uses no feature that is specific to this processor
        let mut config = config();
        config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).map_err(setup)?;
        let wasmtime = wasmtime::Engine::new(&config).map_err(setup)?;
        let code = wasmtime.precompile_component(&component).map_err(|error| compile_error(&error))?;
        Ok((cache::precompiled_file_name(&hex::encode(Sha256::digest(bytes))), code))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl EngineInner {
    /// Code that was compiled earlier.
    fn find(&self, source: &Source) -> Option<CompiledComponent> {
        let precompiled = self.precompiled.as_ref().and_then(|code| code.load(&self.wasmtime, &source.sha256));
        let cached = || self.cache.as_ref().and_then(|cache| cache.load(&self.wasmtime, &source.sha256));
        precompiled.or_else(cached).map(|component| self.compiled(source, component, CodeOrigin::Folder))
    }

    /// Compiles in this process.
    fn compile(&self, source: &Source) -> Result<CompiledComponent, EngineError> {
        let bytes = componentize::component_of(&source.bytes)?;
        inspect::validate(&bytes)?;
        let component = Component::from_binary(&self.wasmtime, &bytes).map_err(|error| compile_error(&error))?;
        if let Some(cache) = &self.cache {
            match component.serialize() {
                Ok(code) => cache.store(&self.wasmtime, &source.sha256, &code),
                Err(error) => tracing::warn!(%error, "cannot cache compiled code"),
            }
        }
        Ok(self.compiled(source, component, CodeOrigin::Compiler))
    }

    /// Loads and caches what a child process has compiled.
    fn adopt(&self, source: &Source, code: &ChildCode) -> Result<CompiledComponent, EngineError> {
        let component = precompiled::load_from_child(&self.wasmtime, code).map_err(|error| compile_error(&error))?;
        if let Some(cache) = &self.cache {
            cache.store(&self.wasmtime, &source.sha256, code.bytes());
        }
        Ok(self.compiled(source, component, CodeOrigin::Compiler))
    }

    fn compiled(&self, source: &Source, component: Component, origin: CodeOrigin) -> CompiledComponent {
        let interface = ComponentInterface::of(&component, &self.wasmtime);
        let (sha256, size) = (source.sha256.clone(), source.bytes.len() as u64);
        CompiledComponent { component, interface, sha256, size, from_cache: origin == CodeOrigin::Folder }
    }
}

/// Where code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CodeOrigin {
    Compiler,
    Folder,
}

/// Runs work that takes long on a thread of its own.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(EngineError::Compile(format!("the compiler panicked: {error}"))),
    }
}

fn compile_error(error: &wasmtime::Error) -> EngineError {
    EngineError::Compile(format!("{error:#}"))
}

/// Checks a component, or what is made of a core module, and compiles it for engines in other processes of this machine:
/// [`Engine::load`] of the same program accepts it.
pub(crate) fn compile_for_this_machine(bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
    let component = componentize::component_of(bytes)?;
    inspect::validate(&component)?;
    let wasmtime = wasmtime::Engine::new(&config()).map_err(|error| EngineError::Setup(format!("{error:#}")))?;
    wasmtime.precompile_component(&component).map_err(|error| compile_error(&error))
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
