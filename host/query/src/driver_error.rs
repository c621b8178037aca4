//! The driver's errors as texts for people, and as [`QueryError`]s.

use mongodb::error::{Error, ErrorKind};

use crate::{error::QueryError, server_codes as codes, text::one_line};

/// The driver's text of an error, without labels and Debug output.
pub(crate) fn text(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        ErrorKind::ServerSelection { message, .. } => selection_cause(message),
        kind => one_line(&kind.to_string()),
    }
}

/// Whether the server answered with this code.
pub(crate) fn has_code(error: &Error, code: i32) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if command.code == code)
}

/// The cause out of a text like `Server selection timeout: No available servers. Topology: { …, Error: Kind: I/O error:
/// Connection refused, labels…`.
fn selection_cause(message: &str) -> String {
    let (what, topology) = message.split_once(" Topology: ").unwrap_or((message, ""));
    let cause = topology.split_once("Error: ").map(|(_, rest)| rest.strip_prefix("Kind: ").unwrap_or(rest));
    let cause = cause.and_then(|rest| rest.split(", labels: ").next());
    one_line(cause.unwrap_or_else(|| what.split(" for criteria").next().unwrap_or(what)).trim_end_matches('.'))
}

/// The server's text of an error, without the chain of causes before the last one and without the command that it
/// repeats.
pub(crate) fn server_text(message: &str) -> String {
    let message = message.rsplit(" :: caused by :: ").next().unwrap_or(message);
    one_line(message.split(" to execute command {").next().unwrap_or(message))
}

/// An error reply of the server, and what the host wanted from it.
pub(crate) struct ServerReply<'a> {
    /// The server's number of the error.
    pub(crate) number: i32,
    /// The server's name of the error.
    pub(crate) name: String,
    /// The server's text, without secrets.
    pub(crate) detail: String,
    /// What was tried, for example "count in orders".
    pub(crate) operation: String,
    /// The connection string, redacted.
    pub(crate) uri: &'a str,
}

impl From<ServerReply<'_>> for QueryError {
    fn from(reply: ServerReply<'_>) -> Self {
        let ServerReply { number, name, detail, operation, uri } = reply;
        match number {
            codes::UNAUTHORIZED => Self::NotAuthorised { operation, detail },
            codes::AUTHENTICATION_FAILED => Self::Authentication { uri: uri.to_owned(), detail },
            codes::MAX_TIME_EXPIRED => Self::Timeout { operation },
            codes::SNAPSHOT_TOO_OLD | codes::SNAPSHOT_UNAVAILABLE => Self::SnapshotGone { operation, number, name },
            codes::NO_DISK_USE => Self::OutOfMemory { operation, detail },
            _ if codes::INVALID_QUERY.contains(&number) || codes::UNNAMED.contains(&number) => {
                Self::InvalidQuery { operation, number, name, detail }
            }
            _ => Self::Server { operation, number, name, detail },
        }
    }
}
