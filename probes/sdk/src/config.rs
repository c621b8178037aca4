//! The operator's configuration of a probe: parses JSON into a type, with errors that name the key.

use serde::de::DeserializeOwned;

use crate::{CollectionInfo, Failure};

/// The operator's configuration of a probe, as JSON.
#[derive(Debug, Clone)]
pub struct Config(String);

impl Config {
    /// Takes the JSON; `null` if there is no configuration.
    pub fn new(json: impl Into<String>) -> Self {
        Self(json.into())
    }

    /// Parses the configuration. `null` is read as `{}`, so a type whose fields all have defaults needs no configuration. Use
    /// `#[serde(deny_unknown_fields)]`, so that a mistyped key is an error.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let json = match self.0.trim() {
            "null" => "{}",
            json if json.starts_with('{') => json,
            other => return Err(Self::invalid("", &format!("expected keys and values, found {other}"))),
        };
        let mut reader = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            // the JSON is one line that the host wrote, so its positions are useless
            let message = error.inner().to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            Self::invalid(if path == "." { "" } else { &path }, message)
        })
    }

    /// The failure for a key with an invalid value: `probes[…].config.reports[0].name: …`.
    #[must_use]
    pub fn invalid(key: &str, message: &str) -> Failure {
        let dot = if key.is_empty() { "" } else { "." };
        let setting = format!("probes[…].config{dot}{key}");
        Failure { setting: Some(setting.clone()), ..Failure::new(format!("{setting}: {message}")) }
    }

    /// Checks that the collections that are keys of the map at `key` are granted: an entry for another collection is a typing
    /// error and would never be used.
    pub fn check_granted<'n>(
        key: &str,
        names: impl IntoIterator<Item = &'n str>,
        granted: &[CollectionInfo],
    ) -> Result<(), Failure> {
        let Some(other) = names.into_iter().find(|name| !granted.iter().any(|granted| granted.name == *name)) else {
            return Ok(());
        };
        let granted: Vec<&str> = granted.iter().map(|granted| granted.name.as_str()).collect();
        Err(Failure {
            asked: Some(other.to_owned()),
            allowed: Some(granted.join(", ")),
            ..Self::invalid(&format!("{key}.{other}"), "the probe has no grant for this collection")
        })
    }
}

/// Checks that `name` can be a segment of a metric's name or of a label's key.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = name.len() <= 60
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if fits { Ok(()) } else { Err(format!("`{name}` is not a name: a-z, 0-9 and `_`, a letter first, at most 60")) }
}

/// The label key for a path: `customer.countryCode` becomes `customer.country_code`. Other characters become `_`.
#[must_use]
pub fn label_key(path: &str) -> String {
    let mut label = String::new();
    let mut before = '.';
    for character in path.chars() {
        match character {
            'a'..='z' | '0'..='9' | '.' | '_' => label.push(character),
            'A'..='Z' => {
                if before.is_ascii_lowercase() || before.is_ascii_digit() {
                    label.push('_');
                }
                label.push(character.to_ascii_lowercase());
            }
            _ => label.push('_'),
        }
        before = character;
    }
    if label.starts_with(|first: char| first.is_ascii_lowercase()) { label } else { format!("x{label}") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reports {
        #[serde(default)]
        reports: Vec<Report>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Report {
        #[expect(dead_code, reason = "only read")]
        name: String,
    }

    #[test]
    fn null_is_read_as_an_empty_configuration() {
        assert!(Config::new("null").parse::<Reports>().unwrap().reports.is_empty());
    }

    #[test]
    fn errors_name_the_key() {
        let wrong = |json: &str| Config::new(json).parse::<Reports>().unwrap_err().message;
        assert_snapshot!(wrong(r#"{"report": []}"#), @"probes[…].config.report: unknown field `report`, expected `reports`");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "a"}, {"name": 3}]}"#), @"probes[…].config.reports[1].name: invalid type: integer `3`, expected a string");
        assert_snapshot!(wrong(r#"{"reports": [{"name": "a", "colour": 1}]}"#), @"probes[…].config.reports[0].colour: unknown field `colour`, expected `name`");
        assert_snapshot!(wrong("[1]"), @"probes[…].config: expected keys and values, found [1]");
        let failure = Config::new(r#"{"reports": [{}]}"#).parse::<Reports>().unwrap_err();
        assert_eq!(failure.setting.as_deref(), Some("probes[…].config.reports[0]"));
    }

    #[test]
    fn an_entry_for_a_collection_that_is_not_granted_is_an_error() {
        let granted = ["menu", "orders"].map(|name| CollectionInfo {
            name: name.to_owned(),
            role: "collections".to_owned(),
            kind: crate::CollectionKind::Collection,
        });
        assert!(Config::check_granted("collections", ["orders"], &granted).is_ok());
        let failure = Config::check_granted("collections", ["orders", "order"], &granted).unwrap_err();
        assert_snapshot!(failure.message, @"probes[…].config.collections.order: the probe has no grant for this collection");
        assert_eq!((failure.asked.as_deref(), failure.allowed.as_deref()), (Some("order"), Some("menu, orders")));
    }

    #[test]
    fn paths_become_labels() {
        for (path, label) in [
            ("status", "status"),
            ("customer.countryCode", "customer.country_code"),
            ("SKU", "sku"),
            ("_type", "x_type"),
            ("größe", "gr__e"),
            ("a-b", "a_b"),
        ] {
            assert_eq!(label_key(path), label);
        }
    }
}
