//! The evidence that the operator requires.

use taster_model::{Finding, FindingOutcome, ReasonCode, Rule};

use crate::{
    capture_pair::{CapturePair, collection_labels},
    show, verdict,
};

/// A finding for each required collection of which no census of every document and field decides.
pub(crate) fn missing_evidence(captures: &CapturePair<'_>, required: &[String], findings: &[Finding]) -> Vec<Finding> {
    let decides = |probe: &str, metric: &str, labels: &taster_model::Labels| {
        findings.iter().any(|finding| {
            finding.gates()
                && finding.probe.as_deref() == Some(probe)
                && finding.metric.as_deref() == Some(metric)
                && finding.labels == *labels
                && finding.rule.as_deref() != Some(&*Rule::Ignore.to_string())
        })
    };
    let is_missing = |collection: &&String| {
        let mut censuses = captures.complete_censuses(collection);
        !censuses.any(|((probe, metric, labels), _)| decides(probe, metric, labels))
    };
    let missing = required.iter().filter(is_missing).map(|collection| Finding {
        labels: collection_labels(collection),
        ..verdict::finding(
            FindingOutcome::Unknown,
            ReasonCode::EvidenceMissing,
            format!(
                "`require` asks for a census of {}, and none of every document and field decides",
                show::name(collection)
            ),
        )
    });
    missing.collect()
}
