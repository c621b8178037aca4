//! What can go wrong with stored results.

use std::io;

use taster_census::CensusError;
use taster_model::Diagnostic;

/// What can go wrong with stored results.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No back end for such a URL.
    #[error("`{scheme}:` is not a kind of store")]
    Unsupported {
        /// The scheme.
        scheme: String,
    },
    /// The store takes nothing.
    #[error("the store {url} cannot be written: {source}")]
    NotWritable {
        /// As configured.
        url: String,
        /// Why not.
        source: io::Error,
    },
    /// The store does not keep what everything rests on.
    #[error("the store {url} cannot be trusted: {what}")]
    NotHonest {
        /// As configured.
        url: String,
        /// What it did.
        what: &'static str,
    },
    /// An object could not be read or written.
    #[error("cannot {action} {key}: {source}")]
    Io {
        /// The object.
        key: String,
        /// `read`, `write`, `list`, `remove`.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// No space is left.
    #[error("no space is left to write {key} ({bytes} bytes)")]
    Full {
        /// The object.
        key: String,
        /// How much was to be written.
        bytes: u64,
    },
    /// An object is not what was written.
    #[error("{key} is damaged: {what}")]
    Damaged {
        /// The object.
        key: String,
        /// How it shows.
        what: String,
    },
    /// An object lies at another's place.
    #[error("{key} belongs elsewhere: its {field} is `{found}`, its place says `{expected}`")]
    Misplaced {
        /// The object.
        key: String,
        /// What does not fit.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// An object that is written once was there already.
    #[error("{key} is there already and is never overwritten")]
    Exists {
        /// The object.
        key: String,
    },
    /// An object that a capture lists is not there.
    #[error("{key} is not there, and its capture lists it")]
    Gone {
        /// The object.
        key: String,
    },
    /// A census whose capture says nothing of its object.
    #[error("census `{id}` of probe `{probe}` is not among the objects of its capture")]
    Unlisted {
        /// The probe.
        probe: String,
        /// What its metric calls it.
        id: String,
    },
    /// The bytes are those that were written, and cannot be read.
    #[error("{key} cannot be used: {source}")]
    Census {
        /// The object.
        key: String,
        /// Why not.
        source: CensusError,
    },
    /// How a store is reached cannot be.
    #[error("the store cannot be reached like this: {what}")]
    Settings {
        /// What is wrong.
        what: String,
    },
    /// Nobody says who is asking.
    #[error("no credentials for the store: {why}")]
    NoCredentials {
        /// What was tried.
        why: String,
    },
    /// The store did not answer, or with errors of its own, again and again.
    #[error("cannot {action} {url}: {why} (tried {tries} times in {seconds} s)")]
    Away {
        /// `read`, `write`, `list`, `remove`.
        action: &'static str,
        /// The object.
        url: String,
        /// How often it was tried.
        tries: u32,
        /// For how long.
        seconds: u64,
        /// The last answer.
        why: String,
    },
    /// The store answered that it will not.
    #[error("the store refuses to {action} {url}: {why}")]
    Refused {
        /// `read`, `write`, `list`, `remove`.
        action: &'static str,
        /// The object.
        url: String,
        /// Its answer.
        why: String,
    },
    /// Others kept changing an object.
    #[error("{key} was changed by others {tries} times in a row")]
    Contended {
        /// The object.
        key: String,
        /// How often it was tried.
        tries: u32,
    },
}

impl StoreError {
    pub(crate) fn not_writable(self, url: &str) -> Self {
        match self {
            Self::Io { source, .. } => Self::NotWritable { url: url.to_owned(), source },
            Self::Refused { why, .. } => Self::NotWritable { url: url.to_owned(), source: io::Error::other(why) },
            other => other,
        }
    }

    pub(crate) fn damaged(key: &str, what: impl std::fmt::Display) -> Self {
        Self::Damaged { key: key.to_owned(), what: format!("{what}") }
    }
}

impl Diagnostic for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "T0401",
            Self::NotWritable { .. } => "T0402",
            Self::NotHonest { .. } => "T0403",
            Self::Io { .. } => "T0404",
            Self::Full { .. } => "T0405",
            Self::Damaged { .. } => "T0406",
            Self::Misplaced { .. } => "T0407",
            Self::Exists { .. } => "T0408",
            Self::Contended { .. } => "T0409",
            Self::Gone { .. } => "T0410",
            Self::Unlisted { .. } => "T0411",
            Self::Census { .. } => "T0412",
            Self::Settings { .. } => "T0413",
            Self::NoCredentials { .. } => "T0414",
            Self::Away { .. } => "T0415",
            Self::Refused { .. } => "T0416",
        }
    }

    fn help(&self) -> Option<String> {
        if let Self::Census { source, .. } = self {
            return source.help();
        }
        Some(
            match self {
                Self::Unsupported { .. } => "use s3://bucket/prefix, file:///absolute/path or file://./relative/path",
                Self::NotWritable { .. } => {
                    "give the process a folder or a bucket that it may write, or name another with --store"
                }
                Self::NotHonest { .. } => {
                    "use a store that refuses to overwrite: file systems need hard links, S3 stores If-None-Match and If-Match. \
                     Who takes the risk says so: s3.conditionalWrites: i-accept-that-results-can-be-overwritten"
                }
                Self::Settings { .. } => "look at `store` and `s3` of the configuration, and at the variables AWS_…",
                Self::NoCredentials { .. } => {
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE, or give the \
                     ServiceAccount a role (web identity)"
                }
                Self::Away { .. } => "is the store reachable from here? nothing that was stored is lost, run the command again",
                Self::Refused { .. } => {
                    "the key needs s3:GetObject, s3:PutObject, s3:AbortMultipartUpload on the prefix and s3:ListBucket on the \
                     bucket; s3:DeleteObject for `taster gc` alone. Look at region and clock too"
                }
                Self::Io { .. } => "is the store still there and readable? the same command may be run again",
                Self::Full { .. } => "free some space; nothing that was stored is lost, run the command again",
                Self::Gone { .. } => "bring it back from a backup, with the whole folder of the run; or start a new run",
                Self::Damaged { .. } | Self::Misplaced { .. } | Self::Unlisted { .. } | Self::Census { .. } => {
                    "somebody or something changed it after it was written: restore it from a backup, or start a new run"
                }
                Self::Exists { .. } => "taste under a new run id: --run ID",
                Self::Contended { .. } => "are several runs of this app going on? run the command again",
            }
            .to_owned(),
        )
    }
}
