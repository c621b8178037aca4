//! The reasons of findings, as stable codes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason of a finding. The list of errors and reasons in the documentation says what to do about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// Nothing changed.
    Unchanged,
    /// It changed, and the rule allows that.
    Allowed,
    /// It changed, and the rule does not allow that.
    Changed,
    /// Zero before and after the sync, and no expectation allows that.
    ZeroAgainstZero,
    /// Only the capture before the sync has the metric.
    OnlyBefore,
    /// Only the capture after the sync has the metric.
    OnlyAfter,
    /// The rule cannot be applied to this kind of value.
    RuleMisfit,
    /// The kind or unit of the metric changed.
    KindChanged,
    /// The values cannot be compared: not a number, reported twice, or of different databases or apps.
    NotComparable,
    /// The probe failed before the sync.
    FailedBefore,
    /// The probe failed after the sync.
    FailedAfter,
    /// The probe ran only before or only after the sync.
    ProbeOnOneSide,
    /// The probe's component is not the one that ran before the sync.
    ComponentChanged,
    /// The probe's options or collections are not those of before the sync.
    OptionsChanged,
    /// An expectation matched no metric.
    ExpectationUnmatched,
    /// No finding can decide the verdict.
    NothingGating,
    /// Evidence that `require` asks for is missing.
    EvidenceMissing,
    /// There is no `pre` capture to compare with.
    NoBaseline,
    /// A collection that existed before the sync is missing, or is now a view or another kind of collection.
    CollectionGone,
    /// A collection was dropped and created again.
    CollectionRecreated,
    /// The document count of a collection that no probe covers changed, or a stored function was added.
    UncoveredChanged,
    /// The options, the definition or the indexes of a collection changed and no probe that decides compares them, or stored
    /// functions are gone or changed.
    DefinitionChanged,
    /// An index was still being built: the build may fail.
    IndexBuilding,
    /// The snapshot's cluster time left the server's history.
    SnapshotLost,
    /// The server did not reach the snapshot's cluster time.
    SnapshotNotReached,
    /// Data were written while they were read, in every rescan.
    Unstable,
    /// The copy of the data was replaced during the sync.
    CopyReplaced,
    /// It could not be determined whether the copy of the data was replaced.
    CopyUnwitnessed,
    /// Live data were read from another server than before the sync, or nothing shows that it was the same one.
    ServerChanged,
    /// The baseline is older than `maxBaselineAge`.
    BaselineTooOld,
    /// The probe returned different results for the same data.
    NotDeterministic,
    /// It changed as declared under `changes`.
    DeclaredChange,
    /// A declared change did not happen, or not in every document.
    ChangeMissing,
    /// It could not be determined whether a declared change happened.
    ChangeUnproven,
    /// A census is damaged, missing, or does not match its capture.
    CensusUnreadable,
}

impl ReasonCode {
    /// Every reason.
    pub const ALL: [Self; 35] = [
        Self::Unchanged,
        Self::Allowed,
        Self::Changed,
        Self::ZeroAgainstZero,
        Self::OnlyBefore,
        Self::OnlyAfter,
        Self::RuleMisfit,
        Self::KindChanged,
        Self::NotComparable,
        Self::FailedBefore,
        Self::FailedAfter,
        Self::ProbeOnOneSide,
        Self::ComponentChanged,
        Self::OptionsChanged,
        Self::ExpectationUnmatched,
        Self::NothingGating,
        Self::EvidenceMissing,
        Self::NoBaseline,
        Self::CollectionGone,
        Self::CollectionRecreated,
        Self::UncoveredChanged,
        Self::DefinitionChanged,
        Self::IndexBuilding,
        Self::SnapshotLost,
        Self::SnapshotNotReached,
        Self::Unstable,
        Self::CopyReplaced,
        Self::CopyUnwitnessed,
        Self::ServerChanged,
        Self::BaselineTooOld,
        Self::NotDeterministic,
        Self::DeclaredChange,
        Self::ChangeMissing,
        Self::ChangeUnproven,
        Self::CensusUnreadable,
    ];

    /// The code as reports and stored verdicts write it.
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
            Self::EvidenceMissing => "evidence-missing",
            Self::NoBaseline => "no-baseline",
            Self::CollectionGone => "collection-gone",
            Self::CollectionRecreated => "collection-recreated",
            Self::UncoveredChanged => "uncovered-changed",
            Self::DefinitionChanged => "definition-changed",
            Self::IndexBuilding => "index-building",
            Self::SnapshotLost => "snapshot-lost",
            Self::SnapshotNotReached => "snapshot-not-reached",
            Self::Unstable => "unstable",
            Self::CopyReplaced => "copy-replaced",
            Self::CopyUnwitnessed => "copy-unwitnessed",
            Self::ServerChanged => "server-changed",
            Self::BaselineTooOld => "baseline-too-old",
            Self::NotDeterministic => "not-deterministic",
            Self::DeclaredChange => "declared-change",
            Self::ChangeMissing => "change-missing",
            Self::ChangeUnproven => "change-unproven",
            Self::CensusUnreadable => "census-unreadable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holds_every_reason_under_its_stored_name() {
        let schema = schemars::schema_for!(ReasonCode).to_value();
        let stored: Vec<&str> =
            schema["oneOf"].as_array().unwrap().iter().map(|variant| variant["const"].as_str().unwrap()).collect();
        assert_eq!(ReasonCode::ALL.map(ReasonCode::as_str).as_slice(), stored);
        for reason in ReasonCode::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
