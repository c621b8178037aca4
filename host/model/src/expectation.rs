//! Expectations: how the operator allows metrics to change across the sync.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Labels, Rule};

/// Whether a finding decides the verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It decides the verdict.
    #[default]
    Fail,
    /// It is reported and decides nothing.
    Warn,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
        })
    }
}

/// How the metrics that it matches may change. If several expectations match, the most specific one applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Only metrics of this probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Which metrics: a name, or a name in which a segment `*` stands for one or more segments.
    pub metric: MetricPattern,
    /// Only metrics that carry all of these labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// How they may change.
    pub rule: Rule,
    /// Whether a violation of the rule decides the verdict. Default: the probe's severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The finding is reported and never decides the verdict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Why the change is right; shown in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Expectation {
    /// Whether a violation never decides the verdict.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.muted || self.severity == Some(Severity::Warn)
    }
}

/// A metric's name, or a name in which a segment `*` stands for one or more segments: `orders.*`, `*.count`, `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct MetricPattern(String);

impl MetricPattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a name without `*`.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.split('.').any(|segment| segment == "*")
    }

    /// Number of segments that are not `*`: a pattern with more is more specific.
    #[must_use]
    pub fn literal_segments(&self) -> usize {
        self.0.split('.').filter(|segment| *segment != "*").count()
    }

    /// Whether `name` matches the pattern.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('.').collect();
        let name: Vec<&str> = name.split('.').collect();
        segments_match(&pattern, &name)
    }
}

fn segments_match(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (["*", rest @ ..], [_, others @ ..]) => segments_match(rest, others) || segments_match(pattern, others),
        ([first, rest @ ..], [other, others @ ..]) if first == other => segments_match(rest, others),
        _ => false,
    }
}

impl FromStr for MetricPattern {
    type Err = String;
    fn from_str(given: &str) -> Result<Self, String> {
        let segment_fits = |segment: &str| {
            segment == "*"
                || (!segment.is_empty()
                    && segment.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        };
        let stars = given.split('.').filter(|segment| *segment == "*").count();
        // many stars would make matching slow and are of no use
        if given.len() <= 128 && stars <= 3 && !given.is_empty() && given.split('.').all(segment_fits) {
            Ok(Self(given.to_owned()))
        } else {
            Err(format!(
                "invalid metric pattern `{given}`: expected segments of a-z, 0-9 and `_`, or `*`, joined by `.`, at most 128 bytes"
            ))
        }
    }
}

impl TryFrom<String> for MetricPattern {
    type Error = String;
    fn try_from(given: String) -> Result<Self, String> {
        given.parse()
    }
}

impl From<MetricPattern> for String {
    fn from(pattern: MetricPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for MetricPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_or_more_segments() {
        let cases = [
            ("orders.count", "orders.count", true),
            ("orders.count", "orders.counts", false),
            ("*.count", "orders.count", true),
            ("*.count", "shop.orders.count", true),
            ("*.count", "count", false),
            ("orders.*", "orders", false),
            ("*", "anything.at.all", true),
            ("a.*.c", "a.b.b.c", true),
            ("a.*.c", "a.c", false),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(pattern.parse::<MetricPattern>().unwrap().matches(name), fits, "{pattern} {name}");
        }
    }
}
