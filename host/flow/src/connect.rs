//! Connecting to the database, with retries while the database is starting.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use taster_config::Config;
use taster_diagnostics::CliError;
use taster_query::{Connection, ConnectionOptions};
use taster_retry::RetryPolicy;

use crate::error::FlowError;

/// Connects with the settings of the configuration. `comment` shows in the server's log and profiler.
pub async fn connect(config: &Config, comment: &str) -> Result<Connection, CliError> {
    let options = options(config, comment)?;
    let (hosts, limit) = (options.uri.hosts().to_owned(), options.server_selection_timeout);
    Ok(log_while_waiting(&hosts, limit, Connection::connect(options)).await?)
}

/// When the first line says that the server is waited for, and how much later each further one.
const FIRST_NOTICE: Duration = Duration::from_secs(2);
const NEXT_NOTICE: Duration = Duration::from_secs(10);

/// Drives `connecting`. Says from time to time which server it waits for, and for how long at most.
async fn log_while_waiting<T>(hosts: &str, limit: Duration, connecting: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut connecting = pin!(connecting);
    let mut pause = FIRST_NOTICE;
    loop {
        if let Ok(connected) = tokio::time::timeout(pause, &mut connecting).await {
            return connected;
        }
        tracing::info!(
            %hosts,
            waited_s = started.elapsed().as_secs(),
            limit_s = limit.as_secs(),
            "waiting for MongoDB, at most `mongodb.connectTimeout`"
        );
        pause = NEXT_NOTICE;
    }
}

fn options(config: &Config, comment: &str) -> Result<ConnectionOptions, CliError> {
    Ok(ConnectionOptions {
        uri: config.mongodb.uri.parse()?,
        database: config.database()?,
        comment: comment.to_owned(),
        server_selection_timeout: config.mongodb.connect_timeout.get(),
        command_events: None,
    })
}

/// Until when a database that was scaled up must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartupDeadline {
    /// No attempt starts later than this.
    pub(crate) at: Instant,
    /// The entry whose `ready` set it: `cluster.data[mongo]`.
    pub(crate) setting: String,
}

/// How long one attempt may take while the database is starting.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two attempts is random, between these two.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_millis(750);

/// Connects. Before `deadline`, retries while the error may pass by itself; without a deadline, tries once.
pub(crate) async fn connect_when_ready(
    config: &Config,
    comment: &str,
    deadline: Option<StartupDeadline>,
) -> Result<Connection, CliError> {
    let Some(StartupDeadline { at, setting }) = deadline else { return connect(config, comment).await };
    let mut backoff = RetryPolicy::constant(MAX_PAUSE).start();
    // the start of the applications may have taken all of the time
    backoff.set_deadline(at.max(Instant::now() + config.mongodb.connect_timeout.get()));
    let mut logged = String::new();
    loop {
        let mut options = options(config, comment)?;
        options.server_selection_timeout = options.server_selection_timeout.min(ATTEMPT_TIMEOUT);
        let error = match Connection::connect(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        if error != logged {
            tracing::info!(%error, "waiting for MongoDB");
            logged.clone_from(&error);
        }
        if backoff.wait(MIN_PAUSE).await.is_err() {
            return Err(FlowError::DatabaseNotReady { setting, last: error }.into());
        }
    }
}
