//! The scale record: the annotation that notes a workload's original replicas before it is scaled.

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use taster_model::RunId;

use crate::{error::ClusterError, workload::WorkloadRef};

/// The annotation that holds the record.
pub(crate) const ANNOTATION: &str = "taster.dev/scaled";

/// What is recorded on a workload before it is scaled (annotation `taster.dev/scaled`, JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleRecord {
    /// The app that scaled it.
    pub app: String,
    /// Its run.
    pub run: RunId,
    /// The replicas before scaling.
    #[serde(rename = "found")]
    pub original: i32,
    /// The replicas that it was scaled to.
    #[serde(rename = "to")]
    pub target: i32,
    /// Since when this run uses it, by the API server's clock.
    pub since: Timestamp,
}

/// A record that the store holds, for a workload whose annotation was removed.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// UID of the workload that was recorded.
    pub uid: &'a str,
    /// What was recorded.
    pub record: &'a ScaleRecord,
}

impl ScaleRecord {
    /// Whether scaling changed the replicas. Otherwise there is nothing to restore.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.original != self.target
    }

    /// The record on an object, if it has one.
    pub(crate) fn of_object(object: &DynamicObject, workload: &WorkloadRef) -> Result<Option<Self>, ClusterError> {
        let annotations = object.metadata.annotations.as_ref();
        let Some(text) = annotations.and_then(|all| all.get(ANNOTATION)) else { return Ok(None) };
        let invalid = |message: String| {
            let workload = workload.clone();
            ClusterError::InvalidRecord { workload, annotation: ANNOTATION, message }
        };
        let record: Self = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if record.original < 0 {
            return Err(invalid(format!("{} replicas", record.original)));
        }
        Ok(Some(record))
    }
}

impl<'a> StoredRecord<'a> {
    /// The record, if it still applies to an object with this UID and these replicas. An object that was created anew has
    /// its own replicas, and replicas that changed since were set on purpose.
    pub(crate) fn if_current(self, uid: &str, replicas: i32) -> Option<&'a ScaleRecord> {
        (self.uid == uid && self.record.target == replicas).then_some(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_keeps_its_keys() {
        let text = r#"{"app":"shop","run":"r1","found":0,"to":1,"since":"2026-01-01T00:00:00Z"}"#;
        let record: ScaleRecord = serde_json::from_str(text).expect("a record");
        assert_eq!((record.original, record.target, record.is_change()), (0, 1, true));
        assert_eq!(serde_json::to_string(&record).expect("JSON"), text);
    }
}
