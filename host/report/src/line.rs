//! The verdict on one line, within a number of bytes: for termination messages, annotations and Events.

use taster_model::{Finding, FindingOutcome, Verdict, VerdictDocument};
use taster_text::{escape_hidden, truncate_bytes};

use super::{change, documents, reason, subject};

/// Bytes of the verdict on a Job.
pub const ON_THE_JOB: usize = 1024;
/// Ids that are named of each kind of difference: as many as there is room for, and never more or fewer than these.
const IDS: [usize; 4] = [50, 25, 12, 3];
/// Fields that are named of each kind of difference.
const FIELDS: usize = 3;

/// `different: orders: 34 missing ({"$oid":"…"}, … 31 more); …`: the verdict, then what decides it, as far as there is room.
#[must_use]
pub fn verdict(document: &VerdictDocument, bytes: usize) -> String {
    let wanted = match document.verdict {
        Verdict::Same => return truncate_bytes(&same(document), bytes),
        Verdict::Different => FindingOutcome::Different,
        Verdict::Unknown => FindingOutcome::Unknown,
    };
    let telling = document.findings.iter().filter(|f| f.gates() && f.outcome == wanted);
    // which documents are lost says more than how many there are: what is counted gets the room that is left
    let (counted, named): (Vec<&Finding>, Vec<&Finding>) = telling.partition(|f| documents::parts(f).is_empty());
    let in_words = |findings: &[&Finding], ids: usize| {
        let told: Vec<String> = findings.iter().map(|finding| finding_in_words(finding, ids)).collect();
        told.join("; ")
    };
    let [most, .., fewest] = IDS;
    let lead = format!("{}: ", document.verdict);
    let all = |ids: usize| [in_words(&named, ids), in_words(&counted, ids)].into_iter().filter(|part| !part.is_empty());
    let joined = |ids: usize| format!("{lead}{}", all(ids).collect::<Vec<_>>().join("; "));
    let ids = IDS.into_iter().find(|ids| lead.len() + in_words(&named, *ids).len() <= bytes).unwrap_or(fewest);
    truncate_bytes(&joined(if named.is_empty() { most } else { ids }), bytes)
}

fn same(document: &VerdictDocument) -> String {
    let expected = document.findings.iter().filter(|f| f.outcome == FindingOutcome::Expected).count();
    let changes = match expected {
        0 => String::new(),
        n => format!(", {n} as expected"),
    };
    format!("same: {} compared{changes}", taster_text::counted(document.findings.len() as u64, "finding"))
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
                (false, more) => format!("{heading} ({}, … {} more)", ids.join(", "), taster_text::grouped(more)),
            }
        })
        .collect();
    let probe = finding.probe.as_deref().map(|probe| format!("{} ", escape_hidden(probe))).unwrap_or_default();
    let what = format!("{probe}{}", subject(finding));
    if !parts.is_empty() {
        let collection = finding.labels.get("collection").filter(|_| finding.metric.is_some());
        let what = collection.map_or(what, |collection| escape_hidden(collection));
        return format!("{what}: {}", parts.join(", "));
    }
    let change = change(finding);
    let change = if change.is_empty() { change } else { format!(" {change}") };
    format!("{what}{change} ({})", reason(finding))
}
