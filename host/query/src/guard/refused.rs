//! Why the guard refused something.

use taster_model::{Coded, Failure, Refusal};
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
    #[error("{at}: `{name}` is no {kind} that probes may use")]
    Unknown {
        /// The place.
        at: String,
        /// The name.
        name: String,
        /// What it would have been.
        kind: Kind,
    },
    /// A known name in a form that is not understood.
    #[error("{at} must be {wanted}")]
    Shape {
        /// The place.
        at: String,
        /// What is expected there.
        wanted: String,
    },
    /// `$out`, `$merge`.
    #[error("{at}: `{name}` writes, and probes only read")]
    Writes {
        /// The place.
        at: String,
        /// The name.
        name: String,
    },
    /// Reads other collections, or is not thought through yet.
    #[error("{at}: `{name}` is not granted to probes yet{}", reason(.why))]
    NotYet {
        /// The place.
        at: String,
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
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
}

fn reason(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

impl Refused {
    pub(super) fn malformed(error: &bson::error::Error, at: &At<'_>) -> Self {
        Self::Malformed { at: at.to_string(), detail: shown(error.message.as_deref().unwrap_or("it cannot be parsed")) }
    }

    pub(super) fn too_much(what: &'static str, asked: usize, allowed: usize, at: &At<'_>) -> Self {
        Self::TooMuch { at: at.to_string(), what, asked, allowed }
    }

    pub(super) fn shape(wanted: impl Into<String>, at: &At<'_>) -> Self {
        Self::Shape { at: at.to_string(), wanted: wanted.into() }
    }

    /// As the capability hands it to a guest.
    pub(crate) fn failure(&self) -> Failure {
        let (refusal, asked, allowed) = match self {
            Self::Malformed { .. } | Self::Twice { .. } | Self::Shape { .. } => (Refusal::Invalid, None, None),
            Self::Type { kind, .. } => (Refusal::Invalid, Some((*kind).to_owned()), None),
            Self::TooMuch { what, asked, allowed, .. } => {
                (Refusal::Invalid, Some(format!("{asked} {what}")), Some(format!("{allowed} {what}")))
            }
            Self::Unknown { name, kind, .. } => (Refusal::Invalid, Some(name.clone()), kind.allowed()),
            Self::Writes { name, .. }
            | Self::NotYet { name, .. }
            | Self::JavaScript { name, .. }
            | Self::Random { name, .. }
            | Self::Server { name, .. } => (Refusal::Denied, Some(name.clone()), None),
        };
        let failure = Failure::refused(refusal, self.code(), self.to_string());
        Failure { asked, allowed, ..failure }
    }
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "T0220",
            Self::Type { .. } => "T0221",
            Self::TooMuch { .. } => "T0222",
            Self::Twice { .. } => "T0223",
            Self::Unknown { .. } => "T0224",
            Self::Shape { .. } => "T0225",
            Self::Writes { .. } => "T0228",
            Self::NotYet { .. } => "T0229",
            Self::JavaScript { .. } => "T0230",
            Self::Random { .. } => "T0231",
            Self::Server { .. } => "T0232",
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NotYet { .. } => {
                Some("read each collection on its own and put the results together in the probe".into())
            }
            Self::Random { .. } => Some("sample by the hash of `_id`, and take the time from the data".into()),
            _ => None,
        }
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
