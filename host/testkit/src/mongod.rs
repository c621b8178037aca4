//! Real MongoDB servers. A test that needs an ordinary server borrows one ([`borrow`]), so that few are started; a test that
//! stops, restarts or configures its server starts one ([`start`], [`Server`]).

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use mongodb::{
    Client,
    bson::{Document, doc},
};
pub use taster_demo::{Mongod, MongodOptions};
use tempfile::TempDir;

/// Starts a server for one test.
///
/// # Panics
///
/// Panics when there is no mongod, or it does not start.
pub async fn start(options: MongodOptions) -> Mongod {
    Mongod::start(options).await.unwrap_or_else(|error| panic!("a MongoDB server for this test: {error}"))
}

/// Options for a standalone server with these arguments.
#[must_use]
pub fn options(arguments: &[&str]) -> MongodOptions {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    MongodOptions { arguments, ..MongodOptions::default() }
}

/// A server for one test, on files of its own. It is not asked to accept writes, so it may be a member of a replica set that
/// the test initiates. Dropping it kills it, as a power cut would, and removes the files.
#[derive(Debug)]
pub struct Server {
    // dropped in this order
    mongod: Mongod,
    folder: TempDir,
}

impl Deref for Server {
    type Target = Mongod;

    fn deref(&self) -> &Mongod {
        &self.mongod
    }
}

impl Server {
    /// Starts one without data.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::on(new_folder(), arguments).await
    }

    /// Starts one on the files of [`Self::copy`].
    pub async fn on(folder: TempDir, arguments: &[&str]) -> Self {
        Self::with(folder, options(arguments)).await
    }

    /// Starts one on the files of [`Self::copy`], on this port.
    pub async fn on_port(port: u16, folder: TempDir, arguments: &[&str]) -> Self {
        Self::with(folder, MongodOptions { port: Some(port), ..options(arguments) }).await
    }

    async fn with(folder: TempDir, options: MongodOptions) -> Self {
        let options = MongodOptions { dir: Some(folder.path().to_owned()), ..options };
        let mongod = Mongod::start_member(options).await;
        Self { mongod: mongod.unwrap_or_else(|error| panic!("a MongoDB server for this test: {error}")), folder }
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A copy of its files as they are now, as a snapshot of its volume would be.
    #[must_use]
    pub fn copy(&self) -> TempDir {
        let copy = new_folder();
        copy_files(&self.data(), &copy.path().join("data"));
        copy
    }
}

fn new_folder() -> TempDir {
    tempfile::Builder::new().prefix("taster-mongod-").tempdir().expect("a folder for a server")
}

/// Kinds of servers that tests borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// A server by itself.
    Standalone,
    /// A replica set of one member.
    ReplicaSet,
    /// A replica set of one member that keeps no history: no scan can read at one point in time for longer than that.
    WithoutHistory,
}

impl Flavour {
    /// Whether the server is a member of a replica set.
    #[must_use]
    pub fn is_replica_set(self) -> bool {
        self != Self::Standalone
    }

    fn options(self) -> MongodOptions {
        // by default, a minute passes before the TTL monitor runs, and before a long transaction is aborted
        let mut parameters = vec!["ttlMonitorSleepSecs=1", "transactionLifetimeLimitSeconds=1"];
        if self == Self::WithoutHistory {
            parameters.push("minSnapshotHistoryWindowInSeconds=0");
        }
        let arguments: Vec<&str> = parameters.iter().flat_map(|parameter| ["--setParameter", parameter]).collect();
        MongodOptions { replica_set: self.is_replica_set(), ..options(&arguments) }
    }
}

/// Servers that no test uses at the moment.
static IDLE: Mutex<Vec<(Flavour, Mongod)>> = Mutex::new(Vec::new());

/// A server that one test has to itself. Dropping it hands it on to the next test of this process, unless the test failed.
#[derive(Debug)]
pub struct BorrowedMongod {
    flavour: Flavour,
    mongod: Option<Mongod>,
}

impl Deref for BorrowedMongod {
    type Target = Mongod;

    fn deref(&self) -> &Mongod {
        self.mongod.as_ref().expect("it is taken out by `drop` alone")
    }
}

impl Drop for BorrowedMongod {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.mongod.take().map(|mongod| (self.flavour, mongod)));
    }
}

/// Borrows a server without data and without sessions: one that another test of this process has handed back, else a new
/// one. The test must not change the server's configuration, users or fail points; a test that does starts its own.
pub async fn borrow(flavour: Flavour) -> BorrowedMongod {
    let idle = {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().position(|(of, _)| *of == flavour).map(|index| idle.swap_remove(index).1)
    };
    if let Some(mongod) = idle
        && reset(&mongod).await.is_ok()
    {
        return BorrowedMongod { flavour, mongod: Some(mongod) };
    }
    BorrowedMongod { flavour, mongod: Some(start(flavour.options()).await) }
}

/// Drops every database of the tests, and ends sessions and cursors that killed processes have left.
async fn reset(mongod: &Mongod) -> mongodb::error::Result<()> {
    let client = direct(mongod.port()).await;
    client.database("admin").run_command(doc! {"killAllSessions": []}).await?;
    for name in client.list_database_names().await? {
        if !["admin", "config", "local"].contains(&name.as_str()) {
            client.database(&name).drop().await?;
        }
    }
    client.shutdown().await;
    Ok(())
}

/// A client of one server alone, whatever replica set it belongs to.
pub async fn direct(port: u16) -> Client {
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=10000");
    Client::with_uri_str(uri).await.expect("a valid connection string")
}

/// Number of cursors that are open on a server, by their kind in `serverStatus`: `total`, `pinned`, `noTimeout`.
pub async fn open_cursors(client: &Client, kind: &str) -> i64 {
    let status = client.database("admin").run_command(doc! {"serverStatus": 1}).await.expect("serverStatus");
    let cursors = status.get_document("metrics").and_then(|metrics| metrics.get_document("cursor"));
    let open = cursors.and_then(|cursors| cursors.get_document("open")).expect("metrics.cursor.open");
    open.get_i64(kind).unwrap_or_else(|error| panic!("metrics.cursor.open.{kind}: {error}"))
}

/// Whether a server is the primary (`isWritablePrimary`), a secondary (`secondary`), …: a field of its `hello`.
pub async fn is_in_state(client: &Client, state: &str) -> bool {
    let hello = client.database("admin").run_command(doc! {"hello": 1}).await;
    hello.is_ok_and(|hello: Document| hello.get_bool(state).unwrap_or(false))
}

/// Without the lock, which belongs to the process.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder for the copy");
    for entry in std::fs::read_dir(from).expect("the server's folder") {
        let entry = entry.expect("the server's folder");
        let target = to.join(entry.file_name());
        let kind = entry.file_type().expect("the kind of a file");
        if kind.is_dir() {
            copy_files(&entry.path(), &target);
        } else if kind.is_file() && entry.file_name() != "mongod.lock" {
            std::fs::copy(entry.path(), target).expect("a copy of a file");
        }
    }
}

/// Runs to the end on a runtime of its own: what it starts may outlive the runtime of the test that needed it first.
pub fn block_on_own_runtime<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.expect("a runtime").block_on(work)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
