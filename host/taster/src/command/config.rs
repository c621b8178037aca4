//! `taster config`: check the file before a sync depends on it.

use std::fmt::Write;

use clap::Subcommand;
use taster_config::Config;
use taster_diagnostics::{CliError, Exit};
use taster_model::CollectionFacts;
use taster_query::{Connection, PrivilegeReport};
use taster_store::Store;

use super::{config_path, configuration, only};
use crate::{cli::Common, cli::Format, output};

/// What can be done with a configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration: the file, the components, and with --live the database and the store
    Check {
        /// Connect, read what each probe would be given, and prove the store writable
        #[arg(long)]
        live: bool,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
}

/// Runs one of them.
pub async fn run(common: &Common, command: &ConfigCommand) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Schema => output::write_json(common, &Config::json_schema())?,
        ConfigCommand::Check { live } => {
            only(common, &[Format::Human])?;
            return check(common, *live).await;
        }
    }
    Ok(Exit::Done)
}

/// Everything that is wrong at once: one trip to the file, not five.
#[derive(Default)]
struct Checks {
    text: String,
    failed: usize,
}

impl Checks {
    fn good(&mut self, what: &str) {
        let _ = writeln!(self.text, "✓ {what}");
    }

    /// Nothing that fails, and something to know.
    fn so_so(&mut self, what: &str, warning: &str) {
        let _ = writeln!(self.text, "! {what}: {warning}");
    }

    fn bad(&mut self, what: &str, problem: &dyn std::fmt::Display) {
        self.failed += 1;
        let _ = writeln!(self.text, "✗ {what}: {problem}");
    }
}

async fn check(common: &Common, live: bool) -> Result<Exit, CliError> {
    let (config, base) = configuration(common, None)?;
    let mut checks = Checks::default();
    checks.good(&format!("{} is a configuration of app {}", config_path(common).display(), config.app));
    cluster(&config, &mut checks);
    let engine = taster_flow::open_engine()?;
    let session = if live { connect(&config, &mut checks).await } else { None };
    let collections = match &session {
        Some(session) => look(session, &config, &mut checks).await,
        None => None,
    };
    for probe in &config.probes {
        let what = format!("probe {}", probe.name);
        let loaded = match taster_flow::load_probe(&engine, probe, &base).await {
            Ok(loaded) => loaded,
            Err(failure) => {
                checks.bad(&what, &failure);
                continue;
            }
        };
        let manifest = loaded.manifest();
        let known = collections.as_deref().unwrap_or_default();
        // without a server nobody knows what "every collection" is; roles can only be checked where they are spelled out
        if collections.is_none() && probe.collections.is_none() {
            checks.good(&format!("{what}: {} {}", manifest.name, manifest.version));
            continue;
        }
        match taster_flow::resolve_collections(probe, manifest, known, &[]) {
            Ok(grants) => {
                checks.good(&format!(
                    "{what}: {} {}, {}",
                    manifest.name,
                    manifest.version,
                    taster_text::counted(grants.len() as u64, "collection")
                ));
                if collections.is_some() {
                    for missing in grants.iter().filter(|grant| !flow_is_there(known, &grant.name)) {
                        let database = config.database()?;
                        checks.bad(&what, &format!("there is no collection `{}` in `{database}`", missing.name));
                    }
                }
            }
            Err(error) => checks.bad(&what, &error.into_failure(probe)),
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
    if live {
        match Store::open_verified(config.store_settings()).await {
            Ok(_) => checks.good(&format!("store {}: writable, and refuses to overwrite", config.store)),
            Err(error) => checks.bad("store", &error),
        }
    }
    output::write_text(common, &checks.text)?;
    Ok(if checks.failed == 0 { Exit::Done } else { Exit::Failed })
}

/// What is scaled, and who is asked how old the data are: for people, for no cluster is asked here.
fn cluster(config: &Config, checks: &mut Checks) {
    if let Some(cluster) = &config.cluster {
        let order: Vec<String> = cluster.data.iter().chain(&cluster.apps).map(ToString::to_string).collect();
        let namespace = cluster.namespace.as_deref().unwrap_or("of the pod, or of the kubeconfig");
        checks.good(&format!("cluster: scales {} (namespace {namespace})", order.join(", then ")));
    }
    for fresh in &config.freshness {
        checks.good(&format!("freshness: {}, at most {} old", fresh.source, fresh.max_age));
    }
}

fn flow_is_there(collections: &[CollectionFacts], name: &str) -> bool {
    collections.iter().any(|collection| collection.name == name)
}

async fn connect(config: &Config, checks: &mut Checks) -> Option<Connection> {
    match taster_flow::connect(config, "taster/config-check").await {
        Ok(session) => {
            let facts = session.facts();
            checks.good(&format!("database {}: MongoDB {}, {:?}", facts.database, facts.version, facts.topology));
            Some(session)
        }
        Err(problem) => {
            checks.bad("database", &problem);
            None
        }
    }
}

/// The user's privileges, and then the collections, if the user may know them.
async fn look(session: &Connection, config: &Config, checks: &mut Checks) -> Option<Vec<CollectionFacts>> {
    match session.check_privileges(&taster_flow::required_privileges(config)).await {
        Ok(report) => user(&report, config, checks),
        Err(error) => checks.bad("user", &CliError::from(error)),
    }
    match session.initial_snapshot().collections().await {
        Ok(collections) => Some(collections),
        Err(error) => {
            checks.bad("collections", &CliError::from(error));
            None
        }
    }
}

fn user(report: &PrivilegeReport, config: &Config, checks: &mut Checks) {
    match report.require_complete() {
        Ok(()) => checks.good("user: may read all that is needed"),
        Err(error) => checks.bad("user", &CliError::from(error)),
    }
    match (report.require_read_only(), taster_flow::write_privileges(report)) {
        (Ok(()), _) => checks.good("user: may do no more than read"),
        (Err(error), _) if config.require_read_only_user => checks.bad("user", &CliError::from(error)),
        (Err(_), Some(excess)) => checks.so_so("user", &excess),
        (Err(_), None) => checks.so_so("user", taster_flow::NO_ACCESS_CONTROL),
    }
    if let Some(blind) = taster_flow::missing_optional_privileges(report) {
        checks.so_so("user", &blind);
    }
}
