//! The configuration: the reference that is checked.

use serde::Deserialize;
use taster_probe::{Config, Failure, group::check_path};

/// The limit of examples.
const MAX_EXAMPLES: usize = 1000;

/// The checked configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// The path of the reference in the child.
    pub(crate) field: String,
    /// The path of the referenced value in the parent.
    #[serde(default = "default_key")]
    pub(crate) key: String,
    /// How many of the missing keys are named.
    #[serde(default = "default_examples")]
    pub(crate) examples: usize,
    /// Whether each lookup may read the whole parent.
    #[serde(default)]
    pub(crate) allow_unindexed: bool,
}

fn default_key() -> String {
    "_id".to_owned()
}

fn default_examples() -> usize {
    20
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let settings: Self = config.parse()?;
        check_path(&settings.field, "field")?;
        check_path(&settings.key, "key")?;
        if settings.examples > MAX_EXAMPLES {
            return Err(Config::invalid("examples", &format!("at most {MAX_EXAMPLES}, found {}", settings.examples)));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn only_the_field_is_required() {
        let settings = Settings::read(&Config::new(r#"{"field": "customerId"}"#)).unwrap();
        assert_snapshot!(format!("{settings:?}"), @r#"Settings { field: "customerId", key: "_id", examples: 20, allow_unindexed: false }"#);
    }

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong("null"), @"probes[…].config: missing field `field`");
        assert_snapshot!(wrong(r#"{"field": "customer..id"}"#), @"probes[…].config.field: `customer..id` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"field": "customer.$id"}"#), @"probes[…].config.field: `customer.$id` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"field": "a", "key": ""}"#), @"probes[…].config.key: `` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"field": "a", "unindexed": true}"#), @"probes[…].config.unindexed: unknown field `unindexed`, expected one of `field`, `key`, `examples`, `allowUnindexed`");
        assert_snapshot!(wrong(r#"{"field": "a", "examples": 1001}"#), @"probes[…].config.examples: at most 1000, found 1001");
    }
}
