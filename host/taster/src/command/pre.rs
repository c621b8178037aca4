//! `taster pre`.

use std::fmt::Write;

use taster_diagnostics::{CliError, Exit};
use taster_flow::{Pre, PreOutcome};
use taster_model::{Capture, ProbeOutcome};

use super::{only, open_context, scaled, write_nothing_yet};
use crate::{cli::Common, cli::Database, cli::Format, output, termination, termination::Told};

/// Tastes before the sync. Ends with 0, or with 3 when a gating probe did not end well.
pub async fn run(common: &Common, database: &Database) -> Result<Exit, CliError> {
    termination::tell(tasted(common, database).await)
}

async fn tasted(common: &Common, database: &Database) -> Result<Told, CliError> {
    only(common, &[Format::Human, Format::Json])?;
    output::prove(common)?;
    let context = open_context(common, database).await?;
    let flow = taster_flow::pre(&context, common.run.as_ref()).await?;
    let outcome = match &flow.value {
        Pre::Captured(outcome) => outcome,
        Pre::NothingYet { run } => {
            write_nothing_yet(common, &context.config.app, run)?;
            return Ok(Told { exit: Exit::Done, line: "nothing to taste yet".to_owned() });
        }
    };
    match common.format {
        Format::Json => output::write_json(common, &outcome.capture)?,
        _ => {
            // without a configuration the next command needs the connection string again, and it may hold a password
            let how = if database.mongodb.is_some() { "taster post --mongodb URI" } else { "taster post" };
            let mut text = human(outcome, &context.store_url, how);
            text.push_str(&scaled(&flow));
            output::write_text(common, &text)?;
        }
    }
    let failed: Vec<String> = outcome.failed().map(|(name, failure)| format!("{name}: {failure}")).collect();
    let (exit, what) = if failed.is_empty() {
        (Exit::Done, format!("tasted before the sync, run {}", outcome.run))
    } else {
        (Exit::Unknown, taster_text::escape_hidden(&format!("unknown: {}", failed.join("; "))))
    };
    let not_restored = flow.not_restored();
    Ok(Told {
        exit: termination::exit(exit, not_restored.as_deref()),
        line: termination::line(not_restored.as_deref(), &what, None),
    })
}

fn human(outcome: &PreOutcome, store: &str, how: &str) -> String {
    let capture = &outcome.capture;
    let mut out = String::new();
    let documents = capture.probes.iter().map(|p| p.usage.documents).sum();
    let headline =
        if outcome.committed_now { "tasted before the sync" } else { "was tasted already; that capture stands" };
    let _ = writeln!(
        out,
        "{} run {}: {headline} ({} read by {})\n",
        capture.app,
        outcome.run,
        taster_text::counted(documents, "document"),
        taster_text::counted(capture.probes.len() as u64, "probe"),
    );
    out.push_str(&probes(capture));
    if outcome.baseline.run != outcome.run {
        let text = format!(
            "run {} of {} stands: it has neither passed nor been accepted, so `post` is judged against it",
            outcome.baseline.run,
            outcome.baseline.started.strftime("%Y-%m-%d %H:%M UTC")
        );
        let _ = write!(out, "\n{}", taster_report::human::wrapped("Baseline: ", &text));
    }
    let failed: Vec<&str> = outcome.failed().map(|(name, _)| name).collect();
    if failed.is_empty() {
        let _ = writeln!(out, "\nStored in {store}. After the sync: {how} --run {}", outcome.run);
    } else {
        let text = format!(
            "{} did not end well, so the verdict after the sync would be unknown. Mend it and taste again, under another \
             --run if you name one",
            failed.join(", ")
        );
        let _ = write!(out, "\n{}", taster_report::human::wrapped("Unknown: ", &text));
    }
    out
}

fn probes(capture: &Capture) -> String {
    let mut table = taster_report::human::table();
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
        table.add_row(vec![mark.to_owned(), probe.name.clone(), what, read]);
    }
    taster_report::human::lines(&table)
}
