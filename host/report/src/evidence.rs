//! On what a verdict rests, collection by collection, in a few lines of text.

use taster_model::{CollectionEvidence, EvidenceBasis, VerdictDocument};
use taster_text::{counted, escape_hidden, grouped};

/// How many collections a line names.
const MAX_NAMES: usize = 40;

/// Collections that were compared in the same way.
pub(crate) struct EvidenceLine {
    /// `Compared whole`.
    pub(crate) label: &'static str,
    /// The first collections, each with what was compared of it.
    pub(crate) collections: Vec<String>,
    /// How many more there are.
    pub(crate) more: usize,
}

impl EvidenceLine {
    /// Names the rest.
    pub(crate) fn rest(&self) -> Option<String> {
        (self.more > 0).then(|| format!("{} more", grouped(self.more as u64)))
    }
}

/// One line for each way in which collections were compared. Those that no probe read are not among them: a verdict lists
/// them by themselves.
pub(crate) fn lines(document: &VerdictDocument) -> Vec<EvidenceLine> {
    let bases = [
        (EvidenceBasis::Whole, "Compared whole"),
        (EvidenceBasis::Part, "Compared in part"),
        (EvidenceBasis::Metrics, "Compared by metrics"),
        (EvidenceBasis::None, "Not compared"),
    ];
    let lines = bases.into_iter().map(|(basis, label)| {
        let is_listed = |known: &&CollectionEvidence| {
            known.basis == basis
                && !(basis == EvidenceBasis::None && document.uncovered.binary_search(&known.collection).is_ok())
        };
        let of_basis = || document.evidence.iter().filter(is_listed);
        let collections: Vec<String> = of_basis().take(MAX_NAMES).map(text).collect();
        let more = of_basis().count() - collections.len();
        EvidenceLine { label, collections, more }
    });
    lines.filter(|line| !line.collections.is_empty()).collect()
}

/// `orders (200 000)`, `sessions (180; 20 of 200 excused; only {"a":1})`
fn text(evidence: &CollectionEvidence) -> String {
    let mut parts: Vec<String> =
        evidence.documents.map(|documents| counted(documents, "document")).into_iter().collect();
    if evidence.excused > 0 {
        let before = grouped(evidence.before.unwrap_or_default());
        parts.push(format!("{} of {before} excused", grouped(evidence.excused)));
    }
    if let Some(filter) = &evidence.filter {
        parts.push(format!("only {}", escape_hidden(&filter.to_string())));
    }
    if !evidence.ignored.is_empty() {
        let fields: Vec<String> = evidence.ignored.iter().map(|field| escape_hidden(field)).collect();
        parts.push(format!("without {}", fields.join(", ")));
    }
    let name = escape_hidden(&evidence.collection);
    if parts.is_empty() { name } else { format!("{name} ({})", parts.join("; ")) }
}
