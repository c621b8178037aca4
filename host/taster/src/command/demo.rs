//! `taster demo`: the whole thing on a throwaway database.

use std::path::{Path, PathBuf};

use clap::{Args, builder::PossibleValuesParser};
use taster_demo::{DATABASE, Mongod, MongodOptions, Shop, Upgrade};
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowContext, Post, progress::Task};
use taster_model::RunId;

use super::{Beside, write_verdict};
use crate::{cli::Common, cli::Format};

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// What the upgrade does to the data
    #[arg(long, value_name = "NAME", default_value = taster_demo::upgrade::ALL[0].name,
        value_parser = PossibleValuesParser::new(taster_demo::upgrade::ALL.iter().map(|u| u.name)))]
    upgrade: String,
    /// How many orders the shop has
    #[arg(long, value_name = "N", default_value_t = Shop::default().orders)]
    orders: u64,
    /// Taste a replica set of one member, which is read at one moment, instead of a standalone server
    #[arg(long)]
    replica_set: bool,
    /// Where the configuration and the results go [default: a new folder among the temporary ones]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Starts a mongod, loads the shop, tastes, upgrades, tastes again. Ends with the verdict.
pub async fn run(common: &Common, args: &DemoArgs) -> Result<Exit, CliError> {
    let upgrade = Upgrade::named(&args.upgrade)?;
    let dir = folder(args.dir.as_deref())?;
    let task = Task::start("mongod");
    let mongod = Mongod::start(MongodOptions { replica_set: args.replica_set, ..MongodOptions::default() }).await?;
    task.finish(&format!("MongoDB {} on port {}", mongod.version().await?, mongod.port()));
    let client = mongod.client().await?;

    let task = Task::start("barbecue shop");
    let loaded = Shop::of(args.orders).load(&client, |done, total| task.set_progress(done, Some(total))).await?;
    task.finish(&format!(
        "{}, {} and {} ({}) in {}",
        taster_text::counted(loaded.orders, "order"),
        taster_text::counted(loaded.registrations, "registration"),
        taster_text::counted(loaded.menu, "dish").replace("dishs", "dishes"),
        taster_text::size(loaded.bytes),
        taster_text::duration(loaded.took),
    ));

    let context = open_context(&mongod, &dir, upgrade).await?;
    let run: RunId = common.run.clone().unwrap_or_else(RunId::generate);
    taster_flow::pre(&context, Some(&run)).await?;
    let task = Task::start(format!("upgrade `{}`", upgrade.name));
    let played = upgrade.play(&client).await?;
    task.finish(&format!("{} in {}", upgrade.summary, taster_text::duration(played.took)));

    let Post::Judged(outcome) = taster_flow::post(&context, Some(&run)).await?.value else {
        // only a cluster can be empty
        return Ok(Exit::Unknown);
    };
    let exit = write_verdict(common, &outcome.verdict, &Beside { reports: &outcome.reports, ..Beside::default() })?;
    if common.format == Format::Human {
        for line in &played.did {
            tracing::info!("what the upgrade had done: {line}");
        }
        tracing::info!("configuration and results: {}", dir.display());
        if outcome.verdict.verdict != upgrade.expected {
            tracing::warn!("`{}` was expected of this upgrade", upgrade.expected);
        }
    }
    client.shutdown().await;
    Ok(exit)
}

async fn open_context(mongod: &Mongod, dir: &Path, upgrade: &Upgrade) -> Result<FlowContext, CliError> {
    let store = format!("file://{}", dir.join("results").display());
    let yaml = taster_demo::taster_yaml(&mongod.uri_of(DATABASE), &store, upgrade.declares);
    let path = dir.join("taster.yaml");
    let cannot =
        |error: std::io::Error| CliError::new("T0616", format!("cannot write {}: {error}", path.display()), None);
    std::fs::write(&path, &yaml).map_err(cannot)?;
    let config = taster_config::load(&path, std::collections::HashMap::new())?;
    FlowContext::open(config, dir.to_owned()).await
}

fn folder(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let dir = match given {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("taster-demo-{}", RunId::generate())),
    };
    std::fs::create_dir_all(&dir).and_then(|()| dir.canonicalize()).map_err(|error| {
        CliError::new("T0616", format!("cannot make {}: {error}", dir.display()), "name a folder with --dir".to_owned())
    })
}
