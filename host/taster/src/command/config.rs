//! `taster config`: checks the configuration and prints its schema.

use std::fmt::Write;

use clap::{Args, Subcommand};
use taster_config::{Config, Probe};
use taster_diagnostics::{CliError, Exit};
use taster_model::{CollectionFacts, Manifest};
use taster_query::{Connection, PrivilegeReport};
use taster_store::Store;

use super::inputs::{LoadedConfig, load_config};
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
    let LoadedConfig { config, folder } = load_config(&args.config, Some(&args.store))?;
    let mut checks = Checks::default();
    checks.pass(&format!("{} is a configuration of app {}", args.config.path().display(), config.app));
    describe_cluster(&config, &mut checks);
    let engine = taster_flow::open_engine()?;
    let session = if args.live { connect(&config, &mut checks).await } else { None };
    let collections = match &session {
        Some(session) => check_user(session, &config, &mut checks).await,
        None => None,
    };
    for probe in &config.probes {
        match taster_flow::load_probe(&engine, probe, &folder).await {
            Ok(loaded) => {
                check_collections(&config, probe, loaded.manifest(), collections.as_deref(), &mut checks)?;
            }
            Err(failure) => checks.fail(&format!("probe {}", probe.name), &failure),
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
    output::write_text(None, &checks.text)?;
    Ok(if checks.failed == 0 { Exit::Done } else { Exit::Failed })
}

/// The collections of a probe. Without a server it is not known what "every collection" is; only roles that the
/// configuration lists can be checked then.
fn check_collections(
    config: &Config,
    probe: &Probe,
    manifest: &Manifest,
    collections: Option<&[CollectionFacts]>,
    checks: &mut Checks,
) -> Result<(), CliError> {
    let what = format!("probe {}", probe.name);
    let existing = collections.unwrap_or_default();
    if collections.is_none() && probe.collections.is_none() {
        checks.pass(&format!("{what}: {} {}", manifest.name, manifest.version));
        return Ok(());
    }
    let grants = match taster_flow::resolve_collections(probe, manifest, existing, &[], &config.changes) {
        Ok(grants) => grants,
        Err(error) => {
            checks.fail(&what, &error.into_failure(probe));
            return Ok(());
        }
    };
    let number = taster_text::counted(grants.len() as u64, "collection");
    checks.pass(&format!("{what}: {} {}, {number}", manifest.name, manifest.version));
    if collections.is_some() {
        for missing in grants.iter().filter(|grant| !exists(existing, &grant.name)) {
            let database = config.database()?;
            checks.fail(&what, &format!("there is no collection `{}` in `{database}`", missing.name));
        }
    }
    Ok(())
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

fn exists(collections: &[CollectionFacts], name: &str) -> bool {
    collections.iter().any(|collection| collection.name == name)
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
