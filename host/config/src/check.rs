//! Checks across several keys: names used twice, components without a pin, expectations of unknown probes.

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
    /// The configuration, if its parts fit together.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        self.check_variables()?;
        let _: taster_query::MongoUri = self.mongodb.uri.parse()?;
        self.database()?;
        self.check_probes()?;
        self.check_expectations()?;
        changes::check(&self.changes)?;
        documents::check(&self.report, &self.redact, &self.scan)?;
        if let Some(cluster) = &self.cluster {
            cluster.check()?;
        }
        freshness::check(&self.freshness)?;
        self.require.check()?;
        notify::check(&self.notify)?;
        self.s3.check()?;
        taster_store::Store::check_url(&self.store)?;
        Ok(self)
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

    fn check_probes(&self) -> Result<(), ConfigError> {
        if self.probes.is_empty() {
            let help = "leave `probes` out for the default set";
            return Err(inconsistent("probes", "the list is empty: nothing would be compared", help));
        }
        let mut names = BTreeSet::new();
        for probe in &self.probes {
            probe.check(self.require_pins)?;
            if !names.insert(probe.name.as_str()) {
                let help = "give each probe its own name; findings carry it";
                return Err(inconsistent(format!("probes[{}]", probe.name), "the name is used twice", help));
            }
        }
        Ok(())
    }

    fn check_expectations(&self) -> Result<(), ConfigError> {
        let known: BTreeSet<&str> = self.probes.iter().map(|probe| probe.name.as_str()).collect();
        for (index, expectation) in self.expect.iter().enumerate() {
            let same = |other: &&Expectation| {
                (&other.probe, &other.metric, &other.labels)
                    == (&expectation.probe, &expectation.metric, &expectation.labels)
            };
            let at = format!("expect[{}]", expectation.metric);
            if self.expect[..index].iter().any(|other| same(&other)) {
                return Err(inconsistent(at, "two expectations match the same metrics", "keep one of them"));
            }
            if let Some(probe) = &expectation.probe
                && !known.contains(probe.as_str())
            {
                let known: Vec<&str> = known.iter().copied().collect();
                let help = format!("probes of this file: {}", known.join(", "));
                return Err(inconsistent(format!("{at}.probe"), format!("there is no probe `{probe}`"), help));
            }
        }
        Ok(())
    }
}

impl Probe {
    fn check(&self, require_pins: bool) -> Result<(), ConfigError> {
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
            ComponentSource::File(_) if require_pins && self.sha256.is_none() => {
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
