//! `taster gc`: removes old runs.

use std::{fmt::Write, num::NonZeroU32};

use clap::Args;
use jiff::Timestamp;
use taster_config::{Period, RetentionSection};
use taster_diagnostics::{CliError, Exit};
use taster_store::{GcMode, GcOutcome, GcReport, Retention};

use taster_report::layout::TextTable;

use super::inputs::{StoredApp, open_app};
use crate::{
    args::{ConfigArgs, StoreArgs, TextFormat, TextOutput},
    output,
};

/// Arguments of `gc`.
#[derive(Debug, Clone, Args)]
pub struct GcArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// How many of the newest runs to keep; overrides `retention.keep`
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroU32>,
    /// Keep runs that are younger (`90d`); overrides `retention.maxAge`. With both, a run is removed when it is beyond both
    #[arg(long, value_name = "PERIOD", value_parser = |text: &str| Period::try_from(text.to_owned()))]
    max_age: Option<Period>,
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: TextOutput,
}

/// Removes the runs that no retention rule keeps.
pub async fn run(args: &GcArgs) -> Result<Exit, CliError> {
    let StoredApp { app, store, config, .. } = open_app(&args.config, &args.store).await?;
    let RetentionSection { keep, max_age } = config.map(|config| config.retention).unwrap_or_default();
    let retention =
        Retention { keep: args.keep.or(keep).map(NonZeroU32::get), max_age: args.max_age.or(max_age).map(Period::get) };
    if retention == Retention::default() {
        let help = "set `retention: {keep: 50, maxAge: 90d}` in the configuration, or --keep, --max-age".to_owned();
        return Err(
            CliError::new("T0634", "no retention is configured, so no run can be removed", help).with_exit(Exit::Usage)
        );
    }
    let mode = if args.dry_run { GcMode::DryRun } else { GcMode::Remove };
    let report = store.collect(retention, Timestamp::now(), mode).await?;
    let file = args.output.output.as_deref();
    match args.output.format {
        TextFormat::Json => output::write_json(file, &report)?,
        TextFormat::Human => {
            output::write_text(file, &summary(app.as_str(), &report, mode))?;
        }
    }
    let refused = report.runs.iter().any(|run| run.outcome == GcOutcome::Refused);
    Ok(if refused { Exit::Failed } else { Exit::Done })
}

fn summary(app: &str, report: &GcReport, mode: GcMode) -> String {
    let mut table = TextTable::with_header(["run", "last change", "objects", "bytes", "", "why"]);
    let (mut removed, mut bytes) = (0, 0);
    for run in &report.runs {
        let outcome = match (run.outcome, mode) {
            (GcOutcome::Kept, _) => "kept",
            (GcOutcome::Removed, GcMode::DryRun) => "would be removed",
            (GcOutcome::Removed, GcMode::Remove) => "removed",
            (GcOutcome::Refused, _) => "refused",
        };
        if run.outcome == GcOutcome::Removed {
            removed += 1;
            bytes += run.bytes;
        }
        table.add_row([
            run.run.to_string(),
            run.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            taster_text::grouped(run.objects),
            taster_text::grouped(run.bytes),
            outcome.to_owned(),
            taster_text::escape_hidden(&run.why),
        ]);
    }
    let verb = match mode {
        GcMode::DryRun => "would be removed",
        GcMode::Remove => "removed",
    };
    let mut text = table.render();
    // writing to a string cannot fail
    let _ =
        write!(text, "\n{app}: {} {verb}, {} bytes", taster_text::counted(removed, "run"), taster_text::grouped(bytes));
    if report.unfinished > 0 {
        let _ = write!(text, ", and {}", taster_text::counted(report.unfinished, "unfinished write"));
    }
    text.push('\n');
    text
}
