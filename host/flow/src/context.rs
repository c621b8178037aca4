//! [`FlowContext`]: the configuration, the store, the sandbox and the shutdown signal that every flow works with.

use std::path::PathBuf;

use taster_config::Config;
use taster_diagnostics::CliError;
use taster_engine::{Compiler, CompilerCommand, Engine, EngineOptions};
use taster_store::{AppStore, Store};

use crate::{
    determinism::ProbeRuns,
    shutdown::{Shutdown, StopReason},
    timing::{PhaseTimer, TimingLevel},
};

/// The argument with which the program compiles a component for another process of it.
pub const COMPILE_COMMAND: &str = "compile-component";

/// What every flow works with.
pub struct FlowContext {
    /// The configuration, checked.
    pub config: Config,
    /// The folder that relative component paths start at.
    pub base: PathBuf,
    /// The stored results of the app.
    pub store: AppStore,
    /// The store's URL as it was given.
    pub store_url: String,
    /// The sandbox of the probes.
    pub engine: Engine,
    /// The commit that is synced, if somebody named it. It is recorded; no probe learns it.
    pub revision: Option<String>,
    /// How often each probe runs.
    pub probe_runs: ProbeRuns,
    /// Whether and why the process has to stop.
    pub(crate) shutdown: Shutdown,
    /// Measures what the flow waits for.
    pub(crate) timer: PhaseTimer,
}

impl FlowContext {
    /// Opens the store and the sandbox, and listens to signals from here on. Does not connect to the database.
    ///
    /// The store is verified by writing to it. With a `cluster` in the configuration, that happens later, once the lock is
    /// held: a hook must restore scaled workloads even when its store is gone.
    pub async fn open(config: Config, base: PathBuf) -> Result<Self, CliError> {
        let shutdown = Shutdown::on_signals();
        // a hook in a cluster cannot be run again only to measure it
        let timer = PhaseTimer::new(if config.cluster.is_some() { TimingLevel::Info } else { TimingLevel::Debug });
        let store_url = config.store.clone();
        let settings = config.store_settings();
        let store = if config.cluster.is_some() {
            Store::open_unverified(settings).await?
        } else {
            Store::open_verified(settings).await?
        };
        let store = store.app(&config.app);
        let engine = open_engine()?;
        Ok(Self {
            config,
            base,
            store,
            store_url,
            engine,
            revision: None,
            probe_runs: ProbeRuns::Once,
            shutdown,
            timer,
        })
    }

    /// Resolves when the process is asked to stop, with the reason as text.
    pub async fn stop_requested(&self) -> String {
        match self.shutdown.requested().await {
            StopReason::Signal(signal) => format!("stopped by {signal}"),
            StopReason::Deadline { job } => format!("Job {job} is about to reach activeDeadlineSeconds"),
            StopReason::LockLost { lease, .. } => format!("the lock {lease} was lost"),
        }
    }
}

/// Opens the sandbox with its cache of compiled code in the user's cache folder.
///
/// `TASTER_CACHE` names another folder. Without a home folder there is no cache, and every start compiles again.
/// `TASTER_CODE` names a folder of precompiled code, such as the image has. The running program compiles what is in neither: it
/// must call [`taster_engine::compile_child`] when its only argument is [`COMPILE_COMMAND`].
pub fn open_engine() -> Result<Engine, CliError> {
    let cache = std::env::var_os("TASTER_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("taster/code")))
        .or_else(|| std::env::var_os("HOME").map(|dir| PathBuf::from(dir).join(".cache/taster/code")));
    let precompiled = std::env::var_os("TASTER_CODE").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let compiler = CompilerCommand::this_program([COMPILE_COMMAND]);
    Ok(Engine::new(EngineOptions { compiler: Compiler::Child(compiler), cache, precompiled })?)
}
