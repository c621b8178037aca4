//! The connection to the database, and patience with one that is being started.

use std::time::{Duration, Instant};

use taster_config::Config;
use taster_diagnostics::CliError;
use taster_query::{Session, SessionOptions};

use super::FlowError;

/// Connects with the configuration's words.
pub async fn connect(config: &Config, comment: &str) -> Result<Session, CliError> {
    Ok(Session::connect(options(config, comment)?).await?)
}

fn options(config: &Config, comment: &str) -> Result<SessionOptions, CliError> {
    Ok(SessionOptions {
        uri: config.mongodb.uri.parse()?,
        database: config.database()?,
        comment: comment.to_owned(),
        server_selection_timeout: config.mongodb.connect.get(),
        command_events: None,
    })
}

/// How long a database that is being started may take to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Until when.
    pub(super) until: Instant,
    /// The setting that says so, without `.ready`: `cluster.data[mongo]`.
    pub(super) setting: String,
}

/// How long one try may take while a database is being started.
const TRY: Duration = Duration::from_secs(5);

/// Connects to a database that is being started: asks again while what is wrong passes by itself.
pub(super) async fn connect_when_ready(
    config: &Config,
    comment: &str,
    waiting: Option<Waiting>,
) -> Result<Session, CliError> {
    let Some(Waiting { until, setting }) = waiting else { return connect(config, comment).await };
    // the applications' start may have taken all of it
    let until = until.max(Instant::now() + config.mongodb.connect.get());
    let mut said = String::new();
    loop {
        let mut options = options(config, comment)?;
        options.server_selection_timeout = options.server_selection_timeout.min(TRY);
        let error = match Session::connect(options).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is_passing() => error,
            Err(error) => return Err(error.into()),
        };
        if Instant::now() >= until {
            return Err(FlowError::DatabaseNotReady { setting, last: error.to_string() }.into());
        }
        let text = error.to_string();
        if text != said {
            tracing::info!("waiting for MongoDB: {text}");
            said = text;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
