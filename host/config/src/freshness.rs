//! `freshness`: how old the data may be, and which source reports their age.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_cluster::{CopySource, CopySourceKind};
use taster_model::Severity;

use super::{
    error::{ConfigError, inconsistent},
    names::is_object_name,
    units::Period,
};

/// The maximum age of the data, and the source that reports their age.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FreshnessRule {
    /// The source of the age.
    pub source: FreshnessSource,
    /// How old the data may be.
    pub max_age: Period,
    /// The kubeconfig of the source's cluster, if Taster runs in another cluster.
    pub kubeconfig: Option<PathBuf>,
    /// `fail`: with older data `pre` exits 4. `warn`: it logs a warning and continues.
    pub severity: Severity,
}

/// A source of the age of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreshnessSource {
    /// A system that copies them.
    Copy(CopySource),
    /// The newest document of a collection.
    Newest(Newest),
}

/// A field of documents that grows with time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Newest {
    /// The collection. An index on the field makes this query cheap.
    pub collection: String,
    /// A field that holds dates, timestamps or `ObjectId`s.
    pub field: String,
}

/// One entry of `freshness`, as it is written: exactly one source.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    /// Stork: the last successful item of each policy of a `MigrationSchedule`, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    migration_schedule: Option<String>,
    /// VolSync: the last sync of a `ReplicationDestination`, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replication_destination: Option<String>,
    /// VolSync: the last sync of a `ReplicationSource`, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replication_source: Option<String>,
    /// CSI: when a `VolumeSnapshot` was taken, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    volume_snapshot: Option<String>,
    /// The newest document of a collection. Needs no cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Newest>,
    /// How old the data may be.
    max_age: Period,
    /// A kubeconfig of the cluster that the source is in. Default: the cluster that Taster runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kubeconfig: Option<PathBuf>,
    /// `fail`: with older data `pre` exits 4. `warn`: it logs a warning and continues.
    #[serde(default)]
    severity: Severity,
}

impl JsonSchema for FreshnessRule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FreshnessRule".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Written::json_schema(generator);
        let one = SOURCES.map(|source| serde_json::json!({"required": [source]}));
        schema.insert("oneOf".to_owned(), one.to_vec().into());
        schema
    }
}

/// Each entry has exactly one of these keys.
const SOURCES: [&str; 5] =
    ["migrationSchedule", "replicationDestination", "replicationSource", "volumeSnapshot", "newest"];

impl TryFrom<Written> for FreshnessRule {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        let Written { max_age, kubeconfig, severity, .. } = written;
        let copies = [
            (SOURCES[0], written.migration_schedule, CopySourceKind::MigrationSchedule),
            (SOURCES[1], written.replication_destination, CopySourceKind::ReplicationDestination),
            (SOURCES[2], written.replication_source, CopySourceKind::ReplicationSource),
            (SOURCES[3], written.volume_snapshot, CopySourceKind::VolumeSnapshot),
        ];
        let mut sources = Vec::new();
        for (key, given, kind) in copies {
            let Some(given) = given else { continue };
            let named =
                given.split_once('/').filter(|(namespace, name)| is_object_name(namespace) && is_object_name(name));
            let Some((namespace, name)) = named else {
                return Err(format!("`{key}: {given}` is not written as `namespace/name`"));
            };
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            sources.push((key, FreshnessSource::Copy(CopySource { kind, namespace, name })));
        }
        sources.extend(written.newest.map(|newest| (SOURCES[4], FreshnessSource::Newest(newest))));
        match sources.len() {
            1 => {}
            0 => return Err(format!("a `freshness` entry needs exactly one source: {}", SOURCES.join(", "))),
            _ => {
                let keys: Vec<&str> = sources.iter().map(|(key, _)| *key).collect();
                return Err(format!(
                    "a `freshness` entry has exactly one source, and this one has {}",
                    keys.join(" and ")
                ));
            }
        }
        let source = sources.remove(0).1;
        if matches!(source, FreshnessSource::Newest(_)) && kubeconfig.is_some() {
            return Err("`newest` asks the database, which needs no kubeconfig".to_owned());
        }
        Ok(Self { source, max_age, kubeconfig, severity })
    }
}

impl From<FreshnessRule> for Written {
    fn from(fresh: FreshnessRule) -> Self {
        let FreshnessRule { source, max_age, kubeconfig, severity } = fresh;
        let mut written = Self {
            migration_schedule: None,
            replication_destination: None,
            replication_source: None,
            volume_snapshot: None,
            newest: None,
            max_age,
            kubeconfig,
            severity,
        };
        match source {
            FreshnessSource::Copy(CopySource { kind, namespace, name }) => {
                let key = match kind {
                    CopySourceKind::MigrationSchedule => &mut written.migration_schedule,
                    CopySourceKind::ReplicationDestination => &mut written.replication_destination,
                    CopySourceKind::ReplicationSource => &mut written.replication_source,
                    CopySourceKind::VolumeSnapshot => &mut written.volume_snapshot,
                };
                *key = Some(format!("{namespace}/{name}"));
            }
            FreshnessSource::Newest(newest) => written.newest = Some(newest),
        }
        written
    }
}

impl fmt::Display for FreshnessSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copy(source) => write!(f, "{source}"),
            Self::Newest(Newest { collection, field }) => write!(f, "newest {collection}.{field}"),
        }
    }
}

/// Refuses sources that are listed twice, and invalid names of collections and fields.
pub(super) fn check(fresh: &[FreshnessRule]) -> Result<(), ConfigError> {
    for (index, entry) in fresh.iter().enumerate() {
        let at = || format!("freshness[{}]", entry.source);
        let same = |other: &FreshnessRule| (&other.source, &other.kubeconfig) == (&entry.source, &entry.kubeconfig);
        if fresh[..index].iter().any(same) {
            return Err(inconsistent(at(), "the same source is listed twice", "keep one of them"));
        }
        let FreshnessSource::Newest(Newest { collection, field }) = &entry.source else { continue };
        if collection.is_empty() || collection.starts_with("system.") || collection.contains(['$', '\0']) {
            let message = format!("`{collection}` is not a collection that can be compared");
            return Err(inconsistent(at(), message, "name a collection that is not a system collection"));
        }
        let whole = |name: &str| !name.is_empty() && !name.starts_with('$') && !name.contains('\0');
        if !field.split('.').all(whole) {
            let help = "names joined by dots, such as `created` or `meta.created`";
            return Err(inconsistent(at(), format!("`{field}` is no field"), help));
        }
    }
    Ok(())
}
