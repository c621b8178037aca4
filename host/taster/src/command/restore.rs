//! `taster restore`: restores replica counts after an interrupted run.

use std::fmt::Write;

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{RestoreOutcome, RestoreScope};

use super::inputs::load_config;
use crate::{
    args::{ConfigArgs, RunArg, StoreArgs},
    output, termination,
    termination::Termination,
};

/// Arguments of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    run: RunArg,
    /// Only workloads that have been scaled up for longer than `cluster.abandonedAfter`, and only if no other process is at work
    #[arg(long)]
    pub abandoned: bool,
}

/// Restores replica counts. Exits 0, also when there was nothing to restore, and 4 when a workload could not be restored.
pub async fn run(args: &RestoreArgs) -> Result<Exit, CliError> {
    termination::write_message(restore(args).await)
}

async fn restore(args: &RestoreArgs) -> Result<Termination, CliError> {
    let config = load_config(&args.config, Some(&args.store))?.config;
    let scope = if args.abandoned { RestoreScope::Abandoned } else { RestoreScope::Everything };
    let text = match taster_flow::restore(&config, args.run.run.as_ref(), scope).await? {
        RestoreOutcome::InUse(holder) => format!("nothing was restored: {holder} is at work\n"),
        RestoreOutcome::Done(report) if report.restored.is_empty() => match scope {
            RestoreScope::Everything => "nothing to restore\n".to_owned(),
            RestoreScope::Abandoned => {
                let limit =
                    config.cluster.as_ref().map_or_else(String::new, |cluster| cluster.abandoned_after.to_string());
                format!("nothing to restore: no workload has been scaled up for longer than {limit}\n")
            }
        },
        RestoreOutcome::Done(report) => report.restored.iter().fold(String::new(), |mut text, change| {
            let _ = writeln!(text, "restored {change}");
            text
        }),
    };
    output::write_text(None, &text)?;
    let message = taster_text::escape_hidden(&text.lines().collect::<Vec<_>>().join(", "));
    Ok(Termination { exit: Exit::Done, message })
}
