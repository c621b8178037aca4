//! Why a server does not start.

use std::{io, net::SocketAddr, path::PathBuf};

use taster_model::Diagnostic;

use super::auth::SHORTEST;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Whoever reaches the machine could read everything.
    #[error("--listen {address} can be reached from other machines, and nobody would be asked for a token")]
    Open {
        /// As given.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As given.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A file of tokens cannot be used. What stands in it is never said.
    #[error("cannot use the tokens of {}: {what}", path.display())]
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
            Self::Open { .. } => {
                "name a file of tokens with --token-file, or let everybody in with --allow-anonymous".into()
            }
            Self::Listen { .. } => "name another address with --listen; port 0 takes a free one".into(),
            Self::Tokens { .. } => format!(
                "one token a line, of at least {SHORTEST} visible ASCII characters; `openssl rand -hex 32` makes one"
            ),
        })
    }
}
