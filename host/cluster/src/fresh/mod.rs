//! How old the copied data are: what the system that copies them says of its last success.

mod age;
mod ask;
mod error;
mod snapshot;
mod stork;
mod volsync;

use std::fmt;

use jiff::Timestamp;

pub use age::young_enough;
pub(crate) use ask::connect;
pub use error::FreshError;

/// Who copies the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopySource {
    /// Stork: the last successful item of each policy of a `MigrationSchedule`.
    MigrationSchedule {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// VolSync: `status.lastSyncTime` of a `ReplicationDestination`.
    ReplicationDestination {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// VolSync: `status.lastSyncTime` of a `ReplicationSource`.
    ReplicationSource {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// CSI: when a `VolumeSnapshot` was taken.
    VolumeSnapshot {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl CopySource {
    /// Its kind, as Kubernetes writes it.
    fn kind(&self) -> &'static str {
        match self {
            Self::MigrationSchedule { .. } => "MigrationSchedule",
            Self::ReplicationDestination { .. } => "ReplicationDestination",
            Self::ReplicationSource { .. } => "ReplicationSource",
            Self::VolumeSnapshot { .. } => "VolumeSnapshot",
        }
    }

    /// Namespace and name.
    fn place(&self) -> (&str, &str) {
        match self {
            Self::MigrationSchedule { namespace, name }
            | Self::ReplicationDestination { namespace, name }
            | Self::ReplicationSource { namespace, name }
            | Self::VolumeSnapshot { namespace, name } => (namespace, name),
        }
    }
}

impl fmt::Display for CopySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, name) = self.place();
        write!(f, "{} {namespace}/{name}", self.kind())
    }
}

/// The last copy that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// From when the data are: when the copying of them began.
    pub at: Timestamp,
    /// When it was asked, by the clock of the API server that was asked: it and the controllers that wrote `at` share a
    /// cluster.
    pub asked: Timestamp,
    /// Which copy it is: equal for equal copies, and for no others. `MigrationSchedule portworx/pxbbq Interval pxbbq-interval-2026…`.
    pub identity: String,
    /// What else the source says: one that is running, that it is suspended.
    pub notes: Vec<String>,
}

/// What an object says of its last success.
#[derive(Debug)]
struct Told {
    /// From when the data are.
    at: Timestamp,
    /// Which copy, within the source.
    which: String,
    /// What else it says.
    notes: Vec<String>,
}

/// `; it is paused; one is running`: what else a source says, behind an error's text.
fn also(notes: &[String]) -> String {
    let mut text = String::new();
    for note in notes {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}
