//! For a terminal: at most 100 columns, the verdict first, what to do last.

use std::fmt::Write;

use comfy_table::{Cell, ContentArrangement, Table, presets};
use console::Style;
use taster_model::{Finding, FindingOutcome, Verdict, VerdictDocument};
use taster_text::{counted, escape_hidden, grouped, size, truncate_chars};

use super::{change, documents, images, mark, reason, server, subject, tally};

/// The widest line, whatever the terminal.
pub const WIDTH: u16 = 100;
/// How many findings a terminal shows; the report has all.
const SHOWN: usize = 20;
/// How many documents of a kind a terminal names; the report has all whose ids are known.
const NAMED: usize = 50;
/// How many fields stand on a line.
const FIELDS: usize = 6;

/// Columns to use: the terminal's, at most [`WIDTH`].
#[must_use]
pub fn width() -> u16 {
    // snapshots must not depend on the window that the tests run in
    if cfg!(test) {
        return WIDTH;
    }
    let (_, columns) = console::Term::stdout().size_checked().unwrap_or((0, WIDTH));
    columns.clamp(60, WIDTH)
}

/// A table without lines, as wide as it needs to be and no wider than [`width`].
#[must_use]
pub fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    table
}

/// Two spaces in front of every line, nothing behind.
#[must_use]
pub fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}", line.trim())).fold(String::new(), |all, line| all + line.trim_end() + "\n")
}

/// A table's lines, without the blanks at their ends.
#[must_use]
pub fn lines(table: &Table) -> String {
    table.lines().fold(String::new(), |all, line| all + line.trim_end() + "\n")
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Same => Style::new().green().bold(),
        Verdict::Different => Style::new().red().bold(),
        Verdict::Unknown => Style::new().yellow().bold(),
    }
}

/// The verdict of a run.
#[must_use]
pub fn verdict(document: &VerdictDocument) -> String {
    let mut out = String::new();
    let word = style(document.verdict).apply_to(document.verdict.to_string().to_uppercase());
    let _ = writeln!(out, "{word}  {} run {}  ({})\n", document.app, document.run, tally(document));
    sides(&mut out, document);
    if let Some(images) = images::tasted(document) {
        out.push_str(&indented(&wrapped("", &images)));
    }
    let telling: Vec<&Finding> = document.findings.iter().filter(|f| f.outcome != FindingOutcome::Same).collect();
    if !telling.is_empty() {
        out.push('\n');
        out.push_str(&findings(&telling[..telling.len().min(SHOWN)]));
        if telling.len() > SHOWN {
            let _ = writeln!(out, "  … and {} more in the report", grouped((telling.len() - SHOWN) as u64));
        }
        for finding in telling.iter().take(SHOWN) {
            named(&mut out, finding);
        }
    }
    if !document.uncovered.is_empty() {
        let names: Vec<String> = document.uncovered.iter().map(|name| escape_hidden(name)).collect();
        let _ = write!(out, "\n{}", wrapped("No probe covers: ", &names.join(", ")));
    }
    if let Some(remedy) = &document.remedy {
        let _ = write!(out, "\n{}", wrapped("Next: ", remedy));
    }
    out
}

fn sides(out: &mut String, document: &VerdictDocument) {
    let mut rows = Vec::new();
    match &document.before {
        Some(before) => rows.push(("before", before)),
        None => out.push_str("  before  nothing: there is no capture from before the sync\n"),
    }
    rows.push(("after", &document.after));
    for (name, side) in rows {
        let other = if side.run == document.run { String::new() } else { format!("\n          of run {}", side.run) };
        let _ = writeln!(
            out,
            "  {name:<6}  {}  {}\n          {} read ({}){other}",
            side.started.strftime("%Y-%m-%d %H:%M:%S UTC"),
            server(side),
            counted(side.documents, "document"),
            size(side.bytes),
        );
    }
}

fn findings(findings: &[&Finding]) -> String {
    let mut table = table();
    for finding in findings {
        let what = [finding.probe.as_deref().unwrap_or_default().to_owned(), subject(finding)];
        table.add_row(vec![
            Cell::new(mark(finding)),
            Cell::new(what[0].as_str()),
            Cell::new(what[1].as_str()),
            Cell::new(change(finding)),
            Cell::new(reason(finding)),
        ]);
    }
    lines(&table)
}

/// The documents of a finding, a line each.
fn named(out: &mut String, finding: &Finding) {
    let parts = documents::parts(finding);
    if parts.is_empty() {
        return;
    }
    let probe = finding.probe.as_deref().map(|probe| format!("{} ", escape_hidden(probe))).unwrap_or_default();
    out.push('\n');
    line(out, 2, &format!("{probe}{}", subject(finding)));
    for part in parts {
        line(out, 4, &part.heading(FIELDS));
        let lines = part.lines(NAMED);
        for document in &lines {
            let fields = documents::some(&document.fields, FIELDS);
            let fields = if fields.is_empty() { fields } else { format!(": {fields}") };
            line(out, 6, &format!("{}{fields}", truncate_chars(&document.id, 60)));
        }
        if let Some(rest) = part.rest(lines.len()) {
            line(out, 6, &rest);
        }
    }
}

/// A line of its own, no wider than the rest.
fn line(out: &mut String, indent: usize, text: &str) {
    let _ = writeln!(out, "{}{}", " ".repeat(indent), truncate_chars(text, usize::from(width()) - indent));
}

/// `text` behind `label`, wrapped to the width, later lines indented.
#[must_use]
pub fn wrapped(label: &str, text: &str) -> String {
    let limit = usize::from(width());
    let mut out = label.to_owned();
    let mut column = label.chars().count();
    let mut first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !first && column + 1 + length > limit {
            out.push_str("\n  ");
            column = 2;
        } else if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        first = false;
    }
    out + "\n"
}
