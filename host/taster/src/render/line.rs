//! The verdict on one line, within a number of bytes: for termination messages, annotations and Events.

use taster_model::{Finding, FindingOutcome, Verdict, VerdictDocument};

use super::{change, documents, plain, reason, subject};

/// Bytes of the verdict on a Job.
pub const ON_THE_JOB: usize = 1024;
/// Ids that are named of each kind of difference: as many as there is room for, and never more or fewer than these.
const IDS: [usize; 3] = [50, 12, 3];
/// Fields that are named of each kind of difference.
const FIELDS: usize = 3;

/// At most so many bytes, no half character, and a sign that something is missing.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub('…'.len_utf8()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = text[..end].to_owned();
    if bytes >= '…'.len_utf8() {
        short.push('…');
    }
    short
}

/// `different: orders: 34 missing ({"$oid":"…"}, … 31 more); …`: the verdict, then what decides it, as far as there is room.
#[must_use]
pub fn verdict(document: &VerdictDocument, bytes: usize) -> String {
    let wanted = match document.verdict {
        Verdict::Same => return cut(&same(document), bytes),
        Verdict::Different => FindingOutcome::Different,
        Verdict::Unknown => FindingOutcome::Unknown,
    };
    let mut telling: Vec<&Finding> = document.findings.iter().filter(|f| f.gates() && f.outcome == wanted).collect();
    // which documents are lost says more than how many there are
    telling.sort_by_key(|finding| documents::parts(finding).is_empty());
    let with = |ids: usize| {
        let told: Vec<String> = telling.iter().map(|finding| finding_in_words(finding, ids)).collect();
        format!("{}: {}", document.verdict, told.join("; "))
    };
    let [.., fewest] = IDS;
    let fits = IDS.into_iter().map(with).find(|text| text.len() <= bytes);
    fits.unwrap_or_else(|| cut(&with(fewest), bytes))
}

fn same(document: &VerdictDocument) -> String {
    let expected = document.findings.iter().filter(|f| f.outcome == FindingOutcome::Expected).count();
    let changes = match expected {
        0 => String::new(),
        n => format!(", {n} as expected"),
    };
    format!("same: {} compared{changes}", super::count(document.findings.len() as u64, "finding"))
}

fn finding_in_words(finding: &Finding, most: usize) -> String {
    let parts: Vec<String> = documents::parts(finding)
        .iter()
        .map(|part| {
            let ids: Vec<String> = part.lines(most).into_iter().map(|line| line.id).collect();
            let more = part.set.count.saturating_sub(ids.len() as u64);
            let heading = part.heading(FIELDS);
            match (ids.is_empty(), more) {
                (true, _) => heading,
                (false, 0) => format!("{heading} ({})", ids.join(", ")),
                (false, more) => format!("{heading} ({}, … {} more)", ids.join(", "), super::number(more)),
            }
        })
        .collect();
    let probe = finding.probe.as_deref().map(|probe| format!("{} ", plain(probe))).unwrap_or_default();
    let what = format!("{probe}{}", subject(finding));
    if !parts.is_empty() {
        let collection = finding.labels.get("collection").filter(|_| finding.metric.is_some());
        let what = collection.map_or(what, |collection| plain(collection));
        return format!("{what}: {}", parts.join(", "));
    }
    let change = change(finding);
    let change = if change.is_empty() { change } else { format!(" {change}") };
    format!("{what}{change} ({})", reason(finding))
}
