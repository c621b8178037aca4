//! The file as a whole: [`Config`], and its section `mongodb`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_model::{AppName, DataKind, DeclaredChange, Expectation};
use taster_store::Settings;

use super::{
    cluster::ClusterSection,
    documents::{Redact, Report, Scan},
    error::ConfigError,
    freshness::FreshnessRule,
    notify::NotificationTarget,
    probe::{Probe, default_probes},
    require::Require,
    store::{RetentionSection, S3Section},
    units::Period,
};

/// The configuration of one app.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Name of the app; results are kept under it.
    pub app: AppName,
    /// Where results are kept: `s3://bucket/prefix`, `file:///var/lib/taster`. Default `file://./.taster`.
    #[serde(default = "default_store")]
    pub store: String,
    /// Settings of an S3 store that its URL and the environment do not have.
    #[serde(default, skip_serializing_if = "is_default")]
    pub s3: S3Section,
    /// Which runs `taster gc` may remove. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retention: RetentionSection,
    /// The database that is compared.
    pub mongodb: Mongodb,
    /// The probes that read it. Default: `census`, `document-count`, `index-inventory` and `schema-shape`, over every
    /// collection.
    #[serde(default = "default_probes")]
    pub probes: Vec<Probe>,
    /// How metrics may change across the sync. Of several that match, the most specific one counts.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// Changes that the migration is meant to make; `pre` must know them. Each is proven, and one that did not happen is a
    /// finding.
    #[serde(default)]
    pub changes: Vec<DeclaredChange>,
    /// What reports show of documents.
    #[serde(default)]
    pub report: Report,
    /// What is not stored of documents.
    #[serde(default)]
    pub redact: Redact,
    /// How collections are read for a census.
    #[serde(default)]
    pub scan: Scan,
    /// Workloads that are scaled up for `pre` and `post`, and restored. Default: nothing is scaled, no cluster is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterSection>,
    /// How old the data may be before the sync, and which source says so. Default: any age.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freshness: Vec<FreshnessRule>,
    /// A baseline that is older than this makes the verdict `unknown`; it is not replaced. Default: any age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_baseline_age: Option<Period>,
    /// Who is notified of the verdict at the end of `post`. A failed notification is logged and does not change the
    /// verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<NotificationTarget>,
    /// Evidence without which the verdict is `unknown`: `{census: [orders]}`. Default: any deciding finding is enough.
    #[serde(default, skip_serializing_if = "is_default")]
    pub require: Require,
    /// Refuse components without a `sha256`. Standard probes need none.
    #[serde(default)]
    pub require_pins: bool,
    /// Refuse a user that can do more than read, and a server without access control. Default: warn about such a user.
    #[serde(default)]
    pub require_read_only_user: bool,
}

/// The database that is compared.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mongodb {
    /// A connection string: `mongodb://…` or `mongodb+srv://…`. Keep it out of the file: `${MONGODB_URI}`.
    pub uri: String,
    /// The database. Default: the one that the connection string names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `copy`: a copy of other data, replaced as a whole from time to time; only captures of the same copy are compared.
    /// `live`: the data itself; documents that are newer than the baseline are allowed.
    #[serde(default)]
    pub data: DataKind,
    /// How long to try to connect to the server. Default `30s`.
    #[serde(default = "default_timeout")]
    pub connect_timeout: Period,
    /// How long a majority of the replica set may take to reach the time that is read. Default `30s`.
    #[serde(default = "default_timeout")]
    pub majority_timeout: Period,
    /// How long to wait for indexes that are being built. One that is not finished then makes the verdict `unknown`. Default
    /// `1m`.
    #[serde(default = "default_index_build_timeout")]
    pub index_build_timeout: Period,
    /// How long nothing may have been written before reading without a snapshot. Default `1s`.
    #[serde(default = "default_quiet_period")]
    pub quiet_period: Period,
    /// How often probes read again when something was written during the read. Default 3.
    #[serde(default = "default_max_rescans")]
    pub max_rescans: u32,
}

impl fmt::Debug for Mongodb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mongodb").field("uri", &"***").field("database", &self.database).finish_non_exhaustive()
    }
}

/// Where results are stored by default.
pub const DEFAULT_STORE: &str = "file://./.taster";

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

pub(super) fn default_store() -> String {
    DEFAULT_STORE.to_owned()
}

pub(super) fn default_timeout() -> Period {
    Period::from_secs(30)
}

pub(super) fn default_index_build_timeout() -> Period {
    Period::from_secs(60)
}

pub(super) fn default_quiet_period() -> Period {
    Period::from_secs(1)
}

pub(super) fn default_max_rescans() -> u32 {
    3
}

impl Config {
    /// The database, from the file or from the connection string.
    pub fn database(&self) -> Result<String, ConfigError> {
        if let Some(name) = &self.mongodb.database {
            return Ok(name.clone());
        }
        let uri: taster_query::MongoUri = self.mongodb.uri.parse()?;
        uri.database().map(str::to_owned).ok_or(ConfigError::NoDatabase)
    }

    /// Which store, and how it is reached.
    #[must_use]
    pub fn store_settings(&self) -> Settings {
        self.s3.settings(&self.store)
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// The name of an app after its database. Characters that an app's name cannot have become `-`.
#[must_use]
pub fn app_name_from(database: &str) -> AppName {
    let fit = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '-' }
    };
    let name: String = database.chars().map(fit).take(63).collect();
    let name = name.trim_start_matches(['.', '_', '-']);
    name.parse().unwrap_or_else(|_| "app".parse().expect("`app` is an app name"))
}
