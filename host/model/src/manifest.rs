//! The manifest of a probe: its name, the collections it asks for, and the metrics it may return.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MetricPattern, Rule, ValueKind};

/// What a probe is and what it asks for. The configuration decides what it is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// `[a-z][a-z0-9-]*`.
    pub name: String,
    /// Semantic version of the probe.
    pub version: String,
    /// One line of description.
    pub summary: String,
    /// The roles that collections have for it.
    pub roles: Vec<Role>,
    /// Names of the functions of the WIT interface `database` that it calls.
    pub methods: Vec<String>,
    /// The metrics that it may return.
    pub metrics: Vec<MetricDeclaration>,
    /// Version of its results. Two components of one name and one version of results are compared, whatever their bytes. Without
    /// it only a component of the same bytes is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<NonZeroU32>,
}

/// A role that collections have for a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// `[a-z][a-z0-9-]*`.
    pub name: String,
    /// One line of description.
    pub summary: String,
    /// Whether the probe needs a collection in this role.
    pub required: bool,
    /// Whether several collections may have this role.
    pub many: bool,
}

/// A metric that a probe may return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricDeclaration {
    /// Name of the metric; a segment `*` stands for one or more segments.
    pub name: MetricPattern,
    /// One line of description.
    pub summary: String,
    /// The kind of its value.
    pub kind: ValueKind,
    /// Unit, as in OpenTelemetry.
    pub unit: String,
    /// Keys of its labels; `*` if they depend on the configuration.
    pub labels: Vec<String>,
    /// The probe's own expectation. `None`: `equal`, and zero on both sides is `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Rule>,
    /// How the metrics of parts of a collection are combined.
    pub merge: Merge,
}

/// How the metrics of parts of a collection are combined into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// They are not: the probe always reads whole collections.
    Never,
    /// The sum.
    Sum,
    /// The least value.
    Least,
    /// The greatest value.
    Greatest,
    /// The union, of sets and of censuses.
    Union,
}
