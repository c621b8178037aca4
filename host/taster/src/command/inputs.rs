//! What commands work on: the configuration, the stored results of an app, and a run.

use std::path::{Path, PathBuf};

use taster_config::{Config, DEFAULT_STORE};
use taster_diagnostics::CliError;
use taster_flow::{FlowContext, FlowError, ProbeRuns, Rules};
use taster_model::{AppName, RunId};
use taster_store::{AppStore, Store};

use crate::args::{ConfigArgs, DatabaseArgs, StoreArgs};

/// A configuration, and the folder that its relative paths start at.
pub(super) struct LoadedConfig {
    pub(super) config: Config,
    pub(super) folder: PathBuf,
}

/// Reads the configuration file. `--store` overrides its store.
pub(super) fn load_config(file: &ConfigArgs, store: Option<&StoreArgs>) -> Result<LoadedConfig, CliError> {
    let path = file.path();
    let mut config = taster_config::load(path, std::env::vars().collect())?;
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    override_store(&mut config, store);
    Ok(LoadedConfig { config, folder })
}

/// Sets the store that `--store` names.
pub(super) fn override_store(config: &mut Config, store: Option<&StoreArgs>) {
    if let Some(store) = store.and_then(|args| args.store.as_ref()) {
        config.store.clone_from(store);
    }
}

/// The context of the flows of `pre` and `post`, from the configuration file or from `--mongodb` alone.
pub(super) async fn open_flow(
    file: &ConfigArgs,
    store: &StoreArgs,
    database: &DatabaseArgs,
) -> Result<FlowContext, CliError> {
    let LoadedConfig { config, folder } = match &database.mongodb {
        Some(uri) => {
            let mut config = Config::for_uri(uri)?;
            override_store(&mut config, Some(store));
            LoadedConfig { config, folder: PathBuf::from(".") }
        }
        None => load_config(file, Some(store))?,
    };
    let mut context = FlowContext::open(config, folder).await?;
    context.probe_runs = if database.twice { ProbeRuns::Twice } else { ProbeRuns::Once };
    context.revision = database.revision().map(str::to_owned);
    Ok(context)
}

/// The configuration, for commands that only read results: none where there is no file, or where the file refers to variables
/// that are not set and `--store` names the store.
pub(super) fn optional_config(file: &ConfigArgs, store: &StoreArgs) -> Result<Option<Config>, CliError> {
    if !file.is_given() {
        return Ok(None);
    }
    match load_config(file, Some(store)) {
        Ok(loaded) => Ok(Some(loaded.config)),
        // reading results does not need the connection string
        Err(problem) if problem.code() == "T0104" && store.store.is_some() => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The stored results of an app, for commands that only read them: no database, no probe.
pub(crate) struct StoredApp {
    pub(crate) app: AppName,
    pub(crate) url: String,
    /// Absent where there is no configuration.
    pub(crate) config: Option<Config>,
    pub(crate) store: AppStore,
}

impl StoredApp {
    pub(super) fn rules(&self) -> Rules<'_> {
        self.config.as_ref().map(Rules::from).unwrap_or_default()
    }
}

/// Opens the app that the configuration names; without a configuration, the only app of the store.
pub(crate) async fn open_app(file: &ConfigArgs, store: &StoreArgs) -> Result<StoredApp, CliError> {
    if let Some(config) = optional_config(file, store)? {
        let store = Store::open_unverified(config.store_settings()).await?.app(&config.app);
        let (app, url) = (config.app.clone(), config.store.clone());
        return Ok(StoredApp { app, url, config: Some(config), store });
    }
    let url = store.store.clone().unwrap_or_else(|| DEFAULT_STORE.to_owned());
    let store = Store::open_unverified(url.as_str()).await?;
    let apps = store.apps().await?;
    let [app] = apps.as_slice() else {
        let names: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        let found = if names.is_empty() { "no app".to_owned() } else { format!("several apps: {}", names.join(", ")) };
        let help = "name the configuration with --config, or another store with --store".to_owned();
        return Err(CliError::new("T0620", format!("there is no configuration, and {url} holds {found}"), help));
    };
    Ok(StoredApp { app: app.clone(), config: None, store: store.app(app), url })
}

/// The run that a command is about: as given, else the app's last.
pub(super) async fn resolve_run(given: Option<&RunId>, stored: &StoredApp) -> Result<RunId, CliError> {
    if let Some(run) = given {
        return Ok(run.clone());
    }
    let last = stored.store.current().await?.and_then(|current| current.last).map(|last| last.run);
    Ok(last.ok_or_else(|| FlowError::NoRuns { app: stored.app.to_string(), store: stored.url.clone() })?)
}
