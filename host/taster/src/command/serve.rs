//! `taster serve`.

use std::{io::Write, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::Args;
use taster_config::{DEFAULT_STORE, Period};
use taster_diagnostics::{CliError, Exit};
use taster_serve::{Options, ServeError, Server};
use taster_store::{Settings, Store};

use super::{config_path, configuration, only};
use crate::{cli::Common, cli::Format, output};

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Answer only those who have a token of this file: one a line, `#` begins a comment; read again when it changes
    #[arg(long = "token-file", value_name = "FILE")]
    token_files: Vec<PathBuf>,
    /// Answer whoever can reach the address, without a token
    #[arg(long, conflicts_with = "token_files")]
    allow_anonymous: bool,
    /// How long a request may take
    #[arg(long, value_name = "TIME", default_value = "30s")]
    request_timeout: Period,
    /// Requests that are answered at a time; more are refused
    #[arg(long, value_name = "NUMBER", default_value = "64")]
    max_requests: NonZeroUsize,
    /// Print the `OpenAPI` document and end
    #[arg(long)]
    openapi: bool,
}

/// Serves until the process is asked to stop.
pub async fn run(common: &Common, args: &ServeArgs) -> Result<Exit, CliError> {
    only(common, &[Format::Human, Format::Json])?;
    if args.openapi {
        output::write_json(common, &taster_serve::openapi::document())?;
        return Ok(Exit::Done);
    }
    let store = Store::open_unverified(settings(common)?).await?;
    let ServeArgs { listen, token_files, allow_anonymous, request_timeout, max_requests, openapi: _ } = args.clone();
    let request_timeout = request_timeout.get();
    let options = Options { listen, token_files, allow_anonymous, request_timeout, max_requests };
    let server = Server::bind(store, options).await.map_err(refused)?;
    // nobody may read the line, and the server serves all the same
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on http://{}", server.address()).and_then(|()| out.flush());
    drop(out);
    server.run().await;
    Ok(Exit::Done)
}

fn refused(error: ServeError) -> CliError {
    let usage = matches!(error, ServeError::Open { .. });
    let problem = CliError::from(error);
    if usage { problem.with_exit(Exit::Usage) } else { problem }
}

/// Which store: the configuration's, where there is one; it needs none.
fn settings(common: &Common) -> Result<Settings, CliError> {
    if common.config.is_some() || config_path(common).exists() {
        match configuration(common, None) {
            Ok((config, _)) => return Ok(config.store_settings()),
            // who only looks at results need not know the connection string, if the store is named
            Err(problem) if problem.code() == "T0104" && common.store.is_some() => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(Settings::from(common.store.as_deref().unwrap_or(DEFAULT_STORE)))
}
