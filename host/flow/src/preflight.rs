//! What can be said of a probe before it reads anything: its component, its collections, its options and the metrics that it
//! will return.

use std::path::Path;

use jiff::Timestamp;
use taster_config::{Collections, Config, Probe};
use taster_diagnostics::CliError;
use taster_engine::{Engine, NoData, RunInput};
use taster_model::{CollectionFacts, CollectionGrant, DeclaredChange, Failure, Manifest, Metric, Severity};
use taster_query::Connection;

use crate::{
    context::FlowContext,
    error::FlowError,
    expected::{self, ExpectationMistake},
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
            match (items.get_mut(index), rest.trim_start_matches('.')) {
                (None, _) => false,
                // the item stays: the positions of the others must not change
                (Some(_), "") => false,
                (Some(item), rest) => remove_option(item, rest),
            }
        }
        _ => false,
    }
}

/// Fails if no verdict could be `same` with this configuration, whatever the data are: a deciding probe cannot run, or an
/// expectation can match nothing. Nothing is read or scaled for that.
pub(crate) async fn require_possible(context: &FlowContext) -> Result<(), FlowError> {
    let FlowContext { config, engine, base, .. } = context;
    let mut reasons = Vec::new();
    let mut checks = Vec::new();
    for probe in &config.probes {
        let decides = probe.severity == Severity::Fail && !probe.muted;
        let check = check_probe(engine, probe, base, None, &config.changes).await;
        let failures = match &check {
            Ok(check) => check.mistakes.as_slice(),
            Err(failure) => std::slice::from_ref(failure),
        };
        if decides {
            reasons.extend(failures.iter().map(|failure| format!("probe {}: {failure}", probe.name)));
        }
        checks.push(check.ok());
    }
    reasons.extend(
        mistaken_expectations(config, &checks)
            .into_iter()
            .filter(|mistake| mistake.decides)
            .map(|ExpectationMistake { at, message, help, .. }| format!("{at}: {message} ({help})")),
    );
    if reasons.is_empty() { Ok(()) } else { Err(FlowError::NoVerdictPossible { reasons }) }
}

/// The expectations that can match nothing, or whose rule does not fit. `checks` are those of the probes, in their order.
#[must_use]
pub fn mistaken_expectations(config: &Config, checks: &[Option<ProbeCheck>]) -> Vec<ExpectationMistake> {
    config.expect.iter().filter_map(|expectation| expected::mistake(expectation, &config.probes, checks)).collect()
}

/// The collections that a probe or `require` names and that do not exist, unless a declared change adds them: where each is
/// named, and its name.
#[must_use]
pub fn absent_collections(config: &Config, live: &[CollectionFacts]) -> Vec<(String, String)> {
    use taster_model::{ChangeKind, CollectionKind};
    let is_there = |name: &str| live.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent);
    // a renamed collection has its old name before the sync
    let exists = |name: &str| is_there(name) || taster_model::other_names(&config.changes, name).any(is_there);
    let is_added = |name: &str| {
        config.changes.iter().any(|change| change.collection == name && change.kind == ChangeKind::AddedCollection)
    };
    let of_probes =
        config.probes.iter().filter(|probe| probe.severity == Severity::Fail && !probe.muted).flat_map(|probe| {
            let names = probe.collections.as_ref().map(Collections::names).unwrap_or_default();
            names.into_iter().map(|name| (format!("probes[{}].collections", probe.name), name.to_owned()))
        });
    let required = config.require.census.iter().map(|name| ("require.census".to_owned(), name.clone()));
    of_probes.chain(required).filter(|(_, name)| !exists(name) && !is_added(name)).collect()
}

/// What to say of a database without collections: probably its name is mistyped.
pub async fn no_collections(connection: &Connection) -> String {
    let database = &connection.facts().database;
    let others = connection.database_names().await;
    let near = others.iter().map(String::as_str).collect::<Vec<_>>();
    let near = taster_config::closest_match(database, &near).map(|near| format!("; did you mean `{near}`?"));
    let there =
        if others.is_empty() { String::new() } else { format!("; there are: {}", taster_text::listed(&others)) };
    format!("database `{database}` has no collections{there}{}", near.unwrap_or_default())
}

/// Fails if the database has no collections and no declared change adds one: nothing would be compared.
pub(crate) async fn require_collections(config: &Config, connection: &Connection) -> Result<(), CliError> {
    let adds = config.changes.iter().any(|change| change.kind == taster_model::ChangeKind::AddedCollection);
    if adds || !connection.initial_snapshot().collections().await?.is_empty() {
        return Ok(());
    }
    Err(FlowError::EmptyDatabase { message: no_collections(connection).await }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_removed_by_its_path_also_if_keys_contain_dots() {
        let removed = |path: &str| {
            let mut options =
                serde_json::json!({"a": 1, "reports": [{"sum": {}, "name": "r"}], "c": {"x.y": {"z": 1}, "x": 2}});
            remove_option(&mut options, path).then(|| options.to_string())
        };
        assert_eq!(removed("a").as_deref(), Some(r#"{"c":{"x":2,"x.y":{"z":1}},"reports":[{"name":"r","sum":{}}]}"#));
        assert_eq!(
            removed("reports[0].sum").as_deref(),
            Some(r#"{"a":1,"c":{"x":2,"x.y":{"z":1}},"reports":[{"name":"r"}]}"#)
        );
        assert_eq!(
            removed("c.x.y.z").as_deref(),
            Some(r#"{"a":1,"c":{"x":2,"x.y":{}},"reports":[{"name":"r","sum":{}}]}"#)
        );
        for none in ["", "b", "reports[0]", "reports[1].sum", "a.b", "reports[x].sum"] {
            assert_eq!(removed(none), None, "{none}");
        }
    }
}
