//! The configuration: which keys are meant to be unique.

use std::collections::BTreeMap;

use serde::Deserialize;
use taster_probe::{Config, Failure, group::check_path};

/// More than this are no examples.
const MOST_EXAMPLES: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    keys: BTreeMap<String, Vec<Paths>>,
    #[serde(default = "twenty")]
    examples: usize,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a list of the paths of one key, such as [\"email\", \"event\"]")]
enum Paths {
    List(Vec<String>),
}

fn twenty() -> usize {
    20
}

/// The configuration, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Collections with their keys, each at least one.
    pub(crate) keys: Vec<(String, Vec<Key>)>,
    /// So many of the duplicated values are named.
    pub(crate) examples: usize,
}

/// A business key: the paths whose values together occur once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(Vec<String>);

impl Settings {
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let raw: Raw = config.parse()?;
        if raw.keys.is_empty() {
            return Err(Config::wrong("keys", r#"no key is declared: {"orders": [["number"]]}"#));
        }
        if raw.examples > MOST_EXAMPLES {
            return Err(Config::wrong("examples", &format!("at most {MOST_EXAMPLES}, found {}", raw.examples)));
        }
        let mut keys = Vec::new();
        for (collection, given) in raw.keys {
            let at = format!("keys.{collection}");
            if given.is_empty() {
                return Err(Config::wrong(&at, r#"no key is declared: [["number"]]"#));
            }
            let mut own: Vec<Key> = Vec::new();
            for (index, Paths::List(paths)) in given.into_iter().enumerate() {
                let key = Key::of(paths, &format!("{at}[{index}]"))?;
                if own.contains(&key) {
                    return Err(Config::wrong(
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
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str())
    }
}

impl Key {
    /// `at` says where in the configuration it stands.
    pub(crate) fn of(paths: Vec<String>, at: &str) -> Result<Self, Failure> {
        if paths.is_empty() {
            return Err(Config::wrong(at, r#"a key is made of paths: ["email", "event"]"#));
        }
        for (index, path) in paths.iter().enumerate() {
            check_path(path, &format!("{at}[{index}]"))?;
            if paths[..index].contains(path) {
                return Err(Config::wrong(&format!("{at}[{index}]"), &format!("`{path}` is in the key already")));
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
    fn mistakes_are_named_with_their_key() {
        let wrong = |json: &str| Settings::read(&Config::new(json)).unwrap_err().message;
        assert_snapshot!(wrong("null"), @r#"probes[…].config.keys: no key is declared: {"orders": [["number"]]}"#);
        assert_snapshot!(wrong(r#"{"key": {}}"#), @"probes[…].config.key: unknown field `key`, expected `keys` or `examples`");
        assert_snapshot!(wrong(r#"{"keys": {"orders": []}}"#), @r#"probes[…].config.keys.orders: no key is declared: [["number"]]"#);
        assert_snapshot!(wrong(r#"{"keys": {"orders": [[]]}}"#), @r#"probes[…].config.keys.orders[0]: a key is made of paths: ["email", "event"]"#);
        // one key of two paths, or two keys? Nobody should have to guess
        assert_snapshot!(wrong(r#"{"keys": {"orders": ["email", "event"]}}"#), @r#"probes[…].config.keys.orders[0]: expected a list of the paths of one key, such as ["email", "event"]"#);
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a..b"]]}}"#), @"probes[…].config.keys.orders[0][0]: `a..b` is not a path such as `customer.country`");
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a", "a"]]}}"#), @"probes[…].config.keys.orders[0][1]: `a` is in the key already");
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a"], ["b"], ["a"]]}}"#), @"probes[…].config.keys.orders[2]: the key `a` is declared twice");
        assert_snapshot!(wrong(r#"{"keys": {"orders": [["a"]]}, "examples": 5000}"#), @"probes[…].config.examples: at most 1000, found 5000");
    }
}
