//! `taster runs`: lists the runs of an app.

use clap::Args;
use jiff::Timestamp;
use taster_diagnostics::{CliError, Exit};
use taster_report::layout::{TextTable, wrap};

use super::inputs::{StoredApp, open_app};
use crate::{
    args::{ConfigArgs, StoreArgs, TextFormat, TextOutput},
    output,
};

/// Arguments of `runs`.
#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: TextOutput,
}

/// Lists the runs of the app, newest first.
pub async fn run(args: &RunsArgs) -> Result<Exit, CliError> {
    let StoredApp { app, url, store, .. } = open_app(&args.config, &args.store).await?;
    let file = args.output.output.as_deref();
    let runs = store.runs().await?;
    if args.output.format == TextFormat::Json {
        output::write_json(file, &runs)?;
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        output::write_text(file, &wrap(&format!("{app} has no runs in {url} yet: `taster pre` starts the first")))?;
        return Ok(Exit::Done);
    }
    let baseline = store.current().await?.and_then(|current| current.baseline).map(|baseline| baseline.run);
    let mut table = TextTable::with_header(["run", "before", "after", "verdict", ""]);
    for run in &runs {
        let note = match &run.damaged {
            Some(damage) => format!("damaged: {damage}"),
            None if baseline.as_ref() == Some(&run.run) => "baseline".to_owned(),
            None if run.accepted => "accepted".to_owned(),
            None if run.dropped => "baseline dropped".to_owned(),
            None => String::new(),
        };
        let verdict = run.verdict.map_or_else(|| "-".to_owned(), |verdict| verdict.to_string());
        table.add_row([run.run.to_string(), time(run.pre), time(run.post), verdict, note]);
    }
    output::write_text(file, &table.render())?;
    Ok(Exit::Done)
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}
