//! Texts about findings and servers that all report formats share.

use serde_json::Value;
use taster_model::{Finding, FindingOutcome, Labels, Severity, SideSummary, Topology, VerdictDocument};
use taster_text::{counted, escape_hidden, group_number, grouped, truncate_chars};

/// `orders.count{status=open}`.
#[must_use]
pub fn metric_name(name: &str, labels: &Labels) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={}", escape_hidden(value))).collect();
    format!("{name}{{{}}}", labels.join(", "))
}

/// What a finding is about: a metric, a probe, or the configuration.
#[must_use]
pub fn subject(finding: &Finding) -> String {
    match &finding.metric {
        Some(metric) => metric_name(metric, &finding.labels),
        // the subject of a declared change is its rule: labels are the same for all declared changes of a collection
        None if finding.rule.is_some() => escape_hidden(finding.rule.as_deref().unwrap_or_default()),
        None => finding
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={}", escape_hidden(value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// A value as a short text. A long value is cut: the finding's reason names the part that matters.
#[must_use]
pub fn value(value: Option<&Value>) -> String {
    let text = match value {
        None => return "absent".to_owned(),
        Some(Value::Number(n)) => group_number(&n.to_string()),
        // a verdict holds decimals as text; one without a fraction may as well be a name made of digits
        Some(Value::String(text)) if text.contains('.') => group_number(text),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => return counted(map.len() as u64, "entry").replace("entrys", "entries"),
        Some(Value::Array(items)) => return counted(items.len() as u64, "item"),
        Some(other) => other.to_string(),
    };
    truncate_chars(&escape_hidden(&text), 32)
}

/// `1 041 → 1 007`; empty if neither side has a value.
#[must_use]
pub fn change(finding: &Finding) -> String {
    // "29 entries → 29 entries" would say nothing; the reason names the difference between two documents
    let structured = |value: &Option<Value>| matches!(value, None | Some(Value::Object(_) | Value::Array(_)));
    if structured(&finding.before) && structured(&finding.after) {
        return String::new();
    }
    let before = value(finding.before.as_ref());
    let after = value(finding.after.as_ref());
    if before == after && finding.outcome == FindingOutcome::Same { before } else { format!("{before} → {after}") }
}

/// `MongoDB 6.0.5, replica set rs0`.
#[must_use]
pub fn server(side: &SideSummary) -> String {
    let facts = &side.server;
    let topology = match (&facts.topology, &facts.replica_set) {
        (Topology::ReplicaSet, Some(name)) => format!("replica set {name}"),
        (Topology::ReplicaSet, None) => "replica set".to_owned(),
        (Topology::Standalone, _) => "standalone".to_owned(),
        (Topology::Sharded, _) => "sharded".to_owned(),
    };
    format!("{} on MongoDB {}, {topology}", escape_hidden(&facts.database), facts.version)
}

/// The mark of a finding, the same in every report format.
#[must_use]
pub fn mark(finding: &Finding) -> &'static str {
    match (finding.outcome, finding.gates()) {
        (FindingOutcome::Different, true) => "✗",
        (FindingOutcome::Unknown, true) => "?",
        (FindingOutcome::Different | FindingOutcome::Unknown, false) => "!",
        (FindingOutcome::Expected, _) => "~",
        (FindingOutcome::Same, _) => "✓",
    }
}

/// How many findings have each outcome.
#[must_use]
pub fn tally(document: &VerdictDocument) -> String {
    let count = |outcome| document.findings.iter().filter(|f| f.outcome == outcome).count() as u64;
    let parts = [
        (count(FindingOutcome::Different), "different"),
        (count(FindingOutcome::Unknown), "unknown"),
        (count(FindingOutcome::Expected), "expected"),
        (count(FindingOutcome::Same), "same"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", grouped(*n))).collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

/// The reason, with the operator's description of the declared change if there is one.
#[must_use]
pub fn reason(finding: &Finding) -> String {
    let mut text = escape_hidden(&finding.reason);
    if let Some(declared) = &finding.declared {
        text = format!("{text} ({})", escape_hidden(declared));
    }
    if finding.muted {
        text.push_str(" [muted]");
    } else if finding.severity == Severity::Warn {
        text.push_str(" [warn]");
    }
    text
}
