//! `taster compare`: judges stored captures again, with the current rules.

use std::path::Path;

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{BaselineCaptures, FlowError, Rules, StoredCapture};
use taster_model::{Capture, Side};
use taster_store::Censuses;

use super::{
    inputs::{load_config, open_app, resolve_run},
    results::{VerdictContext, write_verdict},
};
use crate::args::{ConfigArgs, RunArg, StoreArgs, VerdictOutput};

/// Arguments of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Two capture files; without them, the stored run of --run is judged again
    #[arg(num_args = 2, value_names = ["PRE.json", "POST.json"])]
    files: Vec<std::path::PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    output: VerdictOutput,
}

/// Judges and prints; stores nothing.
pub async fn run(args: &CompareArgs) -> Result<Exit, CliError> {
    match args.files.as_slice() {
        [before, after] => Box::pin(compare_files(args, before, after)).await,
        _ => Box::pin(compare_stored(args)).await,
    }
}

async fn compare_files(args: &CompareArgs, before_path: &Path, after_path: &Path) -> Result<Exit, CliError> {
    let (before, after) = (read_capture(before_path)?, read_capture(after_path)?);
    let bad =
        |message: &str| FlowError::BadCapture { path: after_path.display().to_string(), message: message.to_owned() };
    if before.attempt == after.attempt {
        return Err(bad("both files hold the same capture").into());
    }
    if (before.side, after.side) == (Side::Post, Side::Pre) {
        return Err(bad("it was captured before the sync and the other file after it: swap the two files").into());
    }
    // files need no configuration; where there is one, its expectations apply
    let config = if args.config.is_given() { Some(load_config(&args.config, Some(&args.store))?.config) } else { None };
    let rules = config.as_ref().map(Rules::from).unwrap_or_default();
    let before_censuses = Censuses::beside_capture(before_path, before.side);
    let after_censuses = Censuses::beside_capture(after_path, after.side);
    let earlier = StoredCapture { capture: &before, censuses: &before_censuses };
    let later = StoredCapture { capture: &after, censuses: &after_censuses };
    let document = taster_flow::verdict_document(Some(earlier), later, rules).await;
    write_verdict(&args.output, &document, &VerdictContext::default())
}

async fn compare_stored(args: &CompareArgs) -> Result<Exit, CliError> {
    let stored = open_app(&args.config, &args.store).await?;
    let run = resolve_run(args.run.run.as_ref(), &stored).await?;
    let store = &stored.store;
    let run_store = store.run(&run);
    let Some(after) = run_store.latest_post().await? else {
        return Err(FlowError::NoPost { run }.into());
    };
    let after = after.into_inner();
    // the baseline of the stored verdict; without a verdict the app's open baseline; else the run's own capture
    let (earlier_run, added) = match taster_flow::compared_with(store, &run).await? {
        Some(compared) => compared,
        None => match store.current().await?.and_then(|current| current.baseline) {
            Some(baseline) => (baseline.run, baseline.added),
            None => (run.clone(), Vec::new()),
        },
    };
    let before = BaselineCaptures::load(store, &earlier_run, &added).await?;
    let later = StoredCapture { capture: &after, censuses: &run_store.censuses() };
    let (own, added) = (before.own_stored(), before.added_stored());
    let document = taster_flow::verdict_with_added(own, &added, later, stored.rules()).await;
    let accepted = run_store.accepted().await?.map(taster_store::Committed::into_inner);
    let context = VerdictContext { accepted: accepted.as_ref(), ..VerdictContext::default() };
    write_verdict(&args.output, &document, &context)
}

fn read_capture(path: &Path) -> Result<Capture, CliError> {
    let bad = |message: String| FlowError::BadCapture { path: path.display().to_string(), message };
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    Ok(taster_store::read_capture(&bytes).map_err(|error| bad(error.to_string()))?)
}
