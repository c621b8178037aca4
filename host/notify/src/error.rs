//! Why somebody was not told.

use std::{path::Path, time::Duration};

use taster_cluster::ClusterError;
use taster_model::Coded;

/// Why somebody was not told. No text of it holds a token, a secret, or the path of a webhook.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// It cannot be reached, or its answer did not come.
    #[error("{action} failed after {tries} tries: {why}")]
    Away {
        /// `sending the verdict`.
        action: &'static str,
        /// How many.
        tries: u32,
        /// What was said last.
        why: String,
    },
    /// It does not want to hear.
    #[error("{action} was answered {status}{said}")]
    Refused {
        /// `sending the verdict`.
        action: &'static str,
        /// `401 Unauthorized`.
        status: String,
        /// `: Bad credentials`.
        said: String,
    },
    /// It took too long altogether.
    #[error("it took longer than {} s", limit.as_secs())]
    Late {
        /// The limit.
        limit: Duration,
    },
    /// There is nothing to tell about.
    #[error("{what}")]
    Skipped {
        /// Why not.
        what: String,
    },
    /// The Application cannot be read.
    #[error("which commit was synced cannot be read: {0}")]
    Application(#[from] ClusterError),
    /// Nothing can be sent at all.
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

impl Coded for NotifyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Away { .. } => "T0670",
            Self::Refused { .. } => "T0671",
            Self::Late { .. } => "T0672",
            Self::Skipped { .. } => "T0673",
            Self::Application(_) => "T0674",
            Self::Client { .. } => "T0675",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Away { .. } | Self::Late { .. } => "is it up, and may this machine reach it?",
            Self::Refused { status, .. } if status.starts_with("401") => "is the token right, and not expired?",
            Self::Refused { status, .. } if status.starts_with("403") => "may the token do that?",
            Self::Refused { status, .. } if status.starts_with("404") => {
                "is the address right? GitHub says this of what a token may not see as well"
            }
            Self::Refused { status, .. } if status.starts_with('3') => {
                "redirects are not followed: name the last address"
            }
            Self::Refused { .. } | Self::Skipped { .. } | Self::Client { .. } => return None,
            Self::Application(error) => return error.help(),
        };
        Some(help.to_owned())
    }
}
