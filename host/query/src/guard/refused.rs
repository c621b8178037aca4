//! Why the guard refused something.

use taster_model::{Diagnostic, Failure, Refusal};
use thiserror::Error;

use super::{at::At, names::Kind};

/// What the guard refused, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The bytes are no BSON document.
    #[error("{at} is not BSON: {detail}")]
    Malformed {
        /// The place.
        at: String,
        /// What the parser said.
        detail: String,
    },
    /// A BSON type that carries code or that nobody writes any more.
    #[error("{at} is of the BSON type {kind}, which no probe may send")]
    Type {
        /// The place.
        at: String,
        /// The type, as the server names it.
        kind: &'static str,
    },
    /// Bigger, deeper or longer than a request may be.
    #[error("{at} makes it {asked} {what}; a request may have {allowed}")]
    TooMuch {
        /// The place.
        at: String,
        /// What was counted.
        what: &'static str,
        /// How many there are, as far as they were counted.
        asked: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// The same name twice in one document: two parsers may each see another one.
    #[error("{at} stands there twice")]
    Twice {
        /// The place.
        at: String,
    },
    /// A name that is on no list.
    #[error("{at}: `{name}` is no {kind} that probes may use{hint}")]
    Unknown {
        /// The place.
        at: String,
        /// The name.
        name: String,
        /// What it would have been.
        kind: Kind,
        /// What was meant, perhaps: `; did you mean …?`
        hint: String,
        /// The names that are known there, where they are few enough to be read.
        known: Option<String>,
    },
    /// A known name in a form that is not understood.
    #[error("{at} must be {wanted}")]
    Shape {
        /// The place.
        at: String,
        /// What is expected there.
        wanted: String,
    },
    /// A known stage where it may not stand.
    #[error("{at}: `{name}` may not stand here: {why}")]
    Misplaced {
        /// The place.
        at: String,
        /// The name.
        name: &'static str,
        /// Where it may.
        why: &'static str,
    },
    /// A collection that was not granted.
    #[error("{at}: collection `{name}` is not granted to probe `{probe}`")]
    NotGranted {
        /// The place.
        at: String,
        /// The collection.
        name: String,
        /// The probe.
        probe: String,
        /// What is granted.
        granted: String,
        /// Where it is granted.
        setting: String,
    },
    /// A collection of the server's own, or no name of a collection at all.
    #[error("{at}: `{name}` belongs to the server; it is granted to nobody")]
    Reserved {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
    /// A view whose definition reaches what the probe may not reach.
    #[error("{at}: view `{view}` cannot be read: {why}")]
    View {
        /// The place.
        at: String,
        /// The view.
        view: String,
        /// What was refused in it.
        why: Box<Self>,
    },
    /// `$out`, `$merge`.
    #[error("{at}: `{name}` writes, and probes only read")]
    Writes {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
    /// Runs JavaScript on the server.
    #[error("{at}: `{name}` runs JavaScript on the server")]
    JavaScript {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
    /// Answers differently each time.
    #[error("{at}: `{name}` answers differently each time, and two captures could not be compared")]
    Random {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
    /// About the server and its users rather than the data, or internal to the server.
    #[error("{at}: `{name}` is about the server, not about the data")]
    Server {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
    /// Answered by a search service beside the server.
    #[error("{at}: `{name}` asks a search service, which lags behind the data and ranks them by its own rules")]
    Search {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
}

impl Refused {
    pub(super) fn malformed(detail: &str, at: &At<'_>) -> Self {
        Self::Malformed { at: at.to_string(), detail: shown(detail) }
    }

    pub(super) fn unreadable(error: &bson::error::Error, at: &At<'_>) -> Self {
        Self::malformed(error.message.as_deref().unwrap_or("it cannot be parsed"), at)
    }

    pub(super) fn too_much(what: &'static str, asked: usize, allowed: usize, at: &At<'_>) -> Self {
        Self::TooMuch { at: at.to_string(), what, asked, allowed }
    }

    pub(super) fn shape(wanted: impl Into<String>, at: &At<'_>) -> Self {
        Self::Shape { at: at.to_string(), wanted: wanted.into() }
    }

    pub(super) fn misplaced(name: &'static str, why: &'static str, at: &At<'_>) -> Self {
        Self::Misplaced { at: at.to_string(), name, why }
    }

    /// The same, found in the definition of a view that a request names.
    pub(super) fn in_view(self, view: &str, at: &At<'_>) -> Self {
        Self::View { at: at.to_string(), view: shown(view), why: Box::new(self) }
    }

    /// What is wrong at the bottom of all views.
    fn root(&self) -> &Self {
        match self {
            Self::View { why, .. } => why.root(),
            _ => self,
        }
    }

    /// As the capability hands it to a guest.
    pub(crate) fn failure(&self) -> Failure {
        let (asked, allowed) = match self.root() {
            Self::Type { kind, .. } => (Some((*kind).to_owned()), None),
            Self::TooMuch { what, asked, allowed, .. } => {
                (Some(format!("{asked} {what}")), Some(format!("{allowed} {what}")))
            }
            Self::Unknown { name, known, .. } => (Some(name.clone()), known.clone()),
            Self::NotGranted { name, granted, .. } => (Some(name.clone()), Some(granted.clone())),
            Self::Misplaced { name, .. } => (Some((*name).to_owned()), None),
            Self::Reserved { name, .. }
            | Self::Writes { name, .. }
            | Self::JavaScript { name, .. }
            | Self::Random { name, .. }
            | Self::Server { name, .. }
            | Self::Search { name, .. } => (Some(name.clone()), None),
            Self::Malformed { .. } | Self::Twice { .. } | Self::Shape { .. } | Self::View { .. } => (None, None),
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
            | Self::Twice { .. }
            | Self::Unknown { .. }
            | Self::Shape { .. }
            | Self::Misplaced { .. } => Refusal::Invalid,
            // whatever is wrong with a view, the probe cannot mend it
            Self::View { .. }
            | Self::NotGranted { .. }
            | Self::Reserved { .. }
            | Self::Writes { .. }
            | Self::JavaScript { .. }
            | Self::Random { .. }
            | Self::Server { .. }
            | Self::Search { .. } => Refusal::Denied,
        }
    }
}

impl Diagnostic for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "T0220",
            Self::Type { .. } => "T0221",
            Self::TooMuch { .. } => "T0222",
            Self::Twice { .. } => "T0223",
            Self::Unknown { .. } => "T0224",
            Self::Shape { .. } => "T0225",
            Self::NotGranted { .. } => "T0226",
            Self::Reserved { .. } => "T0227",
            Self::Writes { .. } => "T0228",
            Self::JavaScript { .. } => "T0230",
            Self::Random { .. } => "T0231",
            Self::Server { .. } => "T0232",
            Self::View { .. } if matches!(self.root(), Self::NotGranted { .. }) => "T0240",
            Self::View { .. } => "T0241",
            Self::Misplaced { .. } => "T0242",
            Self::Search { .. } => "T0243",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Random { .. } => "sample by the hash of `_id`, and take the time from the data",
            Self::View { .. } if matches!(self.root(), Self::NotGranted { .. }) => {
                "a view shows what it reads: grant that to the probe as well, or do not grant the view"
            }
            Self::View { .. } => "read the collections beneath the view instead",
            Self::Search { .. } => "use $match with $text or $regex",
            _ => return None,
        };
        Some(help.to_owned())
    }
}

/// A text of the server, not endless.
pub(crate) fn clipped(text: &str) -> String {
    const LENGTH: usize = 400;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text that a guest chose, fit to be printed: no control characters, not endless.
pub(crate) fn shown(text: &str) -> String {
    const LENGTH: usize = 80;
    let mut out: String =
        text.chars().take(LENGTH).flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"");
    if text.chars().nth(LENGTH).is_some() {
        out.push('…');
    }
    out
}
