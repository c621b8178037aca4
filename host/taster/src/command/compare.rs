//! `taster compare`: judge again what is stored, with the rules of today.

use std::path::PathBuf;

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowError, Rules, StoredCapture};
use taster_model::{Capture, Side};
use taster_store::Censuses;

use super::{Beside, config_path, configuration, stored, which_run, write_verdict};
use crate::cli::Common;

/// Arguments of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Two capture files; without them, the stored run of --run is judged again
    #[arg(num_args = 2, value_names = ["PRE.json", "POST.json"])]
    files: Vec<PathBuf>,
}

/// Judges, prints, stores nothing.
pub async fn run(common: &Common, args: &CompareArgs) -> Result<Exit, CliError> {
    if let [before, after] = args.files.as_slice() {
        let (paths, path) = ((before, after), after);
        let (before, after) = (read(before)?, read(after)?);
        let bad =
            |message: &str| FlowError::BadCapture { path: path.display().to_string(), message: message.to_owned() };
        if before.attempt == after.attempt {
            return Err(bad("it is the same capture as the other one").into());
        }
        if (before.side, after.side) == (Side::Post, Side::Pre) {
            return Err(
                bad("it was taken before the sync and the other one after it: give them the other way round").into()
            );
        }
        // files need no configuration; where there is one, its expectations count
        let wants_config = common.config.is_some() || config_path(common).exists();
        let config = if wants_config { Some(configuration(common, None)?.0) } else { None };
        let rules = config.as_ref().map(Rules::from).unwrap_or_default();
        let beside = (Censuses::beside_capture(paths.0, before.side), Censuses::beside_capture(paths.1, after.side));
        let earlier = StoredCapture { capture: &before, censuses: &beside.0 };
        let later = StoredCapture { capture: &after, censuses: &beside.1 };
        return write_verdict(
            common,
            &taster_flow::verdict_document(Some(earlier), later, rules).await,
            &Beside::default(),
        );
    }
    let stored = stored(common).await?;
    let run = which_run(common.run.as_ref(), &stored).await?;
    let store = &stored.store;
    let run_store = store.run(&run);
    let Some(after) = run_store.latest_post().await? else {
        return Err(FlowError::NoPost { run }.into());
    };
    let after = after.into_inner();
    // the verdict says which baseline it was; without one, the standing one; else the run's own
    let judged = match taster_flow::judged_against(store, &run).await? {
        Some(judged) => Some(judged),
        None => store.current().await?.and_then(|current| current.baseline).map(|baseline| baseline.run),
    };
    let earlier_run = store.run(judged.as_ref().unwrap_or(&run));
    let (before, censuses) = (earlier_run.pre().await?, earlier_run.censuses());
    let earlier = before.as_ref().map(|before| StoredCapture { capture: before.get(), censuses: &censuses });
    let later = StoredCapture { capture: &after, censuses: &run_store.censuses() };
    write_verdict(common, &taster_flow::verdict_document(earlier, later, stored.rules()).await, &Beside::default())
}

fn read(path: &PathBuf) -> Result<Capture, CliError> {
    let bad = |message: String| FlowError::BadCapture { path: path.display().to_string(), message };
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    Ok(taster_store::read_capture(&bytes).map_err(|error| bad(error.to_string()))?)
}
