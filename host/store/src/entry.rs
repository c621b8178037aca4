//! Runs as the listing of their objects shows them, and their summaries.

use jiff::Timestamp;
use serde::Serialize;
use taster_model::{AttemptId, RunId, Verdict};

use crate::backend::ObjectInfo;

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// When the capture before the sync began.
    pub pre: Option<Timestamp>,
    /// When the latest capture after it began.
    pub post: Option<Timestamp>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// Whether a person accepted it.
    pub accepted: bool,
    /// Whether a person dropped the baseline that its `pre` recorded.
    pub dropped: bool,
    /// The error of its first damaged object.
    pub damaged: Option<String>,
}

/// One run as the listing of its objects shows it. No object was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "which objects there are; each by itself")]
pub struct RunEntry {
    /// The run.
    pub run: RunId,
    /// When its latest capture was written, or else its latest object, by the store's clock.
    pub at: Timestamp,
    /// Whether there is a capture before the sync.
    pub pre: bool,
    /// Committed attempts after the sync, the latest one last.
    pub posts: Vec<AttemptId>,
    /// Whether there is a verdict.
    pub verdict: bool,
    /// Whether a person accepted it.
    pub accepted: bool,
    /// Whether a person dropped the baseline that its `pre` recorded.
    pub dropped: bool,
    /// How many objects it has.
    pub objects: u64,
    /// Bytes of all its objects.
    pub bytes: u64,
}

impl RunEntry {
    fn new(run: RunId) -> Self {
        Self {
            run,
            at: Timestamp::MIN,
            pre: false,
            posts: Vec::new(),
            verdict: false,
            accepted: false,
            dropped: false,
            objects: 0,
            bytes: 0,
        }
    }

    /// Whether both sides of it were compared.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.verdict && self.pre && !self.posts.is_empty()
    }

    /// The entry of a run with these objects. Their keys are relative to the run.
    pub(crate) fn from_objects(run: RunId, objects: &[(&str, &ObjectInfo)]) -> Self {
        let mut entry = Self::new(run);
        let mut latest = Timestamp::MIN;
        for (rest, object) in objects {
            entry.objects += 1;
            entry.bytes += object.size;
            latest = latest.max(object.modified);
            match *rest {
                "pre/capture.json" => entry.pre = true,
                "verdict.json" => entry.verdict = true,
                "accepted.json" => entry.accepted = true,
                "dropped.json" => entry.dropped = true,
                rest => {
                    let attempt = rest.strip_prefix("post/").and_then(|rest| rest.strip_suffix("/capture.json"));
                    let attempt = attempt.and_then(|attempt| AttemptId::try_from(attempt.to_owned()).ok());
                    let Some(attempt) = attempt else { continue };
                    entry.posts.push(attempt);
                }
            }
            if rest.ends_with("/capture.json") {
                entry.at = entry.at.max(object.modified);
            }
        }
        entry.posts.sort();
        if entry.at == Timestamp::MIN {
            entry.at = latest;
        }
        entry
    }
}
