//! What others are told of a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, AttemptId, RunId, Verdict};

/// What a webhook is sent at the end of `post`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// [`crate::schema::NOTIFICATION`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// The attempt at `post` that was judged: two messages of the same attempt say the same.
    pub attempt: AttemptId,
    /// What came of it.
    pub verdict: Verdict,
    /// The verdict and what decides it, in one line.
    pub summary: String,
    /// How many findings came out how.
    pub findings: Tally,
    /// The command that gets one unstuck. Absent for `same`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The commit that was synced, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The page that shows the run, where `report.url` says where pages are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Where its reports lie in the store.
    pub reports: Vec<String>,
}

/// How many findings came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Not what they were.
    pub different: u64,
    /// Nobody can tell.
    pub unknown: u64,
    /// Other, as it was declared.
    pub expected: u64,
    /// What they were.
    pub same: u64,
}
