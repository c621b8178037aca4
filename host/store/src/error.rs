//! Errors of the store.

use std::{io, time::Duration};

use taster_census::CensusError;
use taster_model::Diagnostic;
use taster_text::{duration, grouped};

/// Errors of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no back end for the URL.
    #[error("unsupported store URL: scheme `{scheme}:`")]
    Unsupported {
        /// The scheme.
        scheme: String,
    },
    /// The store cannot be written.
    #[error("the store {url} is not writable: {source}")]
    NotWritable {
        /// As configured.
        url: String,
        /// Why not.
        source: io::Error,
    },
    /// The store overwrites objects, or swaps stale versions.
    #[error("the store {url} fails verification: {what}")]
    ConditionalWritesBroken {
        /// As configured.
        url: String,
        /// The guarantee that it broke.
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
    #[error("no space left to write {key} ({} bytes)", grouped(*bytes))]
    Full {
        /// The object.
        key: String,
        /// The size of the object.
        bytes: u64,
    },
    /// An object is not the one that was written.
    #[error("{key} is damaged: {what}")]
    Damaged {
        /// The object.
        key: String,
        /// What does not match.
        what: String,
    },
    /// An object lies at the key of another one.
    #[error("{key} holds another object: its {field} is `{found}`, expected `{expected}`")]
    Misplaced {
        /// The object.
        key: String,
        /// The field that differs.
        field: &'static str,
        /// Its value.
        found: String,
        /// The value that belongs at this key.
        expected: String,
    },
    /// An object that is written once exists already.
    #[error("{key} already exists and is never overwritten")]
    Exists {
        /// The object.
        key: String,
    },
    /// An object that a capture lists does not exist.
    #[error("{key} does not exist, but its capture lists it")]
    Missing {
        /// The object.
        key: String,
    },
    /// A capture does not list the object of a census.
    #[error("the capture does not list the object of census `{id}` of probe `{probe}`")]
    Unlisted {
        /// The probe.
        probe: String,
        /// The census id in its metric.
        id: String,
    },
    /// A census has the expected digest, but cannot be read.
    #[error("cannot read the census {key}: {source}")]
    Census {
        /// The object.
        key: String,
        /// Why not.
        source: CensusError,
    },
    /// The settings of the store are invalid.
    #[error("invalid store settings: {what}")]
    Settings {
        /// What is wrong.
        what: String,
    },
    /// There are no credentials.
    #[error("no credentials for the store: {why}")]
    NoCredentials {
        /// Why not.
        why: String,
    },
    /// The store did not answer, or answered with server errors, for all of `s3.retryTimeout`.
    #[error("cannot {action} {url}: {why} (tried {tries} times in {})", duration(*elapsed))]
    Unavailable {
        /// `read`, `write`, `list`, `remove`.
        action: &'static str,
        /// The object.
        url: String,
        /// The number of attempts.
        tries: u32,
        /// The time from the first attempt to the last one.
        elapsed: Duration,
        /// The error of the last attempt.
        why: String,
    },
    /// The store refused a request.
    #[error("the store refused to {action} {url}: {why}")]
    Refused {
        /// `read`, `write`, `list`, `remove`.
        action: &'static str,
        /// The object.
        url: String,
        /// Its answer.
        why: String,
    },
    /// Other processes kept changing an object.
    #[error("other processes changed {key} {tries} times in a row")]
    Contended {
        /// The object.
        key: String,
        /// The number of attempts.
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
            Self::ConditionalWritesBroken { .. } => "T0403",
            Self::Io { .. } => "T0404",
            Self::Full { .. } => "T0405",
            Self::Damaged { .. } => "T0406",
            Self::Misplaced { .. } => "T0407",
            Self::Exists { .. } => "T0408",
            Self::Contended { .. } => "T0409",
            Self::Missing { .. } => "T0410",
            Self::Unlisted { .. } => "T0411",
            Self::Census { .. } => "T0412",
            Self::Settings { .. } => "T0413",
            Self::NoCredentials { .. } => "T0414",
            Self::Unavailable { .. } => "T0415",
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
                    "let the process write to this folder or bucket, or choose another with --store"
                }
                Self::ConditionalWritesBroken { .. } => {
                    "use a store that refuses to overwrite: file systems need hard links, S3 stores need If-None-Match and If-Match. \
                     To accept the risk, set s3.conditionalWrites: i-accept-that-results-can-be-overwritten"
                }
                Self::Settings { .. } => "check `store` and `s3` in the configuration, and the variables AWS_…",
                Self::NoCredentials { .. } => {
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE, or give the \
                     ServiceAccount a role (web identity)"
                }
                Self::Unavailable { .. } => {
                    "check that the store is reachable from here, then run the command again: nothing that was stored is lost. \
                     s3.retryTimeout sets how long to retry"
                },
                Self::Refused { .. } => {
                    "check the region and this machine's clock, and the permissions: s3:GetObject, s3:PutObject, s3:AbortMultipartUpload on the prefix and s3:ListBucket on the \
                     bucket; s3:DeleteObject only for `taster gc`"
                }
                Self::Io { .. } => "check that the store exists and is readable, then run the command again",
                Self::Full { .. } => "free some space and run the command again: nothing that was stored is lost",
                Self::Missing { .. } => "restore the whole folder of the run from a backup. Without one, nothing can be compared with that run: move the \
                     app's `current.json` out of the store and take a new baseline with `taster pre --run NEXT`",
                Self::Damaged { .. } | Self::Misplaced { .. } | Self::Unlisted { .. } | Self::Census { .. } => {
                    "it was changed after it was written: restore it from a backup. Without one, nothing can be compared with \
                     that run: move the app's `current.json` out of the store and take a new baseline with `taster pre \
                     --run NEXT`"
                }
                Self::Exists { .. } => "choose a new run id: --run ID",
                Self::Contended { .. } => "check whether several runs of this app are in progress, then run the command again",
            }
            .to_owned(),
        )
    }
}
