//! The capture: everything that `pre` or `post` recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AppName, AttemptId, DataKind, DeclaredChange, Expectation, Failure, Metric, MetricDeclaration, Rule, RunId,
    ServerFacts, Severity, Side, Usage, UsageLimits,
};

/// Everything that one side of a run recorded. It is written last: an attempt without a capture is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// [`crate::schema::CAPTURE`].
    pub schema: String,
    /// The app.
    pub app: AppName,
    /// The run.
    pub run: RunId,
    /// Whether `pre` or `post` recorded it.
    pub side: Side,
    /// The attempt at that side.
    pub attempt: AttemptId,
    /// Version of Taster that wrote it.
    pub taster: String,
    /// When the attempt began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When the last probe ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// The only clock that probes see. `post` uses the baseline's, so that a probe cannot tell `pre` from `post`.
    #[schemars(with = "String")]
    pub probe_clock: Timestamp,
    /// The only random seed that probes see, in hexadecimal. `post` uses the baseline's.
    pub probe_seed: String,
    /// The server.
    pub server: ServerFacts,
    /// Whether the server holds a copy of the data or the live data.
    #[serde(default)]
    pub data: DataKind,
    /// The workloads on the cluster during the capture: databases first, then applications. Empty if no cluster is
    /// configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadFacts>,
    /// How the capture was read at one point in time.
    #[serde(default)]
    pub consistency: Consistency,
    /// Every collection of the database, sorted by name. Of system collections, only `system.js`.
    pub collections: Vec<CollectionFacts>,
    /// The result of each probe, in the order of the configuration.
    pub probes: Vec<ProbeRecord>,
    /// Every census that a metric refers to, sorted by probe and id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub censuses: Vec<CensusFacts>,
    /// Key of the digests of all censuses: 192 bytes in hexadecimal. `post` uses the baseline's. The key makes it possible
    /// to guess low-entropy values from their digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub census_key: Option<String>,
    /// The declared changes (`changes`) of the configuration at the time of the capture.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::stored_changes")]
    #[schemars(schema_with = "crate::stored_changes::json_schema")]
    pub changes: Vec<DeclaredChange>,
    /// The expectations of the configuration that never decide: those that are muted or only warn. Absent in captures of
    /// older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_expectations: Option<Vec<Expectation>>,
    /// The commit that is synced, if somebody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Every other stored object of this attempt, with length and checksum.
    pub objects: Vec<ObjectRef>,
}

/// A workload of the cluster, as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadFacts {
    /// `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Images of its containers, in the order of its specification.
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

/// How a capture was read at one point in time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consistency {
    /// How the database was read.
    pub reading: ReadMode,
    /// How often probes were run again because the data changed while they read.
    #[serde(default)]
    pub rescans: u32,
    /// Collections that were created, dropped or altered during the capture, even in the last rescan. A probe whose
    /// collections were written to has failed instead; its metrics are not in the capture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unstable: Vec<String>,
}

/// How the database is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Reading")]
pub enum ReadMode {
    /// Every read at the same cluster time.
    Snapshot,
    /// Each read at its own cluster time, long scans in ranges of `_id`. A change stream or the server's write counters
    /// show whether anything was written in between.
    Ranges,
    /// Without snapshots. The server's write counters show whether anything was written in between.
    #[default]
    Live,
}

/// One collection of the database, as the server describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollectionFacts {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: CollectionKind,
    /// Its UUID, if it has one. A collection that is dropped and created again has a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Its options in canonical form, as canonical Extended JSON.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub options: serde_json::Value,
    /// Its indexes in canonical form, sorted by name, as canonical Extended JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<serde_json::Value>,
    /// Names of its indexes that were still being built. They are not among `indexes`: a build may fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub building: Vec<String>,
    /// Its estimated document count: fast, and wrong after an unclean shutdown. Used in reports and for collections that no
    /// probe covers; probes count exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// SHA-256 in hexadecimal of each document of `system.js`, by its `_id`. Absent of other collections, and if the user may not
    /// read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<BTreeMap<String, String>>,
}

/// The collection of the functions that are stored in a database.
pub const STORED_FUNCTIONS: &str = "system.js";

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
    /// Granted to a probe, but not found.
    Absent,
}

/// A collection that a probe may read, and the role it has for the probe.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CollectionGrant {
    /// Name of the collection.
    pub name: String,
    /// Its role for the probe.
    pub role: String,
}

impl CollectionGrant {
    /// A collection with the role `any`.
    #[must_use]
    pub fn any(name: &str) -> Self {
        Self { name: name.to_owned(), role: "any".to_owned() }
    }
}

/// One probe of a capture: what was configured, and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeRecord {
    /// Name in the configuration.
    pub name: String,
    /// Where the component came from, as configured.
    pub component: String,
    /// SHA-256 of the component, in hexadecimal. Empty if it could not be read.
    pub sha256: String,
    /// Version in the probe's manifest. Empty if the probe could not be loaded.
    pub version: String,
    /// What its results mean. Absent if the probe does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultsVersion>,
    /// SHA-256 of its configured options and collections.
    pub options_sha256: String,
    /// The collections that it may read.
    pub collections: Vec<CollectionGrant>,
    /// Whether its findings decide the verdict.
    pub severity: Severity,
    /// Its findings are reported and never decide the verdict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// The metrics that it declares, with its own expectations.
    pub declarations: Vec<MetricDeclaration>,
    /// Its metrics, or why it failed.
    pub outcome: ProbeOutcome,
    /// What it used of its limits.
    pub usage: Usage,
    /// Its limits. Absent in captures of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<UsageLimits>,
}

/// What the results of a probe mean: components with the same name and version return the same metrics for the same data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResultsVersion {
    /// Name in the probe's manifest.
    pub probe: String,
    /// Version of its results.
    pub version: NonZeroU32,
}

impl ProbeRecord {
    /// Whether `later` has the same component, or one that returns the same results: both say so, and what this one declares of
    /// its metrics still holds. A declaration that is new must not be about them: the most specific one applies, and it could
    /// make a loss expected.
    #[must_use]
    pub fn has_results_of(&self, later: &Self) -> bool {
        if (&self.sha256, &self.version) == (&later.sha256, &later.version) {
            return true;
        }
        let keeps = |declared: &MetricDeclaration| {
            let again = later.declarations.iter().find(|one| one.name == declared.name);
            again.is_some_and(|one| MetricDeclaration { summary: declared.summary.clone(), ..one.clone() } == *declared)
        };
        let is_new = |declared: &&MetricDeclaration| !self.declarations.iter().any(|one| one.name == declared.name);
        let is_about =
            |declared: &MetricDeclaration| self.metrics().iter().any(|metric| declared.name.matches(&metric.name));
        self.results.is_some()
            && self.results == later.results
            && !later.declarations.iter().filter(is_new).any(is_about)
            && self.is_standard() == later.is_standard()
            && self.declarations.iter().all(keeps)
    }

    /// Whether it is a probe of Taster's own: its component is configured by its bare name.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        self.results.as_ref().is_some_and(|results| results.probe == self.component)
    }

    /// Whether a metric says why nothing is known of a collection: the probe declares it as [`Rule::Absent`].
    #[must_use]
    pub fn is_failure(&self, metric: &Metric) -> bool {
        self.declarations.iter().any(|declaration| {
            declaration.expect == Some(Rule::Absent)
                && declaration.kind == metric.value.kind()
                && declaration.name.is_exact()
                && declaration.name.matches(&metric.name)
        })
    }

    /// Its metrics; none if it failed.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        match &self.outcome {
            ProbeOutcome::Metrics(metrics) => metrics,
            ProbeOutcome::Failed(_) => &[],
        }
    }

    /// The metrics that say why nothing is known of a collection.
    pub fn failures(&self) -> impl Iterator<Item = &Metric> {
        self.metrics().iter().filter(|metric| self.is_failure(metric))
    }
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Outcome")]
pub enum ProbeOutcome {
    /// Its metrics, sorted by name and labels.
    Metrics(Vec<Metric>),
    /// Why it failed.
    Failed(Failure),
}

impl Capture {
    /// Documents of the collections that probes read, each collection counted once, however many probes read it. Exact where a
    /// census counted them, otherwise the server's estimate.
    #[must_use]
    pub fn documents_read(&self) -> u64 {
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        for facts in &self.collections {
            counted.insert(&facts.name, facts.documents.unwrap_or_default());
        }
        let whole =
            self.censuses.iter().filter(|census| census.options.get("filter").is_none_or(serde_json::Value::is_null));
        for census in whole {
            counted.insert(&census.collection, census.documents);
        }
        let read: BTreeSet<&str> =
            self.probes.iter().flat_map(|probe| &probe.usage.collections).map(String::as_str).collect();
        read.iter().filter_map(|name| counted.get(name)).sum()
    }
}

/// A stored object of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// Key relative to the run.
    pub key: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Summary of one census; its documents are in a stored object of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CensusFacts {
    /// The probe that requested it.
    pub probe: String,
    /// Its id, as the metric refers to it.
    pub id: String,
    /// The collection.
    pub collection: String,
    /// Key of its object, relative to the run; one of `objects`.
    pub object: String,
    /// Number of documents.
    pub documents: u64,
    /// Size of the documents in BSON.
    pub bytes: u64,
    /// What it covers and in which detail. `post` records with the options of the baseline.
    pub options: serde_json::Value,
    /// Sum over all documents, 128 bits in hexadecimal. With equal keys and options, equal sums mean equal documents.
    pub sum: String,
}
