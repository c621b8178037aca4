//! `taster pre`: captures before the sync.

use std::fmt::Write;

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{PartialReload, Pre, PreOutcome, ReplacedBaseline};
use taster_model::{Capture, ProbeOutcome, RunId};

use taster_report::layout::{TextTable, wrap_labeled};

use super::{
    inputs::open_flow,
    results::{scaling_summary, write_nothing_yet},
};
use crate::{
    args::{ConfigArgs, DatabaseArgs, RunArg, StoreArgs, TextFormat, TextOutput},
    output, termination,
    termination::Termination,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # Before the upgrade, with the configuration ./taster.yaml
  taster pre

  # Without a configuration, as in a plain CI job; `taster post` takes the same --run
  taster pre --mongodb \"$MONGODB_URI\" --run deploy-42

  # Another configuration, and results in another store
  taster pre -c stage/taster.yaml --store s3://taster-results/stage

Exits 0 when the capture is stored, 3 when the verdict after the sync could not be same, and 4 when it could not be done.";

/// Arguments of `pre`.
#[derive(Debug, Clone, Args)]
pub struct PreArgs {
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    output: TextOutput,
}

impl PreArgs {
    /// The run that `--run` names.
    pub(super) fn named_run(&self) -> Option<&RunId> {
        self.run.run.as_ref()
    }
}

/// Captures before the sync. Exits 0, or 3 when the verdict after the sync could not be `same`.
pub async fn run(args: &PreArgs) -> Result<Exit, CliError> {
    termination::write_message(capture(args).await)
}

async fn capture(args: &PreArgs) -> Result<Termination, CliError> {
    let file = args.output.output.as_deref();
    output::check_writable(file)?;
    let context = open_flow(&args.config, &args.store, &args.database).await?;
    let ended = taster_flow::pre(&context, args.named_run()).await?;
    let outcome = match &ended.value {
        Pre::Captured(outcome) => outcome,
        Pre::NothingYet { run } => {
            write_nothing_yet(args.output.format, file, &context.config.app, run)?;
            return Ok(Termination { exit: Exit::Done, message: "nothing to taste yet".to_owned() });
        }
    };
    match args.output.format {
        TextFormat::Json => output::write_json(file, &outcome.capture)?,
        TextFormat::Human => {
            // the connection string may hold a password, so it is not repeated
            let next = if args.database.mongodb.is_some() { "taster post --mongodb URI" } else { "taster post" };
            let mut text = summary(outcome, &context.store_url, next);
            text.push_str(&scaling_summary(&ended));
            output::write_text(file, &text)?;
        }
    }
    let obstacles = outcome.obstacles();
    let (exit, result) = if obstacles.is_empty() {
        (Exit::Done, format!("tasted before the sync, run {}", outcome.run))
    } else {
        (Exit::Unknown, taster_text::escape_hidden(&format!("unknown: {}", obstacles.join("; "))))
    };
    let not_restored = ended.not_restored();
    Ok(Termination {
        exit: termination::exit_code(exit, not_restored.as_deref()),
        message: termination::message(not_restored.as_deref(), &result, None),
    })
}

fn summary(outcome: &PreOutcome, store: &str, next: &str) -> String {
    let capture = &outcome.capture;
    let mut out = String::new();
    let headline =
        if outcome.committed_now { "tasted before the sync" } else { "already captured; the stored capture was kept" };
    let _ = writeln!(
        out,
        "{} run {}: {headline} ({} read by {})\n",
        capture.app,
        outcome.run,
        taster_text::counted(capture.documents_read(), "document"),
        taster_text::counted(capture.probes.len() as u64, "probe"),
    );
    out.push_str(&probes(capture));
    out.push_str(&baseline_notes(outcome));
    if let Some(why) = &outcome.kept_because {
        let run = &outcome.baseline.run;
        let text = format!(
            "the capture of run {run}, in which a probe failed, stays the baseline, because the data changed since: {why}. The \
             verdict after the sync cannot be same. If the change is right: `taster post --run {run}`, then `taster accept {run} \
             --reason \"…\"` and `taster pre` again"
        );
        let _ = write!(out, "\n{}", wrap_labeled("Unknown: ", &text));
    } else if outcome.baseline.run != outcome.run {
        let text = format!(
            "run {} of {}: its change neither passed nor was accepted, so `post` compares with that run",
            outcome.baseline.run,
            outcome.baseline.started.strftime("%Y-%m-%d %H:%M UTC")
        );
        let _ = write!(out, "\n{}", wrap_labeled("Baseline: ", &text));
    }
    let failed: Vec<&str> = outcome.failed().map(|(name, _)| name).collect();
    for build in outcome.index_builds() {
        let text = format!("{build}, and the build may fail. Run `taster pre` again when it is finished");
        let _ = write!(out, "\n{}", wrap_labeled("Unknown: ", &text));
    }
    for collection in outcome.failed_collections() {
        let text = format!(
            "{collection}. The verdict after the sync would be unknown; fix the cause and run `taster pre` again"
        );
        let _ = write!(out, "\n{}", wrap_labeled("Unknown: ", &text));
    }
    for obstacle in &outcome.hopeless {
        let text = format!("{obstacle}. Correct the configuration before the sync; `taster pre` then exits 0");
        let _ = write!(out, "\n{}", wrap_labeled("Unknown: ", &text));
    }
    if failed.is_empty() {
        let _ = writeln!(out, "\nStored in {store}. After the sync: {next} --run {}", outcome.run);
    } else {
        let text = format!(
            "{} failed, so the verdict after the sync would be unknown. Fix the cause and run `taster pre` again, with \
             another --run if you name one",
            failed.join(", ")
        );
        let _ = write!(out, "\n{}", wrap_labeled("Unknown: ", &text));
    }
    out
}

/// What happened to the baseline that the user should know.
fn baseline_notes(outcome: &PreOutcome) -> String {
    let mut out = String::new();
    if let Some(ReplacedBaseline { baseline, because }) = &outcome.replaced {
        let text = format!(
            "new, because {because}: it is another copy than that of run {} of {}, with which nothing is compared any more",
            baseline.run,
            baseline.started.strftime("%Y-%m-%d %H:%M UTC")
        );
        let _ = write!(out, "\n{}", wrap_labeled("Baseline: ", &text));
    }
    let added: Vec<&str> = outcome
        .baseline
        .added
        .iter()
        .filter(|added| added.run == outcome.run)
        .map(|added| added.probe.as_str())
        .collect();
    if !added.is_empty() {
        let text = format!(
            "{}: added since the baseline, so that this capture is what `post` compares them with. What happened before it is not seen",
            taster_text::escape_hidden(&added.join(", "))
        );
        let _ = write!(out, "\n{}", wrap_labeled("Added: ", &text));
    }
    if let Some(run) = &outcome.uncompared_run {
        let text = format!(
            "run {run} ended without a comparison, because it had no capture from before its sync. What that sync did to the data \
             is unknown and becomes part of this baseline. If in doubt, set up the copy again and run `taster pre` once more"
        );
        let _ = write!(out, "\n{}", wrap_labeled("Warning: ", &text));
    }
    if let Some(seen) = &outcome.reload_seen_by {
        let text = format!(
            "every collection was dropped and created again since the baseline, and run {seen} has seen the new ones: they may be \
             what the upgrade has left, so that the baseline stays. If the database was loaded anew by hand: `taster baseline drop \
             --reason \"…\"`, then `taster pre` with another --run"
        );
        let _ = write!(out, "\n{}", wrap_labeled("Warning: ", &text));
    }
    if let Some(PartialReload { anew, kept }) = &outcome.reloaded_in_part {
        let [anew, kept] = [anew, kept].map(|names| {
            let verb = if names.len() == 1 { "was" } else { "were" };
            format!("{} {verb}", taster_text::escape_hidden(&taster_text::listed(names)))
        });
        let text = format!(
            "{anew} dropped and created again since the baseline, {kept} not; the baseline stays. If the database was loaded anew \
             by hand: `taster baseline drop --reason \"…\"`, then `taster pre` with another --run"
        );
        let _ = write!(out, "\n{}", wrap_labeled("Warning: ", &text));
    }
    out
}

fn probes(capture: &Capture) -> String {
    let mut table = TextTable::default();
    for probe in &capture.probes {
        let (mark, what) = match &probe.outcome {
            ProbeOutcome::Metrics(metrics) => ("✓", taster_text::counted(metrics.len() as u64, "metric")),
            ProbeOutcome::Failed(failure) => ("✗", failure.to_string()),
        };
        let read = format!(
            "{}, {}",
            taster_text::counted(probe.usage.documents, "document"),
            taster_text::duration(std::time::Duration::from_millis(probe.usage.wall_ms))
        );
        table.add_row([mark.to_owned(), probe.name.clone(), what, read]);
    }
    table.render()
}
