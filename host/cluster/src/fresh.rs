//! How old the copied data are: what the system that copies them says of its last success.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::{Cluster, ClusterError};

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

/// The last copy that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// From when the data are: when the copying of them began.
    pub at: Timestamp,
    /// Which copy it is: equal for equal copies, and for no others. `migrationschedule/portworx/pxbbq Interval pxbbq-2026…`.
    pub identity: String,
    /// What else the source says: a later one that failed, one that is running, that it is suspended.
    pub notes: Vec<String>,
}

impl Cluster {
    /// Asks a source. `kubeconfig` names the cluster it is in, where that is another one.
    ///
    /// # Errors
    /// The source is missing, has never succeeded, or its last try failed.
    pub async fn copied(&self, _source: &CopySource, _kubeconfig: Option<&PathBuf>) -> Result<Copied, ClusterError> {
        todo!()
    }
}
