//! The database server that a capture read.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ReadMoment;

/// The server that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerFacts {
    /// `6.0.5`.
    pub version: String,
    /// What kind of deployment.
    pub topology: Topology,
    /// Name of the replica set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_set: Option<String>,
    /// `hello.topologyVersion.processId`: another one means that mongod was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// The hosts that the connection string names. Absent in captures of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<String>,
    /// The database.
    pub database: String,
    /// Cluster time of the snapshot, or of the end of a read in ranges: `seconds.increment`. Absent on standalone servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    /// The server's clock when its collections were listed for the read that counts. Absent in captures of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub clock: Option<Timestamp>,
    /// Members of the replica set, the one that was read first. They identify the copy of the data. Of a member that did
    /// not answer, only the address is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<ReplicaMember>,
    /// Volumes that hold the data, `claim=volume`, sorted. Empty if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The last copy that each configured replication system made, in the order of the configuration. Empty if none is
    /// configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<String>,
}

impl ServerFacts {
    /// When it was read.
    #[must_use]
    pub fn moment(&self) -> ReadMoment {
        ReadMoment { cluster_time: self.read_at.clone(), clock: self.clock }
    }
}

/// One server process that holds the data, and every start that its data files list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct ReplicaMember {
    /// Its address in the replica set's configuration. Absent on a standalone server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `hello.topologyVersion.processId`: a new one means that mongod was restarted. Absent if it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_id: Option<String>,
    /// Ids of `local.startup_log`, oldest first. Empty if the user may not read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub startups: Vec<String>,
}

/// What kind of deployment a server belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// A single mongod without a replica set: no snapshots.
    Standalone,
    /// A replica set, of one or more members.
    ReplicaSet,
    /// Behind mongos.
    Sharded,
}
