//! `taster probe`: checks, inspects, runs and precompiles probes.

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
use taster_model::{AttemptId, Failure, Metric, MetricDeclaration, RunId, Side, Value};

use taster_report::layout::TextTable;

use crate::{
    args::{TextFormat, TextOutput},
    command::probe_flags,
    output,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # What does a standard probe return, and what may it read?
  taster probe inspect census

  # Is this file a probe?
  taster probe check ./sums.wasm

  # Run it against a database and print its metrics
  taster probe run ./sums.wasm --mongodb \"$MONGODB_URI\" --collection orders --config '{\"by\": \"status\"}'";

/// The subcommands of `probe`.
#[derive(Debug, Clone, Subcommand)]
pub enum ProbeCommand {
    /// Check that a component is a probe: world, imports, size, manifest
    Check(ComponentArgs),
    /// Print a probe's manifest: what it reads and which metrics it returns
    Inspect(ComponentArgs),
    /// Run a probe against a database and print its metrics
    Run(RunArgs),
    /// Compile the standard probes ahead of time, for an image that sets `TASTER_CODE` to the folder
    Precompile {
        /// The folder; created if it is missing
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// Which component.
#[derive(Debug, Clone, Args)]
pub struct Component {
    /// The name of a standard probe, or a file
    #[arg(value_name = "COMPONENT")]
    name: String,
    /// Limit of the wall time of compiling it [default: 5m]
    #[arg(long, value_name = "DURATION")]
    compile_time: Option<taster_config::Period>,
    /// Limit of the memory of compiling it [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    compile_memory: Option<taster_config::Size>,
}

/// Arguments of `probe check` and `probe inspect`.
#[derive(Debug, Clone, Args)]
pub struct ComponentArgs {
    #[command(flatten)]
    component: Component,
    #[command(flatten)]
    output: TextOutput,
}

/// Arguments of `probe run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    component: Component,
    /// The database to run it against
    #[arg(long, value_name = "URI", env = "MONGODB_URI", hide_env_values = true)]
    mongodb: String,
    /// A collection that the probe may read, or ROLE=COLLECTION; repeatable [default: every collection]
    #[arg(long = "collection", value_name = "NAME")]
    collections: Vec<String>,
    /// Options of the probe, what `config` is in a configuration: JSON, or a file that holds it
    #[arg(long, value_name = "JSON|@FILE")]
    config: Option<String>,
    /// The former name of `--config`
    #[arg(long, hide = true, value_name = "JSON")]
    options: Option<String>,
    /// Limit of the wall time
    #[arg(long, value_name = "DURATION")]
    deadline: Option<taster_config::Period>,
    /// Limit of the memory
    #[arg(long, value_name = "SIZE")]
    memory: Option<taster_config::Size>,
    /// Run the probe twice on the same data, and fail if the results differ
    #[arg(long)]
    twice: bool,
    #[command(flatten)]
    output: TextOutput,
}

/// Runs a subcommand.
pub async fn run(command: &ProbeCommand) -> Result<Exit, CliError> {
    match command {
        ProbeCommand::Check(args) => check(args).await,
        ProbeCommand::Inspect(args) => inspect(args).await,
        ProbeCommand::Run(args) => run_probe(args).await,
        ProbeCommand::Precompile { folder } => precompile(folder),
    }
}

fn precompile(folder: &Path) -> Result<Exit, CliError> {
    let cannot_write = |path: &Path, error: &std::io::Error| {
        CliError::new("T0602", format!("cannot write {}: {error}", path.display()), "name another folder".to_owned())
    };
    // independent of the umask: Taster refuses to load code from a folder that others can write to
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)))
        .map_err(|error| cannot_write(folder, &error))?;
    let mut out = String::new();
    for (name, component) in taster_standard_probes::standard_probes() {
        let (file, code) = taster_engine::Engine::precompile(component)?;
        let path = folder.join(file);
        // written under another name first: a process that maps the file must never see half of it
        let partial = path.with_extension("part");
        fs::write(&partial, &code)
            .and_then(|()| fs::set_permissions(&partial, Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|error| cannot_write(&path, &error))?;
        let _ = writeln!(out, "{name:<16} {}", taster_text::size(code.len() as u64));
    }
    output::write_text(None, &out)?;
    Ok(Exit::Done)
}

/// The component as a probe of a configuration. Unlike there, a bare name may also be a file in the current folder.
fn probe_entry(component: &Component) -> Probe {
    let limits =
        Limits { compile_time: component.compile_time, compile_memory: component.compile_memory, ..Limits::default() };
    let given = &component.name;
    let is_file = matches!(ComponentSource::of(given), ComponentSource::Unknown(_)) && PathBuf::from(given).exists();
    let component = if is_file { format!("./{given}") } else { given.clone() };
    let stem =
        PathBuf::from(given).file_stem().map_or_else(|| given.clone(), |stem| stem.to_string_lossy().into_owned());
    Probe { name: stem, component, limits, ..Probe::standard(given) }
}

async fn load(component: &Component) -> Result<taster_engine::Probe, CliError> {
    let probe = probe_entry(component);
    let size_limit = taster_flow::engine_limits(&probe.limits).component_size;
    let read = taster_flow::component::read(&probe, &PathBuf::from("."), size_limit)?;
    let engine = taster_flow::open_engine()?;
    let loaded = taster_flow::load_component(&engine, &probe, &read, probe_flags::LIMITS).await;
    Ok(loaded.map_err(probe_flags::load_error)?)
}

async fn check(args: &ComponentArgs) -> Result<Exit, CliError> {
    let probe = load(&args.component).await?;
    let manifest = probe.manifest();
    if args.output.format == TextFormat::Json {
        let report = serde_json::json!({"sha256": probe.sha256(), "bytes": probe.size(), "imports": probe.imports(),
            "exports": probe.exports(), "manifest": manifest});
        output::write_json(args.output.output.as_deref(), &report)?;
        return Ok(Exit::Done);
    }
    let mut out = format!("{} {} is a probe: {}\n", manifest.name, manifest.version, manifest.summary);
    let _ = writeln!(out, "  sha256   {}", probe.sha256());
    let _ = writeln!(out, "  size     {}", taster_text::size(probe.size()));
    let _ = writeln!(out, "  imports  {}", probe.imports().join(", "));
    let _ = writeln!(out, "  exports  {}", probe.exports().join(", "));
    output::write_text(args.output.output.as_deref(), &out)?;
    Ok(Exit::Done)
}

async fn inspect(args: &ComponentArgs) -> Result<Exit, CliError> {
    let probe = load(&args.component).await?;
    let manifest = probe.manifest();
    if args.output.format == TextFormat::Json {
        output::write_json(args.output.output.as_deref(), manifest)?;
        return Ok(Exit::Done);
    }
    let mut out = format!("{} {}\n{}\n\nReads\n", manifest.name, manifest.version, manifest.summary);
    for role in &manifest.roles {
        let many = if role.many { "one or more collections" } else { "one collection" };
        let optional = if role.required { "" } else { ", optional" };
        let _ = writeln!(out, "  {:<12} {many}{optional}: {}", role.name, role.summary);
    }
    let _ = writeln!(out, "  {:<12} {}", "methods", manifest.methods.join(", "));
    let results = manifest.results.map(|version| format!(" (results {version})")).unwrap_or_default();
    let _ = writeln!(out, "\nReturns{results}");
    let mut table = TextTable::default();
    for metric in &manifest.metrics {
        table.add_row(metric_row(metric));
    }
    out.push_str(&table.render());
    output::write_text(args.output.output.as_deref(), &out)?;
    Ok(Exit::Done)
}

fn metric_row(metric: &MetricDeclaration) -> [String; 5] {
    let labels = if metric.labels.is_empty() { String::new() } else { format!("{{{}}}", metric.labels.join(", ")) };
    let expect = metric.expect.as_ref().map_or_else(|| "equal".to_owned(), ToString::to_string);
    [format!("{}{labels}", metric.name), metric.kind.to_string(), metric.unit.clone(), expect, metric.summary.clone()]
}

async fn run_probe(args: &RunArgs) -> Result<Exit, CliError> {
    let mut probe = probe_entry(&args.component);
    probe.limits = Limits { deadline: args.deadline, memory: args.memory, ..probe.limits };
    probe.collections = parse_collections(&args.collections);
    probe.config = parse_config(args)?;
    let config = Config::for_uri(&args.mongodb)?;
    let engine = taster_flow::open_engine()?;
    let loaded = taster_flow::load_probe(&engine, &probe, &PathBuf::from("."))
        .await
        .map_err(|failure| probe_problem(&probe, failure))?;
    let session = taster_flow::connect(&config, &format!("taster/probe-run/{}", probe.name)).await?;
    let snapshot = session.initial_snapshot();
    let result = tokio::select! {
        result = run_once_or_twice(&loaded, &snapshot, &probe, &config, args) => result,
        signal = taster_flow::wait_for_signal() => Err(taster_flow::FlowError::Interrupted { signal, what: "result" }.into()),
    };
    session.close().await;
    let ProbeRun { report, censuses } = result?;
    match report.outcome {
        Err(failure) => Err(probe_problem(&probe, failure)),
        Ok(metrics) if args.output.format == TextFormat::Json => {
            let mut result = serde_json::json!({"metrics": metrics, "usage": report.usage});
            if !censuses.is_empty() {
                result["censuses"] = censuses.iter().map(census_json).collect();
            }
            output::write_json(args.output.output.as_deref(), &result)?;
            Ok(Exit::Done)
        }
        Ok(metrics) => {
            let limits = taster_flow::engine_limits(&probe.limits);
            let text = run_summary(&metrics, &censuses, &report.usage, &limits);
            output::write_text(args.output.output.as_deref(), &text)?;
            Ok(Exit::Done)
        }
    }
}

/// The result of a run, and the censuses that it took; they are counted here and not stored.
struct ProbeRun {
    report: taster_engine::RunReport,
    censuses: Vec<CensusFile>,
}

/// A census as JSON, without its checksum: that is keyed with a key that is thrown away.
fn census_json(census: &CensusFile) -> serde_json::Value {
    serde_json::json!({"id": census.identity.id, "collection": census.identity.collection, "documents": census.documents,
        "bytes": census.bytes, "length": census.length})
}

/// Runs the probe once, or twice with `--twice`; results that differ become a failure.
async fn run_once_or_twice(
    loaded: &taster_engine::Probe,
    snapshot: &taster_query::Snapshot,
    probe: &Probe,
    config: &Config,
    args: &RunArgs,
) -> Result<ProbeRun, CliError> {
    let (run, attempt) = (RunId::generate(), AttemptId::generate());
    let occasion =
        CaptureIdentity { app: &config.app, run: &run, side: Side::Pre, attempt: &attempt, before: None, key_of: None };
    // one key for both runs, because digests under different keys cannot be compared
    let census_settings = CensusSettings::new(config, &occasion)?;
    let first = run_loaded(loaded, snapshot, probe, &census_settings).await?;
    let (true, Ok(metrics)) = (args.twice, &first.report.outcome) else { return Ok(first) };
    let mut second = run_loaded(loaded, snapshot, probe, &census_settings).await?;
    second.report.outcome = second.report.outcome.and_then(|again| {
        taster_flow::check_deterministic(metrics, &again)?;
        taster_flow::check_censuses_deterministic(&first.censuses, &second.censuses)?;
        Ok(again)
    });
    Ok(second)
}

async fn run_loaded(
    loaded: &taster_engine::Probe,
    snapshot: &taster_query::Snapshot,
    probe: &Probe,
    census_settings: &CensusSettings,
) -> Result<ProbeRun, CliError> {
    let live = snapshot.readable_collections().await?;
    let grants = taster_flow::resolve_collections(probe, loaded.manifest(), &live, &[], &[])
        .map_err(|error| probe_flags::grant_error(&error))?;
    let task = Task::start(probe.name.clone());
    // a fixed clock and seed, so that the same data gives the same output
    let world = ProbeEnv { clock: Timestamp::UNIX_EPOCH, seed: "probe run", census: census_settings.env(probe) };
    let input = taster_flow::probe_run_input(snapshot, probe, &grants, world, &task);
    let database = input.database.clone();
    let report = loaded.run(input).await;
    task.finish(if report.outcome.is_ok() { "done" } else { "failed" });
    for line in &report.log {
        tracing::info!(probe = probe.name, "{}", line.message);
    }
    Ok(ProbeRun { report, censuses: database.take_censuses() })
}

fn probe_problem(probe: &Probe, failure: Failure) -> CliError {
    let failure = probe_flags::failure(failure, &probe.name);
    CliError::new("T0613", format!("probe {} failed: {failure}", probe.name), None).with_exit(Exit::Unknown)
}

/// The options of the probe: JSON, or `@` and the name of a file with JSON.
fn parse_config(args: &RunArgs) -> Result<Option<serde_json::Value>, CliError> {
    let wrong = |message: String| CliError::new("T0612", message, None).with_exit(Exit::Usage);
    if args.options.is_some() {
        return Err(wrong("--options is called --config now".to_owned()));
    }
    let Some(given) = args.config.as_deref() else { return Ok(None) };
    let (json, what) = match given.strip_prefix('@') {
        Some(file) => {
            let json = fs::read_to_string(file)
                .map_err(|error| wrong(format!("cannot read the file {file} of --config: {error}")))?;
            (json, format!("the file {file} of --config"))
        }
        None => (given.to_owned(), "--config".to_owned()),
    };
    serde_json::from_str(&json).map(Some).map_err(|error| wrong(format!("{what} is not JSON: {error}")))
}

fn parse_collections(given: &[String]) -> Option<Collections> {
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

/// A value as text; a census as the number of its documents.
fn value_text(value: &Value, censuses: &[CensusFile]) -> String {
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

fn run_summary(
    metrics: &[Metric],
    censuses: &[CensusFile],
    usage: &taster_model::Usage,
    limits: &taster_engine::Limits,
) -> String {
    let mut table = TextTable::default();
    for metric in metrics {
        let value = value_text(&metric.value, censuses);
        table.add_row([taster_report::metric_name(&metric.name, &metric.labels), value, metric.unit.clone()]);
    }
    let mut out = table.render();
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
