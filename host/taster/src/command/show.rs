//! `taster show`.

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::FlowError;
use taster_model::RunId;

use super::{Beside, stored, which_run, write_verdict};
use crate::{cli::Common, cli::Format, output};

/// Arguments of `show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The run [default: the last one]
    #[arg(value_name = "ID")]
    which: Option<RunId>,
}

/// Prints a stored run: its verdict, or its capture where it has none yet. Ends with 0 whatever the verdict.
pub async fn run(common: &Common, args: &ShowArgs) -> Result<Exit, CliError> {
    let place = stored(common).await?;
    let run = which_run(args.which.as_ref().or(common.run.as_ref()), &place).await?;
    let stored = place.store.run(&run);
    if let Some(verdict) = stored.verdict().await? {
        let verdict = verdict.into_inner();
        let accepted = stored.accepted().await?.map(taster_store::Committed::into_inner);
        if let Some(accepted) = &accepted {
            tracing::info!(
                "accepted by {} on {}: {}",
                accepted.who,
                accepted.at.strftime("%Y-%m-%d %H:%M UTC"),
                accepted.reason
            );
        }
        let reports = ["report.html", "report.md", "junit.xml"].map(|name| stored.report_url(&verdict.attempt, name));
        write_verdict(common, &verdict, &Beside { reports: &reports, scaled: "", accepted: accepted.as_ref() })?;
        return Ok(Exit::Done);
    }
    let Some(capture) = stored.pre().await? else {
        return Err(FlowError::NoRun { run, app: place.app.to_string(), store: place.url.clone() }.into());
    };
    let capture = capture.into_inner();
    if common.format == Format::Json {
        output::write_json(common, &capture)?;
    } else {
        let text = format!(
            "{} run {}: tasted before the sync at {} ({}), no verdict yet: taster post --run {}",
            capture.app,
            capture.run,
            capture.started.strftime("%Y-%m-%d %H:%M:%S UTC"),
            taster_text::counted(capture.probes.len() as u64, "probe"),
            capture.run,
        );
        output::write_text(common, &text)?;
    }
    Ok(Exit::Done)
}
