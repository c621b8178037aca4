//! What can be said of a probe before it reads anything: its component, its collections, its options and the metrics that it
//! will return.

use std::path::Path;

use jiff::Timestamp;
use taster_config::Probe;
use taster_engine::{Engine, NoData, RunInput};
use taster_model::{CollectionFacts, CollectionGrant, DeclaredChange, Failure, Manifest, Metric};

use crate::{
    grants,
    limits::engine_limits,
    probe_runner::{load_probe, with_probe_name},
};

/// The limit of mistakes that are searched for in the options of one probe.
const MAX_MISTAKES: usize = 50;
/// How the settings begin that the SDK names in failures about options.
const OPTIONS: &str = "probes[…].config";

/// What is known of a probe before it reads anything.
pub struct ProbeCheck {
    /// The component.
    pub(crate) loaded: taster_engine::Probe,
    /// Its manifest.
    pub manifest: Manifest,
    /// What it may read. `None`: every collection, and it is not known which exist.
    pub collections: Option<Vec<CollectionGrant>>,
    /// What makes it fail whatever the data are.
    pub mistakes: Vec<Failure>,
    /// The metrics that it returns for empty collections. None if that is not known.
    pub metrics: Vec<Metric>,
}

/// Loads a probe, resolves its collections and runs it on empty collections. `live` are the collections of the database, if
/// they are known. The failure is that of a probe that cannot be loaded.
pub async fn check_probe(
    engine: &Engine,
    probe: &Probe,
    base: &Path,
    live: Option<&[CollectionFacts]>,
    changes: &[DeclaredChange],
) -> Result<ProbeCheck, Failure> {
    let loaded = load_probe(engine, probe, base).await?;
    let manifest = loaded.manifest().clone();
    let is_known = live.is_some() || probe.collections.is_some();
    let mut check = ProbeCheck { loaded, manifest, collections: None, mistakes: Vec::new(), metrics: Vec::new() };
    let granted = match grants::resolve(probe, &check.manifest, live.unwrap_or_default(), &[], changes) {
        Ok(granted) => granted,
        // without a server, "every collection" is none
        Err(grants::GrantError::Unplayed { .. }) if !is_known => Vec::new(),
        Err(error) => {
            check.mistakes.push(error.into_failure(probe));
            return Ok(check);
        }
    };
    let loaded = check.loaded.clone();
    OptionsCheck { loaded: &loaded, probe, is_known }.run(granted.clone(), &mut check).await;
    check.collections = is_known.then_some(granted);
    Ok(check)
}

/// Runs a probe on empty collections until its options have no mistake that can be found.
struct OptionsCheck<'a> {
    loaded: &'a taster_engine::Probe,
    probe: &'a Probe,
    /// Whether it is known what the probe may read.
    is_known: bool,
}

impl OptionsCheck<'_> {
    /// A probe names one mistake at a time, so the option with the mistake is left out and the probe runs again.
    async fn run(&self, mut granted: Vec<CollectionGrant>, check: &mut ProbeCheck) {
        let mut options = self.probe.config.clone();
        for _ in 0..MAX_MISTAKES {
            let database = NoData::new(&granted);
            let failure = match self.loaded.run(self.input(&database, options.as_ref())).await.outcome {
                Ok(metrics) if check.mistakes.is_empty() => {
                    check.metrics = metrics;
                    return;
                }
                Ok(_) => return,
                Err(failure) => failure,
            };
            if let Some(grant) = self.assumed_grant(&failure, &granted, &check.manifest) {
                granted.push(grant);
                continue;
            }
            let setting = failure.setting.clone().filter(|setting| setting.starts_with(OPTIONS));
            let is_certain = !database.was_read() && (self.is_known || !database.was_listed() || setting.is_some());
            // an option that was left out may be one that the probe needs
            let is_consequence = !check.mistakes.is_empty() && failure.message.contains("missing field");
            if !is_certain || is_consequence {
                return;
            }
            check.mistakes.push(with_probe_name(failure, &self.probe.name));
            let path = setting.as_deref().and_then(|setting| setting.strip_prefix(OPTIONS)).unwrap_or_default();
            match options.as_mut().map(|options| remove_option(options, path.trim_start_matches('.'))) {
                Some(true) => {}
                _ => return,
            }
        }
    }

    /// Where the probe may read every collection, and these are unknown: the one that it asked for.
    fn assumed_grant(
        &self,
        failure: &Failure,
        granted: &[CollectionGrant],
        manifest: &Manifest,
    ) -> Option<CollectionGrant> {
        let (Some(name), [role]) = (&failure.asked, manifest.roles.as_slice()) else { return None };
        let is_new = granted.iter().all(|grant| grant.name != *name);
        (!self.is_known && is_new && failure.refusal.is_none())
            .then(|| CollectionGrant { name: name.clone(), role: role.name.clone() })
    }

    fn input(&self, database: &NoData, options: Option<&serde_json::Value>) -> RunInput<NoData> {
        RunInput {
            probe: self.probe.name.clone(),
            database: database.clone(),
            config: options.map_or_else(|| "null".to_owned(), serde_json::Value::to_string),
            limits: engine_limits(&self.probe.limits),
            setting: self.probe.limits_setting(),
            clock: Timestamp::UNIX_EPOCH,
            seed: [0; 32],
            progress: None,
        }
    }
}

/// Removes the option at `path`, as in `reports[0].groupBy`. Returns whether it was there. Keys may contain dots, so the longest
/// key counts.
fn remove_option(options: &mut serde_json::Value, path: &str) -> bool {
    use serde_json::Value::{Array, Object};
    match options {
        Object(map) => {
            let fits = |key: &&String| {
                path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let Some(key) = map.keys().filter(fits).max_by_key(|key| key.len()).cloned() else { return false };
            let rest = path[key.len()..].trim_start_matches('.');
            if rest.is_empty() {
                return map.remove(&key).is_some();
            }
            map.get_mut(&key).is_some_and(|inner| remove_option(inner, rest))
        }
        Array(items) => {
            let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) else {
                return false;
            };
            let Ok(index) = index.parse::<usize>() else { return false };
            let rest = rest.trim_start_matches('.');
            // an item stays: the positions of the others must not change
            !rest.is_empty() && items.get_mut(index).is_some_and(|item| remove_option(item, rest))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_removed_by_its_path_also_if_keys_contain_dots() {
        let removed = |path: &str| {
            let mut options =
                serde_json::json!({"a": 1, "reports": [{"sum": {}, "name": "r"}], "c": {"x.y": {"z": 1}, "x": 2}});
            remove_option(&mut options, path).then_some(options)
        };
        assert_eq!(
            removed("a"),
            Some(serde_json::json!({"c":{"x":2,"x.y":{"z":1}},"reports":[{"name":"r","sum":{}}]}))
        );
        assert_eq!(
            removed("reports[0].sum"),
            Some(serde_json::json!({"a":1,"c":{"x":2,"x.y":{"z":1}},"reports":[{"name":"r"}]}))
        );
        assert_eq!(
            removed("c.x.y.z"),
            Some(serde_json::json!({"a":1,"c":{"x":2,"x.y":{}},"reports":[{"name":"r","sum":{}}]}))
        );
        for none in ["", "b", "reports[0]", "reports[1].sum", "a.b", "reports[x].sum"] {
            assert_eq!(removed(none), None, "{none}");
        }
    }
}
