//! The data model: metrics, captures, expectations, declared changes, findings and verdicts, as serde types with a
//! published JSON Schema.
//!
//! Pure: no I/O and no clock. Everything that `pre` stores for `post` is a type of this crate.

mod added_probe;
mod bson_type;
mod capture;
mod change;
mod change_syntax;
mod copy;
mod current;
mod diagnostic;
mod difference;
mod evidence;
mod expectation;
pub mod failure;
mod field_path;
mod manifest;
mod names;
mod notification;
mod read_moment;
mod reason;
mod report_file;
mod rule;
mod scaled;
pub mod schema;
mod server;
pub mod stored_changes;
mod usage;
mod value;
mod verdict;

#[cfg(test)]
mod roundtrip;

pub use added_probe::AddedProbe;
pub use bson_type::{BsonType, has_inverse};
pub use capture::{
    Capture, CensusFacts, CollectionFacts, CollectionGrant, CollectionKind, Consistency, ContainerImage, ObjectRef,
    ProbeOutcome, ProbeRecord, ReadMode, ResultsVersion, STORED_FUNCTIONS, WorkloadFacts,
};
pub use change::{
    AddedField, ChangeKind, DeclaredChange, DocumentFilter, FieldPresence, RenamedField, RetypedField, ValueCheck,
    other_names,
};
pub use copy::{CopyRelation, CopyWitness, DataKind};
pub use current::{Acceptance, Baseline, CurrentState, DroppedBaseline, LastRun};
pub use diagnostic::Diagnostic;
pub use difference::{CensusComparisonError, CensusDifference, CensusDifferences, ChangeOutcome};
pub use evidence::{CollectionEvidence, EvidenceBasis};
pub use expectation::{Expectation, MetricPattern, Severity};
pub use failure::{Failure, Refusal};
pub use field_path::FieldPath;
pub use manifest::{Manifest, Merge, MetricDeclaration, Role};
pub use names::{AppName, AttemptId, InvalidName, RunId, Side};
pub use notification::{FindingCounts, Notification};
pub use read_moment::ReadMoment;
pub use reason::ReasonCode;
pub use report_file::ReportFile;
pub use rule::{Bound, Rule, RuleError, Tolerance};
pub use scaled::{ScaledState, ScaledWorkload};
pub use schema::{DocumentKind, json_schema, notification_schema};
pub use server::{ReplicaMember, ServerFacts, Topology};
pub use usage::{Usage, UsageLimits};
pub use value::{Labels, MAX_DECIMAL_BYTES, MAX_DECIMAL_EXPONENT, Metric, Real, Value, ValueKind};
pub use verdict::{
    ChangedValue, DifferingDocuments, DocumentDetail, DocumentSet, Finding, FindingOutcome, ProbeSummary, SideSummary,
    Verdict, VerdictDocument,
};

/// Version of this host, as it is written to every stored document.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
