//! Errors of the configuration: what is wrong, in which line, and what to do.

use std::{fmt, path::PathBuf};

use taster_model::Diagnostic;
use taster_query::QueryError;
use taster_store::StoreError;

/// A place in a file, with the text of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// As the user named it.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// The line, without credentials.
    pub text: String,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl SourceLocation {
    /// The line with a caret under the column.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let length = self.text.chars().count();
        let column = usize::try_from(self.column).unwrap_or(1).saturating_sub(1).min(length);
        let (text, column) =
            if length <= MAX_EXCERPT { (self.text.clone(), column) } else { around(&self.text, column) };
        format!("{gutter} |\n{number} | {text}\n{gutter} | {}^", " ".repeat(column))
    }
}

/// The most characters of a line that an excerpt shows, and how many of them before the position.
const MAX_EXCERPT: usize = 120;
const BEFORE_POSITION: usize = 40;

/// The part of a long line around `column`, and the column in that part. Text that is left out is a `…`.
fn around(line: &str, column: usize) -> (String, usize) {
    let start = column.saturating_sub(BEFORE_POSITION);
    let mut part: String = line.chars().skip(start).take(MAX_EXCERPT).collect();
    if line.chars().nth(start + MAX_EXCERPT).is_some() {
        part.push('…');
    }
    if start == 0 { (part, column) } else { (format!("…{part}"), column - start + 1) }
}

/// What can be wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not YAML, or a value of another type than expected.
    #[error("{location}: {message}")]
    Malformed {
        /// Where.
        location: SourceLocation,
        /// What is wrong.
        message: String,
    },
    /// An unknown key.
    #[error("{location}: unknown key `{key}`")]
    UnknownKey {
        /// Where.
        location: SourceLocation,
        /// The key.
        key: String,
        /// The keys that are known there.
        known: Vec<&'static str>,
        /// The nearest of them.
        near: Option<&'static str>,
    },
    /// A key of an earlier version.
    #[error("{location}: the key `{key}` was renamed to `{new}`")]
    RenamedKey {
        /// Where.
        location: SourceLocation,
        /// The old key.
        key: String,
        /// The new one.
        new: &'static str,
    },
    /// `${NAME}` of a variable that is not set.
    #[error("{location}: {message}")]
    Unset {
        /// Where.
        location: SourceLocation,
        /// What is not set.
        message: String,
    },
    /// A required key is missing.
    #[error("{location}: the key `{key}` is missing")]
    Missing {
        /// Where it is missing.
        location: SourceLocation,
        /// The key.
        key: &'static str,
    },
    /// Values that contradict each other, or a value that cannot be intended.
    #[error("{at}: {message}")]
    Inconsistent {
        /// Path of the setting: `probes[orders].sha256`.
        at: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// No database is named.
    #[error("no database is named, neither by `mongodb.database` nor by the connection string")]
    NoDatabase,
    /// The connection string is wrong.
    #[error(transparent)]
    Uri(#[from] QueryError),
    /// The URL of the store is wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConfigError {
    /// The place in the file, where there is one.
    #[must_use]
    pub fn location(&self) -> Option<&SourceLocation> {
        match self {
            Self::Malformed { location, .. }
            | Self::UnknownKey { location, .. }
            | Self::RenamedKey { location, .. }
            | Self::Unset { location, .. }
            | Self::Missing { location, .. } => Some(location),
            _ => None,
        }
    }
}

impl Diagnostic for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "T0101",
            Self::Malformed { .. } => "T0102",
            Self::UnknownKey { .. } | Self::RenamedKey { .. } => "T0103",
            Self::Unset { .. } => "T0104",
            Self::Missing { .. } => "T0105",
            Self::Inconsistent { .. } => "T0106",
            Self::NoDatabase => "T0107",
            Self::Uri(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => {
                Some("name the file with --config FILE, or write one with `taster init --mongodb URI`".to_owned())
            }
            Self::Malformed { .. } => Some("`taster config schema` prints what is allowed where".to_owned()),
            Self::UnknownKey { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::UnknownKey { known, .. } if known.is_empty() => None,
            Self::UnknownKey { known, .. } => Some(format!("known here: {}", known.join(", "))),
            Self::RenamedKey { new, .. } => Some(format!("write `{new}:`; the value stays as it is")),
            Self::Unset { .. } => Some("set the variable, or write `$${NAME}` for the text itself".to_owned()),
            Self::Missing { key, .. } => Some(format!("add `{key}:`; `taster config schema` describes it")),
            Self::Inconsistent { help, .. } => Some(help.clone()),
            Self::NoDatabase => Some(
                "set `mongodb.database`, or end the connection string in `/NAME`: mongodb://host:27017/NAME".to_owned(),
            ),
            Self::Uri(error) => error.help(),
            Self::Store(error) => error.help(),
        }
    }

    fn excerpt(&self) -> Option<String> {
        self.location().map(SourceLocation::excerpt)
    }
}

/// The error of values that contradict each other, or of a value that cannot be intended: the setting, what is wrong, what
/// to do.
pub(super) fn inconsistent(
    setting: impl Into<String>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> ConfigError {
    ConfigError::Inconsistent { at: setting.into(), message: message.into(), help: help.into() }
}
