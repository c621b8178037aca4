//! The verdict for a terminal, as wide as the terminal. The verdict is the first line, and the last line says what to do
//! next.

use std::collections::BTreeMap;

use console::Style;
use taster_model::{Acceptance, EvidenceBasis, Finding, FindingOutcome, Verdict, VerdictDocument};
use taster_text::{counted, escape_hidden, grouped, size};

use crate::{
    accepted, documents, evidence,
    finding_text::{change, mark, reason, server, subject, tally},
    images,
    layout::{MAX_SENTENCE, TextTable, line_within, unbroken, width, wrap_within},
};

/// How many findings are shown; the report has all.
const MAX_FINDINGS: usize = 20;
/// How many documents of each kind of difference are listed; the report has all known ids.
const MAX_DOCUMENTS: usize = 50;
/// How many fields are listed on a line.
const MAX_FIELDS: usize = 6;

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Same => Style::new().green().bold(),
        Verdict::Different => Style::new().red().bold(),
        Verdict::Unknown => Style::new().yellow().bold(),
    }
}

/// The verdict of a run, as wide as the terminal.
#[must_use]
pub fn verdict(document: &VerdictDocument) -> String {
    verdict_within(width(), document, None)
}

/// The verdict of a run and who accepted it, as wide as the terminal. What an acceptance settles has no next step.
#[must_use]
pub fn verdict_accepted(document: &VerdictDocument, accepted: Option<&Acceptance>) -> String {
    verdict_within(width(), document, accepted)
}

/// The verdict of a run, for lines of this width.
#[must_use]
pub(crate) fn verdict_within(width: usize, document: &VerdictDocument, by: Option<&Acceptance>) -> String {
    let word = style(document.verdict).apply_to(document.verdict.to_string().to_uppercase());
    let headline = format!("{} run {}  ({})", document.app, document.run, tally(document));
    let mut out = line_within(width, &format!("{word}  "), 2, &headline);
    out.push('\n');
    out.push_str(&sides(width, document));
    if let Some(images) = images::tasted(document) {
        out.push_str(&wrap_within(width, "  ", 4, &images));
    }
    if let Some(unchanged) = unchanged_documents(document) {
        out.push_str(&wrap_within(width, "  ", 4, &unchanged));
    }
    let notable: Vec<&Finding> = document.findings.iter().filter(|f| f.outcome != FindingOutcome::Same).collect();
    if !notable.is_empty() {
        let shown = &notable[..notable.len().min(MAX_FINDINGS)];
        out.push('\n');
        out.push_str(&findings(width, shown));
        if notable.len() > shown.len() {
            let more = format!("… and {} more in the report", grouped((notable.len() - shown.len()) as u64));
            out.push_str(&line_within(width, "  ", 4, &more));
        }
        for finding in shown {
            out.push_str(&documents_of(width, finding));
        }
    }
    out.push_str(&evidence_lines(width, document));
    if !document.uncovered.is_empty() {
        let names: Vec<String> = document.uncovered.iter().map(|name| unbroken(&escape_hidden(name))).collect();
        if document.evidence.is_empty() {
            out.push('\n');
        }
        out.push_str(&wrap_within(width, "No probe covers: ", 2, &names.join(", ")));
    }
    if let Some(by) = by {
        out.push('\n');
        out.push_str(&wrap_within(width.min(MAX_SENTENCE), "Accepted: ", 2, &accepted::sentence(document, by)));
    }
    if let Some(remedy) = document.remedy.as_ref().filter(|_| !accepted::settles(document, by)) {
        out.push('\n');
        out.push_str(&wrap_within(width.min(MAX_SENTENCE), "Next: ", 2, remedy));
    }
    out
}

/// On what the verdict rests.
fn evidence_lines(width: usize, document: &VerdictDocument) -> String {
    let mut out = String::from(if document.evidence.is_empty() { "" } else { "\n" });
    for line in evidence::lines(document) {
        let mut names: Vec<String> = line.collections.iter().map(|text| unbroken(text)).collect();
        names.extend(line.rest());
        out.push_str(&wrap_within(width, &format!("{}: ", line.label), 2, &names.join(", ")));
    }
    out
}

/// Of a `same`, the collections of which a census proves that every document is unchanged, each counted once:
/// `orders 200 000, registrations 20 000: every document unchanged`.
fn unchanged_documents(document: &VerdictDocument) -> Option<String> {
    if document.verdict != Verdict::Same {
        return None;
    }
    let is_census = |finding: &&Finding| {
        let documents = finding.after.as_ref().and_then(serde_json::Value::as_u64);
        // only the comparison of two censuses says that of documents
        let proven = documents.map(|documents| format!("{} unchanged", counted(documents, "document")));
        finding.outcome == FindingOutcome::Same && proven.is_some_and(|proven| proven == finding.reason)
    };
    let is_whole = |name: &str| {
        let of_it = document.evidence.iter().find(|known| known.collection == name);
        // verdicts of earlier versions have no evidence
        of_it.map_or(document.evidence.is_empty(), |known| known.basis == EvidenceBasis::Whole)
    };
    let collections: BTreeMap<&str, u64> = document
        .findings
        .iter()
        .filter(is_census)
        .filter_map(|finding| Some((finding.labels.get("collection")?.as_str(), finding.after.as_ref()?.as_u64()?)))
        .filter(|(name, _)| is_whole(name))
        .collect();
    let counts =
        collections.iter().map(|(name, count)| unbroken(&format!("{} {}", escape_hidden(name), grouped(*count))));
    let counts: Vec<String> = counts.collect();
    (!counts.is_empty()).then(|| format!("{}: every document unchanged", taster_text::listed(&counts)))
}

/// When and where each side was captured.
fn sides(width: usize, document: &VerdictDocument) -> String {
    let mut out = String::new();
    if document.before.is_none() {
        out.push_str(&line_within(width, "  before  ", 10, "nothing: there is no capture from before the sync"));
    }
    let before = document.before.iter().map(|side| ("before", side));
    for (name, side) in before.chain([("after", &document.after)]) {
        let started = unbroken(&side.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
        out.push_str(&line_within(width, &format!("  {name:<6}  "), 10, &format!("{started}  {}", server(side))));
        let read = format!("{} ({} read)", counted(side.documents, "document"), size(side.bytes));
        out.push_str(&line_within(width, "          ", 10, &read));
        if side.run != document.run {
            out.push_str(&line_within(width, "          ", 10, &format!("of run {}", side.run)));
        }
    }
    out
}

fn findings(width: usize, findings: &[&Finding]) -> String {
    let mut table = TextTable::default();
    for finding in findings {
        let probe = escape_hidden(finding.probe.as_deref().unwrap_or_default());
        table.add_row([mark(finding).to_owned(), probe, unbroken_subject(finding), change(finding), reason(finding)]);
    }
    table.render_within(width)
}

/// The subject of a finding. A line may break between the labels of a metric, but not inside one.
fn unbroken_subject(finding: &Finding) -> String {
    let subject = subject(finding);
    if finding.metric.is_none() {
        return subject;
    }
    subject.split(", ").map(unbroken).collect::<Vec<_>>().join(", ")
}

/// The documents of a finding, one per line.
fn documents_of(width: usize, finding: &Finding) -> String {
    let groups = documents::groups(finding);
    if groups.is_empty() {
        return String::new();
    }
    let probe = finding.probe.as_deref().map(|probe| format!("{} ", escape_hidden(probe))).unwrap_or_default();
    let mut out = String::from("\n");
    out.push_str(&line_within(width, "  ", 4, &format!("{probe}{}", unbroken_subject(finding))));
    for group in groups {
        out.push_str(&line_within(width, "    ", 6, &group.heading(MAX_FIELDS)));
        let lines = group.lines(MAX_DOCUMENTS);
        for document in &lines {
            let fields: Vec<String> = document.fields.iter().map(|field| unbroken(field)).collect();
            let fields = documents::first_of(&fields, MAX_FIELDS);
            let fields = if fields.is_empty() { fields } else { format!(": {fields}") };
            out.push_str(&line_within(width, "      ", 8, &format!("{}{fields}", unbroken(&document.id))));
        }
        if let Some(rest) = group.rest(lines.len()) {
            out.push_str(&line_within(width, "      ", 8, &rest));
        }
    }
    out
}
