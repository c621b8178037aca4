//! Why the guard refused something.

use taster_model::{Diagnostic, Failure, Refusal};
use taster_text::grouped;
use thiserror::Error;

use super::{location::Location, names::NameKind};
use crate::text::escaped;

/// What the guard refused, and where it is in the request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GuardError {
    /// The bytes are not a BSON document.
    #[error("{at} is not BSON: {detail}")]
    Malformed {
        /// The location.
        at: String,
        /// The parser's text.
        detail: String,
    },
    /// A BSON type that carries code, or a deprecated one.
    #[error("{at} has the BSON type {kind}, which probes cannot send")]
    Type {
        /// The location.
        at: String,
        /// The type, as the server names it.
        kind: &'static str,
    },
    /// Larger, deeper or longer than a request can be.
    #[error("{at}: the request has {} {what}; the limit is {}", grouped(*asked as u64), grouped(*allowed as u64))]
    TooMuch {
        /// The location where the limit was exceeded.
        at: String,
        /// What was counted.
        what: &'static str,
        /// How many there are, as far as they were counted.
        asked: usize,
        /// How many are allowed.
        allowed: usize,
    },
    /// The same field twice in one document: two parsers may each see another value.
    #[error("{at} appears twice in its document")]
    DuplicateField {
        /// The location.
        at: String,
    },
    /// A name that is not on the list of its kind.
    #[error("{at}: {kind} `{name}` is not available to probes{hint}")]
    UnknownName {
        /// The location.
        at: String,
        /// The name.
        name: String,
        /// What kind of name is expected there.
        kind: NameKind,
        /// What was probably meant: `; did you mean …?`, or empty.
        hint: String,
        /// The names that are available there, where the list is short enough to be read.
        known: Option<String>,
    },
    /// An available name with an invalid value.
    #[error("{at} must be {expected}")]
    Invalid {
        /// The location.
        at: String,
        /// What is expected there.
        expected: String,
    },
    /// An available stage at a position where it is not allowed.
    #[error("{at}: `{name}` is not allowed here: {reason}")]
    Misplaced {
        /// The location.
        at: String,
        /// The name.
        name: &'static str,
        /// Where it is allowed.
        reason: &'static str,
    },
    /// A collection that was not granted.
    #[error("{at}: collection `{name}` is not granted to probe `{probe}`")]
    NotGranted {
        /// The location.
        at: String,
        /// The collection.
        name: String,
        /// The probe.
        probe: String,
        /// The granted collections.
        granted: String,
        /// The setting that grants collections.
        setting: String,
    },
    /// A system collection, or an invalid name.
    #[error("{at}: `{name}` is a system collection or not a valid name; it cannot be granted")]
    Reserved {
        /// The location.
        at: String,
        /// The name.
        name: String,
    },
    /// A view whose definition the guard refuses.
    #[error("{at}: view `{view}` cannot be read: {reason}")]
    View {
        /// The location.
        at: String,
        /// The view.
        view: String,
        /// What was refused in its definition.
        reason: Box<Self>,
    },
    /// `$out`, `$merge`.
    #[error("{at}: `{name}` writes; probes can only read")]
    Writes {
        /// The location.
        at: String,
        /// The name.
        name: String,
    },
    /// Runs JavaScript on the server.
    #[error("{at}: `{name}` runs JavaScript on the server")]
    JavaScript {
        /// The location.
        at: String,
        /// The name.
        name: String,
    },
    /// Returns different results each time.
    #[error("{at}: `{name}` returns different results each time, so two captures could not be compared")]
    NonDeterministic {
        /// The location.
        at: String,
        /// The name.
        name: String,
    },
    /// Concerns the server and its users rather than the data, or is internal to the server.
    #[error("{at}: `{name}` concerns the server, not the data")]
    ServerState {
        /// The location.
        at: String,
        /// The name.
        name: String,
    },
    /// Answered by a search service beside the server.
    #[error("{at}: `{name}` queries a search index, which lags behind the data and ranks results by its own rules")]
    SearchIndex {
        /// The location.
        at: String,
        /// The name.
        name: String,
    },
}

impl GuardError {
    pub(super) fn malformed(detail: &str, at: &Location<'_>) -> Self {
        Self::Malformed { at: at.to_string(), detail: escaped(detail) }
    }

    pub(super) fn unreadable(error: &bson::error::Error, at: &Location<'_>) -> Self {
        Self::malformed(error.message.as_deref().unwrap_or("it cannot be parsed"), at)
    }

    pub(super) fn too_much(what: &'static str, asked: usize, allowed: usize, at: &Location<'_>) -> Self {
        Self::TooMuch { at: at.to_string(), what, asked, allowed }
    }

    pub(super) fn invalid(expected: impl Into<String>, at: &Location<'_>) -> Self {
        Self::Invalid { at: at.to_string(), expected: expected.into() }
    }

    pub(super) fn misplaced(name: &'static str, reason: &'static str, at: &Location<'_>) -> Self {
        Self::Misplaced { at: at.to_string(), name, reason }
    }

    /// The same error as the reason why a view is refused.
    pub(super) fn in_view(self, view: &str, at: &Location<'_>) -> Self {
        Self::View { at: at.to_string(), view: escaped(view), reason: Box::new(self) }
    }

    /// The error in the innermost view.
    fn root(&self) -> &Self {
        match self {
            Self::View { reason, .. } => reason.root(),
            _ => self,
        }
    }

    /// As the capability hands it to a guest.
    pub(crate) fn failure(&self) -> Failure {
        let (asked, allowed) = match self.root() {
            Self::Type { kind, .. } => (Some((*kind).to_owned()), None),
            Self::TooMuch { what, asked, allowed, .. } => {
                let [asked, allowed] = [asked, allowed].map(|number| format!("{} {what}", grouped(*number as u64)));
                (Some(asked), Some(allowed))
            }
            Self::UnknownName { name, known, .. } => (Some(name.clone()), known.clone()),
            Self::NotGranted { name, granted, .. } => (Some(name.clone()), Some(granted.clone())),
            Self::Misplaced { name, .. } => (Some((*name).to_owned()), None),
            Self::Reserved { name, .. }
            | Self::Writes { name, .. }
            | Self::JavaScript { name, .. }
            | Self::NonDeterministic { name, .. }
            | Self::ServerState { name, .. }
            | Self::SearchIndex { name, .. } => (Some(name.clone()), None),
            Self::Malformed { .. } | Self::DuplicateField { .. } | Self::Invalid { .. } | Self::View { .. } => {
                (None, None)
            }
        };
        let setting = match self.root() {
            Self::NotGranted { setting, .. } => Some(setting.clone()),
            _ => None,
        };
        let failure = Failure::refused(self.refusal(), self.code(), self.to_string());
        Failure { asked, allowed, setting, ..failure }
    }

    fn refusal(&self) -> Refusal {
        match self {
            Self::Malformed { .. }
            | Self::Type { .. }
            | Self::TooMuch { .. }
            | Self::DuplicateField { .. }
            | Self::UnknownName { .. }
            | Self::Invalid { .. }
            | Self::Misplaced { .. } => Refusal::Invalid,
            // whatever is wrong in a view's definition, the probe cannot fix it
            Self::View { .. }
            | Self::NotGranted { .. }
            | Self::Reserved { .. }
            | Self::Writes { .. }
            | Self::JavaScript { .. }
            | Self::NonDeterministic { .. }
            | Self::ServerState { .. }
            | Self::SearchIndex { .. } => Refusal::Denied,
        }
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        error.failure()
    }
}

impl Diagnostic for GuardError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "T0220",
            Self::Type { .. } => "T0221",
            Self::TooMuch { .. } => "T0222",
            Self::DuplicateField { .. } => "T0223",
            Self::UnknownName { .. } => "T0224",
            Self::Invalid { .. } => "T0225",
            Self::NotGranted { .. } => "T0226",
            Self::Reserved { .. } => "T0227",
            Self::Writes { .. } => "T0228",
            Self::JavaScript { .. } => "T0230",
            Self::NonDeterministic { .. } => "T0231",
            Self::ServerState { .. } => "T0232",
            Self::View { .. } if matches!(self.root(), Self::NotGranted { .. }) => "T0240",
            Self::View { .. } => "T0241",
            Self::Misplaced { .. } => "T0242",
            Self::SearchIndex { .. } => "T0243",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NonDeterministic { .. } => "sample by the hash of `_id`, and take the time from the data",
            Self::View { .. } if matches!(self.root(), Self::NotGranted { .. }) => {
                "a view shows the collections that it reads: grant those to the probe too, or do not grant the view"
            }
            Self::View { .. } => "read the view's collections directly",
            Self::SearchIndex { .. } => "use $match with $text or $regex",
            _ => return None,
        };
        Some(help.to_owned())
    }
}
