//! The configuration: the edge that is checked.

use serde::Deserialize;
use taster_probe::{Config, Failure, group::check_path};

/// More than this are no examples.
const MOST_EXAMPLES: usize = 1000;

/// The configuration, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Path in the child: where the reference is.
    pub(crate) field: String,
    /// Path in the parent: what the reference says.
    #[serde(default = "id")]
    pub(crate) key: String,
    /// So many of the missing keys are named.
    #[serde(default = "twenty")]
    pub(crate) examples: usize,
    /// Whether the parent may be read whole for each reference.
    #[serde(default)]
    pub(crate) allow_unindexed: bool,
}

fn id() -> String {
    "_id".to_owned()
}

fn twenty() -> usize {
    20
}

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let settings: Self = config.parse()?;
        check_path(&settings.field, "field")?;
        check_path(&settings.key, "key")?;
        if settings.examples > MOST_EXAMPLES {
            return Err(Config::wrong("examples", &format!("at most {MOST_EXAMPLES}, found {}", settings.examples)));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn only_the_field_must_be_named() {
        let settings = Settings::read(&Config::new(r#"{"field": "customerId"}"#)).unwrap();
        assert_snapshot!(format!("{settings:?}"), @r#"Settings { field: "customerId", key: "_id", examples: 20, allow_unindexed: false }"#);
    }

    #[test]
    fn mistakes_are_named_with_their_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong("null"), @"probes[…].config: missing field `field`");
        assert_snapshot!(wrong(r#"{"field": "customer..id"}"#), @"probes[…].config.field: `customer..id` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"field": "customer.$id"}"#), @"probes[…].config.field: `customer.$id` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"field": "a", "key": ""}"#), @"probes[…].config.key: `` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"field": "a", "unindexed": true}"#), @"probes[…].config.unindexed: unknown field `unindexed`, expected one of `field`, `key`, `examples`, `allowUnindexed`");
        assert_snapshot!(wrong(r#"{"field": "a", "examples": 1001}"#), @"probes[…].config.examples: at most 1000, found 1001");
    }
}
