//! The host's connection: one database, one point in time, and nothing left behind.

use std::{fmt, sync::Arc, time::Duration};

use bson::{Document, RawDocumentBuf, Timestamp, doc};
use futures_util::TryStreamExt;
use mongodb::{
    Client,
    error::{Error, ErrorKind},
    event::{EventHandler, command::CommandEvent},
    options::ClientOptions,
};
use taster_model::{CollectionFacts, CollectionGrant, ReadMode, ServerFacts, Topology};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Database, Grant, Inventory, Limits, Looking, MongoUri, Needs, PrivilegeReport, Privileges, QueryError, copies,
    error::{self, Patience},
    guard::{Request, Scope},
    look::Look,
    members::Seeds,
    server,
    uri::Secrets,
};

/// How long the server may take for what the host asks on its own behalf.
pub(crate) const ASK: Duration = Duration::from_secs(30);
/// How long [`Session::close`] waits for scans to stop, and then for the driver to clean up.
const CLOSE: Duration = Duration::from_secs(5);

/// Where to connect and as whom.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The server.
    pub uri: MongoUri,
    /// The database.
    pub database: String,
    /// Put on every command, `taster/<run>/<side>`: whoever looks at the server sees whose they are.
    pub comment: String,
    /// How long to look for a server before giving up, where the connection string has no `serverSelectionTimeoutMS`.
    pub server_selection_timeout: Duration,
    /// Hears of every command that is sent and of its answer, as the driver tells it: a second witness of what was asked.
    pub command_events: Option<EventHandler<CommandEvent>>,
}

/// A connection to one database, and one look at it. Cheap to clone.
///
/// On a replica set everything is read at the `operationTime` of a ping to the primary at the start of the look; a server
/// that chose for itself might choose a time before the last writes. On a standalone server there is no such time.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
    look: Arc<Look>,
}

/// The connection.
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) database: mongodb::Database,
    pub(crate) facts: ServerFacts,
    pub(crate) major: u32,
    pub(crate) comment: String,
    /// Redacted.
    uri: String,
    secrets: Secrets,
    patience: Patience,
    /// The scans that fetch ahead.
    pub(crate) tasks: TaskTracker,
    /// Stops them.
    pub(crate) closed: CancellationToken,
}

impl Session {
    /// Connects, looks at the server and fixes the point in time.
    pub async fn connect(options: SessionOptions) -> Result<Self, QueryError> {
        let SessionOptions { uri, database, comment, server_selection_timeout, command_events } = options;
        check_name(&database)?;
        let secrets = uri.secrets();
        let shown = uri.to_string();
        let patience = Patience::new(None, server_selection_timeout);
        let caller = Caller { uri: &shown, secrets: &secrets, patience, limit: server_selection_timeout + ASK };

        let mut driver = caller.run("read the connection string", ClientOptions::parse(uri.secret())).await?;
        let patience = Patience::new(driver.server_selection_timeout, server_selection_timeout);
        let caller = Caller { patience, limit: patience.time() + ASK, ..caller };
        driver.app_name.get_or_insert_with(|| "taster".to_owned());
        driver.server_selection_timeout = Some(patience.time());
        driver.command_event_handler = command_events;
        driver.connect_timeout = Some(driver.connect_timeout.unwrap_or(patience.time()));
        let seeds = Seeds::watch(&mut driver);
        let client = Client::with_options(driver)
            .map_err(|error| QueryError::BadUri { detail: secrets.scrub(&error::text(&error)) })?;

        let server = match server::look(&client, &seeds, &caller, &comment).await {
            Ok(server) => server,
            Err(error) => {
                // else its monitors go on looking for the server
                let _ = timeout(CLOSE, client.shutdown().immediate(true)).await;
                return Err(error);
            }
        };
        let members = copies::read(&client, &caller, &comment).await;
        let facts = ServerFacts {
            version: server.version,
            topology: server.topology,
            replica_set: server.replica_set,
            process_id: server.process_id,
            database: database.clone(),
            read_at: server.read_at.map(|time| format!("{}.{}", time.time, time.increment)),
            members,
            volumes: Vec::new(),
            copied: Vec::new(),
        };
        tracing::debug!(version = %facts.version, topology = ?facts.topology, read_at = ?facts.read_at, "connected");
        let reading = if server.read_at.is_some() { ReadMode::Snapshot } else { ReadMode::Live };
        Ok(Self {
            look: Arc::new(Look::new(reading, facts.clone(), server.read_at)),
            inner: Arc::new(Inner {
                database: client.database(&database),
                client,
                facts,
                major: server.major,
                comment,
                uri: shown,
                secrets,
                patience,
                tasks: TaskTracker::new(),
                closed: CancellationToken::new(),
            }),
        })
    }

    /// The server.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.look.facts
    }

    /// How documents are read.
    #[must_use]
    pub fn reading(&self) -> ReadMode {
        self.look.reading
    }

    /// The collections of the database that are not the server's own, by name.
    ///
    /// The server is asked once a look.
    pub async fn collections(&self) -> Result<Vec<CollectionFacts>, QueryError> {
        Ok(self.inventory().await?.facts())
    }

    /// What was there when this look began; asked once.
    pub async fn inventory(&self) -> Result<&Inventory, QueryError> {
        self.look.inventory(&self.inner).await
    }

    /// What a probe that may read everything can read: all but the views whose definitions hold what no probe may send, each
    /// of which answers differently every time, or nobody knows what it reads.
    pub async fn readable(&self) -> Result<Vec<CollectionFacts>, QueryError> {
        let inventory = self.inventory().await?;
        let everything = Grant {
            probe: String::new(),
            collections: inventory.collections.iter().map(|c| CollectionGrant::any(&c.name)).collect(),
            limits: Limits::default(),
            setting: String::new(),
            census: None,
        };
        let readable = |facts: &CollectionFacts| {
            let request = Request::new(Scope::new(&everything, &inventory.collections));
            match request.target(&facts.name) {
                Ok(_) => true,
                Err(refused) => {
                    tracing::warn!("left out: {refused}");
                    false
                }
            }
        };
        Ok(inventory.facts().into_iter().filter(readable).collect())
    }

    /// What is there now.
    pub async fn inventory_now(&self) -> Result<Inventory, QueryError> {
        Inventory::read(&self.inner).await
    }

    /// How everything can be read at one moment: in a snapshot, if scanning `scans` (a collection stands there as often as
    /// it will be scanned) is expected to end before the server forgets the moment; else in ranges.
    pub async fn plan(&self, scans: &[String]) -> Result<ReadMode, QueryError> {
        self.look.plan(&self.inner, scans).await
    }

    /// A new look over the same connection, at the present moment. Waits until nothing is written where documents are
    /// going to be read live.
    pub async fn look(&self, looking: Looking) -> Result<Self, QueryError> {
        let look = Look::take(&self.inner, &self.inner.facts, looking).await?;
        Ok(Self { inner: Arc::clone(&self.inner), look: Arc::new(look) })
    }

    /// What the user may do, as the server tells it.
    pub async fn privileges(&self) -> Result<Privileges, QueryError> {
        let ask = doc! { "connectionStatus": 1, "showPrivileges": true, "comment": self.inner.comment.as_str() };
        let answer =
            self.inner.caller().run("show the user's privileges", self.inner.database.run_command(ask)).await?;
        Ok(Privileges::of(&answer))
    }

    /// Compares what the user may do with what is needed. What is in `local` is tried: whoever may read it is seldom
    /// told so.
    pub async fn check_privileges(&self, needs: &Needs) -> Result<PrivilegeReport, QueryError> {
        let privileges = self.privileges().await?;
        if !privileges.authenticated {
            // a server that knows nobody lets everybody in, or nobody: asking tells which
            self.collections().await?;
            return Ok(PrivilegeReport::new(privileges, Vec::new(), Vec::new(), &self.inner.uri));
        }
        let local = self.inner.client.database("local");
        let mut unseen = Vec::new();
        for beside in needs.beside.iter().filter(|beside| beside.matters(self.facts().topology)) {
            let attempt = local.run_command(beside.attempt(&self.inner.comment, ASK));
            let doing = format!("read local.{}", beside.collection());
            if let Err(error) = self.inner.caller().run(&doing, attempt).await {
                tracing::debug!(%error, "not readable");
                unseen.push(*beside);
            }
        }
        let missing = privileges.missing(&self.facts().database, &needs.collections);
        Ok(PrivilegeReport::new(privileges, missing, unseen, &self.inner.uri))
    }

    /// What one probe gets of it.
    #[must_use]
    pub fn database(&self, grant: Grant) -> Database {
        Database::new(Arc::clone(&self.inner), Arc::clone(&self.look), grant)
    }

    /// Stops every scan, kills its cursor and disconnects. Whoever still reads gets a failure.
    ///
    /// Waits at most ten seconds for a server that does not answer; a cursor that it could not be told about dies there
    /// by itself ten minutes later.
    pub async fn close(self) {
        let inner = self.inner;
        inner.closed.cancel();
        inner.tasks.close();
        if timeout(CLOSE, inner.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = inner.tasks.len(), "scans did not stop in time");
        }
        if timeout(CLOSE, inner.client.clone().shutdown()).await.is_err() {
            tracing::warn!("the driver did not clean up in time");
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("uri", &self.inner.uri)
            .field("facts", &self.inner.facts)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The present moment, as the primary tells it.
    pub(crate) async fn time_of_primary(&self) -> Result<Timestamp, QueryError> {
        server::time_of_primary(&self.client, &self.caller(), &self.comment).await
    }

    /// What the server's clock shows, in milliseconds since 1970: documents expire by it.
    pub(crate) async fn clock(&self) -> Result<i64, QueryError> {
        let hello = doc! { "hello": 1, "comment": self.comment.as_str() };
        let doing = "tell the time";
        let admin = self.client.database("admin");
        let call = admin.run_command(hello).selection_criteria(server::PRIMARY);
        let answer = self.caller().run(doing, call).await?;
        let time = answer.get_datetime("localTime").map(|time| time.timestamp_millis());
        time.map_err(|error| QueryError::Broken { doing: doing.to_owned(), detail: error.to_string() })
    }

    /// The server process. Each mongos of a cluster is one of its own, and which one answers is chance.
    pub(crate) async fn process_id(&self) -> Result<Option<String>, QueryError> {
        if self.facts.topology == Topology::Sharded {
            return Ok(None);
        }
        let hello = doc! { "hello": 1, "comment": self.comment.as_str() };
        let primary = server::PRIMARY;
        let admin = self.client.database("admin");
        let call = admin.run_command(hello).selection_criteria(primary);
        Ok(server::process_id(&self.caller().run("say who it is", call).await?))
    }

    /// Everything that a small command answers.
    pub(crate) async fn documents(&self, command: RawDocumentBuf) -> Result<Vec<Document>, Error> {
        self.database.run_raw_cursor_command(command).await?.try_collect().await
    }

    /// The same, byte for byte.
    pub(crate) async fn raw_documents(&self, command: RawDocumentBuf) -> Result<Vec<RawDocumentBuf>, Error> {
        self.database.run_raw_cursor_command(command).await?.with_type().try_collect().await
    }

    pub(crate) fn error(&self, error: &Error, doing: impl Into<String>) -> QueryError {
        QueryError::from_driver(error, doing, &self.caller())
    }

    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller { uri: &self.uri, secrets: &self.secrets, patience: self.patience, limit: ASK + CLOSE }
    }
}

/// Bounds what the host asks, and says what went wrong.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// Redacted.
    pub(crate) uri: &'a str,
    pub(crate) secrets: &'a Secrets,
    /// How long the driver looks for a server.
    patience: Patience,
    /// How long a call may take, with that.
    pub(crate) limit: Duration,
}

impl Caller<'_> {
    /// The same with less time.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// What the driver says of an error, and how long it waited where it waited.
    pub(crate) fn detail(&self, error: &Error) -> String {
        let text = self.secrets.scrub(&error::text(error));
        match &*error.kind {
            ErrorKind::ServerSelection { .. } => format!("{text} ({})", self.patience),
            _ => text,
        }
    }

    pub(crate) async fn run<T>(
        &self,
        doing: &str,
        call: impl IntoFuture<Output = Result<T, Error>>,
    ) -> Result<T, QueryError> {
        match timeout(self.limit, call.into_future()).await {
            Ok(answer) => answer.map_err(|error| QueryError::from_driver(&error, doing, self)),
            Err(_) => Err(QueryError::Slow { doing: doing.to_owned() }),
        }
    }
}

/// Whether a database holds somebody's data.
fn check_name(name: &str) -> Result<(), QueryError> {
    if name.is_empty() {
        return Err(QueryError::NoDatabase);
    }
    let own = ["admin", "config", "local"].contains(&name);
    if own || name.len() > 63 || name.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
        return Err(QueryError::BadDatabase { name: crate::guard::shown(name) });
    }
    Ok(())
}
