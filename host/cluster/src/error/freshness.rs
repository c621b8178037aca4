//! Reasons why the data are not known to be fresh.

use std::path::PathBuf;

use taster_model::Diagnostic;

/// Reasons why the data are not known to be fresh.
#[derive(Debug, thiserror::Error)]
pub enum FreshnessError {
    /// The source does not exist.
    #[error("{source_name} not found")]
    SourceNotFound {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
    },
    /// The kind of the source is not installed in the cluster.
    #[error("{source_name} not found: the cluster has no {kind} ({api_version})")]
    UnknownKind {
        /// `MigrationSchedule`.
        kind: &'static str,
        /// `stork.libopenstorage.org/v1alpha1`.
        api_version: &'static str,
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
    },
    /// No copy has succeeded yet.
    #[error("{source_name} has no successful copy{notes}")]
    NeverSucceeded {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
        /// `; it is suspended`.
        notes: String,
    },
    /// The last copy failed.
    #[error("the last copy of {source_name} failed: {what}")]
    LastCopyFailed {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
        /// Which copy, when, and the last one that succeeded.
        what: String,
    },
    /// The object is the suspended copy that Stork makes in the destination cluster.
    #[error("{source_name} is suspended and has no status: Stork keeps the status in the cluster that it copies from")]
    SuspendedCopy {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
    },
    /// The data are too old.
    #[error("the data are from {at}, {age} old; {setting} is {limit} ({identity})")]
    TooOld {
        /// `2026-11-25T01:00:00Z`.
        at: String,
        /// `1h 12m`.
        age: String,
        /// `freshness[0].maxAge`.
        setting: String,
        /// `30m`.
        limit: String,
        /// Which copy.
        identity: String,
    },
    /// The time of the data is ahead of the clock.
    #[error("the data are from {at}, which is in the future: the API server's clock says {now} ({identity})")]
    InFuture {
        /// `2026-11-25T01:00:00Z`.
        at: String,
        /// `2026-11-25T00:00:00Z`.
        now: String,
        /// Which copy.
        identity: String,
    },
    /// The object does not have the fields that its project documents.
    #[error("{source_name} is invalid: {detail}")]
    InvalidObject {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
        /// The field that is wrong.
        detail: String,
    },
    /// The kubeconfig of the other cluster is unusable.
    #[error("invalid kubeconfig {}: {detail}", file.display())]
    Kubeconfig {
        /// Its path.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl Diagnostic for FreshnessError {
    fn code(&self) -> &'static str {
        match self {
            Self::SourceNotFound { .. } => "T0730",
            Self::UnknownKind { .. } => "T0731",
            Self::NeverSucceeded { .. } => "T0732",
            Self::LastCopyFailed { .. } => "T0733",
            Self::SuspendedCopy { .. } => "T0734",
            Self::TooOld { .. } => "T0735",
            Self::InFuture { .. } => "T0736",
            Self::InvalidObject { .. } => "T0737",
            Self::Kubeconfig { .. } => "T0738",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::SourceNotFound { .. } => {
                "correct its name under `freshness`; if it is in another cluster, name that cluster with `kubeconfig`"
            }
            Self::UnknownKind { .. } => {
                "if it is in another cluster, name that cluster with `kubeconfig`; else remove the source from `freshness`"
            }
            Self::NeverSucceeded { .. } => "wait for the first copy to succeed, or find out why it does not",
            Self::LastCopyFailed { .. } => "fix the copying and let it succeed once, then sync again",
            Self::SuspendedCopy { .. } => "name the cluster that it copies from with `kubeconfig`",
            Self::TooOld { setting, .. } => {
                return Some(format!("wait for the next copy, then sync again; or raise {setting}"));
            }
            Self::InFuture { .. } => "correct the clock that is wrong",
            Self::InvalidObject { .. } => {
                "check the installed version of the project; report it if that version is current"
            }
            Self::Kubeconfig { .. } => "correct the Secret that holds it, or the path where it is mounted",
        };
        Some(help.to_owned())
    }
}
