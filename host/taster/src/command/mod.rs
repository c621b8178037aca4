//! The commands: each reads its arguments, calls a flow, and writes what came of it.

pub mod accept;
pub mod compare;
pub mod config;
pub mod demo;
pub mod gc;
pub mod init;
pub mod post;
pub mod pre;
pub mod probe;
pub mod restore;
pub mod runs;
pub mod serve;
pub mod show;

use std::path::{Path, PathBuf};

use taster_config::Config;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowContext, FlowError, FlowOutcome, ProbeRuns, ReplicaChange, Rules};
use taster_model::{Acceptance, AppName, RunId, VerdictDocument};
use taster_report::{html::Around, html::Links};
use taster_store::{AppStore, Store};

use crate::{cli::Common, cli::Database, cli::Format, output};

/// The configuration's path: as given, else `taster.yaml`.
fn config_path(common: &Common) -> PathBuf {
    common.config.clone().unwrap_or_else(|| PathBuf::from("taster.yaml"))
}

/// The configuration of the file, for commands that touch no database.
fn config_file(common: &Common) -> Result<Config, CliError> {
    Ok(configuration(common, None)?.0)
}

/// The configuration, and the folder that its paths start at.
fn configuration(common: &Common, database: Option<&Database>) -> Result<(Config, PathBuf), CliError> {
    let (mut config, base) = match database.and_then(|d| d.mongodb.as_deref()) {
        Some(uri) => (Config::for_uri(uri)?, PathBuf::from(".")),
        None => {
            let path = config_path(common);
            let config = taster_config::load(&path, std::env::vars().collect())?;
            (config, path.parent().unwrap_or(Path::new(".")).to_owned())
        }
    };
    if let Some(store) = &common.store {
        config.store.clone_from(store);
    }
    Ok((config, base))
}

async fn open_context(common: &Common, database: &Database) -> Result<FlowContext, CliError> {
    let (config, base) = configuration(common, Some(database))?;
    let mut context = FlowContext::open(config, base).await?;
    context.probe_runs = if database.twice { ProbeRuns::Twice } else { ProbeRuns::Once };
    Ok(context)
}

/// Stored results, for commands that only read them: no database, no probe.
struct Stored {
    app: AppName,
    url: String,
    /// Where there is one.
    config: Option<Config>,
    store: AppStore,
}

impl Stored {
    fn rules(&self) -> Rules<'_> {
        self.config.as_ref().map(Rules::from).unwrap_or_default()
    }
}

/// What the configuration names; without one, the only app of the store.
async fn stored(common: &Common) -> Result<Stored, CliError> {
    if common.config.is_some() || config_path(common).exists() {
        match configuration(common, None) {
            Ok((config, _)) => {
                let store = Store::open_unverified(config.store_settings()).await?.app(&config.app);
                let (app, url) = (config.app.clone(), config.store.clone());
                return Ok(Stored { app, url, config: Some(config), store });
            }
            // who only looks at results need not know the connection string, if the store is named
            Err(problem) if problem.code() == "T0104" && common.store.is_some() => {}
            Err(problem) => return Err(problem),
        }
    }
    let url = common.store.clone().unwrap_or_else(|| taster_config::DEFAULT_STORE.to_owned());
    let store = Store::open_unverified(url.as_str()).await?;
    let apps = store.apps().await?;
    let [app] = apps.as_slice() else {
        let names: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        let found = if names.is_empty() { "no app".to_owned() } else { format!("several apps: {}", names.join(", ")) };
        let help = "name the configuration with --config, or another store with --store".to_owned();
        return Err(CliError::new("T0620", format!("there is no configuration, and {url} holds {found}"), help));
    };
    Ok(Stored { app: app.clone(), config: None, store: store.app(app), url })
}

/// The run that a command is about: as given, else the app's last.
async fn which_run(given: Option<&RunId>, stored: &Stored) -> Result<RunId, CliError> {
    if let Some(run) = given {
        return Ok(run.clone());
    }
    let last = stored.store.current().await?.and_then(|current| current.last).map(|last| last.run);
    Ok(last.ok_or_else(|| FlowError::NoRuns { app: stored.app.to_string(), store: stored.url.clone() })?)
}

/// The workloads that were scaled up, and the result of restoring them.
fn scaled<T>(outcome: &FlowOutcome<T>) -> String {
    let list = |changes: &[ReplicaChange]| changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let up: Vec<ReplicaChange> = outcome.scaled_up.iter().filter(|change| change.from != change.to).cloned().collect();
    let mut text = String::new();
    if !up.is_empty() {
        text.push_str(&taster_report::human::wrapped("Scaled up: ", &list(&up)));
    }
    match &outcome.restored {
        Some(report) => {
            if !report.restored.is_empty() {
                text.push_str(&taster_report::human::wrapped("Put back: ", &list(&report.restored)));
            }
            if let Some(not_restored) = report.not_restored() {
                let why: Vec<String> =
                    report.failed.iter().map(|failed| format!("{}: {}", failed.workload, failed.why)).collect();
                text.push_str(&taster_report::human::wrapped(&format!("{not_restored}: "), &why.join("; ")));
                text.push_str(&taster_report::human::wrapped("Next: ", "`taster restore` tries again"));
            }
        }
        None if !up.is_empty() => {
            text.push_str("Left up for the sync; `taster post` or `taster restore` puts it back.\n");
        }
        None => {}
    }
    text
}

/// That there is nothing to taste yet, in the format that was asked for.
fn write_nothing_yet(common: &Common, app: &AppName, run: &RunId) -> Result<(), CliError> {
    match common.format {
        Format::Json => output::write_json(common, &serde_json::json!({"app": app, "run": run, "nothing_yet": true})),
        _ => output::write_text(common, &format!("{app} run {run}: nothing to taste yet\n")),
    }
}

/// What is said beside a verdict.
#[derive(Debug, Clone, Copy, Default)]
struct Beside<'a> {
    /// Where its reports lie.
    reports: &'a [String],
    /// What was scaled for it.
    scaled: &'a str,
    /// Who took responsibility for it.
    accepted: Option<&'a Acceptance>,
}

/// Writes a verdict in the format that was asked for, and says how the process ends.
fn write_verdict(common: &Common, document: &VerdictDocument, around: &Beside<'_>) -> Result<Exit, CliError> {
    let Beside { reports, scaled, accepted } = *around;
    match common.format {
        Format::Human => {
            let mut text = taster_report::human::verdict(document);
            text.push_str(scaled);
            for report in reports.iter().filter(|report| report.ends_with(".html")) {
                text.push_str("Report: ");
                text.push_str(report);
                text.push('\n');
            }
            output::write_text(common, &text)?;
        }
        Format::Json => output::write_json(common, document)?,
        Format::Markdown => output::write_text(common, &taster_report::markdown::verdict(document))?,
        Format::Junit => output::write_text(common, &taster_report::junit::verdict(document)?)?,
        Format::Html => {
            let around = Around { accepted, links: Links::to(reports), damage: None };
            output::write_text(common, &taster_report::html::report(document, &around))?;
        }
    }
    Ok(document.verdict.into())
}

/// A format that a command has no use for.
fn only(common: &Common, formats: &[Format]) -> Result<(), CliError> {
    if formats.contains(&common.format) {
        return Ok(());
    }
    let names: Vec<String> = formats.iter().map(|format| format!("{format:?}").to_lowercase()).collect();
    let asked = format!("{:?}", common.format).to_lowercase();
    Err(CliError::new(
        "T0611",
        format!("this command does not write `{asked}`"),
        format!("it writes {}", names.join(" and ")),
    )
    .with_exit(Exit::Usage))
}
