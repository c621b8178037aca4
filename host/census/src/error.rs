//! What can go wrong with a census.

use taster_model::Coded;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum CensusError {
    /// The system gives no entropy.
    #[error("the system gives no random key for the census: {0}")]
    NoEntropy(String),
    /// A key that is none.
    #[error("the census key of the capture is no key: 384 hexadecimal digits are expected")]
    BadKey,
    /// Bytes that are no documents.
    #[error("the server sent what is no document: {0}")]
    NotBson(&'static str),
    /// The scratch file cannot be used.
    #[error("cannot {action} the census's scratch file in {folder}: {source}")]
    Scratch {
        /// `write`, `read`.
        action: &'static str,
        /// Where it lies.
        folder: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The census cannot be read.
    #[error("cannot read the census: {0}")]
    Io(#[from] std::io::Error),
    /// It is not what was written.
    #[error("the census is damaged: {0}")]
    Damaged(String),
    /// Made by a version that this one does not read.
    #[error("the census is of format {found}; this version reads {known}")]
    Format {
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Two censuses that say nothing about each other.
    #[error("the two censuses cannot be compared: {what} differ")]
    Incomparable {
        /// `their keys`, `their options`.
        what: String,
    },
}

impl Coded for CensusError {
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
        }
    }

    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::NoEntropy(_) => "see why the system has no entropy",
                Self::BadKey | Self::Damaged(_) | Self::Io(_) => {
                    "somebody altered the store, or a disk did: take a new baseline"
                }
                Self::NotBson(_) => "run `validate` on the collection: its documents are damaged",
                Self::Scratch { .. } => "free some space there, or set TMPDIR to a folder that has it",
                Self::Format { .. } => "compare with the version of Taster that wrote the census",
                Self::Incomparable { .. } => "take a new baseline with the options of today",
            }
            .to_owned(),
        )
    }
}
