//! Why a census was refused, or could not be recorded.

use taster_census::CensusError;
use taster_model::{Diagnostic, Failure, Refusal};
use thiserror::Error;

/// Why a census was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Refused {
    /// The flow records none.
    #[error("this host records no census")]
    NoCensus,
    /// What has no documents of its own.
    #[error("`{name}` is a view and has no documents of its own: take a census of what it shows, {beneath}")]
    View { name: String, beneath: String },
    /// Options that make no sense, or too much of them.
    #[error("the census {what}")]
    Options { what: &'static str, asked: String, allowed: String },
    /// A filter that the operator wrote.
    #[error("the filter of `{entry}` cannot be used: {why}")]
    Change { entry: String, why: String },
    /// More filters than there are marks.
    #[error("`changes` tells documents of `{collection}` apart by {asked} filters")]
    TooManyChanges { collection: String, asked: usize },
    /// What the baseline says of its census.
    #[error("the options of the baseline's census {id} cannot be read: {why}")]
    Baseline { id: String, why: String },
    /// More of them than a run may take.
    #[error("the probe takes too many censuses in one run")]
    TooMany { most: usize },
}

/// Documents are told apart by so many filters at most: a mark is a byte, and 0 is none.
pub(super) const MARKS: usize = u8::MAX as usize;

impl Refused {
    /// As the capability hands it to a guest.
    pub(super) fn failure(&self) -> Failure {
        let refusal = match self {
            Self::NoCensus => Refusal::Unavailable,
            Self::TooMany { .. } => Refusal::Budget,
            _ => Refusal::Invalid,
        };
        let failure = Failure::refused(refusal, self.code(), self.to_string());
        match self {
            Self::Options { asked, allowed, .. } => failure.asked(asked.clone()).allowed(allowed.clone()),
            Self::TooMany { most } => {
                failure.asked(format!("{} censuses", most + 1)).allowed(format!("{most} censuses"))
            }
            Self::Change { entry, .. } => failure.setting(entry.clone()),
            Self::TooManyChanges { .. } => failure.allowed(format!("{MARKS} filters")).setting("changes"),
            Self::NoCensus | Self::View { .. } | Self::Baseline { .. } => failure,
        }
    }
}

impl Diagnostic for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::NoCensus => "T0312",
            // 0250 is the deadline, the budget's
            Self::View { .. } => "T0251",
            Self::Options { .. } => "T0252",
            Self::Change { .. } => "T0253",
            Self::Baseline { .. } => "T0254",
            Self::TooMany { .. } => "T0255",
            Self::TooManyChanges { .. } => "T0256",
        }
    }

    fn help(&self) -> Option<String> {
        None
    }
}

/// The hashing or the writing went wrong. What helps goes along where it says what would be allowed.
pub(super) fn failed(error: &CensusError) -> Failure {
    let failure = Failure::refused(Refusal::Unavailable, error.code(), error.to_string());
    Failure { allowed: error.help(), ..failure }
}

/// A thread of the census ended otherwise than by returning.
pub(super) fn broken_off(why: &str) -> Failure {
    Failure::refused(Refusal::Unavailable, "T0257", format!("the recording of the census broke off: {why}"))
}
