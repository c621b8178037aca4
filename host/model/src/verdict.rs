//! Verdicts and findings: the result of comparing two captures.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AddedProbe, AppName, AttemptId, CollectionEvidence, Labels, ReadMoment, ReasonCode, RunId, ServerFacts, Severity,
    Usage, UsageLimits, WorkloadFacts,
};

/// The outcome of a run. `Unknown` never passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The data are unchanged, or changed as declared.
    Same,
    /// The data changed in ways that nobody declared.
    Different,
    /// The comparison could not be made.
    Unknown,
}

impl Verdict {
    /// Exit code of the process: 0, 1 or 3.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Same => 0,
            Self::Different => 1,
            Self::Unknown => 3,
        }
    }

    /// Whether it stops a release that `other` would let pass, or with more certainty: `different` is worse than `unknown`,
    /// which is worse than `same`.
    #[must_use]
    pub fn is_worse_than(self, other: Self) -> bool {
        let rank = |verdict| match verdict {
            Self::Same => 0_u8,
            Self::Unknown => 1,
            Self::Different => 2,
        };
        rank(self) > rank(other)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Unknown => "unknown",
        })
    }
}

/// `verdict.json`: the data of every report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictDocument {
    /// [`crate::schema::VERDICT`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// The attempt at `post` that was judged.
    pub attempt: AttemptId,
    /// The verdict.
    pub verdict: Verdict,
    /// Version of Taster that judged.
    pub taster: String,
    /// The capture of the baseline. Absent if there was no baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SideSummary>,
    /// Probes that were added to the configuration since the baseline, each with the run whose `pre` it was compared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AddedProbe>,
    /// The capture after the sync.
    pub after: SideSummary,
    /// Deciding findings first, then sorted by probe, metric and labels.
    pub findings: Vec<Finding>,
    /// Collections that no probe covers.
    #[serde(default)]
    pub uncovered: Vec<String>,
    /// On what the verdict rests, by collection. Empty without a baseline that can be compared, and in verdicts of older
    /// versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<CollectionEvidence>,
    /// The command that resolves a verdict of `different` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl VerdictDocument {
    /// The order of two verdicts by when their data were read.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let (own, moment) = (self.after.server.moment(), other.after.server.moment());
        ReadMoment::order_of_attempts((&own, &self.attempt), (&moment, &other.attempt))
    }

    /// Whether it becomes the verdict of the run instead of `standing`: it was judged from data that were read later or, of
    /// the same moment, it is the worse one.
    #[must_use]
    pub fn supersedes(&self, standing: &Self) -> bool {
        match self.order(standing) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self.verdict.is_worse_than(standing.verdict),
        }
    }
}

/// Summary of one capture in a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SideSummary {
    /// The run of the capture. The baseline may come from an earlier run than the verdict.
    pub run: RunId,
    /// When the capture began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// The server that was read.
    pub server: ServerFacts,
    /// Workloads on the cluster. Empty if no cluster is configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadFacts>,
    /// The commit that is synced, if somebody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Documents of the collections that probes read, each collection counted once.
    pub documents: u64,
    /// Bytes that probes read. What several probes read counts for each of them.
    pub bytes: u64,
    /// The result of each probe and what it used of its limits, in the order of the configuration. Empty in verdicts of
    /// older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeSummary>,
}

/// Summary of one probe in a capture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSummary {
    /// Name in the configuration.
    pub name: String,
    /// Where the component came from, as configured.
    pub component: String,
    /// SHA-256 of the component, in hexadecimal. Empty if it could not be read.
    pub sha256: String,
    /// Version in the probe's manifest. Empty if the probe could not be loaded.
    pub version: String,
    /// Number of metrics that it returned. Absent if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// Its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<UsageLimits>,
}

/// The result for one metric, census, probe, collection, declared change or expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Name of the probe in the configuration. Absent if the finding is not about a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Name of the metric. Absent if the finding is about the probe or the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its value before the sync.
    #[serde(default)]
    pub before: Option<serde_json::Value>,
    /// Its value after the sync.
    #[serde(default)]
    pub after: Option<serde_json::Value>,
    /// The result.
    pub outcome: FindingOutcome,
    /// Whether it may decide the verdict.
    pub severity: Severity,
    /// It is reported and never decides the verdict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// The rule that was applied, as in a configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The reason as a stable code.
    pub code: ReasonCode,
    /// The reason as text: `34 fewer`.
    pub reason: String,
    /// The `reason` of the expectation or declared change that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// Missing, extra and changed documents; in findings about censuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<DifferingDocuments>,
}

impl Finding {
    /// Whether it may decide the verdict.
    #[must_use]
    pub fn gates(&self) -> bool {
        self.severity == Severity::Fail && !self.muted
    }
}

/// The result of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingOutcome {
    /// Unchanged.
    Same,
    /// Changed as declared or allowed.
    Expected,
    /// Changed, and neither declared nor allowed.
    Different,
    /// It could not be compared.
    Unknown,
}

impl fmt::Display for FindingOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Expected => "expected",
            Self::Different => "different",
            Self::Unknown => "unknown",
        })
    }
}

/// Documents that are missing, extra or changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Documents")]
pub struct DifferingDocuments {
    /// Found only before the sync.
    pub missing: DocumentSet,
    /// Found only after the sync.
    pub extra: DocumentSet,
    /// Found before and after the sync with different contents.
    pub changed: DocumentSet,
}

/// A number of documents, and the ids of the first ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentSet {
    /// Number of documents; always exact.
    pub count: u64,
    /// Their ids in canonical Extended JSON, at most `report.maxIds`.
    pub ids: Vec<serde_json::Value>,
    /// Changed fields, each with the number of documents it changed in. Requires a census with `detail: fields`; without it only
    /// `(order of fields)` is known, of documents in which nothing else changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, u64>,
    /// What changed in the documents of `ids`, as far as the census recorded it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<DocumentDetail>,
    /// Paths whose values differ in any document of the collection: `total`, `items[].price`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// The values of a changed field, in canonical Extended JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedValue {
    /// Before the sync. Absent if the field did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<serde_json::Value>,
    /// After the sync. Absent if the field no longer exists.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<serde_json::Value>,
}

/// `null` is a value, too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// What is known about one changed document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentDetail {
    /// Its id in canonical Extended JSON.
    pub id: serde_json::Value,
    /// The fields that changed. Requires a census with `detail: fields`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// The values of those of them whose values the census kept. Requires `values: true`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, ChangedValue>,
    /// The document before the sync in canonical Extended JSON, if the census kept it (`sample`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// The document after the sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
}
