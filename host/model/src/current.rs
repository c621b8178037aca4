//! Where an app stands: its standing baseline and its last run.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, AttemptId, CopyWitness, RunId, Verdict, WorkloadFacts};

/// `current.json`, moved by compare-and-swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Current {
    /// [`crate::schema::CURRENT`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// What every `post` is compared with, until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Captures that are about to be committed. One that is there although its process died before it could say so is
    /// found by this; one whose process died earlier was never there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Baseline>,
    /// The run that was touched last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// The run whose `pre` found a namespace in which nothing of the app is yet: its `post` has nothing to taste either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing_yet: Option<RunId>,
    /// The versions in which an application may be started on a copy before the sync: what ran when it was first tasted, and
    /// then in the last run that was `same` or accepted. Another one, left by a sync that failed, waits until after the sync:
    /// it would be the first to write to the copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<WorkloadFacts>,
}

/// The standing baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// The run whose `pre` it is.
    pub run: RunId,
    /// The attempt that committed it.
    pub attempt: AttemptId,
    /// When that attempt began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Which copy of the data it is of.
    #[serde(default)]
    pub copy: CopyWitness,
    /// The latest-started attempt at `post` that judged against it. An attempt that began earlier has no say any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<AttemptId>,
}

/// The run that was touched last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    /// The run.
    pub run: RunId,
    /// Its verdict, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// `accepted.json`: a person took responsibility for what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// [`crate::schema::ACCEPTED`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// The verdict that was accepted.
    pub verdict: Verdict,
    /// The attempt that the verdict judged.
    pub attempt: AttemptId,
    /// Who accepted.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}
