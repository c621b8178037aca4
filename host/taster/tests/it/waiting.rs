//! Ctrl-C while a command waits for a MongoDB server that does not answer.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use taster_testkit::{WAIT_TIMEOUT, block_until, free_port, mongod::Flavour};

use crate::{
    redaction::files,
    support::{CommandOutput, SHOP, ShopDatabase, Workspace},
};

/// Much less than the command would wait for the server.
const QUICK: Duration = Duration::from_secs(5);
const WAITING: &str = "waiting for MongoDB, at most";

/// Starts a command and presses Ctrl-C as soon as it says that it waits for the server. Returns its exit code, and what it has
/// written since.
fn interrupt(workspace: &Workspace, arguments: &[&str]) -> CommandOutput {
    let log = workspace.path().join("stderr.log");
    let mut command = workspace.command(arguments);
    command.stdout(Stdio::piped()).stderr(File::create(&log).expect("a file"));
    let mut child = command.spawn().expect("the binary runs");
    let written = || fs::read_to_string(&log).expect("a log");
    let mut is_over = || child.try_wait().expect("a status").is_some();
    let waits = |log: &str| log.contains(WAITING) && log.ends_with('\n');
    block_until("a command that waits for the server", WAIT_TIMEOUT, || waits(&written()) || is_over());
    let before = written();
    assert!(waits(&before) && !is_over(), "{arguments:?}: {before}");
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    block_until("the end of the command", QUICK, || child.try_wait().expect("a status").is_some());
    let output = child.wait_with_output().expect("it is over");
    CommandOutput { err: written()[before.len()..].to_owned(), ..CommandOutput::read(&output) }
}

/// The results of the app, without the locks beside them.
fn stored(workspace: &Workspace) -> BTreeMap<PathBuf, Vec<u8>> {
    let app = workspace.path().join("results/v1/pxbbq");
    let mut stored = if app.exists() { files(&app) } else { BTreeMap::new() };
    stored.retain(|path, _| path.extension().is_none_or(|extension| extension != "lock"));
    stored
}

fn fine(workspace: &Workspace, arguments: &[&str]) {
    let ended = workspace.taster(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.all());
}

async fn ctrl_c_ends_the_wait(flavour: Flavour) {
    let shop = ShopDatabase::open(flavour, 100).await;
    // the kernel accepts connections to it, and nobody reads from them
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("its address").port();
    for port in [free_port(), silent_port] {
        let unanswered = shop.uri().replace(&shop.mongod.port().to_string(), &port.to_string());
        let mut workspace = shop.workspace();
        let patient = SHOP.replace("mongodb:\n", "mongodb:\n  connectTimeout: 1m\n");
        workspace.configure(&format!("{patient}probes: [{{name: counts, component: document-count}}]\n"));
        for (side, what) in [("pre", "capture before the sync"), ("post", "capture after the sync")] {
            let before = stored(&workspace);
            assert_eq!(before.is_empty(), side == "pre", "{:?}", before.keys());
            workspace.point_at(&unanswered);
            let ended = interrupt(&workspace, &[side, "--run", "one"]);
            assert_eq!((ended.code, ended.out.as_str()), (130, ""), "{}", ended.all());
            // one message, which is an error with its help
            let message = format!(
                "error[T0604]: stopped by SIGINT before the {what} was committed; nothing of this attempt counts\n  \
                 help: run the same command again; it starts over\n"
            );
            assert_eq!(ended.err, message, "{}", ended.all());
            assert!(stored(&workspace) == before, "{side}: {:?}", stored(&workspace).keys());
            workspace.point_at(&shop.uri());
            fine(&workspace, &[side, "--run", "one"]);
        }
        // the next run, too
        fine(&workspace, &["pre", "--run", "two"]);
        fine(&workspace, &["post", "--run", "two"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_wait_for_a_standalone_server() {
    ctrl_c_ends_the_wait(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_wait_for_a_replica_set() {
    ctrl_c_ends_the_wait(Flavour::ReplicaSet).await;
}
