//! The notification that is sent about a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, AttemptId, RunId, Verdict};

/// The body that is sent to a webhook at the end of `post`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// [`crate::schema::NOTIFICATION`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// The attempt at `post` that was judged. Two notifications of the same attempt have the same content.
    pub attempt: AttemptId,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict and the deciding finding, in one line.
    pub summary: String,
    /// Number of findings by outcome.
    pub findings: FindingCounts,
    /// The command that resolves the verdict. Absent for `same`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The commit that was synced, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The page of the run, if `report.url` is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// URLs of its reports in the store.
    pub reports: Vec<String>,
}

/// Number of findings by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Tally")]
pub struct FindingCounts {
    /// Changed, and not as declared.
    pub different: u64,
    /// Could not be compared.
    pub unknown: u64,
    /// Changed as declared or allowed.
    pub expected: u64,
    /// Unchanged.
    pub same: u64,
}
