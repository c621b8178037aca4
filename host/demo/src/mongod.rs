//! [`Mongod`]: a real mongod on a free port of 127.0.0.1 that stops when the process that started it ends.

use std::{
    env,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use bson::doc;
use mongodb::{
    Client,
    options::{ClientOptions, ServerAddress},
};

use super::DemoError;

/// A shell script that kills mongod when this process ends. It waits for the end of a pipe. That works on every system with
/// `sh`, and without the `unsafe` code that `prctl(PR_SET_PDEATHSIG)` would need in the child.
const KEEPER: &str = include_str!("keeper.sh");

/// The version that `make mongod` fetches, and so the name of its folder in the cache.
const CACHED_VERSION: &str = "6.0.5";

/// Name of the replica set, if there is one.
const REPLICA_SET: &str = "taster";

/// mongod's exit status when it cannot listen on its port.
const PORT_TAKEN: &str = "48";

/// Finds a mongod: `$TASTER_MONGOD`, else `mongod` on `PATH`, else the one that `make mongod` installs.
pub fn find_mongod() -> Result<PathBuf, DemoError> {
    find(|name| env::var_os(name))
}

fn find(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, DemoError> {
    if let Some(value) = variable("TASTER_MONGOD").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(value);
        return if path.is_file() { Ok(path) } else { Err(DemoError::NotAMongod { path }) };
    }
    let path = variable("PATH").unwrap_or_default();
    if let Some(found) = env::split_paths(&path).map(|folder| folder.join("mongod")).find(|file| file.is_file()) {
        return Ok(found);
    }
    let cache = variable("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(|| PathBuf::from(".cache"));
    let cached = cache.join("taster").join(format!("mongod-{CACHED_VERSION}")).join("mongod");
    if cached.is_file() { Ok(cached) } else { Err(DemoError::NoMongod { cached }) }
}

/// How a mongod is started.
#[derive(Debug, Clone)]
pub struct MongodOptions {
    /// A replica set of one member, instead of a standalone server.
    pub replica_set: bool,
    /// The port on 127.0.0.1. Default: a free one.
    pub port: Option<u16>,
    /// A folder for its data, which is kept in the state of a power cut. Default: a temporary folder, removed at the end.
    pub dir: Option<PathBuf>,
    /// The program. Default: the result of [`find_mongod`].
    pub binary: Option<PathBuf>,
    /// Cache of the storage engine in MiB, at least 256. Default 256.
    pub cache_mib: u32,
    /// How long to wait for its first answer. Default 1 min, because the machine may be busy.
    pub ready: Duration,
    /// Further arguments.
    pub arguments: Vec<String>,
}

impl Default for MongodOptions {
    fn default() -> Self {
        Self {
            replica_set: false,
            port: None,
            dir: None,
            binary: None,
            cache_mib: 256,
            ready: Duration::from_mins(1),
            arguments: Vec::new(),
        }
    }
}

/// The condition that a start waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    /// It answers, in any state.
    Answering,
    /// It accepts writes.
    Writable,
}

/// A running mongod. Dropping it kills mongod and removes its folder, unless the folder was given. The end of this process
/// does the same, even by `kill -9`.
pub struct Mongod {
    keeper: Child,
    /// Receives its exit status. In a mutex, so that threads can share the server.
    exit_status: Mutex<Receiver<String>>,
    binary: PathBuf,
    dir: PathBuf,
    port: u16,
    replica_set: bool,
}

impl fmt::Debug for Mongod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mongod").field("uri", &self.uri()).field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Mongod {
    /// Starts one and waits until it accepts writes.
    pub async fn start(options: MongodOptions) -> Result<Self, DemoError> {
        Self::start_until(Ready::Writable, &options).await
    }

    /// Starts a member of a replica set that the caller initiates, and waits until it answers.
    pub async fn start_member(options: MongodOptions) -> Result<Self, DemoError> {
        Self::start_until(Ready::Answering, &options).await
    }

    async fn start_until(ready: Ready, options: &MongodOptions) -> Result<Self, DemoError> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => find_mongod()?,
        };
        // another process may take the free port before mongod starts: then retry with another port
        for _ in 0..4 {
            match Self::attempt(&binary, ready, options).await {
                Err(DemoError::Exited { status, .. }) if status == PORT_TAKEN => {}
                outcome => return outcome,
            }
        }
        Self::attempt(&binary, ready, options).await
    }

    async fn attempt(binary: &Path, ready: Ready, options: &MongodOptions) -> Result<Self, DemoError> {
        let mongod = Self::spawn(binary, options)?;
        mongod.wait_until(ready, options.ready).await?;
        Ok(mongod)
    }

    fn spawn(binary: &Path, options: &MongodOptions) -> Result<Self, DemoError> {
        // the keeper removes the temporary folder, because it may live longer than this process
        let (dir, scratch) = if let Some(dir) = &options.dir {
            (dir.clone(), PathBuf::new())
        } else {
            let made = tempfile::Builder::new().prefix("taster-mongod-").tempdir();
            let dir = made.map_err(DemoError::io("create a temporary folder"))?.keep();
            (dir.clone(), dir)
        };
        let data = dir.join("data");
        fs::create_dir_all(&data).map_err(DemoError::io(format!("create the folder {}", data.display())))?;
        let port = match options.port {
            Some(port) => port,
            None => free_port().map_err(DemoError::io("find a free port on 127.0.0.1"))?,
        };

        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEPER).arg("sh").arg(&scratch).arg(dir.join("mongod.out"));
        command.arg(binary).arg("--dbpath").arg(&data).arg("--logpath").arg(dir.join("mongod.log"));
        command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--nounixsocket"]);
        command.args(["--wiredTigerCacheSizeGB", &(f64::from(options.cache_mib.max(256)) / 1024.0).to_string()]);
        // full-time diagnostics write to the disk every second
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        if options.replica_set {
            command.args(["--replSet", REPLICA_SET, "--oplogSize", "128"]);
        }
        command.args(&options.arguments);
        // in a process group of its own mongod gets no Ctrl-C: this process handles it, and needs mongod until then
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = command.spawn().map_err(DemoError::io("run `sh`"))?;

        let (sender, exit_status) = mpsc::channel();
        let output = keeper.stdout.take().expect("standard output is piped three lines above");
        thread::spawn(move || {
            let mut status = String::new();
            // reads nothing if the keeper itself was killed
            let _ = BufReader::new(output).read_line(&mut status);
            let _ = sender.send(status.trim().to_owned());
        });
        Ok(Self {
            keeper,
            exit_status: Mutex::new(exit_status),
            binary: binary.to_owned(),
            dir,
            port,
            replica_set: options.replica_set,
        })
    }

    async fn wait_until(&self, ready: Ready, timeout: Duration) -> Result<(), DemoError> {
        let started = Instant::now();
        let client = self.direct_client().map_err(DemoError::database("create a client"))?;
        let admin = client.database("admin");
        let mut initiated = false;
        loop {
            let exited = self.exit_status.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
            if let Ok(status) = exited {
                return Err(DemoError::Exited { binary: self.binary.clone(), status, log_tail: self.log_tail() });
            }
            if started.elapsed() > timeout {
                return Err(DemoError::Timeout {
                    binary: self.binary.clone(),
                    waited: timeout,
                    log_tail: self.log_tail(),
                });
            }
            if let Ok(hello) = admin.run_command(doc! {"hello": 1}).await {
                if ready == Ready::Answering || hello.get_bool("isWritablePrimary").unwrap_or(false) {
                    client.shutdown().await;
                    return Ok(());
                }
                if self.replica_set && !initiated {
                    let member = doc! {"_id": 0, "host": format!("127.0.0.1:{}", self.port)};
                    let initiate = doc! {"replSetInitiate": {"_id": REPLICA_SET, "members": [member]}};
                    // fails with `AlreadyInitialized` in a folder that was used before
                    let _ = admin.run_command(initiate).await;
                    initiated = true;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn direct_client(&self) -> Result<Client, mongodb::error::Error> {
        let options = ClientOptions::builder()
            .hosts(vec![ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: Some(self.port) }])
            .direct_connection(true)
            .server_selection_timeout(Duration::from_millis(500))
            .build();
        Client::with_options(options)
    }

    /// The connection string, without a database.
    #[must_use]
    pub fn uri(&self) -> String {
        self.uri_of("")
    }

    /// The connection string of one database.
    #[must_use]
    pub fn uri_of(&self, database: &str) -> String {
        let set = if self.replica_set { format!("?replicaSet={REPLICA_SET}") } else { String::new() };
        format!("mongodb://127.0.0.1:{}/{database}{set}", self.port)
    }

    /// A client that can write.
    pub async fn client(&self) -> Result<Client, DemoError> {
        Client::with_uri_str(self.uri()).await.map_err(DemoError::database("connect to the demo's own mongod"))
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its data and its log are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The version that it reports, such as `6.0.5`.
    pub async fn version(&self) -> Result<String, DemoError> {
        let version = async {
            let client = self.direct_client()?;
            let info = client.database("admin").run_command(doc! {"buildInfo": 1}).await?;
            client.shutdown().await;
            Ok(info.get_str("version").unwrap_or("?").to_owned())
        };
        version.await.map_err(DemoError::database("ask the demo's own mongod for its version"))
    }

    /// The last lines of its output and its log, as plain text. If there are errors, only those.
    fn log_tail(&self) -> String {
        let mut tail: Vec<String> = Vec::new();
        for file in ["mongod.log", "mongod.out"] {
            let lines = File::open(self.dir.join(file)).map(|file| BufReader::new(file).lines().map_while(Result::ok));
            let lines: Vec<String> = lines.into_iter().flatten().collect();
            let (errors, others): (Vec<_>, Vec<_>) =
                lines.iter().map(|line| plain_text(line)).partition(|(is_error, _)| *is_error);
            let shown = if errors.is_empty() { others } else { errors };
            tail.extend(shown.iter().rev().take(5).rev().map(|(_, line)| format!("  {line}")));
        }
        if tail.is_empty() { "  nothing".to_owned() } else { tail.join("\n") }
    }
}

/// Whether a log line is an error, and its text.
fn plain_text(line: &str) -> (bool, String) {
    let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else { return (false, line.to_owned()) };
    let is_error = matches!(entry["s"].as_str(), Some("E" | "F"));
    let message = entry["msg"].as_str().unwrap_or(line);
    match entry.get("attr") {
        Some(details) => (is_error, format!("{message} {details}")),
        None => (is_error, message.to_owned()),
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        // closing the pipe makes the keeper kill mongod with SIGKILL, which takes milliseconds
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests;
