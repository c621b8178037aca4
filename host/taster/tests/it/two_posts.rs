//! Two `post` of one run at once, on machines whose clocks are an hour or two apart, while a document is lost: the exit codes,
//! the stored verdict and the gate's answer agree with what each of them read.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mongodb::bson::{Document, doc};
use serde_json::Value;
use taster_testkit::{WAIT_TIMEOUT, block_until, mongod::Flavour};

use crate::{
    serve::Served,
    support::{CommandOutput, SHOP, ShopDatabase, Workspace},
};

/// The number of rounds: five hundred in `make nightly`.
fn round_count() -> u32 {
    std::env::var("TASTER_TEST_ROUNDS").map_or(10, |count| count.parse().expect("a number of rounds"))
}

/// The clocks of the two machines. They differ, so that the id of an attempt says whose it is.
const CLOCKS: [[&str; 2]; 4] = [["+1h", "+0h"], ["+0h", "+1h"], ["-1h", "+0h"], ["+1h", "-1h"]];

/// When the document is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// When the first has read and the second has not.
    BetweenTheReads,
    /// The same, and the first stores its verdict when the second has ended.
    BetweenTheReadsOlderLast,
    /// At a moment that is another one in each round, as is the start of the second.
    AtAnyTime,
}

const LOSSES: [Loss; 5] =
    [Loss::BetweenTheReads, Loss::AtAnyTime, Loss::BetweenTheReadsOlderLast, Loss::AtAnyTime, Loss::AtAnyTime];

/// A shop, and the results of its `pre`, which each round copies.
struct Stage {
    shop: ShopDatabase,
    baseline: Workspace,
    /// How long a `post` takes here.
    post: Duration,
}

impl Stage {
    async fn open(flavour: Flavour) -> Self {
        let shop = ShopDatabase::open(flavour, 100).await;
        let baseline = shop.workspace();
        baseline.configure(&format!("{SHOP}probes:\n  - {{name: documents, component: census}}\n"));
        let pre = baseline.taster(&["pre", "--run", "one"]);
        assert_eq!(pre.code, 0, "{}", pre.all());
        let started = Instant::now();
        let post = baseline.copy().taster(&["post", "--run", "one"]);
        assert_eq!(post.code, 0, "{}", post.all());
        Self { shop, baseline, post: started.elapsed() }
    }

    async fn lose(&self, order: &Document) {
        let orders = self.shop.database.collection::<Document>("orders");
        let deleted = orders.delete_one(doc! {"_id": order.get("_id")}).await.expect("a delete");
        assert_eq!(deleted.deleted_count, 1);
    }

    async fn round(&self, round: u32) -> Readings {
        let workspace = self.baseline.copy();
        let orders = self.shop.database.collection::<Document>("orders");
        let order = orders.find_one(doc! {}).await.expect("an answer").expect("an order");
        let clocks = CLOCKS[(round as usize / 2) % CLOCKS.len()];
        let loss = LOSSES[round as usize % LOSSES.len()];
        let (outputs, is_first_last) = match loss {
            Loss::AtAnyTime => (self.lose_at_any_time(&workspace, clocks, round, &order).await, false),
            _ => self.lose_between(&workspace, clocks, loss, &order).await,
        };
        let shown = format!("round {round}: {loss:?}, clocks {clocks:?}");
        let said = outputs.each_ref().map(CommandOutput::all).join("\n");
        assert_eq!(captures(&workspace).len(), 2, "{shown}: {said}");
        let readings = Readings::of(&workspace, clocks, self.baseline_orders());
        let shown = format!("{shown}, {readings:?}: {said}");
        let codes = outputs.map(|output| output.code);
        readings.check_exit_codes(codes, &shown);
        readings.check_stored(&workspace, &shown);
        if !matches!(loss, Loss::AtAnyTime) {
            assert_eq!(readings.saw_loss, [false, true], "{shown}");
        }
        if is_first_last {
            assert_eq!(codes[0], 1, "the standing verdict is worse than its own: {shown}");
        }
        orders.insert_one(order).await.expect("it is put back");
        readings
    }

    fn baseline_orders(&self) -> u64 {
        orders_in(&self.baseline.path().join("results/v1/pxbbq/one/pre/capture.json"))
    }

    /// The first reads, then the order is lost, then the second reads. Also returns whether the second ended before the first
    /// stored its verdict.
    async fn lose_between(
        &self,
        workspace: &Workspace,
        clocks: [&str; 2],
        loss: Loss,
        order: &Document,
    ) -> ([CommandOutput; 2], bool) {
        let [first, mut second] = clocks.map(|clock| Post::start(workspace, clock));
        second.signal("STOP");
        block_until("the first has read", WAIT_TIMEOUT * 3, || !captures(workspace).is_empty());
        if matches!(loss, Loss::BetweenTheReadsOlderLast) {
            first.signal("STOP");
        }
        // before it was stopped: its verdict stood, and the worse one came later
        let had_judged = workspace.path().join("results/v1/pxbbq/one/verdict.json").exists();
        self.lose(order).await;
        second.signal("CONT");
        let mut is_first_last = false;
        if matches!(loss, Loss::BetweenTheReadsOlderLast) {
            // unless the first was stopped while it held a lock of the store
            let stopped = Instant::now();
            block_until("the second ends", WAIT_TIMEOUT * 3, || second.is_over() || stopped.elapsed() > WAIT_TIMEOUT);
            is_first_last = second.is_over() && !had_judged;
            first.signal("CONT");
        }
        ([first, second].map(Post::ended), is_first_last)
    }

    /// The second starts while the first runs, and the document is lost before, while or after they read.
    async fn lose_at_any_time(
        &self,
        workspace: &Workspace,
        clocks: [&str; 2],
        round: u32,
        order: &Document,
    ) -> [CommandOutput; 2] {
        // fractions that spread evenly over any number of rounds
        let (start, end) = ((f64::from(round) * 0.618_034).fract(), (f64::from(round) * 0.414_214).fract());
        let start = self.post.mul_f64(start / 2.0);
        let lost_after = self.post.mul_f64(end * 1.5);
        let first = Post::start(workspace, clocks[0]);
        let begin_second = async {
            tokio::time::sleep(start).await;
            Post::start(workspace, clocks[1])
        };
        let deletion = async {
            tokio::time::sleep(lost_after).await;
            self.lose(order).await;
        };
        let (second, ()) = tokio::join!(begin_second, deletion);
        [first, second].map(Post::ended)
    }
}

/// A running `post`, in a process group of its own: `faketime` stays beside it as its parent.
struct Post(Option<Child>);

impl Post {
    fn start(workspace: &Workspace, clock: &str) -> Self {
        let mut command = workspace.command_at(clock, &["post", "--run", "one"]);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("faketime runs: make setup installs it")))
    }

    fn signal(&self, name: &str) {
        let Some(child) = &self.0 else { return };
        let sent = Command::new("kill").args([&format!("-{name}"), "--", &format!("-{}", child.id())]).status();
        assert!(sent.expect("kill runs").success());
    }

    fn is_over(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| child.try_wait().expect("a status").is_some())
    }

    fn ended(mut self) -> CommandOutput {
        let child = self.0.take().expect("it is waited for once");
        CommandOutput::read(&child.wait_with_output().expect("it ends"))
    }
}

impl Drop for Post {
    /// A test that fails leaves no process behind, above all no stopped one.
    fn drop(&mut self) {
        self.signal("KILL");
    }
}

/// The captures after the sync, in the order of the clocks under which they began.
fn captures(workspace: &Workspace) -> Vec<PathBuf> {
    let attempts = fs::read_dir(workspace.path().join("results/v1/pxbbq/one/post")).into_iter().flatten();
    let captures = attempts.map(|attempt| attempt.expect("an entry").path().join("capture.json"));
    let mut captures: Vec<PathBuf> = captures.filter(|capture| capture.exists()).collect();
    captures.sort();
    captures
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON")
}

/// How many orders a capture read.
fn orders_in(capture: &Path) -> u64 {
    let capture = json(capture);
    let censuses = capture["censuses"].as_array().expect("censuses");
    let orders = censuses.iter().find(|census| census["collection"] == "orders").expect("a census of the orders");
    orders["documents"].as_u64().expect("a number")
}

/// What the two attempts read, and the verdict of each: the one that started first comes first.
#[derive(Debug)]
struct Readings {
    saw_loss: [bool; 2],
    verdicts: [String; 2],
}

impl Readings {
    fn of(workspace: &Workspace, clocks: [&str; 2], orders: u64) -> Self {
        let mut captures = captures(workspace);
        let hours = clocks.map(|clock| clock.trim_end_matches('h').parse::<i32>().expect("hours"));
        if hours[0] > hours[1] {
            captures.reverse();
        }
        let of_each = [0, 1].map(|post| {
            let read = orders_in(&captures[post]);
            assert!(read == orders || read == orders - 1, "{read} of {orders}");
            let verdict = json(&captures[post].with_file_name("verdict.json"))["verdict"].clone();
            (read < orders, verdict.as_str().expect("a verdict").to_owned())
        });
        let [first, second] = of_each;
        Self { saw_loss: [first.0, second.0], verdicts: [first.1, second.1] }
    }

    fn check_exit_codes(&self, codes: [i32; 2], shown: &str) {
        for post in [0, 1] {
            let (saw, other_saw) = (self.saw_loss[post], self.saw_loss[1 - post]);
            assert_eq!(self.verdicts[post], if saw { "different" } else { "same" }, "post {post} of {shown}");
            // one that read everything may have found the verdict of the other
            let right: &[i32] = if saw {
                &[1]
            } else if other_saw {
                &[0, 1]
            } else {
                &[0]
            };
            assert!(right.contains(&codes[post]), "post {post} of {shown}");
        }
    }

    /// What was lost stays lost: if one saw it, then the one that read last did.
    fn check_stored(&self, workspace: &Workspace, shown: &str) {
        let (verdict, status, code) = match self.saw_loss {
            [false, false] => ("same", 200, 0),
            _ => ("different", 404, 1),
        };
        let stored = json(&workspace.path().join("results/v1/pxbbq/one/verdict.json"));
        assert_eq!(stored["verdict"], verdict, "{shown}");
        let reply = Served::start(workspace, &[]).get("/compare?run=one");
        assert_eq!((reply.status, &reply.json()["verdict"]), (status, &Value::from(verdict)), "{shown}: {reply:?}");
        let compared = workspace.taster(&["compare", "--run", "one"]);
        assert_eq!(compared.code, code, "{shown}: {}", compared.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_posts_at_once_on_machines_whose_clocks_differ() {
    let stages = [Stage::open(Flavour::Standalone).await, Stage::open(Flavour::ReplicaSet).await];
    let rounds = round_count();
    let mut counts = std::collections::BTreeMap::<[bool; 2], u32>::new();
    let started = Instant::now();
    for round in 0..rounds {
        let readings = stages[round as usize % stages.len()].round(round).await;
        *counts.entry(readings.saw_loss).or_default() += 1;
    }
    // rounds by which of the two saw the loss, for the log
    println!("{rounds} rounds in {:?}; who saw the loss: {counts:?}", started.elapsed());
}
