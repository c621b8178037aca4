//! Loads components, and shows that one is being compiled where that takes long.

use std::{convert::Infallible, future, time::Duration};

use taster_config::Probe;
use taster_engine::{Engine, EngineError, LoadPhase};
use tokio::{sync::watch, time::timeout};

use crate::{component::Component, limits::engine_limits, progress::Notice};

/// How long a component is compiled before that is shown.
const NOTICE_AFTER: Duration = Duration::from_secs(1);
/// Bytes of a component from which on it is shown. Those of Rust are smaller and compile within a second, unless the machine is
/// busy; those of Go, JavaScript and Python have 3 to 20 MB and take up to a minute.
const NOTICE_SIZE: usize = 1 << 20;

/// Loads the component of `probe`. If it is large and not compiled within a second, a spinner or a log line says so.
///
/// `setting` is the path of the probe's limits, which errors name.
pub async fn load_component(
    engine: &Engine,
    probe: &Probe,
    component: &Component,
    setting: &str,
) -> Result<taster_engine::Probe, EngineError> {
    let limits = engine_limits(&probe.limits);
    if component.bytes.len() < NOTICE_SIZE {
        return engine.load(&component.bytes, &limits, setting).await;
    }
    let phase = watch::Sender::new(LoadPhase::default());
    let size = taster_text::size(component.bytes.len() as u64);
    let notice = show_compiling(phase.subscribe(), format!("compiling {} ({size}) …", probe.name));
    tokio::select! {
        // in this order: nothing is shown of what has just ended
        biased;
        loaded = engine.load_observed(&component.bytes, &limits, setting, &phase) => loaded,
        never = notice => match never {},
    }
}

/// Shows `text` while the component is compiled, after a while. Never ends.
async fn show_compiling(mut phase: watch::Receiver<LoadPhase>, text: String) -> Infallible {
    if phase.wait_for(|phase| *phase == LoadPhase::Compiling).await.is_ok() {
        let ended = |phase: &LoadPhase| *phase != LoadPhase::Compiling;
        let is_slow = timeout(NOTICE_AFTER, phase.wait_for(ended)).await.is_err();
        if is_slow {
            let notice = Notice::show(&text);
            // the sender is there as long as this is polled
            let _ = phase.wait_for(ended).await;
            drop(notice);
        }
    }
    future::pending().await
}
