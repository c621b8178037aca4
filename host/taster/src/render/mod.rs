//! From the one verdict document to what people and machines read.

pub mod documents;
pub mod html;
pub mod human;
pub mod images;
pub mod junit;
pub mod line;
pub mod markdown;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;
use taster_model::{Finding, FindingOutcome, Labels, Severity, SideSummary, Topology, VerdictDocument};

/// `200 000`: digits in threes, with a thin gap that every terminal shows.
#[must_use]
pub fn number(n: u64) -> String {
    group(&n.to_string())
}

/// `34 documents`, `1 document`.
#[must_use]
pub fn count(n: u64, one: &str) -> String {
    format!("{} {one}{}", number(n), if n == 1 { "" } else { "s" })
}

/// Digits in threes.
fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `850 ms`, `12.3 s`, `4 min 05 s`.
#[must_use]
pub fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        secs => format!("{} min {:02} s", secs / 60, secs % 60),
    }
}

/// `190.7 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    bytesize::ByteSize(n).display().iec().to_string()
}

/// `orders.count{status=open}`.
#[must_use]
pub fn metric_name(name: &str, labels: &Labels) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
    format!("{name}{{{}}}", labels.join(", "))
}

/// What a finding is about: a metric, a probe, or the configuration.
#[must_use]
pub fn subject(finding: &Finding) -> String {
    match &finding.metric {
        Some(metric) => metric_name(metric, &finding.labels),
        // a declared change is known by what was declared; of several of one collection the label does not tell which
        None if finding.rule.is_some() => plain(finding.rule.as_deref().unwrap_or_default()),
        None => {
            finding.labels.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// A value in a few words; long ones are cut, for the reason names what matters.
#[must_use]
pub fn value(value: Option<&Value>) -> String {
    let text = match value {
        None => return "absent".to_owned(),
        Some(Value::Number(n)) => match n.as_u64() {
            Some(n) => number(n),
            None => n.to_string(),
        },
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => return count(map.len() as u64, "entry").replace("entrys", "entries"),
        Some(Value::Array(items)) => return count(items.len() as u64, "item"),
        Some(other) => other.to_string(),
    };
    shorten(&plain(&text), 32)
}

/// Text from a database or a probe without control characters: a name must not steer the terminal, break a line, turn
/// the direction of writing, or be what XML cannot hold.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{61c}' | '\u{feff}')
            || matches!(c, '\u{fffe}' | '\u{ffff}');
        if hidden { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// At most `limit` characters.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{head}…")
}

/// `1 041 → 1 007`; nothing where neither side has a value.
#[must_use]
pub fn change(finding: &Finding) -> String {
    // of two documents the reason says what differs; "29 entries → 29 entries" says nothing
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
    format!("{} on MongoDB {}, {topology}", plain(&facts.database), facts.version)
}

/// One mark a finding, the same in every report.
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

/// How many findings came out in which way.
#[must_use]
pub fn tally(document: &VerdictDocument) -> String {
    let of = |outcome| document.findings.iter().filter(|f| f.outcome == outcome).count() as u64;
    let parts = [
        (of(FindingOutcome::Different), "different"),
        (of(FindingOutcome::Unknown), "unknown"),
        (of(FindingOutcome::Expected), "expected"),
        (of(FindingOutcome::Same), "same"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", number(*n))).collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}

/// The reason, with the operator's own word where there is one.
#[must_use]
pub fn reason(finding: &Finding) -> String {
    let mut text = plain(&finding.reason);
    if let Some(declared) = &finding.declared {
        text = format!("{text} ({})", plain(declared));
    }
    if finding.muted {
        text.push_str(" [muted]");
    } else if finding.severity == Severity::Warn {
        text.push_str(" [warn]");
    }
    text
}
