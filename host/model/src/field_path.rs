//! Paths of fields within documents: `total`, `customer.email`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Path of a field: names from the top-level field inwards, joined by dots. A name that contains a dot cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// The names, from the top-level field inwards; at least one.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Name of the top-level field.
    #[must_use]
    pub fn top_level_name(&self) -> &str {
        &self.0[0]
    }

    /// Whether the path names a top-level field.
    #[must_use]
    pub fn is_top_level(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether this field is `other` or lies within it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl TryFrom<String> for FieldPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let names: Vec<String> = text.split('.').map(ToOwned::to_owned).collect();
        if names.iter().any(|name| name.is_empty() || name.contains('\0') || name.starts_with('$')) {
            return Err(format!(
                "invalid field path `{text}`: expected names joined by dots, such as `total` or `customer.email`"
            ));
        }
        if names[0] == "_id" {
            return Err("`_id` cannot be declared: a document with another `_id` is another document".to_owned());
        }
        Ok(Self(names))
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
