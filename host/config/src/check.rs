//! What no single value shows: names that clash, components without a pin, limits that cannot work together.

use std::collections::BTreeSet;

use super::{Collections, Config, ConfigError, Probe};
use taster_model::Expectation;

use crate::ComponentSource;

impl Config {
    /// The configuration, if its parts go together.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let texts = [
            ("mongodb.uri", Some(&self.mongodb.uri)),
            ("mongodb.database", self.mongodb.database.as_ref()),
            ("store", Some(&self.store)),
        ];
        // a connection string or a path with `${` in it is never meant: the value was quoted
        if let Some((at, _)) = texts.iter().find(|(_, text)| text.is_some_and(|text| text.contains("${"))) {
            let help = "write it as a plain value, without quotes: uri: ${MONGODB_URI}";
            return Err(wrong(*at, "a quoted `${…}` is not expanded", help));
        }
        let _: taster_query::MongoUri = self.mongodb.uri.parse()?;
        self.database()?;
        if self.probes.is_empty() {
            return Err(wrong(
                "probes",
                "the list is empty: nothing would be judged",
                "leave `probes` out for the standard set",
            ));
        }
        let mut names = BTreeSet::new();
        for probe in &self.probes {
            probe.check(self.require_pins)?;
            if !names.insert(probe.name.as_str()) {
                let at = format!("probes[{}]", probe.name);
                return Err(wrong(
                    at,
                    "the name is used twice",
                    "give each probe a name of its own; findings carry it",
                ));
            }
        }
        for (index, expectation) in self.expect.iter().enumerate() {
            let same = |other: &&Expectation| {
                (&other.probe, &other.metric, &other.labels)
                    == (&expectation.probe, &expectation.metric, &expectation.labels)
            };
            if self.expect[..index].iter().any(|other| same(&other)) {
                let at = format!("expect[{}]", expectation.metric);
                return Err(wrong(at, "two expectations speak of the same metrics", "keep one of them"));
            }
            if let Some(probe) = &expectation.probe
                && !names.contains(probe.as_str())
            {
                let known: Vec<&str> = names.iter().copied().collect();
                return Err(wrong(
                    format!("expect[{}].probe", expectation.metric),
                    format!("there is no probe `{probe}`"),
                    format!("probes of this file: {}", known.join(", ")),
                ));
            }
        }
        super::changes::check(&self.changes)?;
        super::documents::check(&self.report, &self.redact, &self.scan)?;
        if let Some(cluster) = &self.cluster {
            cluster.check()?;
        }
        super::fresh::check(&self.fresh)?;
        super::notify::check(&self.notify)?;
        self.check_store()?;
        Ok(self)
    }
}

impl Probe {
    fn check(&self, require_pins: bool) -> Result<(), ConfigError> {
        let at = |key: &str| format!("probes[{}]{key}", self.name);
        let fits = !self.name.is_empty()
            && self.name.len() <= 63
            && self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !fits {
            return Err(wrong(at(".name"), "not a name", "use 1 to 63 letters, digits, `.`, `_` and `-`"));
        }
        match ComponentSource::of(&self.component) {
            ComponentSource::Unknown(name) => {
                let known = taster_standard_probes::names();
                let near = super::read::nearest(&name, known);
                let help = match near {
                    Some(near) => format!("did you mean `{near}`? A file needs a path: `./{name}`"),
                    None => format!("standard probes: {}; a file needs a path: `./{name}`", known.join(", ")),
                };
                return Err(wrong(at(".component"), format!("there is no standard probe `{name}`"), help));
            }
            ComponentSource::Unsupported(scheme) => {
                let help = "use the bare name of a standard probe, a path, or file:";
                return Err(wrong(at(".component"), format!("`{scheme}:` is not a source of components"), help));
            }
            ComponentSource::File(_) if require_pins && self.sha256.is_none() => {
                let help = format!("add `sha256:`; `sha256sum {}` prints it", self.component);
                return Err(wrong(at(".sha256"), "requirePins is set, and the component is not pinned", help));
            }
            ComponentSource::File(_) | ComponentSource::Standard(_) => {}
        }
        if let Some(pin) = &self.sha256
            && (pin.len() != 64 || !pin.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(wrong(at(".sha256"), "not a SHA-256", "64 hexadecimal digits, as sha256sum prints them"));
        }
        self.check_collections()
    }

    fn check_collections(&self) -> Result<(), ConfigError> {
        let Some(names) = self.collections.as_ref().map(Collections::names) else { return Ok(()) };
        let at = format!("probes[{}].collections", self.name);
        if names.is_empty() {
            return Err(wrong(
                at,
                "the list is empty",
                "name what it may read, or leave the key out for every collection",
            ));
        }
        for name in names {
            if name.is_empty() || name.starts_with("system.") || name.contains(['$', '\0']) {
                return Err(wrong(
                    at,
                    format!("`{name}` cannot be granted"),
                    "system collections are never granted to probes",
                ));
            }
        }
        Ok(())
    }
}

pub(super) fn wrong(at: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> ConfigError {
    ConfigError::Inconsistent { at: at.into(), message: message.into(), help: help.into() }
}
