//! The connection to one database: the driver's client, what is known of the server, and how the host runs its own
//! commands.

use std::{fmt, sync::Arc, time::Duration};

use bson::{Document, RawDocumentBuf, Timestamp};
use futures_util::TryStreamExt;
use mongodb::{Client, error::Error};
use taster_model::{ServerFacts, Topology};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    caller::{Caller, SelectionTimeout},
    command,
    command_options::CommandOptions,
    error::QueryError,
    hello::{self, IDENTIFY, PRIMARY, ReplyTime},
    uri::Secrets,
};

/// How long the server may take for the host's own commands.
pub(crate) const HOST_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long [`Connection::close`] waits for scans to stop, and then for the driver to clean up.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to one database. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    pub(crate) inner: Arc<Inner>,
}

/// What the clones of a connection share.
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) database: mongodb::Database,
    /// The server at the time of connecting.
    pub(crate) facts: ServerFacts,
    /// The server's time at the time of connecting. `None` on a standalone server.
    pub(crate) connected_at: Option<Timestamp>,
    /// Major version of the server.
    pub(crate) major: u32,
    /// Put on every command.
    pub(crate) comment: String,
    /// The connection string, redacted.
    pub(crate) uri: String,
    pub(crate) secrets: Secrets,
    pub(crate) selection_timeout: SelectionTimeout,
    /// The tasks that fetch replies ahead and hash them.
    pub(crate) tasks: TaskTracker,
    /// Stops these tasks.
    pub(crate) closed: CancellationToken,
}

impl Connection {
    /// The server, with the time at which the connection was opened.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.inner.facts
    }

    /// Names of the databases that the user may see, without those that belong to the server; sorted. Empty where the server
    /// does not tell.
    pub async fn database_names(&self) -> Vec<String> {
        let inner = &self.inner;
        let command = command::list_databases(inner.command_options());
        let admin = inner.client.database("admin");
        let Ok(reply) = inner.caller().run("list the databases", admin.run_raw_command(command)).await else {
            return Vec::new();
        };
        let entries = reply.get_array("databases").into_iter().flatten().filter_map(bson::Bson::as_document);
        let names = entries.filter_map(|entry| entry.get_str("name").ok().map(str::to_owned));
        let mut names: Vec<String> =
            names.filter(|name| !["admin", "config", "local"].contains(&name.as_str())).collect();
        names.sort();
        names
    }

    /// Stops every scan, kills its cursor and disconnects. Reads that are still running fail with `T0209`.
    ///
    /// Waits at most ten seconds for a server that does not answer. A cursor that could not be killed expires on the server
    /// after ten minutes.
    pub async fn close(self) {
        let inner = self.inner;
        inner.closed.cancel();
        inner.tasks.close();
        if timeout(CLOSE_TIMEOUT, inner.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = inner.tasks.len(), "scans did not stop in time");
        }
        if timeout(CLOSE_TIMEOUT, inner.client.clone().shutdown()).await.is_err() {
            tracing::warn!("the driver did not clean up in time");
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("uri", &self.inner.uri)
            .field("facts", &self.inner.facts)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The primary's present time.
    pub(crate) async fn primary_time(&self) -> Result<Timestamp, QueryError> {
        hello::primary_time(&self.client, &self.caller()).await
    }

    /// The server's wall clock, in milliseconds since 1970. TTL indexes expire documents by it.
    pub(crate) async fn server_clock(&self) -> Result<i64, QueryError> {
        let operation = "report its clock";
        let reply = self.hello(operation).await?;
        let time = reply.get_datetime("localTime").map(|time| time.timestamp_millis());
        time.map_err(|error| QueryError::BadReply { operation: operation.to_owned(), detail: error.to_string() })
    }

    /// The id of the server process, and the time of its reply. There is no id on a sharded cluster: any of its mongos
    /// processes may answer.
    pub(crate) async fn process_and_time(&self) -> Result<(Option<String>, ReplyTime), QueryError> {
        let reply = self.hello(IDENTIFY).await?;
        let process_id = if self.facts.topology == Topology::Sharded { None } else { hello::process_id(&reply) };
        Ok((process_id, hello::reply_time(&reply)))
    }

    async fn hello(&self, operation: &str) -> Result<Document, QueryError> {
        let caller = self.caller();
        let admin = self.client.database("admin");
        caller.run(operation, admin.run_command(hello::command(&caller)).selection_criteria(PRIMARY)).await
    }

    /// All documents that a small command returns. They are not read by `serde`, which takes a document such as
    /// `{"$numberLong": "5"}` for a number, and fails at `{"$oid": 1}`.
    pub(crate) async fn documents(&self, command: RawDocumentBuf) -> Result<Vec<Document>, Error> {
        let documents = self.raw_documents(command).await?;
        documents.iter().map(|document| Ok(Document::try_from(&**document)?)).collect()
    }

    /// All documents that a small command returns, as raw BSON.
    pub(crate) async fn raw_documents(&self, command: RawDocumentBuf) -> Result<Vec<RawDocumentBuf>, Error> {
        self.database.run_raw_cursor_command(command).await?.with_type().try_collect().await
    }

    /// What the host's own commands have in common.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller {
            uri: &self.uri,
            secrets: &self.secrets,
            comment: &self.comment,
            selection_timeout: self.selection_timeout,
            limit: HOST_COMMAND_TIMEOUT + CLOSE_TIMEOUT,
        }
    }

    /// Options of the host's own commands.
    pub(crate) fn command_options(&self) -> CommandOptions<'_> {
        CommandOptions { comment: &self.comment, max_time: HOST_COMMAND_TIMEOUT, read_at: None }
    }
}
