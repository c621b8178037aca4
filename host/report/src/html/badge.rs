//! A verdict or an outcome as a colour, a sign and a word. Colour alone is not enough: some readers cannot distinguish
//! the colours.

use taster_model::{Finding, FindingOutcome, Verdict};

/// A colour, a sign and a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge {
    /// CSS class, and name of the sign.
    pub tone: &'static str,
    /// The word.
    pub word: &'static str,
}

impl Badge {
    /// A run without a verdict.
    pub const PENDING: Self = Self { tone: "pending", word: "not judged yet" };
    /// A run with damaged objects. It is never shown as `same`.
    pub const DAMAGED: Self = Self { tone: "unknown", word: "damaged" };

    /// The badge of a verdict.
    #[must_use]
    pub fn verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::outcome(FindingOutcome::Same),
            Verdict::Different => Self::outcome(FindingOutcome::Different),
            Verdict::Unknown => Self::outcome(FindingOutcome::Unknown),
        }
    }

    /// The badge of an outcome.
    #[must_use]
    pub fn outcome(outcome: FindingOutcome) -> Self {
        match outcome {
            FindingOutcome::Same => Self { tone: "same", word: "same" },
            FindingOutcome::Expected => Self { tone: "expected", word: "expected" },
            FindingOutcome::Different => Self { tone: "different", word: "different" },
            FindingOutcome::Unknown => Self { tone: "unknown", word: "unknown" },
        }
    }

    /// The badge of a finding. A finding that does not decide the verdict gets a quieter colour.
    #[must_use]
    pub fn finding(finding: &Finding) -> Self {
        let badge = Self::outcome(finding.outcome);
        match (finding.outcome, finding.gates()) {
            (FindingOutcome::Different | FindingOutcome::Unknown, false) => Self { tone: "minor", ..badge },
            _ => badge,
        }
    }
}
