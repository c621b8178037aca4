//! `taster config`: checks the configuration and prints its schema.

use std::{fmt::Write as _, io::Write as _, path::Path};

use clap::{Args, Subcommand};
use taster_config::{CheckedFile, Config, Probe};
use taster_diagnostics::{CliError, Exit};
use taster_flow::{ExpectationMistake, ProbeCheck};
use taster_model::{CollectionFacts, Failure, Metric};
use taster_query::{Connection, PrivilegeReport};
use taster_store::Store;

use super::inputs::override_store;
use crate::{
    args::{ConfigArgs, StoreArgs},
    output,
};

/// The subcommands of `config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration: the file, the components, and with --live the database and the store
    Check(CheckArgs),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
}

/// Arguments of `config check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Also connect to the database, check each probe's collections, and test that the store can be written to
    #[arg(long)]
    live: bool,
}

/// Runs a subcommand.
pub async fn run(command: &ConfigCommand) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Schema => {
            output::write_json(None, &Config::json_schema())?;
            Ok(Exit::Done)
        }
        ConfigCommand::Check(args) => check(args).await,
    }
}

/// The results of all checks: everything that is wrong is printed at once.
#[derive(Default)]
struct Checks {
    text: String,
    failed: usize,
}

impl Checks {
    fn pass(&mut self, what: &str) {
        let _ = writeln!(self.text, "✓ {what}");
    }

    fn warn(&mut self, what: &str, warning: &str) {
        let _ = writeln!(self.text, "! {what}: {warning}");
    }

    fn fail(&mut self, what: &str, problem: &dyn std::fmt::Display) {
        self.failed += 1;
        let _ = writeln!(self.text, "✗ {what}: {problem}");
    }
}

async fn check(args: &CheckArgs) -> Result<Exit, CliError> {
    let path = args.config.path();
    let CheckedFile { config, mistakes } = taster_config::check_file(path, &std::env::vars().collect())?;
    let mut mistakes: Vec<CliError> = mistakes.into_iter().map(CliError::from).collect();
    let mut checks = Checks::default();
    if let Some(mut config) = config {
        override_store(&mut config, Some(&args.store));
        if mistakes.is_empty() {
            checks.pass(&format!("{} is a configuration of app {}", path.display(), config.app));
        }
        describe_cluster(&config, &mut checks);
        check_parts(args, &config, &mistakes, &mut checks).await?;
    }
    output::write_text(None, &checks.text)?;
    let Some(last) = mistakes.pop() else {
        return Ok(if checks.failed == 0 { Exit::Done } else { Exit::Failed });
    };
    for mistake in mistakes {
        // standard error may be closed
        let _ = writeln!(std::io::stderr(), "{}", output::for_terminal(&mistake.to_string()));
    }
    Err(last)
}

/// Checks the probes and the expectations, and with --live the database and the store.
async fn check_parts(
    args: &CheckArgs,
    config: &Config,
    mistakes: &[CliError],
    checks: &mut Checks,
) -> Result<(), CliError> {
    let folder = args.config.path().parent().unwrap_or(Path::new("."));
    let engine = taster_flow::open_engine()?;
    let session = if args.live { connect(config, checks).await } else { None };
    let collections = match &session {
        Some(session) => check_user(session, config, checks).await,
        None => None,
    };
    let mut of_probes = Vec::new();
    for probe in &config.probes {
        let check = taster_flow::check_probe(&engine, probe, folder, collections.as_deref(), &config.changes).await;
        describe_probe(probe, check.as_ref(), checks);
        of_probes.push(check.ok());
    }
    // an expectation may be about a probe that has a mistake in the file
    if mistakes.is_empty() {
        for ExpectationMistake { at, message, help, .. } in taster_flow::mistaken_expectations(config, &of_probes) {
            checks.fail(&at, &format!("T0116: {message} ({help})"));
        }
    }
    if let (Some(session), Some(collections)) = (&session, &collections) {
        check_data(session, config, collections, checks).await;
        for (probe, check) in config.probes.iter().zip(&of_probes) {
            let Some(check) = check.as_ref().filter(|check| check.mistakes.is_empty()) else { continue };
            let empty = taster_flow::empty_metrics(session, config, (probe, check)).await;
            check_empty(probe, &empty, checks);
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
    if args.live {
        match Store::open_verified(config.store_settings()).await {
            Ok(_) => checks.pass(&format!("store {}: writable, and refuses to overwrite", config.store)),
            Err(error) => checks.fail("store", &error),
        }
    }
    Ok(())
}

/// Prints what is known of a probe without its data.
fn describe_probe(probe: &Probe, check: Result<&ProbeCheck, &Failure>, checks: &mut Checks) {
    let what = format!("probe {}", probe.name);
    let check = match check {
        Ok(check) => check,
        Err(failure) => return checks.fail(&what, failure),
    };
    for mistake in &check.mistakes {
        checks.fail(&what, mistake);
    }
    if check.mistakes.is_empty() {
        let number = check.collections.as_ref().map(|grants| taster_text::counted(grants.len() as u64, "collection"));
        let number = number.map(|number| format!(", {number}")).unwrap_or_default();
        checks.pass(&format!("{what}: {} {}{number}", check.manifest.name, check.manifest.version));
    }
}

/// Checks that what the configuration names exists in the database.
async fn check_data(session: &Connection, config: &Config, collections: &[CollectionFacts], checks: &mut Checks) {
    let database = &session.facts().database;
    if collections.is_empty() {
        return checks.fail("database", &taster_flow::no_collections(session).await);
    }
    let names: Vec<&str> = collections.iter().map(|collection| collection.name.as_str()).collect();
    let mut absent = taster_flow::absent_collections(config, collections);
    absent.extend(taster_flow::absent_elsewhere(config, collections));
    for (at, missing) in absent {
        let near = match taster_config::closest_match(&missing, &names) {
            Some(near) => format!("did you mean `{near}`? "),
            None => String::new(),
        };
        let there = taster_text::listed(&names);
        checks.fail(&at, &format!("there is no collection `{missing}` in `{database}`. {near}There are: {there}"));
    }
}

/// Prints which counts are 0 in a sample: zero before and after the sync is `unknown`.
fn check_empty(probe: &Probe, empty: &[Metric], checks: &mut Checks) {
    for metric in empty {
        let labels: Vec<String> = metric.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(", ")) };
        let text = format!(
            "`{}{labels}` is 0 in the first {} documents of each collection. If it is 0 in all of them, the verdict is unknown: \
             correct the path or the filter, or add an expectation",
            metric.name,
            taster_text::grouped(u64::from(taster_flow::SAMPLE)),
        );
        checks.warn(&format!("probe {}", probe.name), &text);
    }
}

/// Prints which workloads are scaled and where the age of the data comes from. The cluster itself is not asked.
fn describe_cluster(config: &Config, checks: &mut Checks) {
    if let Some(cluster) = &config.cluster {
        let order: Vec<String> = cluster.data.iter().chain(&cluster.apps).map(ToString::to_string).collect();
        let namespace = cluster.namespace.as_deref().unwrap_or("of the pod, or of the kubeconfig");
        checks.pass(&format!("cluster: scales {} (namespace {namespace})", order.join(", then ")));
    }
    for fresh in &config.freshness {
        checks.pass(&format!("freshness: {}, at most {} old", fresh.source, fresh.max_age));
    }
}

async fn connect(config: &Config, checks: &mut Checks) -> Option<Connection> {
    match taster_flow::connect(config, "taster/config-check").await {
        Ok(session) => {
            let facts = session.facts();
            checks.pass(&format!("database {}: MongoDB {}, {:?}", facts.database, facts.version, facts.topology));
            Some(session)
        }
        Err(problem) => {
            checks.fail("database", &problem);
            None
        }
    }
}

/// Checks the user's privileges, then lists the collections, if the user may list them.
async fn check_user(session: &Connection, config: &Config, checks: &mut Checks) -> Option<Vec<CollectionFacts>> {
    match session.check_privileges(&taster_flow::required_privileges(config)).await {
        Ok(report) => check_privileges(&report, config, checks),
        Err(error) => checks.fail("user", &CliError::from(error)),
    }
    match session.initial_snapshot().collections().await {
        Ok(collections) => Some(collections),
        Err(error) => {
            checks.fail("collections", &CliError::from(error));
            None
        }
    }
}

fn check_privileges(report: &PrivilegeReport, config: &Config, checks: &mut Checks) {
    match report.require_complete() {
        Ok(()) => checks.pass("user: can read everything that is needed"),
        Err(error) => checks.fail("user", &CliError::from(error)),
    }
    match (report.require_read_only(), taster_flow::write_privileges(report)) {
        (Ok(()), _) => checks.pass("user: can only read"),
        (Err(error), _) if config.require_read_only_user => checks.fail("user", &CliError::from(error)),
        (Err(_), Some(excess)) => checks.warn("user", &excess),
        (Err(_), None) => checks.warn("user", taster_flow::NO_ACCESS_CONTROL),
    }
    if let Some(blind) = taster_flow::missing_optional_privileges(report) {
        checks.warn("user", &blind);
    }
}
