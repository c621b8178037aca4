//! `probes`: which components run, on which collections, with which options.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use taster_model::Severity;

use super::limits::Limits;

/// One probe: its component, collections, options and limits.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Probe {
    /// Name of the probe in this file and in findings.
    pub name: String,
    /// A standard probe by its name, or a path relative to this file: `./checks/menu.wasm`.
    pub component: String,
    /// SHA-256 of the component, in hexadecimal. Another component is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What it may read: a list, or one or more collections for each role. Default: every collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collections: Option<Collections>,
    /// `fail`: its findings and failures decide the verdict. `warn`: they are reported.
    #[serde(default)]
    pub severity: Severity,
    /// Report its findings, and never let them decide the verdict.
    #[serde(default)]
    pub muted: bool,
    /// Options of the probe; it gets them as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
    /// Limits of its resources; each has a default.
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

impl<'de> Deserialize<'de> for Collections {
    // not `#[serde(untagged)]`: its only error, "did not match any variant", does not say what is wrong
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

/// The probes that run when a configuration names none: those that need no options.
#[must_use]
pub fn default_probes() -> Vec<Probe> {
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

    /// The path of its limits in the configuration: `probes[orders].limits`.
    #[must_use]
    pub fn limits_setting(&self) -> String {
        format!("probes[{}].limits", self.name)
    }
}
