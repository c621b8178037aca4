//! Why a census was refused, or could not be recorded.

use taster_census::CensusError;
use taster_model::{Diagnostic, Failure, Refusal};
use taster_text::grouped;
use thiserror::Error;

/// Why a census was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum CensusRefusal {
    /// The host runs the probe without a [`super::env::CensusEnv`].
    #[error("this host records no census")]
    NotSupported,
    /// A view has no documents of its own.
    #[error("`{name}` is a view and has no documents of its own: take a census of the collections it reads, {sources}")]
    View { name: String, sources: String },
    /// Invalid options, or too many.
    #[error("the census {problem}")]
    InvalidOptions { problem: &'static str, asked: String, allowed: String },
    /// The filter of a declared change is invalid.
    #[error("the filter of `{entry}` is invalid: {reason}")]
    DeclaredFilter { entry: String, reason: String },
    /// More declared filters than there are marks.
    #[error("`changes` has {} filters for documents of `{collection}`", grouped(*asked as u64))]
    TooManyFilters { collection: String, asked: usize },
    /// The options of the baseline's census.
    #[error("the options of the baseline's census {id} are invalid: {reason}")]
    Baseline { id: String, reason: String },
    /// More censuses than a run may take.
    #[error("the probe takes too many censuses in one run")]
    TooMany { limit: usize },
}

/// The most filters that documents of one collection can be recorded separately by: a mark is a byte, and 0 means none.
pub(super) const MAX_MARKS: usize = u8::MAX as usize;

impl CensusRefusal {
    /// As the capability hands it to a guest.
    pub(super) fn failure(&self) -> Failure {
        let refusal = match self {
            Self::NotSupported => Refusal::Unavailable,
            Self::TooMany { .. } => Refusal::Budget,
            _ => Refusal::Invalid,
        };
        let failure = Failure::refused(refusal, self.code(), self.to_string());
        match self {
            Self::InvalidOptions { asked, allowed, .. } => failure.asked(asked.clone()).allowed(allowed.clone()),
            Self::TooMany { limit } => {
                let (asked, allowed) = (grouped(*limit as u64 + 1), grouped(*limit as u64));
                failure.asked(format!("{asked} censuses")).allowed(format!("{allowed} censuses"))
            }
            Self::DeclaredFilter { entry, .. } => failure.setting(entry.clone()),
            Self::TooManyFilters { .. } => failure.allowed(format!("{MAX_MARKS} filters")).setting("changes"),
            Self::NotSupported | Self::View { .. } | Self::Baseline { .. } => failure,
        }
    }
}

impl Diagnostic for CensusRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotSupported => "T0312",
            // T0250 is the deadline, which the budget reports
            Self::View { .. } => "T0251",
            Self::InvalidOptions { .. } => "T0252",
            Self::DeclaredFilter { .. } => "T0253",
            Self::Baseline { .. } => "T0254",
            Self::TooMany { .. } => "T0255",
            Self::TooManyFilters { .. } => "T0256",
        }
    }

    fn help(&self) -> Option<String> {
        None
    }
}

/// The code of [`CensusError::DiskBudget`].
pub(super) const DISK_BUDGET: &str = "T0809";

/// An error while hashing or writing. The help text goes along where it says what would be allowed.
pub(super) fn recording_failed(error: &CensusError) -> Failure {
    if let CensusError::DiskBudget { limit } = error {
        return Failure::refused(Refusal::Budget, DISK_BUDGET, error.to_string())
            .allowed(format!("{} bytes", grouped(*limit)));
    }
    let failure = Failure::refused(Refusal::Unavailable, error.code(), error.to_string());
    Failure { allowed: error.remedy(), ..failure }
}

/// A thread of the census panicked or was cancelled.
pub(super) fn thread_ended(reason: &str) -> Failure {
    Failure::refused(Refusal::Unavailable, "T0257", format!("a thread of the census ended early: {reason}"))
}
