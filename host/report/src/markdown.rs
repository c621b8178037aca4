//! The verdict as Markdown, for a comment on a pull request and the stored `report.md`. It has all findings.

use std::fmt::Write;

use taster_model::{Acceptance, Finding, FindingOutcome, Verdict, VerdictDocument};
use taster_text::{counted, escape_hidden, size};

use crate::{
    accepted, documents, evidence,
    finding_text::{change, mark, reason, server, subject, tally},
    images,
};

/// The verdict of a run.
#[must_use]
pub fn verdict(document: &VerdictDocument) -> String {
    verdict_accepted(document, None)
}

/// The verdict of a run and who accepted it. What an acceptance settles has no next step.
#[must_use]
pub fn verdict_accepted(document: &VerdictDocument, by: Option<&Acceptance>) -> String {
    let badge = match document.verdict {
        Verdict::Same => "✅",
        Verdict::Different => "❌",
        Verdict::Unknown => "❔",
    };
    let mut out = String::new();
    let _ = writeln!(out, "## {badge} Taster: **{}** ({}, run `{}`)\n", document.verdict, document.app, document.run);
    let _ = writeln!(out, "{}.\n", tally(document));
    out.push_str("| side | when | server | data |\n| --- | --- | --- | --- |\n");
    let before = document.before.iter().map(|side| ("before", side));
    for (name, side) in before.chain([("after", &document.after)]) {
        let _ = writeln!(
            out,
            "| {name} (run `{}`) | {} | {} | {} ({} read) |",
            side.run,
            side.started.strftime("%Y-%m-%d %H:%M:%S UTC"),
            escape_markdown(&server(side)),
            counted(side.documents, "document"),
            size(side.bytes),
        );
    }
    if document.before.is_none() {
        out.push_str("| before | - | there is no capture from before the sync | - |\n");
    }
    if let Some(images) = images::tasted(document) {
        let _ = writeln!(out, "\n{}.", escape_markdown(&images));
    }
    let (notable, same): (Vec<&Finding>, Vec<&Finding>) =
        document.findings.iter().partition(|f| f.outcome != FindingOutcome::Same);
    if !notable.is_empty() {
        out.push_str("\n### Findings\n\n");
        table(&mut out, &notable);
        for finding in &notable {
            list_documents(&mut out, finding);
        }
    }
    for line in evidence::lines(document) {
        let mut names: Vec<String> = line.collections.iter().map(|text| escape_markdown(text)).collect();
        names.extend(line.rest());
        let _ = writeln!(out, "\n{}: {}", line.label, names.join(", "));
    }
    if !document.uncovered.is_empty() {
        let names: Vec<String> = document.uncovered.iter().map(|name| code_span(&escape_hidden(name))).collect();
        let _ = writeln!(out, "\nNo probe covers: {}", names.join(", "));
    }
    if let Some(by) = by {
        let _ = writeln!(out, "\n**Accepted** {}", escape_markdown(&accepted::sentence(document, by)));
    }
    if let Some(remedy) = document.remedy.as_ref().filter(|_| !accepted::settles(document, by)) {
        let _ = writeln!(out, "\n**Next:** {remedy}");
    }
    if !same.is_empty() {
        let _ = writeln!(out, "\n<details><summary>{} the same</summary>\n", taster_text::grouped(same.len() as u64));
        table(&mut out, &same);
        out.push_str("\n</details>\n");
    }
    out
}

fn table(out: &mut String, findings: &[&Finding]) {
    out.push_str("| | probe | metric | before → after | why | rule |\n| --- | --- | --- | --- | --- | --- |\n");
    for finding in findings {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            mark(finding),
            escape_markdown(finding.probe.as_deref().unwrap_or_default()),
            code_cell(&subject(finding)),
            escape_markdown(&change(finding)),
            escape_markdown(&reason(finding)),
            code_cell(finding.rule.as_deref().unwrap_or_default()),
        );
    }
}

/// The known documents of a finding, in a closed `<details>` element.
fn list_documents(out: &mut String, finding: &Finding) {
    let parts = documents::groups(finding);
    if parts.is_empty() {
        return;
    }
    let counts: Vec<String> =
        parts.iter().map(|part| format!("{} {}", taster_text::grouped(part.set.count), part.what)).collect();
    let about = format!("{} {}: {}", finding.probe.as_deref().unwrap_or_default(), subject(finding), counts.join(", "));
    let _ = writeln!(out, "\n<details><summary>{}</summary>\n", escape_html(about.trim_start()));
    for part in &parts {
        let _ = writeln!(out, "**{}**\n", escape_markdown(&part.heading(usize::MAX)));
        let lines = part.lines(usize::MAX);
        for line in &lines {
            let fields: Vec<String> = line.fields.iter().map(|field| code_span(field)).collect();
            let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
            let _ = writeln!(out, "- {}{fields}", code_span(&line.id));
            for (when, document) in [("before", &line.before), ("after", &line.after)] {
                if let Some(document) = document {
                    let _ = writeln!(out, "  - {when}: {}", code_span(document));
                }
            }
        }
        if let Some(rest) = part.rest(lines.len()) {
            let _ = writeln!(out, "- {rest}");
        }
        out.push('\n');
    }
    out.push_str("</details>\n");
}

/// Line breaks and tabs as blanks, all other hidden characters as escapes.
fn on_one_line(text: &str) -> String {
    escape_hidden(&text.replace(['\n', '\r', '\t'], " "))
}

/// Escapes text between HTML tags, where Markdown syntax does not apply.
fn escape_html(text: &str) -> String {
    let escape = |c: char| match c {
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '&' => "&amp;".to_owned(),
        c => c.to_string(),
    };
    on_one_line(text).chars().map(escape).collect()
}

/// A code span around `text`, which may contain backticks. Not for tables.
fn code_span(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // a backtick at the start or end would become part of the fence; Markdown removes one space on each side
    let edge = if longest > 0 { " " } else { "" };
    format!("{fence}{edge}{text}{edge}{fence}")
}

/// Escapes Markdown and HTML in text of a probe or a database.
fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in on_one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn code_cell(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // a backtick ends a code span, and a pipe ends a cell even inside one
    format!("`{}`", text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " "))
}
