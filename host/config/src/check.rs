//! Checks across several keys: names used twice, components without a pin, expectations of unknown probes. All mistakes are
//! found at once, so that nobody corrects a file one mistake at a time.

use std::collections::BTreeSet;

use taster_model::Expectation;

use super::{
    changes,
    closest::closest_match,
    component::ComponentSource,
    documents,
    error::{ConfigError, inconsistent},
    freshness, notify,
    probe::{Collections, Probe},
    root::Config,
};

impl Config {
    /// The configuration, if its parts fit together; else the first mistake.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        match self.mistakes().into_iter().next() {
            Some(first) => Err(first),
            None => Ok(self),
        }
    }

    /// Every mistake that can be found without the database, the components and the cluster.
    pub(super) fn mistakes(&self) -> Vec<ConfigError> {
        let mut mistakes: Vec<ConfigError> = Vec::new();
        match self.check_variables() {
            Ok(()) => {
                let uri: Result<taster_query::MongoUri, _> = self.mongodb.uri.parse();
                mistakes.extend(uri.err().map(ConfigError::from).or_else(|| self.database().err()));
            }
            Err(error) => mistakes.push(error),
        }
        mistakes.extend(self.probe_mistakes());
        mistakes.extend(self.expectation_mistakes());
        mistakes.extend(changes::mistakes(&self.changes));
        mistakes.extend(documents::unredacted_renamings(&self.redact, &self.changes));
        let sections = [
            documents::check(&self.report, &self.redact, &self.scan),
            self.cluster.as_ref().map_or(Ok(()), super::cluster::ClusterSection::check),
            freshness::check(&self.freshness),
            self.require.check(),
            notify::check(&self.notify),
            self.s3.check(),
        ];
        mistakes.extend(sections.into_iter().filter_map(Result::err));
        if !self.store.contains("${") {
            mistakes.extend(taster_store::Store::check_url(&self.store).err().map(ConfigError::from));
        }
        mistakes
    }

    /// Refuses texts that still contain `${`. Variables are not expanded in quotes, so the text is not what was intended.
    fn check_variables(&self) -> Result<(), ConfigError> {
        let texts = [
            ("mongodb.uri", Some(&self.mongodb.uri)),
            ("mongodb.database", self.mongodb.database.as_ref()),
            ("store", Some(&self.store)),
        ];
        match texts.iter().find(|(_, text)| text.is_some_and(|text| text.contains("${"))) {
            None => Ok(()),
            Some((at, _)) => {
                let help = "write it as a plain value, without quotes: uri: ${MONGODB_URI}";
                Err(inconsistent(*at, "a quoted `${…}` is not expanded", help))
            }
        }
    }

    fn probe_mistakes(&self) -> Vec<ConfigError> {
        if self.probes.is_empty() {
            let help = "leave `probes` out for the default set";
            return vec![inconsistent("probes", "the list is empty: nothing would be compared", help)];
        }
        let pins = if self.require_pins { Pins::Required } else { Pins::Optional };
        let mut names = BTreeSet::new();
        let mut mistakes = Vec::new();
        for probe in &self.probes {
            mistakes.extend(probe.check(pins).err());
            if !names.insert(probe.name.as_str()) {
                let help = "give each probe its own name; findings carry it";
                mistakes.push(inconsistent(format!("probes[{}]", probe.name), "the name is used twice", help));
            }
        }
        mistakes
    }

    fn expectation_mistakes(&self) -> Vec<ConfigError> {
        let known: BTreeSet<&str> = self.probes.iter().map(|probe| probe.name.as_str()).collect();
        let mut mistakes = Vec::new();
        for (index, expectation) in self.expect.iter().enumerate() {
            let same = |other: &&Expectation| {
                (&other.probe, &other.metric, &other.labels)
                    == (&expectation.probe, &expectation.metric, &expectation.labels)
            };
            let at = format!("expect[{}]", expectation.metric);
            if self.expect[..index].iter().any(|other| same(&other)) {
                mistakes.push(inconsistent(at.clone(), "two expectations match the same metrics", "keep one of them"));
            }
            if let Some(probe) = &expectation.probe
                && !known.contains(probe.as_str())
            {
                let known: Vec<&str> = known.iter().copied().collect();
                let help = format!("probes of this file: {}", known.join(", "));
                mistakes.push(inconsistent(format!("{at}.probe"), format!("there is no probe `{probe}`"), help));
            }
        }
        mistakes
    }
}

/// Whether a component in a file needs a `sha256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pins {
    Required,
    Optional,
}

impl Probe {
    fn check(&self, pins: Pins) -> Result<(), ConfigError> {
        let at = |key: &str| format!("probes[{}]{key}", self.name);
        let fits = !self.name.is_empty()
            && self.name.len() <= 63
            && self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !fits {
            return Err(inconsistent(at(".name"), "not a name", "use 1 to 63 letters, digits, `.`, `_` and `-`"));
        }
        match ComponentSource::of(&self.component) {
            ComponentSource::Unknown(name) => {
                let known = taster_standard_probes::names();
                let near = closest_match(&name, known);
                let help = match near {
                    Some(near) => format!("did you mean `{near}`? A file needs a path: `./{name}`"),
                    None => format!("standard probes: {}; a file needs a path: `./{name}`", known.join(", ")),
                };
                return Err(inconsistent(at(".component"), format!("there is no standard probe `{name}`"), help));
            }
            ComponentSource::Unsupported(scheme) => {
                let help = "use the bare name of a standard probe, a path, or file:";
                return Err(inconsistent(at(".component"), format!("`{scheme}:` is not a source of components"), help));
            }
            ComponentSource::File(_) if pins == Pins::Required && self.sha256.is_none() => {
                let help = format!("add `sha256:`; `sha256sum {}` prints it", self.component);
                return Err(inconsistent(at(".sha256"), "requirePins is set, and the component is not pinned", help));
            }
            ComponentSource::File(_) | ComponentSource::Standard(_) => {}
        }
        if let Some(pin) = &self.sha256
            && (pin.len() != 64 || !pin.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(inconsistent(
                at(".sha256"),
                "not a SHA-256",
                "64 hexadecimal digits, as sha256sum prints them",
            ));
        }
        self.check_collections()
    }

    fn check_collections(&self) -> Result<(), ConfigError> {
        let Some(names) = self.collections.as_ref().map(Collections::names) else { return Ok(()) };
        let at = format!("probes[{}].collections", self.name);
        if names.is_empty() {
            return Err(inconsistent(
                at,
                "the list is empty",
                "name what it may read, or leave the key out for every collection",
            ));
        }
        for name in names {
            if name.is_empty() || name.starts_with("system.") || name.contains(['$', '\0']) {
                return Err(inconsistent(
                    at,
                    format!("`{name}` cannot be granted"),
                    "system collections are never granted to probes",
                ));
            }
        }
        Ok(())
    }
}
