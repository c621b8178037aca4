//! The flows: what `pre`, `post` and `compare` do, from the configuration to the verdict.

mod baseline;
mod capture;
mod census;
mod cluster;
pub mod component;
mod connect;
mod determinism;
mod differences;
mod error;
mod fresh;
mod grants;
mod judging;
mod moment;
pub mod pace;
mod post;
mod pre;
pub mod progress;
mod restore;
mod run_id;
mod server;
mod stop;

use std::path::PathBuf;

use taster_engine::Engine;
use taster_store::{AppStore, Store};

pub use capture::{World, limits_of, load_probe, probe_run_input};
pub use census::{Occasion, Taking, censuses_agree};
pub use cluster::{Ended, Moved, NotRestored, Report};
pub use connect::connect;
pub use determinism::{Tastings, agree};
pub use differences::Kept;
pub use error::FlowError;
pub use grants::resolve as resolve_collections;
pub use judging::{Rules, judged_against, remedy_for, side_summary, verdict_document};
pub use post::{Post, PostOutcome, post};
pub use pre::{Pre, PreOutcome, pre};
pub use restore::{Restoration, Restoring, restore};
pub use server::{UNGUARDED, blind_spot, excess, needs};

use pace::Pace;
use stop::Stop;
use taster_config::Config;
use taster_diagnostics::CliError;

/// What every flow works with.
pub struct Kitchen {
    /// The configuration, checked.
    pub config: Config,
    /// The folder that relative component paths start at.
    pub base: PathBuf,
    /// Results of the app.
    pub store: AppStore,
    /// The store's URL as it was given.
    pub store_url: String,
    /// The sandbox.
    pub engine: Engine,
    /// How often each probe tastes.
    pub tastings: Tastings,
    /// When to stop.
    stop: Stop,
    /// Where the time goes.
    pace: Pace,
}

impl Kitchen {
    /// Opens the store, proven writable, and the sandbox. Nothing of the database is touched yet. From here on the process
    /// hears of signals.
    ///
    /// Where workloads are scaled, the store is proven once the lock is held: a hook whose store is gone still has to put
    /// back what stands scaled.
    pub async fn open(config: Config, base: PathBuf) -> Result<Self, CliError> {
        let stop = Stop::on_signals();
        let pace = Pace::new(config.cluster.is_some());
        let store_url = config.store.clone();
        let settings = config.settings();
        let store = if config.cluster.is_some() { Store::at(settings).await? } else { Store::open(settings).await? };
        let store = store.app(&config.app);
        let engine = open_engine()?;
        Ok(Self { config, base, store, store_url, engine, tastings: Tastings::One, stop, pace })
    }

    /// Resolves when the process is asked to stop, and says by what.
    pub async fn asked_to_stop(&self) -> String {
        match self.stop.asked().await {
            stop::Reason::Signal(signal) => format!("stopped by {signal}"),
            stop::Reason::Deadline { job } => format!("the deadline of Job {job} is near"),
            stop::Reason::LockLost { lease, .. } => format!("the lock {lease} was lost"),
        }
    }
}

/// The sandbox with its code cache in the user's cache folder.
///
/// `TASTER_CACHE` names another folder; without a home there is no cache, and each start compiles anew. `TASTER_CODE` names the
/// folder of what was compiled ahead: the image has one.
pub fn open_engine() -> Result<Engine, CliError> {
    let cache = std::env::var_os("TASTER_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("taster/code")))
        .or_else(|| std::env::var_os("HOME").map(|dir| PathBuf::from(dir).join(".cache/taster/code")));
    let shipped = std::env::var_os("TASTER_CODE").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Ok(Engine::new(taster_engine::EngineOptions { cache, shipped })?)
}

/// Resolves when the process is asked to stop, with the signal's name.
pub async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

/// What this process may be called after a hook: its Job's name, else the pod's, to which Kubernetes sets `HOSTNAME`.
fn hook_names() -> Vec<String> {
    ["TASTER_JOB", "HOSTNAME"].into_iter().filter_map(|name| std::env::var(name).ok()).collect()
}
