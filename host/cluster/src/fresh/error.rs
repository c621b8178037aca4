//! Why nobody can say that the data are fresh.

use std::path::PathBuf;

use taster_model::Diagnostic;

use crate::ClusterError;

/// Why nobody can say that the data are fresh.
#[derive(Debug, thiserror::Error)]
pub enum FreshError {
    /// There is no such object.
    #[error("there is no {source_name}")]
    Missing {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
    },
    /// The cluster does not know the kind.
    #[error("the cluster knows no {kind} ({api_version}), so there is no {source_name}")]
    UnknownKind {
        /// `MigrationSchedule`.
        kind: &'static str,
        /// `stork.libopenstorage.org/v1alpha1`.
        api_version: &'static str,
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
    },
    /// It has never copied anything.
    #[error("{source_name} has no copy that succeeded{also}")]
    Never {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
        /// `; it is suspended`.
        also: String,
    },
    /// Its last try failed.
    #[error("the last copy of {source_name} failed: {what}")]
    Failed {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
        /// Which, when, and what stands before it.
        what: String,
    },
    /// The object here is a copy that nobody updates.
    #[error(
        "{source_name} is a suspended copy without a status: Stork notes what it did in the cluster that it copies from"
    )]
    StaticCopy {
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
        /// `fresh[0].maxAge`.
        setting: String,
        /// `30m`.
        limit: String,
        /// Which copy.
        identity: String,
    },
    /// The data are from the future.
    #[error("the data are from {at}, and by the API server's clock it is {now} ({identity})")]
    Future {
        /// `2026-11-25T01:00:00Z`.
        at: String,
        /// `2026-11-25T00:00:00Z`.
        now: String,
        /// Which copy.
        identity: String,
    },
    /// The object does not look as its project published it.
    #[error("{source_name} cannot be read: {detail}")]
    Unreadable {
        /// `MigrationSchedule portworx/pxbbq`.
        source_name: String,
        /// What does not fit.
        detail: String,
    },
    /// The kubeconfig of the other cluster cannot be used.
    #[error("the kubeconfig {} of the other cluster cannot be used: {detail}", file.display())]
    Kubeconfig {
        /// Where it is.
        file: PathBuf,
        /// Why.
        detail: String,
    },
    /// The other cluster said something.
    #[error("{cause} (in the cluster of {})", file.display())]
    Elsewhere {
        /// The kubeconfig.
        file: PathBuf,
        /// What it said.
        cause: Box<ClusterError>,
    },
}

impl Diagnostic for FreshError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "T0730",
            Self::UnknownKind { .. } => "T0731",
            Self::Never { .. } => "T0732",
            Self::Failed { .. } => "T0733",
            Self::StaticCopy { .. } => "T0734",
            Self::TooOld { .. } => "T0735",
            Self::Future { .. } => "T0736",
            Self::Unreadable { .. } => "T0737",
            Self::Kubeconfig { .. } => "T0738",
            Self::Elsewhere { cause, .. } => cause.code(),
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Missing { .. } => {
                "mend its name under `fresh`; if it is in another cluster, name that one with `kubeconfig`"
            }
            Self::UnknownKind { .. } => {
                "is it another cluster's? name that one with `kubeconfig`; else remove the source from `fresh`"
            }
            Self::Never { .. } => "wait until it has copied once, or see why it does not",
            Self::Failed { .. } => "mend the copying and let it succeed once, then sync again",
            Self::StaticCopy { .. } => "name the cluster that it copies from with `kubeconfig`",
            Self::TooOld { setting, .. } => {
                return Some(format!("let it copy again, then sync again; or raise {setting}"));
            }
            Self::Future { .. } => "mend the clock of one of them",
            Self::Unreadable { .. } => "is it another version of the project? report it",
            Self::Kubeconfig { .. } => "mend the Secret that holds it, or where it is mounted",
            Self::Elsewhere { cause, .. } => return cause.help(),
        };
        Some(help.to_owned())
    }
}
