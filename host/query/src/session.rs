//! The host's connection: who is there, which point in time is read, and nothing left behind.

use std::{fmt, sync::Arc, time::Duration};

use bson::{Bson, Document, RawDocumentBuf, Timestamp, doc};
use futures_util::TryStreamExt;
use mongodb::{
    Client,
    error::{Error, ErrorKind},
    event::{EventHandler, command::CommandEvent},
    options::{ClientOptions, ReadPreference, SelectionCriteria},
};
use taster_model::{CollectionFacts, ServerFacts, Topology};
use tokio::{sync::OnceCell, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Database, Grant, MongoUri, QueryError,
    collection::Collection,
    command::{self, Manner},
    error::{self, Patience},
    uri::Secrets,
};

/// How long the server may take for what the host asks on its own behalf.
const ASK: Duration = Duration::from_secs(30);
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

/// A connection to one database, at one point in time. Cheap to clone.
///
/// On a replica set everything is read at the `operationTime` of a ping to the primary at the start; a server that
/// chose for itself might choose a time before the last writes. On a standalone server there is no such time.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    client: Client,
    pub(crate) database: mongodb::Database,
    pub(crate) facts: ServerFacts,
    pub(crate) major: u32,
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) comment: String,
    /// Redacted.
    uri: String,
    secrets: Secrets,
    patience: Patience,
    /// The scans that fetch ahead.
    pub(crate) tasks: TaskTracker,
    /// Stops them.
    pub(crate) closed: CancellationToken,
    collections: OnceCell<Vec<Collection>>,
}

/// What the user of a session may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Whether the server knows who is asking; `false` where it asks nobody.
    pub authenticated: bool,
    /// Actions beyond reading that the user may do anywhere, sorted: `insert`, `dropCollection`.
    pub beyond_reading: Vec<String>,
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
        let client = Client::with_options(driver)
            .map_err(|error| QueryError::BadUri { detail: secrets.scrub(&error::text(&error)) })?;

        let server = match look(&client, &caller, &comment).await {
            Ok(server) => server,
            Err(error) => {
                // else its monitors go on looking for the server
                let _ = timeout(CLOSE, client.shutdown().immediate(true)).await;
                return Err(error);
            }
        };
        let facts = ServerFacts {
            version: server.version,
            topology: server.topology,
            replica_set: server.replica_set,
            process_id: server.process_id,
            database: database.clone(),
            read_at: server.read_at.map(|time| format!("{}.{}", time.time, time.increment)),
        };
        tracing::debug!(version = %facts.version, topology = ?facts.topology, read_at = ?facts.read_at, "connected");
        Ok(Self {
            inner: Arc::new(Inner {
                database: client.database(&database),
                client,
                facts,
                major: server.major,
                read_at: server.read_at,
                comment,
                uri: shown,
                secrets,
                patience,
                tasks: TaskTracker::new(),
                closed: CancellationToken::new(),
                collections: OnceCell::new(),
            }),
        })
    }

    /// The server.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.inner.facts
    }

    /// The collections of the database that are not the server's own, by name.
    ///
    /// The server is asked once: a session is one look at the database.
    pub async fn collections(&self) -> Result<Vec<CollectionFacts>, QueryError> {
        Ok(self.inner.collections().await?.iter().map(Collection::facts).collect())
    }

    /// What the user may do, as the server tells it.
    pub async fn privileges(&self) -> Result<Privileges, QueryError> {
        const READING: [&str; 10] = [
            "changeStream",
            "collStats",
            "dbHash",
            "dbStats",
            "find",
            "killCursors",
            "listCollections",
            "listIndexes",
            "listSearchIndexes",
            "planCacheRead",
        ];
        let ask = doc! { "connectionStatus": 1, "showPrivileges": true, "comment": self.inner.comment.as_str() };
        let caller = self.inner.caller();
        let answer = caller.run("show the user's privileges", self.inner.database.run_command(ask)).await?;
        let info = answer.get_document("authInfo").cloned().unwrap_or_default();
        let users = info.get_array("authenticatedUsers").is_ok_and(|users| !users.is_empty());
        let privileges = info.get_array("authenticatedUserPrivileges").cloned().unwrap_or_default();
        let actions =
            privileges.iter().filter_map(Bson::as_document).filter_map(|p| p.get_array("actions").ok()).flatten();
        let mut beyond: Vec<String> = actions
            .filter_map(Bson::as_str)
            .filter(|action| !READING.contains(action))
            .map(ToOwned::to_owned)
            .collect();
        beyond.sort_unstable();
        beyond.dedup();
        Ok(Privileges { authenticated: users, beyond_reading: beyond })
    }

    /// What one probe gets of it.
    #[must_use]
    pub fn database(&self, grant: Grant) -> Database {
        Database::new(Arc::clone(&self.inner), grant)
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
    pub(crate) async fn collections(&self) -> Result<&[Collection], QueryError> {
        let collections = self.collections.get_or_try_init(|| async {
            let manner = Manner { comment: &self.comment, time: ASK, read_at: None };
            let doing = format!("list the collections of `{}`", self.facts.database);
            let entries = self.caller().run(&doing, self.raw_documents(command::list_collections(manner))).await?;
            let collections = entries.iter().filter_map(|entry| Collection::from_entry(entry).transpose());
            let mut collections: Vec<Collection> = collections
                .collect::<Result<_, _>>()
                .map_err(|error| QueryError::Broken { doing, detail: error.to_string() })?;
            collections.sort_by(|a, b| a.name.cmp(&b.name));
            Ok::<_, QueryError>(collections)
        });
        collections.await.map(Vec::as_slice)
    }

    /// One collection, if it is there.
    pub(crate) async fn collection(&self, name: &str) -> Result<Option<&Collection>, QueryError> {
        Ok(self.collections().await?.iter().find(|collection| collection.name == name))
    }

    /// Everything that a small command answers.
    pub(crate) async fn documents(&self, command: RawDocumentBuf) -> Result<Vec<Document>, Error> {
        self.database.run_raw_cursor_command(command).await?.try_collect().await
    }

    /// The same, byte for byte.
    async fn raw_documents(&self, command: RawDocumentBuf) -> Result<Vec<RawDocumentBuf>, Error> {
        self.database.run_raw_cursor_command(command).await?.with_type().try_collect().await
    }

    pub(crate) fn error(&self, error: &Error, doing: impl Into<String>) -> QueryError {
        QueryError::from_driver(error, doing, &self.caller())
    }

    fn caller(&self) -> Caller<'_> {
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
    limit: Duration,
}

impl Caller<'_> {
    /// What the driver says of an error, and how long it waited where it waited.
    pub(crate) fn detail(&self, error: &Error) -> String {
        let text = self.secrets.scrub(&error::text(error));
        match &*error.kind {
            ErrorKind::ServerSelection { .. } => format!("{text} ({})", self.patience),
            _ => text,
        }
    }

    async fn run<T>(&self, doing: &str, call: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, QueryError> {
        match timeout(self.limit, call.into_future()).await {
            Ok(answer) => answer.map_err(|error| QueryError::from_driver(&error, doing, self)),
            Err(_) => Err(QueryError::Slow { doing: doing.to_owned() }),
        }
    }
}

/// What the server says about itself.
struct Server {
    version: String,
    major: u32,
    topology: Topology,
    replica_set: Option<String>,
    process_id: Option<String>,
    read_at: Option<Timestamp>,
}

async fn look(client: &Client, caller: &Caller<'_>, comment: &str) -> Result<Server, QueryError> {
    let admin = client.database("admin");
    let ask = |command: Document, preference: ReadPreference| {
        admin.run_command(command).selection_criteria(SelectionCriteria::ReadPreference(preference))
    };
    let hello = doc! { "hello": 1, "comment": comment };
    let nearest = ReadPreference::Nearest { options: None };
    // anybody first: a set without a primary is another problem than a server that is not there
    let mut hello_answer = caller.run("say who it is", ask(hello.clone(), nearest.clone())).await?;
    let info = caller.run("say its version", ask(doc! { "buildInfo": 1, "comment": comment }, nearest)).await?;

    let version = info.get_str("version").unwrap_or_default().to_owned();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < error::OLDEST {
        return Err(QueryError::TooOld { uri: caller.uri.to_owned(), version });
    }
    let topology = if hello_answer.get_str("msg").is_ok_and(|message| message == "isdbgrid") {
        Topology::Sharded
    } else if hello_answer.contains_key("setName") || says(&hello_answer, "isreplicaset") {
        Topology::ReplicaSet
    } else {
        Topology::Standalone
    };
    if topology == Topology::ReplicaSet {
        hello_answer = primary(caller, ask(hello, ReadPreference::Primary)).await?;
    }
    let read_at = match topology {
        Topology::Standalone => None,
        Topology::ReplicaSet | Topology::Sharded => {
            let ping = doc! { "ping": 1, "comment": comment };
            let answer = caller.run("tell its time", ask(ping, ReadPreference::Primary)).await?;
            let time = answer.get_timestamp("operationTime").map_err(|_| QueryError::Broken {
                doing: "tell its time".to_owned(),
                detail: "the answer has no operationTime".to_owned(),
            })?;
            Some(time)
        }
    };
    let process_id = hello_answer
        .get_document("topologyVersion")
        .and_then(|version| version.get_object_id("processId"))
        .ok()
        .map(bson::oid::ObjectId::to_hex);
    let replica_set = hello_answer.get_str("setName").ok().map(ToOwned::to_owned);
    Ok(Server { version, major, topology, replica_set, process_id, read_at })
}

/// The primary's word about itself.
async fn primary(
    caller: &Caller<'_>,
    hello: impl IntoFuture<Output = Result<Document, Error>>,
) -> Result<Document, QueryError> {
    let nobody = |detail: String| QueryError::NoPrimary { uri: caller.uri.to_owned(), detail };
    let answer = match timeout(caller.limit, hello.into_future()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if matches!(*error.kind, ErrorKind::ServerSelection { .. }) => {
            return Err(nobody(caller.detail(&error)));
        }
        Ok(Err(error)) => return Err(QueryError::from_driver(&error, "say who it is", caller)),
        Err(_) => return Err(nobody("it does not answer".to_owned())),
    };
    // a direct connection takes whatever member it is to
    if says(&answer, "isWritablePrimary") {
        return Ok(answer);
    }
    let set = answer.get_str("setName").unwrap_or("?");
    Err(nobody(match answer.get_str("me") {
        Ok(me) => format!("{me} of `{set}` is not it"),
        Err(_) => "it was not initiated yet".to_owned(),
    }))
}

fn says(answer: &Document, name: &str) -> bool {
    answer.get_bool(name).unwrap_or(false)
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
