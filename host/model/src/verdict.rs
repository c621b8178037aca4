//! What came of a run.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, AttemptId, Labels, RunId, ServerFacts, Severity, Usage, UsageLimits, WorkloadFacts};

/// The outcome of a run. `Unknown` never passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The data survived, or changed as declared.
    Same,
    /// It did not.
    Different,
    /// Nobody can tell.
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

/// `verdict.json`: the one model behind every report.
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
    /// What came of it.
    pub verdict: Verdict,
    /// Version of Taster that judged.
    pub taster: String,
    /// The baseline's side. Absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SideSummary>,
    /// The side after the sync.
    pub after: SideSummary,
    /// Gating ones first, then by probe, metric and labels.
    pub findings: Vec<Finding>,
    /// Collections that no probe covers.
    #[serde(default)]
    pub uncovered: Vec<String>,
    /// The command that gets one unstuck, for `different` and `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// One side, as a verdict shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SideSummary {
    /// The run whose capture it is: the baseline's may be another than the verdict's.
    pub run: RunId,
    /// When the capture began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// The server that was read.
    pub server: ServerFacts,
    /// What ran on the cluster. Empty where none is configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadFacts>,
    /// Documents that probes were handed.
    pub documents: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// How each probe ended and what it used of its limits, in the order of the configuration. Empty in verdicts of older
    /// versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeSummary>,
}

/// One probe on one side, as a verdict shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSummary {
    /// Name in the configuration.
    pub name: String,
    /// Where the component came from, as configured.
    pub component: String,
    /// SHA-256 of the component, in hexadecimal. Empty where it could not be read.
    pub sha256: String,
    /// Version that the probe gives itself. Empty where it could not be loaded.
    pub version: String,
    /// Metrics that it returned. Absent where it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<u64>,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// What it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<UsageLimits>,
}

/// The outcome for one metric, one census, one probe or one expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Name of the probe in the configuration. Absent where the finding is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Name of the metric. Absent where the finding is about the probe or the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it was.
    #[serde(default)]
    pub before: Option<serde_json::Value>,
    /// What it is.
    #[serde(default)]
    pub after: Option<serde_json::Value>,
    /// What came of it.
    pub outcome: FindingOutcome,
    /// Whether it decides.
    pub severity: Severity,
    /// Reported, but never gating.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// The rule that was applied, as written in a configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, for machines.
    pub code: ReasonCode,
    /// Why, for people: `34 fewer`.
    pub reason: String,
    /// The operator's reason, where an expectation carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// Documents by id; on census findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Documents>,
}

impl Finding {
    /// Whether it may decide the verdict.
    #[must_use]
    pub fn gates(&self) -> bool {
        self.severity == Severity::Fail && !self.muted
    }
}

/// What came of one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingOutcome {
    /// Equal, or within what `equal` allows.
    Same,
    /// Changed as declared.
    Expected,
    /// Changed otherwise.
    Different,
    /// Nobody can tell.
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

/// Why a finding came out as it did. The remedies stand in `host/ERRORS.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// Nothing changed.
    Unchanged,
    /// It changed, and the rule allows that.
    Allowed,
    /// It changed, and the rule does not allow that.
    Changed,
    /// Zero before and zero after, and nobody declared that this is right.
    ZeroAgainstZero,
    /// Only `pre` has the metric.
    OnlyBefore,
    /// Only `post` has the metric.
    OnlyAfter,
    /// The rule does not fit the kind of value.
    RuleMisfit,
    /// The two sides are of different kinds or units.
    KindChanged,
    /// The values cannot be compared: not a number, reported twice, or of a kind that this version does not compare.
    NotComparable,
    /// The probe did not end well before the sync.
    FailedBefore,
    /// The probe did not end well after the sync.
    FailedAfter,
    /// The probe ran on one side only.
    ProbeOnOneSide,
    /// Another component than before.
    ComponentChanged,
    /// Other options than before.
    OptionsChanged,
    /// An expectation that matched no metric.
    ExpectationUnmatched,
    /// Nothing that gates was judged.
    NothingGating,
    /// There is no `pre` capture to compare with.
    NoBaseline,
    /// A collection that was there before is gone.
    CollectionGone,
    /// A collection was dropped and made again, whatever is in it now.
    CollectionRecreated,
    /// A collection that no probe covers is not what it was.
    UncoveredChanged,
    /// The server no longer knew the data of the moment that everything was to be read at.
    SnapshotLost,
    /// The server did not get as far as that moment in time.
    SnapshotNotReached,
    /// Something was written while it was read, again and again.
    Unstable,
    /// Another copy of the data than before the sync.
    CopyReplaced,
    /// Nobody can tell whether it is the copy of before the sync.
    CopyUnwitnessed,
    /// The baseline is older than allowed.
    BaselineTooOld,
    /// The probe gave two answers about the same data.
    NotDeterministic,
    /// It changed as the configuration says it is meant to.
    DeclaredChange,
    /// A declared change did not happen, or not everywhere.
    ChangeMissing,
    /// Nobody can tell whether a declared change happened.
    ChangeUnproven,
    /// A census is damaged, gone, or of other documents than its capture says.
    CensusUnreadable,
}

impl ReasonCode {
    /// The code as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Allowed => "allowed",
            Self::Changed => "changed",
            Self::ZeroAgainstZero => "zero-against-zero",
            Self::OnlyBefore => "only-before",
            Self::OnlyAfter => "only-after",
            Self::RuleMisfit => "rule-misfit",
            Self::KindChanged => "kind-changed",
            Self::NotComparable => "not-comparable",
            Self::FailedBefore => "failed-before",
            Self::FailedAfter => "failed-after",
            Self::ProbeOnOneSide => "probe-on-one-side",
            Self::ComponentChanged => "component-changed",
            Self::OptionsChanged => "options-changed",
            Self::ExpectationUnmatched => "expectation-unmatched",
            Self::NothingGating => "nothing-gating",
            Self::NoBaseline => "no-baseline",
            Self::CollectionGone => "collection-gone",
            Self::CollectionRecreated => "collection-recreated",
            Self::UncoveredChanged => "uncovered-changed",
            Self::SnapshotLost => "snapshot-lost",
            Self::SnapshotNotReached => "snapshot-not-reached",
            Self::Unstable => "unstable",
            Self::CopyReplaced => "copy-replaced",
            Self::CopyUnwitnessed => "copy-unwitnessed",
            Self::BaselineTooOld => "baseline-too-old",
            Self::NotDeterministic => "not-deterministic",
            Self::DeclaredChange => "declared-change",
            Self::ChangeMissing => "change-missing",
            Self::ChangeUnproven => "change-unproven",
            Self::CensusUnreadable => "census-unreadable",
        }
    }
}

/// Documents that are missing, extra or changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Documents {
    /// There before, gone after.
    pub missing: DocumentSet,
    /// Not there before, there after.
    pub extra: DocumentSet,
    /// There on both sides with other contents.
    pub changed: DocumentSet,
}

/// Some documents: how many, and the first ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentSet {
    /// Always exact.
    pub count: u64,
    /// Canonical Extended JSON, at most `report.maxIds`.
    pub ids: Vec<serde_json::Value>,
    /// Changed fields, each with how many documents it changed in. Needs a census with `detail: fields`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, u64>,
    /// The documents of `ids` with what changed in each, as far as the census kept it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<DocumentDetail>,
    /// Paths whose values differ anywhere in the collection: `total`, `items[].price`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// What is known of one changed document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentDetail {
    /// Its id, canonical Extended JSON.
    pub id: serde_json::Value,
    /// The fields that changed: with `detail: fields`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// The document before, where the census kept it whole (`sample`); canonical Extended JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// The document after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
}
