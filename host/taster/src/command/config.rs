//! `taster config`: check the file before a sync depends on it.

use std::fmt::Write;

use clap::Subcommand;
use taster_store::Store;

use super::{config_path, configuration, only};
use crate::{
    cli::{Common, Format},
    config::Config,
    exit::{Exit, Problem},
    flow, output, render,
};

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
pub async fn run(common: &Common, command: &ConfigCommand) -> Result<Exit, Problem> {
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

    fn bad(&mut self, what: &str, problem: &dyn std::fmt::Display) {
        self.failed += 1;
        let _ = writeln!(self.text, "✗ {what}: {problem}");
    }
}

async fn check(common: &Common, live: bool) -> Result<Exit, Problem> {
    let (config, base) = configuration(common, None)?;
    let mut checks = Checks::default();
    checks.good(&format!("{} is a configuration of app {}", config_path(common).display(), config.app));
    let engine = flow::open_engine()?;
    let session = if live { connect(&config, &mut checks).await } else { None };
    let collections = match &session {
        Some(session) => session.collections().await?,
        None => Vec::new(),
    };
    for probe in &config.probes {
        let what = format!("probe {}", probe.name);
        let loaded = match flow::load_probe(&engine, probe, &base).await {
            Ok(loaded) => loaded,
            Err(failure) => {
                checks.bad(&what, &failure);
                continue;
            }
        };
        let manifest = loaded.manifest();
        // without a server nobody knows what "every collection" is; roles can only be checked where they are spelled out
        if !live && probe.collections.is_none() {
            checks.good(&format!("{what}: {} {}", manifest.name, manifest.version));
            continue;
        }
        match flow::resolve_collections(probe, manifest, &collections, &[]) {
            Ok(grants) => {
                checks.good(&format!(
                    "{what}: {} {}, {}",
                    manifest.name,
                    manifest.version,
                    render::count(grants.len() as u64, "collection")
                ));
                if live {
                    for missing in grants.iter().filter(|grant| !flow_is_there(&collections, &grant.name)) {
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
        match Store::open(&config.store).await {
            Ok(_) => checks.good(&format!("store {}: writable, and refuses to overwrite", config.store)),
            Err(error) => checks.bad("store", &error),
        }
    }
    output::write_text(common, &checks.text)?;
    Ok(if checks.failed == 0 { Exit::Done } else { Exit::Failed })
}

fn flow_is_there(collections: &[taster_model::CollectionFacts], name: &str) -> bool {
    collections.iter().any(|collection| collection.name == name)
}

async fn connect(config: &Config, checks: &mut Checks) -> Option<taster_query::Session> {
    match flow::connect(config, "taster/config-check").await {
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
