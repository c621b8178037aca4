//! Errors of notifications.

use std::{path::Path, time::Duration};

use taster_cluster::ClusterError;
use taster_model::Diagnostic;

/// Why a notification was not sent. No text contains a token, a secret or the path of a webhook.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The server is unreachable, or did not answer.
    #[error("{action} failed after {tries} tries: {why}")]
    Unreachable {
        /// `sending the verdict`.
        action: &'static str,
        /// The number of attempts.
        tries: u32,
        /// The last error.
        why: String,
    },
    /// The server refused the request.
    #[error("{action} was answered {status}{message}")]
    Refused {
        /// `sending the verdict`.
        action: &'static str,
        /// `401 Unauthorized`.
        status: String,
        /// `: Bad credentials`.
        message: String,
    },
    /// The notification took too long in total.
    #[error("it took longer than {}", taster_text::exact_duration(*limit))]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// There is no commit to notify about.
    #[error("{what}")]
    Skipped {
        /// Why not.
        what: String,
    },
    /// The Application cannot be read.
    #[error("the synced commit cannot be read: {0}")]
    Application(#[from] ClusterError),
    /// No request can be sent.
    #[error("{what}: {why}")]
    Client {
        /// `cannot read the certificates of /etc/taster/ca.pem`.
        what: String,
        /// Why.
        why: String,
    },
}

impl NotifyError {
    pub(super) fn certificates(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self::Client { what: format!("cannot use the certificates of {}", path.display()), why: why.to_string() }
    }
}

impl Diagnostic for NotifyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "T0670",
            Self::Refused { .. } => "T0671",
            Self::TimedOut { .. } => "T0672",
            Self::Skipped { .. } => "T0673",
            Self::Application(_) => "T0674",
            Self::Client { .. } => "T0675",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                "check that the server is up and that this machine can reach it"
            }
            Self::Refused { status, .. } if status.starts_with("401") => "check the token: it is wrong or expired",
            Self::Refused { status, .. } if status.starts_with("403") => "grant the token the permission for this",
            Self::Refused { status, .. } if status.starts_with("404") => {
                "check the address and the token: GitHub also answers 404 to a token without access"
            }
            Self::Refused { status, .. } if status.starts_with('3') => {
                "use the final address: redirects are not followed"
            }
            Self::Refused { .. } | Self::Skipped { .. } | Self::Client { .. } => return None,
            Self::Application(error) => return error.help(),
        };
        Some(help.to_owned())
    }
}
