//! Which workloads were restored, and which were not.

use std::fmt;

use taster_cluster::WorkloadRef;

/// A workload whose replica count was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaChange {
    /// The workload.
    pub workload: WorkloadRef,
    /// The count before.
    pub from: i32,
    /// The count after.
    pub to: i32,
}

impl fmt::Display for ReplicaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}→{}", self.workload, self.from, self.to)
    }
}

/// A workload that was not restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRestored {
    /// The workload.
    pub workload: WorkloadRef,
    /// The count that it was scaled to and the original one, where they are known.
    pub counts: Option<(i32, i32)>,
    /// Why not.
    pub why: String,
}

/// The result of restoring workloads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Workloads whose count was restored.
    pub restored: Vec<ReplicaChange>,
    /// Workloads whose count was not restored.
    pub failed: Vec<NotRestored>,
}

impl RestoreReport {
    /// Whether every workload was restored.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// `NOT RESTORED mongo 1→0`: the line that comes first wherever something was not restored.
    #[must_use]
    pub fn not_restored(&self) -> Option<String> {
        if self.failed.is_empty() {
            return None;
        }
        let shown = |failed: &NotRestored| match failed.counts {
            Some((from, to)) => format!("{} {from}→{to}", failed.workload.name),
            None => failed.workload.name.clone(),
        };
        Some(format!("NOT RESTORED {}", self.failed.iter().map(shown).collect::<Vec<_>>().join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_that_were_not_restored_are_named_with_their_counts() {
        let workload = |name: &str| WorkloadRef {
            api_version: "apps/v1".to_owned(),
            kind: "StatefulSet".to_owned(),
            name: name.to_owned(),
        };
        let failed = |name: &str, counts| NotRestored { workload: workload(name), counts, why: "away".to_owned() };
        let report =
            RestoreReport { restored: Vec::new(), failed: vec![failed("web", None), failed("mongo", Some((1, 0)))] };
        assert_eq!(report.not_restored().as_deref(), Some("NOT RESTORED web, mongo 1→0"));
        assert_eq!(RestoreReport::default().not_restored(), None);
        let change = ReplicaChange { workload: workload("mongo"), from: 0, to: 1 };
        assert_eq!(change.to_string(), "StatefulSet mongo 0→1");
    }
}
