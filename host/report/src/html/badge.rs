//! A verdict or an outcome as a colour, a sign and a word: colour alone is not readable by everybody.

use taster_model::{Finding, FindingOutcome, Verdict};

/// A colour, a sign and a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge {
    /// Class of the style, and name of the sign.
    pub tone: &'static str,
    /// The word.
    pub word: &'static str,
}

impl Badge {
    /// A run with a capture before the sync and none after it.
    pub const PENDING: Self = Self { tone: "pending", word: "not judged yet" };
    /// A run with damaged objects. It is never shown as `same`.
    pub const DAMAGED: Self = Self { tone: "unknown", word: "damaged" };

    /// Of a verdict.
    #[must_use]
    pub fn verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::outcome(FindingOutcome::Same),
            Verdict::Different => Self::outcome(FindingOutcome::Different),
            Verdict::Unknown => Self::outcome(FindingOutcome::Unknown),
        }
    }

    /// Of an outcome.
    #[must_use]
    pub fn outcome(outcome: FindingOutcome) -> Self {
        match outcome {
            FindingOutcome::Same => Self { tone: "same", word: "same" },
            FindingOutcome::Expected => Self { tone: "expected", word: "expected" },
            FindingOutcome::Different => Self { tone: "different", word: "different" },
            FindingOutcome::Unknown => Self { tone: "unknown", word: "unknown" },
        }
    }

    /// Of a finding; one that does not gate is toned down.
    #[must_use]
    pub fn finding(finding: &Finding) -> Self {
        let badge = Self::outcome(finding.outcome);
        match (finding.outcome, finding.gates()) {
            (FindingOutcome::Different | FindingOutcome::Unknown, false) => Self { tone: "minor", ..badge },
            _ => badge,
        }
    }
}
