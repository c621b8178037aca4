//! Opens a [`Connection`]: parses the options, checks the server, and fixes the first point in time.

use std::{sync::Arc, time::Duration};

use mongodb::{
    Client,
    event::{EventHandler, command::CommandEvent},
    options::ClientOptions,
};
use taster_model::ServerFacts;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    caller::{Caller, SelectionTimeout},
    connection::{CLOSE_TIMEOUT, Connection, HOST_COMMAND_TIMEOUT, Inner},
    copy_witness, driver_error,
    error::QueryError,
    namespace,
    server::{self, ServerInfo},
    set_membership::SeedHosts,
    uri::{MongoUri, Secrets},
};

/// Where to connect and as which user.
#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    /// The server.
    pub uri: MongoUri,
    /// The database.
    pub database: String,
    /// Put on every command, `taster/<run>/<side>`: shown in the server's logs and in `currentOp`.
    pub comment: String,
    /// How long to look for a server, unless the connection string has a `serverSelectionTimeoutMS`.
    pub server_selection_timeout: Duration,
    /// Receives every command that the driver sends, and the reply. Tests use it to see what reaches the server.
    pub command_events: Option<EventHandler<CommandEvent>>,
}

impl Connection {
    /// Connects, checks the server and fixes the first point in time.
    pub async fn connect(options: ConnectionOptions) -> Result<Self, QueryError> {
        let ConnectionOptions { uri, database, comment, server_selection_timeout, command_events } = options;
        namespace::check_database(&database)?;
        if !uri.ignored().is_empty() {
            let options = uri.ignored().join(", ");
            tracing::warn!(%options, "options of the connection string have no effect here");
        }
        let secrets = uri.secrets();
        let redacted = uri.to_string();
        let parsing = Caller {
            uri: &redacted,
            secrets: &secrets,
            comment: &comment,
            selection_timeout: SelectionTimeout::new(None, server_selection_timeout),
            limit: server_selection_timeout + HOST_COMMAND_TIMEOUT,
        };
        let mut driver = parsing.run("read the connection string", ClientOptions::parse(uri.secret())).await?;
        let selection_timeout = SelectionTimeout::new(driver.server_selection_timeout, server_selection_timeout);
        let limit = selection_timeout.time() + HOST_COMMAND_TIMEOUT;
        let caller = Caller { selection_timeout, limit, ..parsing };
        driver.command_event_handler = command_events;
        let (client, seeds) = client(driver, selection_timeout, &secrets)?;

        let server = match server::inspect(&client, &seeds, &caller).await {
            Ok(server) => server,
            Err(error) => {
                // otherwise the driver's monitors keep looking for the server
                let _ = timeout(CLOSE_TIMEOUT, client.shutdown().immediate(true)).await;
                return Err(error);
            }
        };
        let members = copy_witness::read_members(&client, &caller).await;
        let (connected_at, major) = (server.read_at, server.major);
        let facts = ServerFacts { members, hosts: Some(uri.hosts().to_owned()), ..facts(server, &database) };
        tracing::debug!(version = %facts.version, topology = ?facts.topology, read_at = ?facts.read_at, "connected");
        let inner = Inner {
            database: client.database(&database),
            client,
            facts,
            connected_at,
            major,
            uri: redacted.clone(),
            secrets: secrets.clone(),
            selection_timeout,
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            comment: comment.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// The driver's client, and its view of the hosts of the connection string.
fn client(
    mut options: ClientOptions,
    selection_timeout: SelectionTimeout,
    secrets: &Secrets,
) -> Result<(Client, SeedHosts), QueryError> {
    options.app_name.get_or_insert_with(|| "taster".to_owned());
    options.server_selection_timeout = Some(selection_timeout.time());
    options.connect_timeout = Some(options.connect_timeout.unwrap_or(selection_timeout.time()));
    let seeds = SeedHosts::observe(&mut options);
    match Client::with_options(options) {
        Ok(client) => Ok((client, seeds)),
        Err(error) => Err(QueryError::BadUri { detail: secrets.scrub(&driver_error::text(&error)), unescaped: false }),
    }
}

/// The server as a capture records it, without its members.
fn facts(server: ServerInfo, database: &str) -> ServerFacts {
    ServerFacts {
        version: server.version,
        topology: server.topology,
        replica_set: server.replica_set,
        process_id: server.process_id,
        database: database.to_owned(),
        read_at: server.read_at.map(|time| format!("{}.{}", time.time, time.increment)),
        clock: server.clock,
        hosts: None,
        members: Vec::new(),
        volumes: Vec::new(),
        copied: Vec::new(),
    }
}
