//! Errors of starting the server.

use std::{io, net::SocketAddr, path::PathBuf};

use taster_model::Diagnostic;

/// Characters that a token has at least: shorter ones can be guessed.
pub(super) const MIN_TOKEN_LENGTH: usize = 16;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Everybody who can reach the machine could read all results.
    #[error("--listen {address} can be reached from other machines, and no token would be required")]
    Open {
        /// As given.
        address: SocketAddr,
    },
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As given.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A token file cannot be used. Its contents are never quoted.
    #[error("cannot use the token file {}: {what}", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
}

impl Diagnostic for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "T0640",
            Self::Listen { .. } => "T0641",
            Self::Tokens { .. } => "T0642",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Open { .. } => "give a token file with --token-file, or allow anyone with --allow-anonymous".into(),
            Self::Listen { .. } => "name another address with --listen; port 0 picks a free one".into(),
            Self::Tokens { .. } => format!(
                "one token per line, of at least {MIN_TOKEN_LENGTH} visible ASCII characters; `openssl rand -hex 32` makes one"
            ),
        })
    }
}
