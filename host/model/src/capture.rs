//! What one side of a run recorded.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AppName, AttemptId, DataKind, DeclaredChange, Failure, Member, Metric, MetricDeclaration, RunId, Severity, Side,
    Usage, UsageLimits,
};

/// Everything that one side of a run recorded. Written last: an attempt without it never happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// [`crate::schema::CAPTURE`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// Which side.
    pub side: Side,
    /// Which attempt at it.
    pub attempt: AttemptId,
    /// Version of Taster that wrote it.
    pub taster: String,
    /// When the attempt began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When the last probe ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// The only clock that guests see. `post` uses the baseline's, so that a probe cannot tell the sides apart.
    #[schemars(with = "String")]
    pub probe_clock: Timestamp,
    /// The only entropy that guests see, in hexadecimal. `post` uses the baseline's.
    pub probe_seed: String,
    /// The server.
    pub server: ServerFacts,
    /// Whether the server holds a copy or the data themselves.
    #[serde(default)]
    pub data: DataKind,
    /// What ran on the cluster when this was taken: the database first, then the applications. Empty where no cluster is
    /// configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadFacts>,
    /// How it was made sure that everything is of one moment.
    #[serde(default)]
    pub consistency: Consistency,
    /// Every collection of the database that is not the system's, by name.
    pub collections: Vec<CollectionFacts>,
    /// How each probe ended, in the order of the configuration.
    pub probes: Vec<ProbeRecord>,
    /// Every census that a metric names, by probe and id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub censuses: Vec<CensusFacts>,
    /// What the digests of all censuses are keyed with: 192 bytes in hexadecimal. `post` uses the baseline's. Whoever has
    /// it can guess values of few possibilities from the digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub census_key: Option<String>,
    /// What the migration is meant to do, as the configuration said when this was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<DeclaredChange>,
    /// Every other object of this attempt, with length and checksum.
    pub objects: Vec<ObjectRef>,
}

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
    /// The database.
    pub database: String,
    /// The cluster time at which everything was read, `seconds.increment`. Absent on standalone servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    /// Every member of the set, the one that was read first; one that did not answer with nothing but its address. They
    /// say which copy of the data it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// The volumes that the data lie on, `claim=volume`, sorted. Empty where nobody can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Which copy each of the systems that copy the data made last, in the order of the configuration. Empty where none is
    /// asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<String>,
}

/// A workload of the cluster, as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadFacts {
    /// `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What its containers run, in the order of its specification.
    #[serde(default)]
    pub images: Vec<ContainerImage>,
}

/// The image of one container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ContainerImage {
    /// Name of the container.
    pub container: String,
    /// `quay.io/px-tme/pxbbq:v4.3`.
    pub image: String,
}

/// How it was made sure that everything in a capture is of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consistency {
    /// How the database was read.
    pub reading: Reading,
    /// How often probes had to read again, because something was written while they read.
    #[serde(default)]
    pub rescans: u32,
    /// Collections that were made, dropped or altered while the capture was taken, until the last rescan. What probes
    /// found of collections that were written to is not in the capture; it is their failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unstable: Vec<String>,
}

/// How the database is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Everything at one cluster time.
    Snapshot,
    /// Each read at a cluster time of its own, long scans in ranges of `_id`; a witness shows that nothing was written
    /// meanwhile.
    Ranges,
    /// The data of the moment; a witness shows that nothing was written meanwhile.
    #[default]
    Live,
}

/// What kind of deployment a server belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// One mongod by itself: no snapshots.
    Standalone,
    /// A replica set, of one member or many.
    ReplicaSet,
    /// Behind mongos.
    Sharded,
}

/// One collection of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollectionFacts {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: CollectionKind,
    /// Its UUID, where it has one. Changes when it is dropped and made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Its options in canonical form, as canonical Extended JSON.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub options: serde_json::Value,
    /// Its indexes in canonical form, sorted by name, as canonical Extended JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<serde_json::Value>,
    /// How many documents the server believes it has: fast, and wrong after an unclean shutdown. For people and for
    /// collections that nobody covers; probes count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
}

/// What a collection is on the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CollectionKind {
    /// An ordinary collection.
    #[default]
    Collection,
    /// A view.
    View,
    /// A time-series collection.
    TimeSeries,
    /// Granted, but not there.
    Absent,
}

/// One collection that a probe was given, and the role it plays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CollectionGrant {
    /// Name of the collection.
    pub name: String,
    /// Role that it plays for the probe.
    pub role: String,
}

impl CollectionGrant {
    /// A collection that plays no role in particular.
    #[must_use]
    pub fn any(name: &str) -> Self {
        Self { name: name.to_owned(), role: "any".to_owned() }
    }
}

/// How one probe ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeRecord {
    /// Name in the configuration.
    pub name: String,
    /// Where the component came from, as configured.
    pub component: String,
    /// SHA-256 of the component, in hexadecimal. Empty where it could not be read.
    pub sha256: String,
    /// Version that the probe gives itself. Empty where it could not be loaded.
    pub version: String,
    /// SHA-256 of what the operator configured for it: options and collections.
    pub options_sha256: String,
    /// What it was given.
    pub collections: Vec<CollectionGrant>,
    /// Whether its findings gate.
    pub severity: Severity,
    /// Reported, but never gating.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// The metrics that it may return, with its own expectations.
    pub declarations: Vec<MetricDeclaration>,
    /// What came of it.
    pub outcome: Outcome,
    /// What it used of its limits.
    pub usage: Usage,
    /// Its limits. Absent in captures of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<UsageLimits>,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It returned metrics, sorted by name and labels.
    Metrics(Vec<Metric>),
    /// It did not.
    Failed(Failure),
}

/// An object that belongs to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// Key relative to the run.
    pub key: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// One census, in short; the documents stand in its object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CensusFacts {
    /// The probe that asked for it.
    pub probe: String,
    /// What its metric calls it.
    pub id: String,
    /// The collection.
    pub collection: String,
    /// Key of its object, relative to the run; one of `objects`.
    pub object: String,
    /// Documents.
    pub documents: u64,
    /// Size of the documents, in BSON.
    pub bytes: u64,
    /// What it covers and how finely; `post` takes over what it must.
    pub options: serde_json::Value,
    /// Sum over all documents, 128 bits in hexadecimal: equal sums under equal keys and options are equal documents.
    pub sum: String,
}
