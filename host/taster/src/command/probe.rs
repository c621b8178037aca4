//! `taster probe`: for people who write or receive probes.

use std::{
    fmt::Write,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use taster_census::CensusFile;
use taster_config::{Collections, ComponentSource, Config, Limits, Probe};
use taster_diagnostics::{CliError, Exit};
use taster_flow::{CaptureIdentity, CensusSettings, ProbeEnv, progress::Task};
use taster_model::{AttemptId, Metric, MetricDeclaration, RunId, Side, Value};

use super::only;
use crate::{cli::Common, cli::Format, output};

/// What can be done with a probe.
#[derive(Debug, Clone, Subcommand)]
pub enum ProbeCommand {
    /// Check that a component is a probe: world, imports, size, manifest
    Check(Component),
    /// Say what a probe is and what it asks for
    Inspect(Component),
    /// Run a probe against a database and print its metrics
    Run(RunArgs),
    /// Compile the standard probes ahead, for an image: `TASTER_CODE` names the folder there
    Precompile {
        /// The folder; made where it is missing
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// Which component.
#[derive(Debug, Clone, Args)]
pub struct Component {
    /// A standard probe by its bare name, or a file
    #[arg(value_name = "COMPONENT")]
    component: String,
}

/// Arguments of `probe run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    component: Component,
    /// The database
    #[arg(long, value_name = "URI", env = "MONGODB_URI", hide_env_values = true)]
    mongodb: String,
    /// A collection that it may read, or ROLE=COLLECTION; repeat for more [default: every collection]
    #[arg(long = "collection", value_name = "NAME")]
    collections: Vec<String>,
    /// JSON handed to the probe
    #[arg(long = "options", value_name = "JSON")]
    options: Option<String>,
    /// Wall time that it may take
    #[arg(long, value_name = "DURATION")]
    deadline: Option<taster_config::Period>,
    /// Memory that it may use
    #[arg(long, value_name = "SIZE")]
    memory: Option<taster_config::Size>,
    /// Run it twice on the same data: two answers that differ by a byte are none
    #[arg(long)]
    twice: bool,
}

/// Runs one of them.
pub async fn run(common: &Common, command: &ProbeCommand) -> Result<Exit, CliError> {
    only(common, &[Format::Human, Format::Json])?;
    match command {
        ProbeCommand::Check(component) => check(common, component).await,
        ProbeCommand::Inspect(component) => inspect(common, component).await,
        ProbeCommand::Run(args) => taste(common, args).await,
        ProbeCommand::Precompile { folder } => precompile(common, folder),
    }
}

fn precompile(common: &Common, folder: &Path) -> Result<Exit, CliError> {
    let cannot_write = |path: &Path, error: &std::io::Error| {
        CliError::new("T0602", format!("cannot write {}: {error}", path.display()), "name another folder".to_owned())
    };
    // whatever the umask is: a folder that others may write to is refused where it is used
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)))
        .map_err(|error| cannot_write(folder, &error))?;
    let mut out = String::new();
    for (name, component) in taster_standard_probes::standard_probes() {
        let (file, code) = taster_engine::Engine::precompile(component)?;
        let path = folder.join(file);
        // whole or not at all: a process that maps it is never shown half of it
        let partial = path.with_extension("part");
        fs::write(&partial, &code)
            .and_then(|()| fs::set_permissions(&partial, Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|error| cannot_write(&path, &error))?;
        let _ = writeln!(out, "{name:<16} {}", taster_text::size(code.len() as u64));
    }
    output::write_text(common, &out)?;
    Ok(Exit::Done)
}

/// The component as a probe of a configuration; here a bare name may also be a file in this folder.
fn as_probe(component: &Component) -> Probe {
    let given = &component.component;
    let is_file = matches!(ComponentSource::of(given), ComponentSource::Unknown(_)) && PathBuf::from(given).exists();
    let component = if is_file { format!("./{given}") } else { given.clone() };
    let stem =
        PathBuf::from(given).file_stem().map_or_else(|| given.clone(), |stem| stem.to_string_lossy().into_owned());
    Probe { name: stem, component, ..Probe::standard(given) }
}

async fn load(component: &Component) -> Result<taster_engine::Probe, CliError> {
    let probe = as_probe(component);
    let limits = taster_flow::engine_limits(&probe.limits);
    let read = taster_flow::component::read(&probe, &PathBuf::from("."), limits.component_size)?;
    Ok(taster_flow::open_engine()?.load(&read.bytes, &limits, "limits").await?)
}

async fn check(common: &Common, component: &Component) -> Result<Exit, CliError> {
    let probe = load(component).await?;
    let manifest = probe.manifest();
    if common.format == Format::Json {
        let report = serde_json::json!({"sha256": probe.sha256(), "bytes": probe.size(), "imports": probe.imports(),
            "exports": probe.exports(), "manifest": manifest});
        output::write_json(common, &report)?;
        return Ok(Exit::Done);
    }
    let mut out = format!("{} {} is a probe: {}\n", manifest.name, manifest.version, manifest.summary);
    let _ = writeln!(out, "  sha256   {}", probe.sha256());
    let _ = writeln!(out, "  size     {}", taster_text::size(probe.size()));
    let _ = writeln!(out, "  imports  {}", probe.imports().join(", "));
    let _ = writeln!(out, "  exports  {}", probe.exports().join(", "));
    output::write_text(common, &out)?;
    Ok(Exit::Done)
}

async fn inspect(common: &Common, component: &Component) -> Result<Exit, CliError> {
    let probe = load(component).await?;
    let manifest = probe.manifest();
    if common.format == Format::Json {
        output::write_json(common, manifest)?;
        return Ok(Exit::Done);
    }
    let mut out = format!("{} {}\n{}\n\nIt asks for\n", manifest.name, manifest.version, manifest.summary);
    for role in &manifest.roles {
        let many = if role.many { "one or more collections" } else { "one collection" };
        let optional = if role.required { "" } else { ", optional" };
        let _ = writeln!(out, "  {:<12} {many}{optional}: {}", role.name, role.summary);
    }
    let _ = writeln!(out, "  {:<12} {}", "methods", manifest.methods.join(", "));
    out.push_str("\nIt may return\n");
    let mut table = taster_report::human::table();
    for metric in &manifest.metrics {
        table.add_row(declaration(metric));
    }
    out.push_str(&taster_report::human::lines(&table));
    output::write_text(common, &out)?;
    Ok(Exit::Done)
}

fn declaration(metric: &MetricDeclaration) -> [String; 5] {
    let labels = if metric.labels.is_empty() { String::new() } else { format!("{{{}}}", metric.labels.join(", ")) };
    let expect = metric.expect.as_ref().map_or_else(|| "equal".to_owned(), ToString::to_string);
    [format!("{}{labels}", metric.name), metric.kind.to_string(), metric.unit.clone(), expect, metric.summary.clone()]
}

async fn taste(common: &Common, args: &RunArgs) -> Result<Exit, CliError> {
    let mut probe = as_probe(&args.component);
    probe.limits = Limits { deadline: args.deadline, memory: args.memory, ..Limits::default() };
    probe.collections = collections(&args.collections);
    probe.config = args.options.as_deref().map(serde_json::from_str).transpose().map_err(|error| {
        CliError::new("T0612", format!("--options is not JSON: {error}"), None).with_exit(Exit::Usage)
    })?;
    let config = Config::for_uri(&args.mongodb)?;
    let engine = taster_flow::open_engine()?;
    let loaded = taster_flow::load_probe(&engine, &probe, &PathBuf::from("."))
        .await
        .map_err(|failure| failed(&probe, &failure))?;
    let session = taster_flow::connect(&config, &format!("taster/probe-run/{}", probe.name)).await?;
    let snapshot = session.initial_snapshot();
    let result = tokio::select! {
        result = served_as_asked(&loaded, &snapshot, &probe, &config, args) => result,
        signal = taster_flow::wait_for_signal() => Err(taster_flow::FlowError::Interrupted { signal, what: "result" }.into()),
    };
    session.close().await;
    let Served { report, censuses } = result?;
    match report.outcome {
        Err(failure) => Err(failed(&probe, &failure)),
        Ok(metrics) if common.format == Format::Json => {
            let mut result = serde_json::json!({"metrics": metrics, "usage": report.usage});
            if !censuses.is_empty() {
                result["censuses"] = censuses.iter().map(census).collect();
            }
            output::write_json(common, &result)?;
            Ok(Exit::Done)
        }
        Ok(metrics) => {
            output::write_text(
                common,
                &table(&metrics, &censuses, &report.usage, &taster_flow::engine_limits(&probe.limits)),
            )?;
            Ok(Exit::Done)
        }
    }
}

/// What came of a run, and the censuses that it took: counted here, and kept nowhere.
struct Served {
    report: taster_engine::RunReport,
    censuses: Vec<CensusFile>,
}

/// What JSON says of a census. Not its sum: that is keyed, and the key is thrown away.
fn census(census: &CensusFile) -> serde_json::Value {
    serde_json::json!({"id": census.identity.id, "collection": census.identity.collection, "documents": census.documents,
        "bytes": census.bytes, "length": census.length})
}

/// Runs the probe once, or twice where that was asked; of two answers that differ the second is a failure.
async fn served_as_asked(
    loaded: &taster_engine::Probe,
    snapshot: &taster_query::Snapshot,
    probe: &Probe,
    config: &Config,
    args: &RunArgs,
) -> Result<Served, CliError> {
    let (run, attempt) = (RunId::generate(), AttemptId::generate());
    let occasion = CaptureIdentity { app: &config.app, run: &run, side: Side::Pre, attempt: &attempt, before: None };
    // one key for both runs: else no two censuses would be alike
    let census_settings = CensusSettings::new(config, &occasion)?;
    let first = serve(loaded, snapshot, probe, &census_settings).await?;
    let (true, Ok(metrics)) = (args.twice, &first.report.outcome) else { return Ok(first) };
    let mut second = serve(loaded, snapshot, probe, &census_settings).await?;
    second.report.outcome = second.report.outcome.and_then(|again| {
        taster_flow::check_deterministic(metrics, &again)?;
        taster_flow::check_censuses_deterministic(&first.censuses, &second.censuses)?;
        Ok(again)
    });
    Ok(second)
}

async fn serve(
    loaded: &taster_engine::Probe,
    snapshot: &taster_query::Snapshot,
    probe: &Probe,
    census_settings: &CensusSettings,
) -> Result<Served, CliError> {
    let live = snapshot.readable_collections().await?;
    let grants = taster_flow::resolve_collections(probe, loaded.manifest(), &live, &[])?;
    let task = Task::start(probe.name.clone());
    // a fixed clock and seed: the same data gives the same output, run after run
    let world = ProbeEnv { clock: Timestamp::UNIX_EPOCH, seed: "probe run", census: census_settings.env(probe) };
    let input = taster_flow::probe_run_input(snapshot, probe, &grants, world, &task);
    let database = input.database.clone();
    let report = loaded.run(input).await;
    task.finish(if report.outcome.is_ok() { "done" } else { "failed" });
    for line in &report.log {
        tracing::info!(probe = probe.name, "{}", line.message);
    }
    Ok(Served { report, censuses: database.take_censuses() })
}

fn failed(probe: &Probe, failure: &taster_model::Failure) -> CliError {
    CliError::new("T0613", format!("probe {} did not end well: {failure}", probe.name), None).with_exit(Exit::Unknown)
}

fn collections(given: &[String]) -> Option<Collections> {
    if given.is_empty() {
        return None;
    }
    if given.iter().all(|name| !name.contains('=')) {
        return Some(Collections::List(given.to_vec()));
    }
    let mut roles: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for pair in given {
        let (role, name) = pair.split_once('=').unwrap_or(("", pair));
        roles.entry(role.to_owned()).or_default().push(name.to_owned());
    }
    Some(Collections::Roles(
        roles.into_iter().map(|(role, names)| (role, taster_config::OneOrMany::Many(names))).collect(),
    ))
}

/// A value as a person reads it; a census as the number of its documents.
fn shown(value: &Value, censuses: &[CensusFile]) -> String {
    if let Value::Census(id) = value {
        let census = censuses.iter().find(|census| census.identity.id == *id);
        return census
            .map_or_else(|| format!("no census `{id}`"), |census| taster_text::counted(census.documents, "document"));
    }
    match value.plain() {
        value @ (serde_json::Value::Object(_) | serde_json::Value::Array(_)) => {
            taster_text::truncate_chars(&value.to_string(), 400)
        }
        plain => taster_report::value(Some(&plain)),
    }
}

fn table(
    metrics: &[Metric],
    censuses: &[CensusFile],
    usage: &taster_model::Usage,
    limits: &taster_engine::Limits,
) -> String {
    let mut table = taster_report::human::table();
    for metric in metrics {
        let shown = shown(&metric.value, censuses);
        table.add_row([taster_report::metric_name(&metric.name, &metric.labels), shown, metric.unit.clone()]);
    }
    let mut out = taster_report::human::lines(&table);
    let _ = writeln!(
        out,
        "\n  time       {} of {} (guest {}, server {})\n  documents  {} ({})\n  memory     {} of {}\n  host calls {}",
        taster_text::duration(Duration::from_millis(usage.wall_ms)),
        taster_text::duration(limits.deadline),
        taster_text::duration(Duration::from_millis(usage.guest_ms)),
        taster_text::duration(Duration::from_millis(usage.server_ms)),
        taster_text::grouped(usage.documents),
        taster_text::size(usage.bytes),
        taster_text::size(usage.memory_peak),
        taster_text::size(limits.memory),
        taster_text::grouped(usage.host_calls),
    );
    out
}
