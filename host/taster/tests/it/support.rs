//! Fixtures: the demo shop in a real mongod, a folder to run in, and the built binary.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use mongodb::{Database, bson::Document};
use taster_demo::{DATABASE, Shop};
use taster_testkit::{
    mongod::{self, BorrowedMongod, Flavour},
    wait_until,
};
use tempfile::TempDir;

/// The binary that is tested.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_taster"))
}

/// A component that the build left in `target/probes`.
pub(crate) fn component(name: &str) -> PathBuf {
    let folder = binary().ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists()).expect("a target folder");
    folder.join("probes").join(format!("{name}.wasm"))
}

/// A folder to run the binary in, with its own configuration and store. The environment holds only what commands need.
pub(crate) struct Workspace {
    folder: TempDir,
    /// Set as `MONGODB_URI`.
    uri: String,
}

/// The exit code and the output of a command.
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandOutput {
    pub(crate) fn read(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The result as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// Both streams, for a message of a failed assertion.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n--- out\n{}\n--- err\n{}", self.code, self.out, self.err)
    }
}

impl Workspace {
    pub(crate) fn new(uri: &str) -> Self {
        Self { folder: TempDir::new().expect("a folder"), uri: uri.to_owned() }
    }

    /// One that several tests copy. It stays until `cargo clean`, since nothing is dropped at the end of the process.
    pub(crate) fn lasting(uri: &str) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        Self { folder, uri: uri.to_owned() }
    }

    /// Another folder with the same files.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new(&self.uri);
        let copied = Command::new("cp").arg("-a").arg(self.path().join(".")).arg(copy.path()).status();
        assert!(copied.expect("cp runs").success());
        copy
    }

    /// The server has another address now.
    pub(crate) fn point_at(&mut self, uri: &str) {
        uri.clone_into(&mut self.uri);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes `taster.yaml`.
    pub(crate) fn configure(&self, yaml: &str) -> &Self {
        fs::write(self.path().join("taster.yaml"), yaml).expect("a file");
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path()).env_clear();
        // the code cache is shared by all tests: they do not test compiling
        command.env("TASTER_CACHE", binary().with_file_name("taster-test-cache"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("MONGODB_URI", &self.uri).env("TASTER_USER", "tester");
        for name in ["HOME", "TASTER_MONGOD", "XDG_CACHE_HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// A command on a machine whose clock is as far from the right time as `offset`, such as `+1h`, says.
    pub(crate) fn command_at(&self, offset: &str, arguments: &[&str]) -> Command {
        let taster = self.command(arguments);
        let mut command = Command::new("faketime");
        command.args(["-m", "-f", offset]).arg(taster.get_program()).args(taster.get_args());
        command.current_dir(self.path()).env_clear();
        command.envs(taster.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // time-outs and the times of files are real
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn taster(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::read(&self.command(arguments).output().expect("the binary runs"))
    }
}

/// A running command whose log a test can wait for.
pub(crate) struct LoggedCommand {
    pub(crate) child: Child,
    log: PathBuf,
}

impl LoggedCommand {
    /// Starts a command of this workspace, which holds its log.
    pub(crate) fn spawn(workspace: &Workspace, command: &mut Command) -> Self {
        let log = workspace.path().join("log");
        let file = fs::File::create(&log).expect("a log");
        let child = command.stdout(Stdio::piped()).stderr(file).spawn().expect("the binary runs");
        Self { child, log }
    }

    /// Waits until the log contains this text.
    pub(crate) async fn logs(&self, text: &str) {
        wait_until(text, Duration::from_mins(1), async || self.log().contains(text)).await;
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for the end. The log is the standard error.
    pub(crate) async fn ended(self) -> CommandOutput {
        let Self { child, log } = self;
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
        let output = output.expect("it ends").expect("it ends");
        CommandOutput { err: fs::read_to_string(log).unwrap_or_default(), ..CommandOutput::read(&output) }
    }
}

/// What most databases run on.
pub(crate) const FLAVOURS: [Flavour; 2] = [Flavour::Standalone, Flavour::ReplicaSet];

/// The demo shop's database in a real mongod.
pub(crate) struct ShopDatabase {
    pub(crate) mongod: BorrowedMongod,
    pub(crate) database: Database,
}

impl ShopDatabase {
    pub(crate) async fn standalone(orders: u64) -> Self {
        Self::open(Flavour::Standalone, orders).await
    }

    pub(crate) async fn replica_set(orders: u64) -> Self {
        Self::open(Flavour::ReplicaSet, orders).await
    }

    /// On a replica set whose server keeps no history: no scan ends in time, and all are cut into ranges.
    pub(crate) async fn without_history(orders: u64) -> Self {
        Self::open(Flavour::WithoutHistory, orders).await
    }

    pub(crate) async fn open(flavour: Flavour, orders: u64) -> Self {
        let mongod = mongod::borrow(flavour).await;
        let client = mongod.client().await.expect("a client");
        Shop::with_orders(orders).load(&client, |_, _| {}).await.expect("the shop loads");
        Self { database: client.database(DATABASE), mongod }
    }

    pub(crate) fn uri(&self) -> String {
        self.mongod.uri_of(DATABASE)
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::new(&self.uri())
    }

    /// Removes open orders and says how many are gone.
    pub(crate) async fn lose(&self, filter: Document) -> u64 {
        let orders = self.database.collection::<Document>("orders");
        orders.delete_many(filter).await.expect("a delete").deleted_count
    }
}

/// The shop's configuration, by hand.
pub(crate) const SHOP: &str = "
app: pxbbq
store: file://./results
mongodb:
  uri: ${MONGODB_URI}
  database: pxbbq
";
