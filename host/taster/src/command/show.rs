//! `taster show`: prints a stored run.

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::FlowError;
use taster_model::{Capture, DroppedBaseline, ReportFile, RunId};
use taster_report::layout::wrap;

use super::{
    inputs::{open_app, resolve_run},
    results::{VerdictContext, dropped_sentence, write_verdict},
};
use crate::{
    args::{ConfigArgs, RunArg, StoreArgs, VerdictFormat, VerdictOutput},
    output,
};

/// Arguments of `show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The run [default: --run, else the last one]
    #[arg(value_name = "RUN", id = "shown_run")]
    shown: Option<RunId>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    output: VerdictOutput,
}

/// Prints the verdict of a stored run, or its capture if it has no verdict yet. Exits 0 whatever the
/// verdict.
pub async fn run(args: &ShowArgs) -> Result<Exit, CliError> {
    let app = open_app(&args.config, &args.store).await?;
    let run = resolve_run(args.shown.as_ref().or(args.run.run.as_ref()), &app).await?;
    let stored = app.store.run(&run);
    let dropped = stored.dropped().await?.map(taster_store::Committed::into_inner);
    if let Some(verdict) = stored.verdict().await? {
        let verdict = verdict.into_inner();
        let accepted = stored.accepted().await?.map(taster_store::Committed::into_inner);
        let reports = ReportFile::RENDERED.map(|file| stored.report_url(&verdict.attempt, file.name()));
        let (accepted, dropped) = (accepted.as_ref(), dropped.as_ref());
        let context = VerdictContext { reports: &reports, scaling: "", accepted, dropped };
        write_verdict(&args.output, &verdict, &context)?;
        return Ok(Exit::Done);
    }
    let Some(capture) = stored.pre().await? else {
        return Err(FlowError::NoRun { run, app: app.app.to_string(), store: app.url.clone() }.into());
    };
    write_capture(&args.output, &capture.into_inner(), dropped.as_ref())?;
    Ok(Exit::Done)
}

fn write_capture(output: &VerdictOutput, capture: &Capture, dropped: Option<&DroppedBaseline>) -> Result<(), CliError> {
    let file = output.output.as_deref();
    if output.format == VerdictFormat::Json {
        return output::write_json(file, capture);
    }
    let state = match dropped {
        Some(dropped) => format!("its baseline was {}", dropped_sentence(dropped)),
        None => format!("no verdict yet: taster post --run {}", capture.run),
    };
    let text = format!(
        "{} run {}: tasted before the sync at {} ({}), {state}",
        capture.app,
        capture.run,
        capture.started.strftime("%Y-%m-%d %H:%M:%S UTC"),
        taster_text::counted(capture.probes.len() as u64, "probe"),
    );
    output::write_text(file, &wrap(&text))
}
