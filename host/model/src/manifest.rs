//! What a probe says of itself.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a probe is and what it asks for. The operator's grant decides what it gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// `[a-z][a-z0-9-]*`.
    pub name: String,
    /// Semantic version of the probe.
    pub version: String,
    /// One line for a person.
    pub summary: String,
    /// The parts that collections play for it.
    pub roles: Vec<Role>,
    /// Names of the functions of `database` that it calls.
    pub methods: Vec<String>,
    /// The metrics it may return.
    pub metrics: Vec<MetricDeclaration>,
}

/// A part that collections play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// `[a-z][a-z0-9-]*`.
    pub name: String,
    /// One line for the operator.
    pub summary: String,
    /// Whether the probe can do without.
    pub required: bool,
    /// Whether several collections may play it.
    pub many: bool,
}

/// A metric that a probe may return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricDeclaration {
    /// Name of the metric; a segment `*` stands for one or more segments.
    pub name: crate::MetricPattern,
    /// One line for a person.
    pub summary: String,
    /// What kind of value it has.
    pub kind: ValueKind,
    /// As in OpenTelemetry.
    pub unit: String,
    /// The label keys it carries; `*` where only the configuration knows them.
    pub labels: Vec<String>,
    /// The probe's own expectation, parsed. `None`: `equal`, and zero against zero stays `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<crate::Rule>,
    /// How parts of one collection become one metric.
    pub merge: Merge,
}

/// The kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each case is documented at `Value`")]
pub enum ValueKind {
    Integer,
    Real,
    Decimal,
    Text,
    Flag,
    Set,
    Document,
    Census,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Flag => "flag",
            Self::Set => "set",
            Self::Document => "document",
            Self::Census => "census",
        })
    }
}

/// How the metrics of parts of one collection become one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// They do not: the probe sees whole collections or none.
    Never,
    /// By adding.
    Sum,
    /// The smaller one.
    Least,
    /// The greater one.
    Greatest,
    /// The union of sets, and of censuses.
    Union,
}
