//! What is recorded and said: metrics, captures, expectations, findings and verdicts, as serde types with a published
//! JSON Schema.
//!
//! Pure: no I/O, no clock. Everything that one side of a run leaves behind for the other is a type of this crate.

mod capture;
mod change;
mod coded;
mod copy;
mod current;
mod difference;
mod expectation;
pub mod failure;
mod manifest;
mod names;
mod notification;
mod rule;
mod scaled;
pub mod schema;
mod usage;
mod value;
mod verdict;

#[cfg(test)]
mod roundtrip;

pub use capture::{
    Capture, CensusFacts, CollectionFacts, CollectionGrant, CollectionKind, Consistency, ContainerImage, ObjectRef,
    Outcome, ProbeRecord, Reading, ServerFacts, Topology, WorkloadFacts,
};
pub use change::{BsonType, ChangeKind, DeclaredChange, FieldPath, Present, SomeDocuments, has_inverse};
pub use coded::Coded;
pub use copy::{CopyRelation, CopyWitness, DataKind, Member};
pub use current::{Acceptance, Baseline, Current, LastRun};
pub use difference::{CensusDifference, CensusProblem, ChangeOutcome, Differences};
pub use expectation::{Expectation, MetricPattern, Severity};
pub use failure::{Failure, Refusal};
pub use manifest::{Manifest, Merge, MetricDeclaration, Role, ValueKind};
pub use names::{AppName, AttemptId, BadName, RunId, Side};
pub use notification::{Notification, Tally};
pub use rule::{Bound, Rule, RuleError, Tolerance};
pub use scaled::{Scaled, ScaledWorkload};
pub use schema::{DocumentKind, json_schema, notification_schema};
pub use usage::{Usage, UsageLimits};
pub use value::{Labels, Metric, Real, Value};
pub use verdict::{
    DocumentDetail, DocumentSet, Documents, Finding, FindingOutcome, ProbeSummary, ReasonCode, SideSummary, Verdict,
    VerdictDocument,
};

/// Version of this host, as it is written to every stored document.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
