//! The current state of an app: its baseline, its last run, and accepted runs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AddedProbe, AppName, AttemptId, CopyWitness, ReadMoment, RunId, Verdict, VerdictDocument, WorkloadFacts};

/// `current.json`: the baseline and the last run of an app. Changed by compare-and-swap only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Current")]
pub struct CurrentState {
    /// [`crate::schema::CURRENT`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The baseline that every `post` is compared with until it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Captures that are about to be committed. A claim makes a capture findable whose process died before it became the
    /// baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Baseline>,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// The run whose `pre` found none of the configured workloads in the namespace: its `post` has nothing to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing_yet: Option<RunId>,
    /// Workload versions that may be started on a copy before the sync: those of the first run, then those of the last run
    /// that was `same` or accepted. Any other version, left by a failed sync, is started only after the sync, because it
    /// would be the first to write to the copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<WorkloadFacts>,
}

/// The baseline: the capture that `post` is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// The run whose `pre` recorded it.
    pub run: RunId,
    /// The attempt that committed it.
    pub attempt: AttemptId,
    /// When that attempt began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// The copy of the data that it recorded.
    #[serde(default)]
    pub copy: CopyWitness,
    /// The attempt at `post` that was judged against it and read the data last. Attempts that read earlier are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<AttemptId>,
    /// When that attempt read the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_at: Option<ReadMoment>,
    /// Probes that were added to the configuration since, each with the `pre` that is its own baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AddedProbe>,
}

impl Baseline {
    /// Whether an attempt that read the data later than that of `verdict` was judged against it.
    #[must_use]
    pub fn was_judged_after(&self, verdict: &VerdictDocument) -> bool {
        self.judged.as_ref().is_some_and(|judged| {
            let moment = self.judged_at.clone().unwrap_or_default();
            let read = verdict.after.server.moment();
            ReadMoment::order_of_attempts((&moment, judged), (&read, &verdict.attempt)).is_gt()
        })
    }
}

/// The last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    /// The run.
    pub run: RunId,
    /// Its verdict, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// `accepted.json`: a person accepted a verdict of `different` or `unknown`.
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
    /// The attempt that the verdict is about.
    pub attempt: AttemptId,
    /// Who accepted.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// `dropped.json`: a person dropped the baseline that the run's `pre` had recorded. Nothing is compared with it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DroppedBaseline {
    /// [`crate::schema::DROPPED`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run whose `pre` recorded the baseline.
    pub run: RunId,
    /// The attempt that recorded it.
    pub attempt: AttemptId,
    /// Who dropped it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}
