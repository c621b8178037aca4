//! The open baseline as `taster baseline` shows it, and how a person drops it.

use jiff::Timestamp;
use serde::Serialize;
use taster_cluster::{LEASE_DURATION, Lock, LockRequest};
use taster_config::Config;
use taster_diagnostics::CliError;
use taster_model::{AppName, Baseline, Capture, CurrentState, DataKind, DroppedBaseline, RunId, Verdict, schema};
use taster_store::{AppStore, fault};

use crate::{
    baseline,
    cluster::{self, release_lock, retry_while_unreachable},
    error::FlowError,
};

/// How long to retry while the API server is unreachable.
const API_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(2);
/// How long releasing the lock may take.
const RELEASE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// The open baseline of an app.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenBaseline {
    /// The baseline.
    #[serde(flatten)]
    pub baseline: Baseline,
    /// The database that it recorded. Absent if its capture is not in the store.
    pub database: Option<String>,
    /// Why it is still open.
    pub open_because: String,
    /// What closes it, one way each.
    pub closed_by: Vec<String>,
}

/// Why a baseline is open.
enum OpenReason {
    /// This run was compared with it and is not the same.
    Judged(RunId, Verdict),
    /// A probe failed in it or did not find its collections.
    Flawed,
    NotCompared,
}

/// The open baseline of the app, as the next command would find it. Stores nothing.
pub async fn open_baseline(store: &AppStore) -> Result<Option<OpenBaseline>, CliError> {
    let Some(stored) = store.current().await? else { return Ok(None) };
    let current = baseline::repaired(store, &stored).await?;
    let Some(open) = current.baseline.clone() else { return Ok(None) };
    let capture = store.run(&open.run).pre().await?.map(taster_store::Committed::into_inner);
    let reason = open_reason(store, &open, &current).await?;
    Ok(Some(OpenBaseline {
        open_because: open_because(&reason),
        closed_by: closed_by(&open, &reason, capture.as_ref()),
        database: capture.map(|capture| capture.server.database),
        baseline: open,
    }))
}

async fn open_reason(store: &AppStore, open: &Baseline, current: &CurrentState) -> Result<OpenReason, CliError> {
    if let Some((run, verdict)) = judged_run(store, open, current).await? {
        return Ok(OpenReason::Judged(run, verdict));
    }
    let is_flawed = open.judged.is_none() && baseline::has_failed_probes(store, &open.run).await?;
    Ok(if is_flawed { OpenReason::Flawed } else { OpenReason::NotCompared })
}

/// The run whose verdict keeps the baseline open, with that verdict.
async fn judged_run(
    store: &AppStore,
    open: &Baseline,
    current: &CurrentState,
) -> Result<Option<(RunId, Verdict)>, CliError> {
    let Some(judged) = &open.judged else { return Ok(None) };
    for run in current.last.iter().map(|last| &last.run).chain([&open.run]) {
        let verdict = store.run(run).verdict().await?.map(taster_store::Committed::into_inner);
        if let Some(verdict) = verdict.filter(|verdict| verdict.attempt == *judged) {
            return Ok(Some((run.clone(), verdict.verdict)));
        }
    }
    Ok(None)
}

fn open_because(reason: &OpenReason) -> String {
    match reason {
        OpenReason::Judged(run, verdict) => {
            format!("run {run} was compared with it and is {verdict}; nobody accepted that")
        }
        OpenReason::Flawed => {
            "a probe failed in it or did not find its collections, so that no `taster post` can be same".to_owned()
        }
        OpenReason::NotCompared => "no `taster post` that was compared with it is known".to_owned(),
    }
}

fn closed_by(open: &Baseline, reason: &OpenReason, capture: Option<&Capture>) -> Vec<String> {
    let same_post = |run: &RunId| format!("`taster post --run {run}`, if it is same: restore what is missing first");
    let mut ways = match reason {
        OpenReason::Judged(run, _) => {
            vec![same_post(run), format!("`taster accept {run} --reason \"…\"`, if the change is right")]
        }
        OpenReason::Flawed => {
            vec!["`taster pre`, if it finds again everything that the other probes recorded".to_owned()]
        }
        OpenReason::NotCompared => vec![same_post(&open.run)],
    };
    if capture.is_none_or(|capture| capture.data == DataKind::Copy) {
        ways.push("another copy of the data: the next `taster pre` takes a new baseline".to_owned());
    }
    ways.push("`taster baseline drop --reason \"…\"`, if it must not count any more".to_owned());
    ways
}

/// Who drops the baseline, and why.
#[derive(Debug, Clone)]
pub struct DropRequest {
    /// The app.
    pub app: AppName,
    /// The store's URL, for messages.
    pub store_url: String,
    /// Who.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// Refuses the name of a run that has a capture: that would be kept, and not taken anew.
///
/// # Errors
///
/// If it has one, or the store cannot be read.
pub async fn require_new_run(store: &AppStore, run: &RunId) -> Result<(), CliError> {
    match store.run(run).pre().await? {
        Some(_) => Err(FlowError::RunCaptured { run: run.clone() }.into()),
        None => Ok(()),
    }
}

/// Closes the open baseline by a person's word. Nothing is compared with it any more, also not by a `post` of its own run.
///
/// With a `cluster` in the configuration it holds the app's lock meanwhile, so that it never gets between the steps of a
/// running `pre` or `post`. Without one, the record and the compare-and-swap of `current.json` decide: a `post` that began before
/// ends with its verdict and leaves the baseline closed.
pub async fn drop_baseline(
    store: &AppStore,
    config: Option<&Config>,
    request: DropRequest,
) -> Result<DroppedBaseline, CliError> {
    let lock = match config.filter(|config| config.cluster.is_some()) {
        Some(config) => Some(take_lock(config).await?),
        None => None,
    };
    let dropped = drop_locked(store, lock.as_ref(), request).await;
    if let Some(lock) = lock {
        release_lock(lock, RELEASE_TIMEOUT).await;
    }
    dropped
}

async fn take_lock(config: &Config) -> Result<Lock, CliError> {
    let Some(section) = &config.cluster else { return Err(FlowError::NoCluster.into()) };
    let cluster = cluster::connect(config).await?;
    let request = LockRequest {
        run: None,
        command: "baseline drop",
        when_locked: section.lock.when_locked(),
        lease_duration: LEASE_DURATION,
    };
    let log = |holder: &str| tracing::info!(%holder, "waiting for the lock");
    Ok(retry_while_unreachable(API_TIMEOUT, async || cluster.acquire_lock(request.clone(), &log).await).await?)
}

async fn drop_locked(store: &AppStore, lock: Option<&Lock>, request: DropRequest) -> Result<DroppedBaseline, CliError> {
    let DropRequest { app, store_url, who, reason } = request;
    let current = baseline::load_current(store).await?;
    let Some((open, last)) = current.and_then(|current| Some((current.baseline?, current.last))) else {
        return Err(FlowError::NoOpenBaseline { app: app.to_string(), store: store_url }.into());
    };
    if let Some(lock) = lock {
        lock.confirm().await?;
    }
    fault::arm();
    let dropped = DroppedBaseline {
        schema: schema::DROPPED.to_owned(),
        app,
        run: open.run.clone(),
        attempt: open.attempt.clone(),
        who,
        reason,
        at: Timestamp::now(),
    };
    // what an unfinished run has captured beside it is as old: the next `pre` must not go on with that. First this one, because
    // a killed process leaves the baseline open, and the command is given again
    if let Some(last) = last.filter(|last| last.verdict.is_none() && last.run != open.run)
        && let Some(capture) = store.run(&last.run).pre().await?
    {
        let attempt = capture.get().attempt.clone();
        let unfinished = DroppedBaseline { run: last.run.clone(), attempt, ..dropped.clone() };
        store.run(&last.run).drop_baseline(&unfinished).await?;
        tracing::info!(run = %last.run, "the capture of the unfinished run is dropped, too");
    }
    // first the record: if the process is killed after it, the next command closes the baseline
    let dropped = store.run(&open.run).drop_baseline(&dropped).await?.into_inner();
    fault::point("baseline: dropped");
    store
        .update_current(|current| {
            let mut current = current?;
            // a baseline that another process has set meanwhile stays
            current.baseline = current.baseline.filter(|baseline| baseline.run != open.run);
            Some(current)
        })
        .await?;
    fault::point("baseline: noted");
    Ok(dropped)
}
