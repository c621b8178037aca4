//! The configuration: the keys that should be unique.

use std::collections::BTreeMap;

use serde::Deserialize;
use taster_probe::{Config, Failure, group::check_path};

/// The limit of examples.
const MAX_EXAMPLES: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    #[serde(default)]
    keys: BTreeMap<String, Vec<Paths>>,
    #[serde(default = "default_examples")]
    examples: usize,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a list of the paths of one key, such as [\"email\", \"event\"]")]
enum Paths {
    List(Vec<String>),
}

fn default_examples() -> usize {
    20
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Collections with their keys, at least one each.
    pub(crate) keys: Vec<(String, Vec<Key>)>,
    /// How many of the duplicate values are named.
    pub(crate) examples: usize,
}

/// A business key: paths whose values together should be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(Vec<String>);

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let raw: RawSettings = config.parse()?;
        if raw.keys.is_empty() {
            return Err(Config::invalid("keys", r#"expected at least one key: {"orders": [["number"]]}"#));
        }
        if raw.examples > MAX_EXAMPLES {
            return Err(Config::invalid("examples", &format!("at most {MAX_EXAMPLES}, found {}", raw.examples)));
        }
        let mut keys = Vec::new();
        for (collection, given) in raw.keys {
            let at = format!("keys.{collection}");
            if given.is_empty() {
                return Err(Config::invalid(&at, r#"expected at least one key: [["number"]]"#));
            }
            let mut own: Vec<Key> = Vec::new();
            for (index, Paths::List(paths)) in given.into_iter().enumerate() {
                let key = Key::new(paths, &format!("{at}[{index}]"))?;
                if own.contains(&key) {
                    return Err(Config::invalid(
                        &format!("{at}[{index}]"),
                        &format!("the key `{}` is declared twice", key.name()),
                    ));
                }
                own.push(key);
            }
            keys.push((collection, own));
        }
        Ok(Self { keys, examples: raw.examples })
    }

    /// The collections that keys are declared for.
    pub(crate) fn named_collections(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str())
    }
}

impl Key {
    /// `at` is its path in the configuration.
    pub(crate) fn new(paths: Vec<String>, at: &str) -> Result<Self, Failure> {
        if paths.is_empty() {
            return Err(Config::invalid(at, r#"expected the paths of a key: ["email", "event"]"#));
        }
        for (index, path) in paths.iter().enumerate() {
            check_path(path, &format!("{at}[{index}]"))?;
            if paths[..index].contains(path) {
                return Err(Config::invalid(&format!("{at}[{index}]"), &format!("`{path}` is in the key already")));
            }
        }
        Ok(Self(paths))
    }

    pub(crate) fn paths(&self) -> &[String] {
        &self.0
    }

    /// `email,event`
    pub(crate) fn name(&self) -> String {
        self.0.join(",")
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_collection_may_have_several_keys() {
        let settings =
            Settings::read(&Config::new(r#"{"keys": {"registrations": [["email", "event"], ["number"]]}}"#)).unwrap();
        let [(collection, keys)] = settings.keys.as_slice() else { panic!("{settings:?}") };
        let names: Vec<String> = keys.iter().map(Key::name).collect();
        assert_eq!(
            (collection.as_str(), names),
            ("registrations", vec!["email,event".to_owned(), "number".to_owned()])
        );
        assert_eq!(settings.examples, 20);
    }

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong("null"), @r#"probes[…].config.keys: expected at least one key: {"orders": [["number"]]}"#);
        assert_snapshot!(wrong(r#"{"key": {}}"#), @"probes[…].config.key: unknown field `key`, expected `keys` or `examples`");
        assert_snapshot!(wrong(r#"{"keys": {"orders": []}}"#), @r#"probes[…].config.keys.orders: expected at least one key: [["number"]]"#);
        assert_snapshot!(wrong(r#"{"keys": {"orders": [[]]}}"#), @r#"probes[…].config.keys.orders[0]: expected the paths of a key: ["email", "event"]"#);
        // ambiguous: one key of two paths, or two keys
        assert_snapshot!(wrong(r#"{"keys": {"orders": ["email", "event"]}}"#), @r#"probes[…].config.keys.orders[0]: expected a list of the paths of one key, such as ["email", "event"]"#);
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a..b"]]}}"#), @"probes[…].config.keys.orders[0][0]: `a..b` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a", "a"]]}}"#), @"probes[…].config.keys.orders[0][1]: `a` is in the key already");
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a"], ["b"], ["a"]]}}"#), @"probes[…].config.keys.orders[2]: the key `a` is declared twice");
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a"]]}, "examples": 5000}"#), @"probes[…].config.examples: at most 1000, found 5000");
    }
}
