//! What was scaled for an app, and to what it goes back.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, RunId};

/// `scaled.json`, moved by compare-and-swap: the second record, for a workload that lost the one on itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scaled {
    /// [`crate::schema::SCALED`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// What was scaled and is not back yet, in the order in which it was scaled.
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
    /// Its UID: one that was made anew under the same name is another one.
    pub uid: String,
    /// Replicas that it had, and goes back to.
    pub found: i32,
    /// Replicas that it was scaled to.
    pub to: i32,
    /// The run that scaled it first.
    pub run: RunId,
    /// Since when, by the clock of the API server.
    #[schemars(with = "String")]
    pub since: Timestamp,
}
