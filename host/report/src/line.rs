//! The verdict as one line of limited length, for termination messages, annotations and Events.

use taster_model::{Finding, FindingOutcome, Verdict, VerdictDocument};
use taster_text::{escape_hidden, truncate_bytes};

use crate::{
    documents,
    finding_text::{change, reason, subject},
};

/// Maximum length of the verdict in a Job's annotation, in bytes.
pub const JOB_ANNOTATION_BYTES: usize = 1024;
/// How many ids of each kind of difference are listed: the first of these numbers that fits.
const ID_COUNTS: [usize; 4] = [50, 25, 12, 3];
/// How many fields of each kind of difference are listed.
const MAX_FIELDS: usize = 3;

/// `different: orders: 34 missing ({"$oid":"…"}, … 31 more); …`: the verdict, then the findings that decide it, cut at
/// `bytes`.
#[must_use]
pub fn verdict(document: &VerdictDocument, bytes: usize) -> String {
    let wanted = match document.verdict {
        Verdict::Same => return truncate_bytes(&same(document), bytes),
        Verdict::Different => FindingOutcome::Different,
        Verdict::Unknown => FindingOutcome::Unknown,
    };
    let deciding = document.findings.iter().filter(|f| f.gates() && f.outcome == wanted);
    // findings with document ids come first; findings that are only counts get the space that is left
    let (counted, named): (Vec<&Finding>, Vec<&Finding>) = deciding.partition(|f| documents::groups(f).is_empty());
    let in_words = |findings: &[&Finding], ids: usize| {
        findings.iter().map(|finding| finding_in_words(finding, ids)).collect::<Vec<_>>().join("; ")
    };
    let [most, .., fewest] = ID_COUNTS;
    let lead = format!("{}: ", document.verdict);
    let all = |ids: usize| [in_words(&named, ids), in_words(&counted, ids)].into_iter().filter(|part| !part.is_empty());
    let joined = |ids: usize| format!("{lead}{}", all(ids).collect::<Vec<_>>().join("; "));
    let ids = ID_COUNTS.into_iter().find(|ids| lead.len() + in_words(&named, *ids).len() <= bytes).unwrap_or(fewest);
    truncate_bytes(&joined(if named.is_empty() { most } else { ids }), bytes)
}

fn same(document: &VerdictDocument) -> String {
    let expected = document.findings.iter().filter(|f| f.outcome == FindingOutcome::Expected).count();
    let changes = match expected {
        0 => String::new(),
        n => format!(", {} as expected", taster_text::grouped(n as u64)),
    };
    format!("same: {} compared{changes}", taster_text::counted(document.findings.len() as u64, "finding"))
}

fn finding_in_words(finding: &Finding, most: usize) -> String {
    let parts: Vec<String> = documents::groups(finding)
        .iter()
        .map(|part| {
            let ids: Vec<String> = part.lines(most).into_iter().map(|line| line.id).collect();
            let more = part.set.count.saturating_sub(ids.len() as u64);
            let heading = part.heading(MAX_FIELDS);
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
