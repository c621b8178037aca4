//! `taster.yaml`: what a team writes. One file, read once, checked whole before anything is touched.

mod changes;
mod check;
mod cluster;
mod component;
mod documents;
mod error;
mod fresh;
mod notify;
mod read;
mod store;
mod units;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use taster_model::{AppName, DataKind, DeclaredChange, Expectation, Severity};

pub use cluster::{ClusterSection, LockRule, Scaling, WhenBusy};
pub use component::ComponentSource;
pub use documents::{Redact, RedactedField, Report, Scan, Secret};
pub use error::{ConfigError, Place};
pub use fresh::{Fresh, Newest, Source};
pub use notify::{Application, GitHub, Notify};
pub use read::{load, parse};
pub use store::{OnConditions, RetentionSection, S3Section, ServerSideEncryption};
pub use units::{Delay, Period, Size};

/// The configuration of one app.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Name of the app; results are kept under it.
    pub app: AppName,
    /// Where results are kept: `s3://bucket/prefix`, `file:///var/lib/taster`. Default `file://./.taster`.
    #[serde(default = "default_store")]
    pub store: String,
    /// How an S3 store is reached, where its URL and the environment do not say it all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub s3: S3Section,
    /// Which runs `taster gc` may remove. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retention: RetentionSection,
    /// The database that is tasted.
    pub mongodb: Mongodb,
    /// What is asked of it. Default: `census`, `document-count`, `index-inventory` and `schema-shape` over every collection.
    #[serde(default = "standard_set")]
    pub probes: Vec<Probe>,
    /// How metrics may change across the sync. Of several that match, the most specific one counts.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// What the migration is meant to do, known to `pre` already. Each is proven, and one that did not happen is a finding.
    #[serde(default)]
    pub changes: Vec<DeclaredChange>,
    /// What reports say of documents.
    #[serde(default)]
    pub report: Report,
    /// What of documents is not written down.
    #[serde(default)]
    pub redact: Redact,
    /// How collections are read for a census.
    #[serde(default)]
    pub scan: Scan,
    /// Workloads that are scaled up for tasting, and back. Default: nothing is scaled, and no cluster is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterSection>,
    /// How old the data may be before the sync, by those who know. Default: any age.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fresh: Vec<Fresh>,
    /// A baseline that is older than this makes the verdict `unknown`; it is not replaced. Default: any age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_baseline_age: Option<Period>,
    /// Who is told of the verdict at the end of `post`. What cannot be told is said, and changes no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
    /// Refuse components that carry no `sha256`. Standard probes are part of the host and need none.
    #[serde(default)]
    pub require_pins: bool,
    /// Refuse a user who may do more than read, and a server that asks for no user. Default: warn of the former.
    #[serde(default)]
    pub require_read_only_user: bool,
}

/// The database that is tasted.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mongodb {
    /// A connection string: `mongodb://…` or `mongodb+srv://…`. Keep it out of the file: `${MONGODB_URI}`.
    pub uri: String,
    /// The database. Default: the one that the connection string names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `copy`: a copy of other data, replaced as a whole from time to time; only captures of the same copy are compared.
    /// `live`: the data themselves; documents that are newer than the baseline are allowed.
    #[serde(default)]
    pub data: DataKind,
    /// How long to look for a server before giving up.
    #[serde(default = "default_connect")]
    pub connect: Period,
    /// How long the members of a replica set may take to get as far as the moment that is read. Default `30s`.
    #[serde(default = "default_connect")]
    pub reach: Period,
    /// How long nothing may have been written before documents are read without a snapshot. Default `1s`.
    #[serde(default = "default_quiet")]
    pub quiet: Period,
    /// How often probes read again when something was written while they read. Default 3.
    #[serde(default = "default_rescans")]
    pub rescans: u32,
}

impl fmt::Debug for Mongodb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mongodb").field("uri", &"***").field("database", &self.database).finish_non_exhaustive()
    }
}

/// One probe and what it is given.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Probe {
    /// Name of the probe in this file; findings carry it.
    pub name: String,
    /// A standard probe by its bare name, or a path beside this file: `./checks/menu.wasm`.
    pub component: String,
    /// SHA-256 of the component, in hexadecimal. Another component is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What it may read: a list, or one or more collections a role. Default: every collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collections: Option<Collections>,
    /// `fail`: its findings and failures decide the verdict. `warn`: they are reported.
    #[serde(default)]
    pub severity: Severity,
    /// Report, and never let it decide anything.
    #[serde(default)]
    pub muted: bool,
    /// Handed to the probe as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
    /// What it may use; each has a default.
    #[serde(default)]
    pub limits: Limits,
}

/// What a probe may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Collections {
    /// For probes with one role.
    List(Vec<String>),
    /// By role.
    Roles(BTreeMap<String, OneOrMany>),
}

impl Collections {
    /// The names, whatever their roles.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::List(names) => names.iter().map(String::as_str).collect(),
            Self::Roles(roles) => roles.values().flat_map(OneOrMany::names).map(String::as_str).collect(),
        }
    }
}

/// One collection, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// What one probe may use. Every limit has a default; a refusal names the limit and its setting.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(default)]
pub struct Limits {
    /// Wall time of a run. Default `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Period>,
    /// Wall time of all censuses of a run, which counts against no other limit. Default `6h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub census: Option<Period>,
    /// Sum of all memories and tables. Default `256MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Documents read. Default 100 000 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// Bytes of documents read. Default `1TiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Size>,
    /// Server cursors open at a time. Default 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursors: Option<u32>,
    /// Time the server spends on its reads. Default `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_time: Option<Period>,
    /// Bytes of one batch handed to the probe, unless one document is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Size>,
    /// Metrics in a result. Default 10 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<u32>,
    /// Bytes of a result. Default `1MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_bytes: Option<Size>,
    /// Bytes of log kept. Default `64KiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<Size>,
    /// Handles of resources alive at a time. Default 10 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handles: Option<u32>,
    /// Bytes the host allocates for one call of the probe. Default `8MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostcall_bytes: Option<Size>,
    /// Size of the component. Default `64MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_size: Option<Size>,
}

impl<'de> Deserialize<'de> for Collections {
    // not `#[serde(untagged)]`: its one error for everything, "did not match any variant", helps nobody
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Collections;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of collections, or collections by role")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Collections, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Collections::List)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Collections, A::Error> {
                BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map)).map(Collections::Roles)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Where results go when nobody said.
pub const DEFAULT_STORE: &str = "file://./.taster";

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_store() -> String {
    DEFAULT_STORE.to_owned()
}

fn default_connect() -> Period {
    Period::from_secs(30)
}

fn default_quiet() -> Period {
    Period::from_secs(1)
}

fn default_rescans() -> u32 {
    3
}

/// How long one census may take when nobody said: collections of many millions of documents are no exception.
pub const DEFAULT_CENSUS: Period = Period::from_secs(6 * 60 * 60);

/// The probes that run when a configuration names none: those that need no options.
#[must_use]
pub fn standard_set() -> Vec<Probe> {
    ["census", "document-count", "index-inventory", "schema-shape"].into_iter().map(Probe::standard).collect()
}

impl Probe {
    /// A standard probe over every collection.
    #[must_use]
    pub fn standard(component: &str) -> Self {
        Self {
            name: component.to_owned(),
            component: component.to_owned(),
            sha256: None,
            collections: None,
            severity: Severity::Fail,
            muted: false,
            config: None,
            limits: Limits::default(),
        }
    }

    /// Where its limits stand in the configuration: `probes[orders].limits`.
    #[must_use]
    pub fn limits_setting(&self) -> String {
        format!("probes[{}].limits", self.name)
    }
}

impl Config {
    /// What `--mongodb URI` means without a file: every collection, the standard probes, results beside the caller.
    pub fn for_uri(uri: &str) -> Result<Self, ConfigError> {
        let parsed: taster_query::MongoUri = uri.parse()?;
        let database = parsed.database().ok_or(ConfigError::NoDatabase)?.to_owned();
        let config = Self {
            app: app_from(&database),
            store: default_store(),
            s3: S3Section::default(),
            retention: RetentionSection::default(),
            mongodb: Mongodb {
                uri: uri.to_owned(),
                database: Some(database),
                data: DataKind::Copy,
                connect: default_connect(),
                reach: default_connect(),
                quiet: default_quiet(),
                rescans: default_rescans(),
            },
            probes: standard_set(),
            expect: Vec::new(),
            changes: Vec::new(),
            report: Report::default(),
            redact: Redact::default(),
            scan: Scan::default(),
            cluster: None,
            fresh: Vec::new(),
            max_baseline_age: None,
            notify: Vec::new(),
            require_pins: false,
            require_read_only_user: false,
        };
        config.checked()
    }

    /// The database, from the file or from the connection string.
    pub fn database(&self) -> Result<String, ConfigError> {
        if let Some(name) = &self.mongodb.database {
            return Ok(name.clone());
        }
        let uri: taster_query::MongoUri = self.mongodb.uri.parse()?;
        uri.database().map(str::to_owned).ok_or(ConfigError::NoDatabase)
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// A database's name as an app's: what does not fit becomes `-`.
#[must_use]
pub fn app_from(database: &str) -> AppName {
    let fit = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '-' }
    };
    let name: String = database.chars().map(fit).take(63).collect();
    let name = name.trim_start_matches(['.', '_', '-']);
    name.parse().unwrap_or_else(|_| "app".parse().expect("`app` is an app name"))
}
