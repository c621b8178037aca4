//! Killed at any point, stopped by a signal, started twice at once: never half a capture that `post` accepts.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use mongodb::{
    Client,
    bson::{Bson, Document, doc},
};
use rustix::process::{Pid, Signal};
use taster_demo::{DATABASE, Mongod, Shop};
use taster_testkit::{
    WAIT_TIMEOUT,
    mongod::{self, Flavour, MongodOptions, open_cursors},
    wait_until,
};

use crate::support::{CommandOutput, SHOP, ShopDatabase, Workspace};

/// The commands by which `pre` reads, and so the points between two answers of the server.
const COMMANDS: [&str; 8] =
    ["aggregate", "collStats", "count", "find", "getMore", "listCollections", "listIndexes", "serverStatus"];

/// The fail point of a command that is not answered, and that of a `getMore` that does not return.
const COMMAND: &str = "failCommand";
const READ: &str = "waitAfterPinningCursorBeforeGetMoreBatch";

/// A shop on a server with fail points.
pub(crate) struct FaultyShop {
    _mongod: Mongod,
    pub(crate) client: Client,
    pub(crate) workspace: Workspace,
}

impl FaultyShop {
    pub(crate) async fn open(flavour: Flavour, orders: u64) -> Self {
        let options = mongod::options(&["--setParameter", "enableTestCommands=1"]);
        let mongod = mongod::start(MongodOptions { replica_set: flavour.is_replica_set(), ..options }).await;
        let client = mongod.client().await.expect("a client");
        Shop::with_orders(orders).load(&client, |_, _| {}).await.expect("the shop loads");
        let workspace = Workspace::new(&mongod.uri_of(DATABASE));
        workspace.configure(SHOP);
        Self { _mongod: mongod, client, workspace }
    }

    /// Changes a fail point; returns how often it was entered until now.
    pub(crate) async fn configure(&self, name: &str, mode: impl Into<Bson>, data: Document) -> i64 {
        let mode: Bson = mode.into();
        let command = doc! {"configureFailPoint": name, "mode": mode, "data": data};
        let answer = self.client.database("admin").run_command(command).await.expect("a fail point");
        let entered = answer.get("count").expect("how often it was entered");
        entered.as_i64().or_else(|| entered.as_i32().map(i64::from)).expect("a number")
    }

    /// Waits a moment; whether the fail point was entered so often by then.
    async fn is_entered(&self, name: &str, times: i64) -> bool {
        let command = doc! {"waitForFailPoint": name, "timesEntered": times, "maxTimeMS": 50};
        self.client.database("admin").run_command(command).await.is_ok()
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.workspace.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// Kills a command while it waits for the server's answer to the read number `skip`. Returns whether it came so far.
    async fn kill_at(&self, skip: i32, arguments: &[&str]) -> bool {
        // long enough to be killed in (it takes 50 ms), and no longer: turning a fail point off waits for the command that it holds
        let data = doc! {"failCommands": COMMANDS.to_vec(), "blockConnection": true, "blockTimeMS": 500};
        let entered = self.configure(COMMAND, doc! {"skip": skip}, data).await;
        let mut child = self.spawn(arguments);
        let killed = loop {
            if self.is_entered(COMMAND, entered + 1).await {
                child.kill().expect("a signal");
                break true;
            }
            if child.try_wait().expect("a status").is_some() {
                break false;
            }
        };
        let ended = CommandOutput::read(&child.wait_with_output().expect("it ends"));
        assert_eq!(ended.code, if killed { -1 } else { 0 }, "{}", ended.all());
        self.configure(COMMAND, "off", doc! {}).await;
        killed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_killed_at_any_read_and_run_again_leaves_a_whole_capture() {
    let shop = FaultyShop::open(Flavour::Standalone, 1000).await;
    let mut kills = 0;
    // every third read: the others are much like their neighbours
    for skip in (0..).step_by(3) {
        let run = format!("kill-{skip}");
        let killed = shop.kill_at(skip, &["pre", "--run", &run]).await;
        let capture = shop.workspace.path().join(format!("results/v1/pxbbq/{run}/pre/capture.json"));
        assert_eq!(capture.exists(), !killed, "pre reads nothing after its commit");
        let again = shop.workspace.taster(&["pre", "--run", &run]);
        assert_eq!(again.code, 0, "killed at read {skip}, then: {}", again.all());
        let post = shop.workspace.taster(&["post", "--run", &run]);
        assert_eq!(post.code, 0, "killed at read {skip}, then: {}", post.all());
        if !killed {
            break;
        }
        kills += 1;
    }
    assert!(kills > 5, "pre was killed at {kills} reads");
    assert_eq!(open_cursors(&shop.client, "pinned").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pre_of_one_run_at_once_leave_one_capture() {
    let shop = ShopDatabase::replica_set(3000).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let children: Vec<_> = (0..2)
        .map(|_| {
            workspace
                .command(&["pre", "--run", "race", "--format", "json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary runs")
        })
        .collect();
    let ended: Vec<CommandOutput> =
        children.into_iter().map(|child| CommandOutput::read(&child.wait_with_output().expect("it ends"))).collect();
    let attempts: Vec<String> = ended
        .iter()
        .map(|one| {
            assert_eq!(one.code, 0, "{}", one.all());
            one.json()["attempt"].as_str().expect("an attempt").to_owned()
        })
        .collect();
    assert_eq!(attempts[0], attempts[1], "both report the one committed capture");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_scan_with_its_code_and_leaves_no_cursor_on_a_standalone() {
    a_signal_leaves_no_cursor(&FaultyShop::open(Flavour::Standalone, 4000).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_scan_with_its_code_and_leaves_no_cursor_on_a_replica_set() {
    a_signal_leaves_no_cursor(&FaultyShop::open(Flavour::ReplicaSet, 4000).await).await;
}

async fn a_signal_leaves_no_cursor(shop: &FaultyShop) {
    shop.configure(READ, "alwaysOn", doc! {"shouldCheckForInterrupt": true}).await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut child = shop.spawn(&["pre", "--run", "stopped", "-v"]);
        let pid = Pid::from_child(&child);
        let give_up = Instant::now() + WAIT_TIMEOUT;
        let mut reads = false;
        while !reads && Instant::now() < give_up && child.try_wait().expect("a status").is_none() {
            reads = open_cursors(&shop.client, "pinned").await > 0;
        }
        if reads {
            rustix::process::kill_process(pid, signal).expect("a signal");
        } else {
            child.kill().expect("a signal");
        }
        let ended = CommandOutput::read(&child.wait_with_output().expect("it ends"));
        assert!(reads, "no read was held up: {}", ended.all());
        let code = if signal == Signal::INT { 130 } else { 4 };
        assert_eq!(ended.code, code, "{}", ended.all());
        assert!(ended.err.contains("T0604"), "{}", ended.err);
        // the server closes a cursor that was killed during a read once that read notices
        let closed = async || open_cursors(&shop.client, "total").await == 0;
        wait_until("the end of all cursors", Duration::from_secs(3), closed).await;
    }
    let capture = shop.workspace.path().join("results/v1/pxbbq/stopped/pre/capture.json");
    assert!(!capture.exists());
}
