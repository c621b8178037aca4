//! Rounds with losses: the verdict is never better than the truth.

use serde_json::Value as Json;

use super::{
    config::Config,
    database::{self, Database},
    expiry::{self, SESSIONS},
    random::Random,
    rounds::{self, Parts, Played, Round},
    server::{self, Server},
    truth::{Counts, Damage, Truth},
    upgrade::{self, State, Step},
};

/// A database, an upgrade that may lose something, and a configuration.
#[derive(Debug, Clone)]
pub(super) struct Mutated {
    database: Database,
    steps: Vec<Step>,
    config: Config,
}

impl Round for Mutated {
    fn generate(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let mut database = database::generate(random);
        let mut steps = upgrade::generate(random, &database);
        let mut config = Config::generate(random, &database);
        let random = &mut Random::beside(seed);
        if random.one_in(3) {
            database.insert(SESSIONS.to_owned(), expiry::sessions(random));
            config.record(SESSIONS);
            upgrade::in_sessions(random, &mut steps, &database);
        }
        if random.one_in(4) {
            // what is written of a collection by its name is not about its new name
            let is_free =
                |name: &str| config.census.iter().all(|(other, _)| other != name) && config.rule(name).is_none();
            upgrade::rename(random, &mut steps, &database, true, is_free);
        }
        Self { database, steps, config }
    }

    async fn play(&self, server: &mut Server) -> Result<(), String> {
        let state = State::after(&self.database, &self.steps);
        let yaml = |database: &str| self.config.yaml(&state.changes, database);
        let upgrade = async |server: &mut Server, name: &str| {
            let mongo = server.client.database(name);
            server::follow(&mongo, &state.before, &state.actual, &state.renamed).await;
        };
        let played = rounds::before_and_after(server, yaml, &state, upgrade).await;
        judge(&played, &Truth::new(&state, &self.config))
    }

    fn smaller(&self) -> Vec<Self> {
        let smaller = rounds::smaller(&self.database, &self.steps, &self.config).into_iter();
        smaller.map(|(database, steps, config)| Self { database, steps, config }).collect()
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            database: &self.database,
            steps: self.steps.iter().map(|step| format!("{step:?}")).collect(),
            config: &self.config,
            changes: State::after(&self.database, &self.steps).changes,
        }
    }
}

/// Nothing is better than the truth: neither the verdict, nor what is said of each collection, nor the numbers of documents.
fn judge(played: &Played, truth: &Truth<'_>) -> Result<(), String> {
    let Played { pre, post } = played;
    // an expectation that can match nothing: such a configuration is refused, and nothing passes
    if pre.code == 4 && pre.err.contains("error[T0637]") {
        return Ok(());
    }
    if ![0, 3].contains(&pre.code) {
        return Err(format!("`pre` failed: {}", pre.all()));
    }
    if ![0, 1, 3].contains(&post.code) {
        return Err(format!("`post` failed: {}", post.all()));
    }
    let findings = rounds::deciding(post);
    for Damage { collection, what } in truth.damages() {
        let of = collection.as_deref().unwrap_or("the database");
        if post.code == 0 {
            return Err(format!("the verdict is `same`, but of {of}: {what}\n{}", post.out));
        }
        let names_it = |finding: &Json| {
            // one that names no collection is about the probe, or about the whole comparison
            let named = finding["labels"]["collection"].as_str();
            named.is_none() || collection.is_none() || named == collection.as_deref()
        };
        if !findings.iter().any(names_it) {
            return Err(format!("no deciding finding is about {of}: {what}\n{}", post.out));
        }
    }
    let is_of_census = |finding: &Json, name: &str| {
        finding["metric"] == "documents" && finding["probe"] == "census" && finding["labels"]["collection"] == name
    };
    for name in truth.collections() {
        // the census itself must see it, whatever other probes see
        let Some(Counts { missing, extra, changed }) = truth.exact_counts(name) else { continue };
        let is_damaged = missing + changed > 0 || extra > 0 && !truth.may_grow();
        if is_damaged && !findings.iter().any(|finding| is_of_census(finding, name)) {
            let counts = format!("{missing} missing, {extra} extra, {changed} changed");
            return Err(format!("the census of {name} finds nothing, the truth is {counts}\n{}", post.out));
        }
    }
    for finding in &findings {
        let Some(name) = finding["labels"]["collection"].as_str() else { continue };
        if let (Some(expected), Some(found)) = (truth.exact_counts(name), counted(finding))
            && expected != found
        {
            return Err(format!("the census of {name} counts {found:?}, the truth is {expected:?}\n{}", post.out));
        }
    }
    Ok(())
}

/// The documents that a finding about a census names.
fn counted(finding: &Json) -> Option<Counts> {
    let is_census = finding["metric"] == "documents" && finding["probe"] == "census";
    let documents = finding.get("documents").filter(|documents| is_census && documents.is_object())?;
    let count = |kind: &str| documents[kind]["count"].as_u64();
    Some(Counts { missing: count("missing")?, extra: count("extra")?, changed: count("changed")? })
}
