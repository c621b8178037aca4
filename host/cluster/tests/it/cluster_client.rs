//! Clients of the crate under test for the control plane of the testkit.

use kube::Client;
use taster_cluster::{Cluster, ProcessIdentity};
use taster_testkit::control_plane;

/// A cluster client with the administrator's rights.
pub(crate) async fn cluster(namespace: &str, me: ProcessIdentity) -> Cluster {
    cluster_of(control_plane::client().await, namespace, me)
}

/// A cluster client with the rights of `client`.
pub(crate) fn cluster_of(client: Client, namespace: &str, me: ProcessIdentity) -> Cluster {
    Cluster::with_client(client, namespace, "shop".parse().expect("an app"), me)
}
