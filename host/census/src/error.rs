//! Errors of taking, reading and comparing censuses.

use taster_model::Diagnostic;
use taster_text::grouped;

/// An error of taking, reading or comparing censuses.
#[derive(Debug, thiserror::Error)]
pub enum CensusError {
    /// The system's random generator failed.
    #[error("cannot generate a census key: {0}")]
    NoEntropy(String),
    /// The stored key is invalid.
    #[error("invalid census key in the capture: expected 384 hexadecimal digits")]
    BadKey,
    /// Bytes that are not BSON documents.
    #[error("the server sent an invalid document: {0}")]
    NotBson(&'static str),
    /// The scratch file cannot be used.
    #[error("cannot {action} the scratch file of a census in {folder}: {source}")]
    Scratch {
        /// `create`, `write` or `read`.
        action: &'static str,
        /// Its folder.
        folder: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The censuses of a run take too many bytes on disk.
    #[error("the censuses of this run take more than {} bytes of scratch files and results", grouped(*limit))]
    DiskBudget {
        /// The limit.
        limit: u64,
    },
    /// The census cannot be read.
    #[error("cannot read the census: {0}")]
    Io(#[from] std::io::Error),
    /// The bytes are not those that were written.
    #[error("the census is damaged: {0}")]
    Damaged(String),
    /// The census has a format that this version does not read.
    #[error("the census has format {found}; this version of Taster reads format {known}")]
    Format {
        /// The format of the census.
        found: u32,
        /// The format that this version reads.
        known: u32,
    },
    /// The two censuses cannot be compared.
    #[error("the two censuses cannot be compared: {reason}")]
    Incomparable {
        /// `their keys differ`, `their options differ`.
        reason: &'static str,
    },
}

impl Diagnostic for CensusError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoEntropy(_) => "T0801",
            Self::BadKey => "T0802",
            Self::NotBson(_) => "T0803",
            Self::Scratch { .. } => "T0804",
            Self::Io(_) => "T0805",
            Self::Damaged(_) => "T0806",
            Self::Format { .. } => "T0807",
            Self::Incomparable { .. } => "T0808",
            Self::DiskBudget { .. } => "T0809",
        }
    }

    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::NoEntropy(_) => "check that the operating system provides random numbers (`/dev/urandom`)",
                Self::BadKey | Self::Damaged(_) | Self::Io(_) => {
                    "the stored object is damaged or was altered: restore it, or take a new baseline"
                }
                Self::NotBson(_) => "the documents are damaged: run `validate` on the collection",
                Self::Scratch { .. } => "free disk space in that folder, or set TMPDIR to another one",
                Self::DiskBudget { .. } => "raise `limits.censusBytes` of the probe, or let it take fewer censuses",
                Self::Format { .. } => {
                    "compare with the version of Taster that wrote the census, or take a new baseline"
                }
                Self::Incomparable { .. } => "take a new baseline with the current options",
            }
            .to_owned(),
        )
    }
}
