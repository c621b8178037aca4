//! `taster demo`: a whole comparison on a temporary database.

use std::path::{Path, PathBuf};

use clap::{Args, builder::PossibleValuesParser};
use taster_demo::{DATABASE, Mongod, MongodOptions, Shop, Upgrade};
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowContext, Post, progress::Task};
use taster_model::RunId;

use super::results::{VerdictContext, write_verdict};
use crate::args::{RunArg, VerdictFormat, VerdictOutput};

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
    /// Use a replica set of one member, which is read from one snapshot, instead of a standalone server
    #[arg(long)]
    replica_set: bool,
    /// Folder for the configuration and the results [default: a new temporary folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    output: VerdictOutput,
}

/// Starts a mongod, loads the shop, captures, upgrades, and captures again. Exits with the verdict.
pub async fn run(args: &DemoArgs) -> Result<Exit, CliError> {
    let upgrade = Upgrade::by_name(&args.upgrade)?;
    let dir = create_folder(args.dir.as_deref())?;
    let task = Task::start("mongod");
    let mongod = Mongod::start(MongodOptions { replica_set: args.replica_set, ..MongodOptions::default() }).await?;
    task.finish(&format!("MongoDB {} on port {}", mongod.version().await?, mongod.port()));
    let client = mongod.client().await?;

    let task = Task::start("barbecue shop");
    let loaded =
        Shop::with_orders(args.orders).load(&client, |done, total| task.set_progress(done, Some(total))).await?;
    task.finish(&format!(
        "{}, {} and {} ({}) in {}",
        taster_text::counted(loaded.orders, "order"),
        taster_text::counted(loaded.registrations, "registration"),
        taster_text::counted(loaded.menu, "dish").replace("dishs", "dishes"),
        taster_text::size(loaded.bytes),
        taster_text::duration(loaded.took),
    ));

    let context = open_flow(&mongod, &dir, upgrade).await?;
    let run: RunId = args.run.run.clone().unwrap_or_else(RunId::generate);
    taster_flow::pre(&context, Some(&run)).await?;
    let task = Task::start(format!("upgrade `{}`", upgrade.name));
    let result = upgrade.run(&client).await?;
    task.finish(&format!("{} in {}", upgrade.summary, taster_text::duration(result.took)));

    let Post::Judged(outcome) = taster_flow::post(&context, Some(&run)).await?.value else {
        // cannot happen: only a configuration with `cluster` can have no workloads yet
        return Ok(Exit::Unknown);
    };
    let shown = VerdictContext { reports: &outcome.reports, ..VerdictContext::default() };
    let exit = write_verdict(&args.output, &outcome.verdict, &shown)?;
    if args.output.format == VerdictFormat::Human {
        for line in &result.changes {
            tracing::info!(change = %line, "the upgrade changed the data");
        }
        tracing::info!(folder = %dir.display(), "wrote the configuration and the results");
        if outcome.verdict.verdict != upgrade.expected {
            tracing::warn!(expected = %upgrade.expected, "the verdict is not the expected one of this upgrade");
        }
    }
    client.shutdown().await;
    Ok(exit)
}

async fn open_flow(mongod: &Mongod, dir: &Path, upgrade: &Upgrade) -> Result<FlowContext, CliError> {
    let store = format!("file://{}", dir.join("results").display());
    let yaml = taster_demo::taster_yaml(&mongod.uri_of(DATABASE), &store, upgrade.declares);
    let path = dir.join("taster.yaml");
    let cannot =
        |error: std::io::Error| CliError::new("T0616", format!("cannot write {}: {error}", path.display()), None);
    std::fs::write(&path, &yaml).map_err(cannot)?;
    let config = taster_config::load(&path, std::collections::HashMap::new())?;
    FlowContext::open(config, dir.to_owned()).await
}

fn create_folder(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let dir = match given {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("taster-demo-{}", RunId::generate())),
    };
    std::fs::create_dir_all(&dir).and_then(|()| dir.canonicalize()).map_err(|error| {
        CliError::new(
            "T0616",
            format!("cannot create {}: {error}", dir.display()),
            "name a folder with --dir".to_owned(),
        )
    })
}
