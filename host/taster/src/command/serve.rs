//! `taster serve`: serves results over HTTP.

use std::{io::Write, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::Args;
use taster_config::{DEFAULT_STORE, Period};
use taster_diagnostics::{CliError, Exit};
use taster_serve::{Options, ServeError, Server};
use taster_store::{Settings, Store};

use super::inputs::optional_config;
use crate::{
    args::{ConfigArgs, StoreArgs},
    output,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # For this machine only, without a token: http://127.0.0.1:8080
  taster serve --store s3://taster-results/stage

  # For a cluster, with the bearer tokens of a mounted Secret
  taster serve --listen 0.0.0.0:8080 --store s3://taster-results/stage --token-file /etc/taster/tokens

  # Gate a deployment: curl fails unless the verdict is `same`
  curl -f -H \"Authorization: Bearer $TOKEN\" \"https://taster.example/compare?app=shop&run=deploy-42\"";

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Require a bearer token of this file: one token per line, `#` starts a comment; reloaded when it changes
    #[arg(long = "token-file", value_name = "FILE")]
    token_files: Vec<PathBuf>,
    /// Require no token, also on an address that other machines can reach
    #[arg(long, conflicts_with = "token_files")]
    allow_anonymous: bool,
    /// How long a request may take
    #[arg(long, value_name = "TIME", default_value = "30s")]
    request_timeout: Period,
    /// How many requests are answered at the same time; more are refused with 503
    #[arg(long, value_name = "NUMBER", default_value = "64")]
    max_requests: NonZeroUsize,
    /// Print the `OpenAPI` document and exit
    #[arg(long)]
    openapi: bool,
}

/// Serves until the process is asked to stop.
pub async fn run(args: &ServeArgs) -> Result<Exit, CliError> {
    if args.openapi {
        output::write_json(None, &taster_serve::openapi::document())?;
        return Ok(Exit::Done);
    }
    let settings = settings(args)?;
    require_folder(&settings.url)?;
    let store = Store::open_unverified(settings).await?;
    let ServeArgs { listen, token_files, allow_anonymous, request_timeout, max_requests, .. } = args.clone();
    let request_timeout = request_timeout.get();
    let options = Options { listen, token_files, allow_anonymous, request_timeout, max_requests };
    let server = Server::bind(store, options).await.map_err(start_problem)?;
    // the server runs even if nothing reads this line
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on http://{}", server.address()).and_then(|()| out.flush());
    drop(out);
    server.run().await;
    Ok(Exit::Done)
}

/// Fails if the store is a folder that does not exist: with a mistyped path the server would be ready and know no app. The first
/// `taster pre` creates the folder of a store, so a server that is started earlier needs an empty one.
fn require_folder(url: &str) -> Result<(), CliError> {
    let Some(folder) = Store::folder(url).filter(|folder| !folder.is_dir()) else { return Ok(()) };
    let message = format!("the store {} does not exist", folder.display());
    let help = "correct `--store` or `store`; or create the folder, if no run was stored yet".to_owned();
    Err(CliError::new("T0657", message, help))
}

fn start_problem(error: ServeError) -> CliError {
    let usage = matches!(error, ServeError::Open { .. });
    let problem = CliError::from(error);
    if usage { problem.with_exit(Exit::Usage) } else { problem }
}

/// The settings of the configuration's store, or of `--store` where there is no configuration.
fn settings(args: &ServeArgs) -> Result<Settings, CliError> {
    match optional_config(&args.config, &args.store)? {
        Some(config) => Ok(config.store_settings()),
        None => Ok(Settings::from(args.store.store.as_deref().unwrap_or(DEFAULT_STORE))),
    }
}
