//! What keeps the verdict from being `same` if the upgrade changes nothing: known before the sync, from the capture alone.

use taster_config::Config;
use taster_judge::JudgementInput;
use taster_model::{Capture, CollectionKind, DataKind, Finding, ReasonCode};

use crate::preflight::absent_collections;

/// Why `post` could not be `same`, as sentences. The capture is compared with itself, so that the comparison after the sync and
/// this one follow the same rules.
pub(crate) fn obstacles(config: &Config, capture: &Capture) -> Vec<String> {
    let absent = absent_collections(config, &capture.collections);
    let there: Vec<&str> = capture
        .collections
        .iter()
        .filter(|facts| facts.kind != CollectionKind::Absent && !facts.name.starts_with("system."))
        .map(|facts| facts.name.as_str())
        .collect();
    let missing = absent.iter().map(|(at, name)| {
        let near = taster_config::closest_match(name, &there).map(|near| format!("; did you mean `{near}`?"));
        format!(
            "{at} names the collection `{name}`, which does not exist and which no declared change adds{} There are: {}",
            near.unwrap_or_else(|| ".".to_owned()),
            taster_text::listed(&there)
        )
    });
    let input = JudgementInput { expectations: &config.expect, ..JudgementInput::new(Some(capture), capture) };
    let judgement = taster_judge::judge(&input);
    let is_absent = |name: &String| absent.iter().any(|(_, absent)| absent == name);
    let findings = judgement.findings.iter().filter(|finding| {
        // live data grow until after the sync
        let is_empty = finding.code == ReasonCode::ZeroAgainstZero
            && config.mongodb.data == DataKind::Copy
            && !finding.labels.get("collection").is_some_and(is_absent)
            && !may_be_filled(config, capture, finding);
        finding.gates() && (is_empty || finding.code == ReasonCode::RuleMisfit)
    });
    missing.chain(findings.filter_map(sentence)).collect()
}

/// Whether a declared change may give the metric another value.
fn may_be_filled(config: &Config, capture: &Capture, finding: &Finding) -> bool {
    let changes = |name: &str| config.changes.iter().any(|change| change.collection == name);
    match finding.labels.get("collection") {
        Some(collection) => changes(collection),
        None => {
            let record = capture.probes.iter().find(|record| Some(&record.name) == finding.probe.as_ref());
            record.is_some_and(|record| record.collections.iter().any(|grant| changes(&grant.name)))
        }
    }
}

fn sentence(finding: &Finding) -> Option<String> {
    let (probe, metric) = (finding.probe.as_deref()?, finding.metric.as_deref()?);
    let labels: Vec<String> = finding.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(", ")) };
    Some(match finding.code {
        ReasonCode::RuleMisfit => format!("{probe}: {metric}{labels}: {}", finding.reason),
        _ => format!("{probe}: {metric}{labels} is 0 or empty, and no expectation says that this is correct"),
    })
}
