//! Runs the host's own commands with a time limit, and turns the driver's errors into [`QueryError`]s.

use std::{fmt, time::Duration};

use mongodb::error::{Error, ErrorKind};
use tokio::time::timeout;

use crate::{
    driver_error::{self, ServerReply},
    error::QueryError,
    uri::Secrets,
};

/// How long the driver looks for a server, and the setting that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SelectionTimeout {
    time: Duration,
    setting: &'static str,
}

impl SelectionTimeout {
    /// The connection string's own value, else the configuration's.
    pub(crate) fn new(in_uri: Option<Duration>, configured: Duration) -> Self {
        match in_uri {
            Some(time) => Self { time, setting: "serverSelectionTimeoutMS" },
            None => Self { time: configured, setting: "mongodb.connectTimeout" },
        }
    }

    pub(crate) fn time(self) -> Duration {
        self.time
    }
}

impl fmt::Display for SelectionTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waited {}, setting `{}`", taster_text::exact_duration(self.time), self.setting)
    }
}

/// What the host's own commands have in common: where they go, which secrets no error text may contain, and how long
/// they may take.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// The connection string, redacted.
    pub(crate) uri: &'a str,
    pub(crate) secrets: &'a Secrets,
    /// Put on every command.
    pub(crate) comment: &'a str,
    pub(crate) selection_timeout: SelectionTimeout,
    /// How long one call may take, server selection included.
    pub(crate) limit: Duration,
}

impl Caller<'_> {
    /// The same with another time limit.
    pub(crate) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The driver's text of an error, with the time that it waited for a server, if it did.
    pub(crate) fn detail(&self, error: &Error) -> String {
        let text = self.secrets.scrub(&driver_error::text(error));
        match &*error.kind {
            ErrorKind::ServerSelection { .. } => format!("{text} ({})", self.selection_timeout),
            _ => text,
        }
    }

    /// What an error of the driver means for `operation`.
    pub(crate) fn error(&self, error: &Error, operation: impl Into<String>) -> QueryError {
        let operation = operation.into();
        let uri = self.uri;
        let detail = self.detail(error);
        match &*error.kind {
            ErrorKind::Command(command) => ServerReply {
                number: command.code,
                name: command.code_name.clone(),
                detail: self.secrets.scrub(&driver_error::server_text(&command.message)),
                operation,
                uri,
            }
            .into(),
            ErrorKind::Authentication { .. } => QueryError::Authentication { uri: uri.to_owned(), detail },
            // a server answers, but it holds no data: never initiated, or a member of another set than the one asked for
            ErrorKind::ServerSelection { message, .. } if message.contains("None of the available servers") => {
                QueryError::NoPrimary { uri: uri.to_owned(), detail }
            }
            ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => {
                QueryError::Unreachable { uri: uri.to_owned(), detail }
            }
            ErrorKind::Shutdown => QueryError::Closed,
            _ => QueryError::BadReply { operation, detail },
        }
    }

    /// Runs a call within the time limit.
    pub(crate) async fn run<T>(
        &self,
        operation: &str,
        call: impl IntoFuture<Output = Result<T, Error>>,
    ) -> Result<T, QueryError> {
        match timeout(self.limit, call.into_future()).await {
            Ok(answer) => answer.map_err(|error| self.error(&error, operation)),
            Err(_) => Err(QueryError::Timeout { operation: operation.to_owned() }),
        }
    }
}
