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
    Ok(log_while_waiting(&hosts, limit, CONNECT_TIMEOUT, Connection::connect(options)).await?)
}

/// The setting that limits how long one connection may take.
const CONNECT_TIMEOUT: &str = "`mongodb.connectTimeout`";

/// When the first line says that the server is waited for, and how much later each further one.
const FIRST_NOTICE: Duration = Duration::from_secs(2);
const NEXT_NOTICE: Duration = Duration::from_secs(10);

/// Drives `connecting`. Says from time to time which server it waits for, for how long at most, and which setting says so.
async fn log_while_waiting<T>(hosts: &str, limit: Duration, setting: &str, connecting: impl Future<Output = T>) -> T {
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
            "waiting for MongoDB, at most {setting}"
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
    let hosts = options(config, comment)?.uri.hosts().to_owned();
    let now = Instant::now();
    // the start of the applications may have taken all of the time
    let earliest = now + config.mongodb.connect_timeout.get();
    let limited_by = if at < earliest { CONNECT_TIMEOUT.to_owned() } else { format!("`readyTimeout` of {setting}") };
    let deadline = StartupDeadline { at: at.max(earliest), setting };
    let limit = deadline.at.saturating_duration_since(now);
    // the retries log nothing while their error stays the same
    log_while_waiting(&hosts, limit, &limited_by, Box::pin(retry_until(config, comment, deadline))).await
}

/// Connects. Retries until `deadline` while the error may pass by itself.
async fn retry_until(config: &Config, comment: &str, deadline: StartupDeadline) -> Result<Connection, CliError> {
    let StartupDeadline { at, setting } = deadline;
    let mut backoff = RetryPolicy::constant(MAX_PAUSE).start();
    backoff.set_deadline(at);
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

#[cfg(test)]
mod tests {
    use std::{
        fmt::{Debug, Write},
        sync::{Arc, Mutex},
    };

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    use super::*;

    /// Collects the log lines of Taster, each with its fields.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct LineVisitor(String);

    impl Visit for LineVisitor {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, "{}={value:?} ", field.name()).unwrap();
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("taster_flow")
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = LineVisitor(String::new());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn a_server_that_was_scaled_up_and_does_not_answer_is_named() {
        let hosts = format!("127.0.0.1:{}", taster_testkit::free_port());
        for (connect_timeout, ready_in, limit) in [
            ("1s", 3, "at most `readyTimeout` of cluster.data[mongo] "),
            ("3s", 0, "at most `mongodb.connectTimeout` "),
        ] {
            let lines = Lines::default();
            let _default = tracing::subscriber::set_default(lines.clone());
            let uri = format!("mongodb://joe:s3cret@{hosts}/shop");
            let yaml = format!("app: shop\nmongodb: {{uri: \"{uri}\", connectTimeout: {connect_timeout}}}\n");
            let config = taster_config::parse("taster.yaml", &yaml, [].into()).unwrap();
            let at = Instant::now() + Duration::from_secs(ready_in);
            let deadline = StartupDeadline { at, setting: "cluster.data[mongo]".to_owned() };
            assert!(connect_when_ready(&config, "taster/a/pre", Some(deadline)).await.is_err());
            let lines = lines.0.lock().unwrap().clone();
            let named = |line: &&String| line.contains(limit) && line.contains(&format!("hosts={hosts} "));
            let notice = lines.iter().find(named).unwrap_or_else(|| panic!("{lines:?}"));
            assert!(notice.contains("waited_s=") && notice.contains("limit_s="), "{notice}");
            assert!(lines.iter().any(|line| line.contains("error=no MongoDB server answers")), "{lines:?}");
            assert!(lines.iter().all(|line| !line.contains("s3cret")), "{lines:?}");
        }
    }
}
