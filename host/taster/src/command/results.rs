//! How the results of `pre` and `post` are written: verdicts, scaled workloads, and that there is no database yet.

use std::{io::Write, path::Path};

use serde::Serialize;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowOutcome, ReplicaChange};
use taster_model::{Acceptance, AppName, DroppedBaseline, RunId, VerdictDocument};
use taster_report::{
    html::{Links, ReportContext},
    layout::wrap_labeled,
};

use crate::{
    args::{TextFormat, VerdictFormat, VerdictOutput},
    output,
};

/// Which workloads were scaled for the capture, and which of them were restored.
pub(super) fn scaling_summary<T>(ended: &FlowOutcome<T>) -> String {
    let list = |changes: &[ReplicaChange]| changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let up: Vec<ReplicaChange> = ended.scaled_up.iter().filter(|change| change.from != change.to).cloned().collect();
    let mut text = String::new();
    if !up.is_empty() {
        text.push_str(&wrap_labeled("Scaled up: ", &list(&up)));
    }
    match &ended.restored {
        Some(report) => {
            if !report.restored.is_empty() {
                text.push_str(&wrap_labeled("Restored: ", &list(&report.restored)));
            }
            if let Some(not_restored) = report.not_restored() {
                let why: Vec<String> =
                    report.failed.iter().map(|failed| format!("{}: {}", failed.workload, failed.why)).collect();
                text.push_str(&wrap_labeled(&format!("{not_restored}: "), &why.join("; ")));
                text.push_str(&wrap_labeled("Next: ", "`taster restore` tries again"));
            }
        }
        None if !up.is_empty() => {
            text.push_str("Left scaled up for the sync; `taster post` or `taster restore` restores it.\n");
        }
        None => {}
    }
    text
}

/// Writes that the run found no database to compare yet.
pub(super) fn write_nothing_yet(
    format: TextFormat,
    file: Option<&Path>,
    app: &AppName,
    run: &RunId,
) -> Result<(), CliError> {
    match format {
        TextFormat::Json => output::write_json(file, &serde_json::json!({"app": app, "run": run, "nothing_yet": true})),
        TextFormat::Human => output::write_text(file, &format!("{app} run {run}: nothing to taste yet\n")),
    }
}

/// What is shown with a verdict.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct VerdictContext<'a> {
    /// The addresses of its stored reports.
    pub(super) reports: &'a [String],
    /// Which workloads were scaled for it.
    pub(super) scaling: &'a str,
    /// Who accepted it.
    pub(super) accepted: Option<&'a Acceptance>,
    /// Who dropped the baseline of the run.
    pub(super) dropped: Option<&'a DroppedBaseline>,
}

/// The stored document, and who accepted it.
#[derive(Serialize)]
struct ShownVerdict<'a> {
    #[serde(flatten)]
    document: &'a VerdictDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<&'a Acceptance>,
}

/// The limit of bytes of the verdict on standard error.
const MAX_LINE: usize = 400;

/// Writes a verdict in the requested format and returns the exit code.
pub(super) fn write_verdict(
    output: &VerdictOutput,
    document: &VerdictDocument,
    context: &VerdictContext<'_>,
) -> Result<Exit, CliError> {
    let VerdictContext { reports, scaling, accepted, dropped } = *context;
    let file = output.output.as_deref();
    // what an acceptance settles has no next step
    let is_settled = taster_report::settles(document, accepted);
    let settled = VerdictDocument { remedy: document.remedy.clone().filter(|_| !is_settled), ..document.clone() };
    match output.format {
        VerdictFormat::Human => {
            let mut text = taster_report::human::verdict_accepted(document, accepted);
            if let Some(dropped) = dropped {
                text.push_str(&wrap_labeled("Baseline: ", &dropped_sentence(dropped)));
            }
            text.push_str(scaling);
            for report in reports.iter().filter(|report| report.ends_with(".html")) {
                text.push_str("Report: ");
                text.push_str(report);
                text.push('\n');
            }
            output::write_text(file, &text)?;
        }
        VerdictFormat::Json => output::write_json(file, &ShownVerdict { document: &settled, accepted })?,
        VerdictFormat::Markdown => {
            output::write_document(file, &taster_report::markdown::verdict_accepted(document, accepted))?;
        }
        VerdictFormat::Junit => output::write_document(file, &taster_report::junit::verdict(&settled)?)?,
        VerdictFormat::Html => {
            let context = ReportContext { accepted, dropped, links: Links::to_stored(reports), damage: None };
            output::write_document(file, &taster_report::html::report(document, &context))?;
        }
    }
    if file.is_some() {
        // whoever looks at the terminal or the CI log sees the verdict, whatever the format of the file; it may be closed
        let line = taster_report::line::verdict(document, MAX_LINE);
        let _ = writeln!(std::io::stderr(), "{}", output::for_terminal(&line));
    }
    Ok(document.verdict.into())
}

/// `dropped by ann on 2026-01-02 03:04 UTC: staging was reloaded`
pub(super) fn dropped_sentence(dropped: &DroppedBaseline) -> String {
    format!(
        "dropped by {} on {}: {}",
        taster_text::escape_hidden(&dropped.who),
        dropped.at.strftime("%Y-%m-%d %H:%M UTC"),
        taster_text::escape_hidden(&dropped.reason)
    )
}
