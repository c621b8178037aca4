//! The workloads that were scaled for an app, with the replicas to restore.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, RunId};

/// `scaled.json`, changed by compare-and-swap only. It is the second record of original replica counts, for a workload
/// that lost its annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Scaled")]
pub struct ScaledState {
    /// [`crate::schema::SCALED`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// Workloads that were scaled and are not restored yet, in the order in which they were scaled.
    pub workloads: Vec<ScaledWorkload>,
}

/// One workload that was scaled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaledWorkload {
    /// `apps/v1`.
    pub api_version: String,
    /// `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID: a workload that was created again under the same name has a new one.
    pub uid: String,
    /// Replicas that it had, and that will be restored.
    pub found: i32,
    /// Replicas that it was scaled to.
    pub to: i32,
    /// The run that scaled it first.
    pub run: RunId,
    /// Since when, by the clock of the API server.
    #[schemars(with = "String")]
    pub since: Timestamp,
}
