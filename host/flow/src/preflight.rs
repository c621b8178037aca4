//! What is hopeless before the sync: a configuration with which no verdict could be `same`, or a database without collections.

use taster_config::{Collections, ComponentSource, Config, Probe};
use taster_diagnostics::CliError;
use taster_model::{ChangeKind, CollectionFacts, CollectionKind, DeclaredChange, Expectation, Severity, other_names};
use taster_query::Connection;

use crate::{
    context::FlowContext,
    error::FlowError,
    expected::{self, ExpectationMistake},
    probe_check::{ProbeCheck, check_probe},
    timing::Phase,
};

/// Fails if no verdict could be `same` with this configuration, whatever the data are: a deciding probe cannot run, or an
/// expectation can match nothing. Nothing is read or scaled for that.
pub(crate) async fn require_possible(context: &FlowContext) -> Result<(), FlowError> {
    let FlowContext { config, engine, base, .. } = context;
    let mut reasons = Vec::new();
    let mut checks = Vec::new();
    for probe in &config.probes {
        let decides = probe.severity == Severity::Fail && !probe.muted;
        let checking = check_probe(engine, probe, base, None, &config.changes);
        let check = context.timer.time(Phase::Probes, checking).await;
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
    let is_there = |name: &str| live.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent);
    // a renamed collection has its old name before the sync
    let exists = |name: &str| is_there(name) || other_names(&config.changes, name).any(is_there);
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

/// The collections that declared changes or expectations name, that do not exist and that no declared change adds: where each
/// is named, and its name.
#[must_use]
pub fn absent_elsewhere(config: &Config, live: &[CollectionFacts]) -> Vec<(String, String)> {
    let changed = absent_changes(config, live).map(|change| (format!("changes[{change}]"), change.collection.clone()));
    let expected = absent_expectations(config, live)
        .map(|(expectation, name)| (format!("expect[{}]", expectation.metric), name.to_owned()));
    changed.chain(expected).collect()
}

/// The declared changes of collections that do not exist and that no declared change adds.
pub(crate) fn absent_changes<'a>(
    config: &'a Config,
    live: &'a [CollectionFacts],
) -> impl Iterator<Item = &'a DeclaredChange> {
    config.changes.iter().filter(move |change| !exists_or_is_added(config, live, &change.collection))
}

/// The expectations of collections that do not exist and that no declared change adds, with the name of the collection.
pub(crate) fn absent_expectations<'a>(
    config: &'a Config,
    live: &'a [CollectionFacts],
) -> impl Iterator<Item = (&'a Expectation, &'a str)> {
    config.expect.iter().filter_map(move |expectation| {
        let named = expectation.labels.get("collection")?;
        let is_standard = |probe: &Probe| matches!(ComponentSource::of(&probe.component), ComponentSource::Standard(_));
        let mut about =
            config.probes.iter().filter(|probe| expectation.probe.as_ref().is_none_or(|p| *p == probe.name));
        // a probe of one's own may mean something else by the label
        let is_absent = about.all(is_standard) && !exists_or_is_added(config, live, named);
        is_absent.then_some((expectation, named.as_str()))
    })
}

fn exists_or_is_added(config: &Config, live: &[CollectionFacts], name: &str) -> bool {
    let exists = live.iter().any(|facts| facts.name == name && facts.kind != CollectionKind::Absent);
    exists
        || config.changes.iter().any(|change| match &change.kind {
            ChangeKind::AddedCollection => change.collection == name,
            ChangeKind::RenamedCollection(to) => to == name,
            _ => false,
        })
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
    let adds = config.changes.iter().any(|change| change.kind == ChangeKind::AddedCollection);
    // a user without the right to list them is told later, with all the rights that are missing
    let collections = connection.initial_snapshot().collections().await;
    if adds || collections.map_or(true, |collections| !collections.is_empty()) {
        return Ok(());
    }
    Err(FlowError::EmptyDatabase { message: no_collections(connection).await }.into())
}
