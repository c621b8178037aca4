//! The object that reports copies of the data.

use std::fmt;

use kube::{api::ApiResource, core::GroupVersionKind};

/// The object that reports copies of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    /// Its kind.
    pub kind: CopySourceKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A kind that reports copies of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopySourceKind {
    /// Stork: the last successful item of each policy of a `MigrationSchedule`.
    MigrationSchedule,
    /// VolSync: `status.lastSyncTime` of a `ReplicationDestination`.
    ReplicationDestination,
    /// VolSync: `status.lastSyncTime` of a `ReplicationSource`.
    ReplicationSource,
    /// CSI: when a `VolumeSnapshot` was taken.
    VolumeSnapshot,
}

impl CopySourceKind {
    /// `VolumeSnapshot`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MigrationSchedule => "MigrationSchedule",
            Self::ReplicationDestination => "ReplicationDestination",
            Self::ReplicationSource => "ReplicationSource",
            Self::VolumeSnapshot => "VolumeSnapshot",
        }
    }

    /// `snapshot.storage.k8s.io/v1`.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::MigrationSchedule => "stork.libopenstorage.org/v1alpha1",
            Self::ReplicationDestination | Self::ReplicationSource => "volsync.backube/v1alpha1",
            Self::VolumeSnapshot => "snapshot.storage.k8s.io/v1",
        }
    }

    pub(super) fn resource(self) -> ApiResource {
        let plural = format!("{}s", self.as_str().to_lowercase());
        let (group, version) = self.api_version().split_once('/').unwrap_or_default();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, self.as_str()), &plural)
    }
}

impl fmt::Display for CopySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_resource() {
        for (kind, group, plural) in [
            (CopySourceKind::MigrationSchedule, "stork.libopenstorage.org", "migrationschedules"),
            (CopySourceKind::ReplicationDestination, "volsync.backube", "replicationdestinations"),
            (CopySourceKind::ReplicationSource, "volsync.backube", "replicationsources"),
            (CopySourceKind::VolumeSnapshot, "snapshot.storage.k8s.io", "volumesnapshots"),
        ] {
            let resource = kind.resource();
            assert_eq!((resource.group.as_str(), resource.plural.as_str()), (group, plural));
            assert_eq!(resource.api_version, kind.api_version());
        }
    }
}
