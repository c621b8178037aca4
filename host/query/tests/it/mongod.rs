//! Real servers for the tests, each started once and gone with this process, however it ends.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use mongodb::{
    Client,
    bson::{Document, doc},
};

/// A server and where it answers.
pub(crate) struct Mongod {
    port: u16,
    user: Option<&'static str>,
    replica_set: bool,
}

/// A server by itself.
pub(crate) fn standalone() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(&[], None))
}

/// A server by itself that one test has for itself, to count its cursors.
pub(crate) fn quiet() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(&[], None))
}

/// A replica set of one.
pub(crate) fn replica_set() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = start(&["--replSet", "rs0"], None);
        initiate(&server);
        Mongod { replica_set: true, ..server }
    })
}

/// A replica set of one that remembers a second of what was.
pub(crate) fn forgetful() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = start(&["--replSet", "rs0", "--setParameter", "minSnapshotHistoryWindowInSeconds=1"], None);
        initiate(&server);
        Mongod { replica_set: true, ..server }
    })
}

/// A replica set that nobody initiated.
pub(crate) fn uninitiated() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(&["--replSet", "rs0"], None))
}

/// A server that asks for a password: `root` may do everything, `reader` reads `shop`, `nobody` reads nothing.
pub(crate) fn with_users() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = start(&["--auth"], None);
        on_its_own(async {
            let admin = server.client().await.database("admin");
            let root = doc! {"createUser": "root", "pwd": "geheim", "roles": ["root"]};
            admin.run_command(root).await.unwrap();
        });
        let server = Mongod { user: Some("root"), ..server };
        on_its_own(async {
            let admin = server.client().await.database("admin");
            for (user, roles) in [("reader", vec![doc! {"role": "read", "db": "shop"}]), ("nobody", vec![])] {
                admin.run_command(doc! {"createUser": user, "pwd": "geheim", "roles": roles}).await.unwrap();
            }
        });
        server
    })
}

fn initiate(server: &Mongod) {
    on_its_own(async {
        let client = server.client().await;
        let members = doc! {"_id": "rs0", "members": [{"_id": 0, "host": format!("127.0.0.1:{}", server.port)}]};
        client.database("admin").run_command(doc! {"replSetInitiate": members}).await.unwrap();
        loop {
            let hello = client.database("admin").run_command(doc! {"hello": 1}).await;
            if hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

impl Mongod {
    /// Connection string for a database.
    pub(crate) fn uri(&self, database: &str) -> String {
        match self.user {
            Some(user) => self.uri_as(user, "geheim", database),
            None => format!("mongodb://127.0.0.1:{}/{database}", self.port),
        }
    }

    /// Connection string of a user.
    pub(crate) fn uri_as(&self, user: &str, password: &str, database: &str) -> String {
        format!("mongodb://{user}:{password}@127.0.0.1:{}/{database}?authSource=admin", self.port)
    }

    pub(crate) fn is_replica_set(&self) -> bool {
        self.replica_set
    }

    /// A client of the test's own; it belongs to the runtime of the test.
    pub(crate) async fn client(&self) -> Client {
        let uri = self.uri("admin");
        let direct = if uri.contains('?') { "&directConnection=true" } else { "?directConnection=true" };
        Client::with_uri_str(format!("{uri}{direct}")).await.unwrap()
    }

    /// All cursors that are open on this server.
    pub(crate) async fn open_cursors(&self) -> i64 {
        let status = self.client().await.database("admin").run_command(doc! {"serverStatus": 1}).await.unwrap();
        let open =
            status.get_document("metrics").unwrap().get_document("cursor").unwrap().get_document("open").unwrap();
        open.get_i64("total").unwrap()
    }

    /// Cursors and operations that carry a comment, as the server sees them.
    pub(crate) async fn traces(&self, comment: &str) -> Vec<Document> {
        let admin = self.client().await.database("admin");
        let pipeline = vec![
            doc! {"$currentOp": {"allUsers": true, "idleCursors": true}},
            doc! {"$match": {"$or": [{"command.comment": comment}, {"cursor.originatingCommand.comment": comment}]}},
        ];
        let mut cursor = admin.aggregate(pipeline).await.unwrap();
        let mut found = Vec::new();
        while cursor.advance().await.unwrap() {
            found.push(cursor.deserialize_current().unwrap());
        }
        found
    }

    /// Waits until nothing that carries the comment is left.
    pub(crate) async fn expect_no_trace(&self, comment: &str) {
        wait_until("the server to be left alone", async || self.traces(comment).await.is_empty()).await;
    }
}

/// Waits for something that must happen soon.
pub(crate) async fn wait_until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !happened().await {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs on a runtime of its own: fixtures outlive the test that happens to start them.
pub(crate) fn on_its_own<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
        });
        thread.join().unwrap()
    })
}

fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("TASTER_MONGOD") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).map(|folder| folder.join("mongod")).find(|file| file.is_file()) {
        return found;
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    let cached = cache.join("taster/mongod-6.0.5/mongod");
    assert!(cached.is_file(), "these tests need a real MongoDB server and found none: run `make mongod`");
    cached
}

fn start(arguments: &[&str], user: Option<&'static str>) -> Mongod {
    let process = Process::start(folder(), free_port(), arguments);
    let port = process.port;
    // it ends with this process
    std::mem::forget(process);
    Mongod { port, user, replica_set: false }
}

/// A folder for a server, that goes with it.
pub(crate) fn folder() -> PathBuf {
    tempfile::Builder::new().prefix("taster-mongod-").tempdir().unwrap().keep()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running server. Dropping it kills it as a power cut would, and removes its folder; so does the end of this process.
pub(crate) struct Process {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    keeper: Child,
}

impl Process {
    /// Starts a server on a folder, which may hold data, and waits until it listens.
    pub(crate) fn start(folder: PathBuf, port: u16, arguments: &[&str]) -> Self {
        let log = File::create(folder.join("stdout")).unwrap();
        // The reader ends when this process does, even by SIGKILL, for then the kernel closes the pipe. A group of its
        // own keeps a Ctrl-C from taking the shell before the server.
        let watch =
            r#"folder=$1; shift; "$@" & server=$!; cat >/dev/null; kill -KILL $server; wait $server; rm -rf "$folder""#;
        let mut command = Command::new("sh");
        command.args(["-c", watch, "sh"]).arg(&folder).arg(program()).arg("--dbpath").arg(&folder);
        command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--unixSocketPrefix"]).arg(&folder);
        command.args(["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"]);
        // a minute passes else before what is due is deleted
        command.args(["--setParameter", "ttlMonitorSleepSecs=1"]);
        command.args(arguments).process_group(0);
        let keeper = command.stdin(Stdio::piped()).stdout(log).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let waited = started.elapsed();
            assert!(waited < Duration::from_mins(1), "mongod does not start, see {}/stdout", folder.display());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { port, folder, keeper }
    }

    /// A copy of its files as they lie there, without what belongs to the process.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = folder();
        copy_folder(&self.folder, &copy);
        copy
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() && entry.file_name() != "mongod.lock" {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
