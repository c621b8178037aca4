//! `require`: the evidence without which no verdict is `same`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{ConfigError, inconsistent};

/// The evidence without which the verdict is `unknown`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Require {
    /// Collections of which a census of every document and every field must decide: without a filter, ignored fields, `muted`,
    /// `severity: warn` or an expectation `ignore`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub census: Vec<String>,
}

impl Require {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        match self.census.iter().find(|name| name.is_empty() || !names.insert(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(inconsistent(
                "require.census",
                format!("`{name}` is empty or named twice"),
                "name each collection once",
            )),
        }
    }
}
