//! Rounds: how many there are, which seeds they have, and how a round that fails is made smaller.

use std::{
    any::Any,
    env, fmt,
    fmt::Write as _,
    panic::{AssertUnwindSafe, resume_unwind},
    time::Instant,
};

use futures_util::FutureExt as _;
use mongodb::bson::Document;
use serde_json::Value as Json;

use super::{config::Config, database::Database, server::Server, upgrade::State};
use crate::support::{CommandOutput, Workspace};

/// Rounds of each harness, half of them on each kind of server.
pub(super) const ROUNDS: u64 = 100;
/// How often a failing round is made smaller.
const ATTEMPTS: usize = 60;
/// Failures that are shown as the smallest round that fails.
const SHOWN: usize = 3;

/// The seeds of one harness on one kind of server.
///
/// - `TASTER_TEST_ROUNDS=2000`: how many rounds on both kinds of servers together
/// - `TASTER_TEST_BASE=20261130`: the seed of the first round; always the same one by default, so that CI is no lottery
/// - `TASTER_TEST_SEED=17`: this round alone
fn seeds(replica_set: bool) -> Vec<u64> {
    let number = |name: &str| {
        env::var(name).ok().map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no number")))
    };
    // the parity of a seed says on what it runs
    let fits = |seed: &u64| (seed % 2 == 1) == replica_set;
    if let Some(seed) = number("TASTER_TEST_SEED") {
        return [seed].into_iter().filter(fits).collect();
    }
    let base = number("TASTER_TEST_BASE").unwrap_or(0);
    (base..base + number("TASTER_TEST_ROUNDS").unwrap_or(ROUNDS)).filter(fits).collect()
}

/// A round that can be played: with another seed it is another one.
pub(super) trait Round: Sized + Clone {
    fn generate(seed: u64) -> Self;
    /// Whether it needs a replica set of several members, of which another one can become the primary.
    fn fails_over(&self) -> bool {
        false
    }
    /// Whether the verdict is what it must be; else what is wrong.
    async fn play(&self, server: &mut Server) -> Result<(), String>;
    /// Slightly smaller rounds.
    fn smaller(&self) -> Vec<Self>;
    fn parts(&self) -> Parts<'_>;
}

/// What a round consists of, for its description.
pub(super) struct Parts<'a> {
    pub(super) database: &'a Database,
    pub(super) steps: Vec<String>,
    pub(super) config: &'a Config,
    pub(super) changes: Vec<Json>,
}

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  database:")?;
        for (name, collection) in self.database {
            write!(f, "  - {name:?} {collection}")?;
        }
        writeln!(f, "  upgrade:")?;
        for step in &self.steps {
            writeln!(f, "  - {step}")?;
        }
        writeln!(f, "  configuration:\n{}", self.config.yaml(&self.changes, "…").replace('\n', "\n    "))
    }
}

/// The servers of one harness on one kind of server.
struct Servers {
    single: Server,
    /// Started once, when a round needs it.
    several: Option<Server>,
}

impl Servers {
    async fn start(replica_set: bool) -> Self {
        Self { single: Server::start(replica_set).await, several: None }
    }

    /// The server that a round is played on.
    async fn server_of<R: Round>(&mut self, round: &R) -> &mut Server {
        if !round.fails_over() {
            return &mut self.single;
        }
        if self.several.is_none() {
            self.several = Some(Server::start_several().await);
        }
        self.several.as_mut().expect("it was started just now, or before")
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "reports the rounds, and failures as they come")]
/// Plays all rounds on one kind of server, and panics with those that failed.
pub(super) async fn play<R: Round>(replica_set: bool) {
    let seeds = seeds(replica_set);
    if seeds.is_empty() {
        return;
    }
    let started = Instant::now();
    let mut servers = Servers::start(replica_set).await;
    let mut failures: Vec<(u64, String)> = Vec::new();
    let mut void = 0;
    for (round, &seed) in seeds.iter().enumerate() {
        let made = R::generate(seed);
        let server = servers.server_of(&made).await;
        let played = AssertUnwindSafe(made.play(server)).catch_unwind().await;
        let Some(played) = played.map_or_else(refused, Some) else {
            void += 1;
            continue;
        };
        if let Err(wrong) = played {
            let shown = if failures.len() < SHOWN { smallest(made, wrong, &mut servers).await } else { wrong };
            eprintln!("seed {seed} (round {} of {}): {shown}", round + 1, seeds.len());
            failures.push((seed, shown));
        }
    }
    let kind = if replica_set { "a replica set" } else { "a standalone server" };
    let seconds = started.elapsed().as_secs();
    println!("{} rounds on {kind} in {seconds} s, seeds {} to {}", seeds.len(), seeds[0], seeds[seeds.len() - 1]);
    assert!(void * 20 <= seeds.len(), "the server refused the data of {void} of {} rounds", seeds.len());
    let mut report = format!("{} of {} rounds on {kind} failed:", failures.len(), seeds.len());
    for (seed, shown) in &failures {
        write!(report, "\n\nTASTER_TEST_SEED={seed}: {shown}").expect("text");
    }
    assert!(failures.is_empty(), "{report}");
}

/// `None` if the server refused what the generator made: there was no round. Any other panic goes on.
fn refused<T>(panic: Box<dyn Any + Send>) -> Option<T> {
    let message = panic.downcast_ref::<String>().map_or("", String::as_str);
    if message.starts_with("the generator made") {
        return None;
    }
    resume_unwind(panic)
}

/// The smallest round that was found to fail, too.
async fn smallest<R: Round>(mut failing: R, mut wrong: String, servers: &mut Servers) -> String {
    let mut left = ATTEMPTS;
    'smaller: while left > 0 {
        for smaller in failing.smaller() {
            if left == 0 {
                break;
            }
            left -= 1;
            if let Err(still) = smaller.play(servers.server_of(&smaller).await).await {
                (failing, wrong) = (smaller, still);
                continue 'smaller;
            }
        }
        break;
    }
    format!("{wrong}\n{}", failing.parts())
}

/// Rounds without one collection, without one step, with half of the documents of a collection, or with a simpler configuration.
pub(super) fn smaller<S: Clone>(database: &Database, steps: &[S], config: &Config) -> Vec<(Database, Vec<S>, Config)> {
    let mut smaller = Vec::new();
    for at in (0..steps.len()).filter(|_| steps.len() > 1) {
        let mut fewer = steps.to_vec();
        fewer.remove(at);
        smaller.push((database.clone(), fewer, config.clone()));
    }
    for name in database.keys().filter(|_| database.len() > 1) {
        let mut fewer = database.clone();
        fewer.remove(name);
        let read = |options: &Document| options.get_str("viewOn").is_ok_and(|on| on == name);
        fewer.retain(|_, collection| !read(&collection.options));
        if !fewer.is_empty() {
            smaller.push((fewer.clone(), steps.to_vec(), config.restricted_to(&fewer)));
        }
    }
    for (name, collection) in database.iter().filter(|(_, collection)| collection.documents.len() > 1) {
        let mut fewer = database.clone();
        fewer.insert(name.clone(), collection.clone());
        if let Some(collection) = fewer.get_mut(name) {
            collection.documents.truncate(collection.documents.len().div_ceil(2));
        }
        smaller.push((fewer, steps.to_vec(), config.clone()));
    }
    let simple = Config { probes: Vec::new(), census: Vec::new(), ..config.clone() };
    if !config.probes.is_empty() {
        smaller.push((database.clone(), steps.to_vec(), simple));
    }
    smaller
}

/// A workspace, the commands `pre` and `post` in it, and a database of its own that is dropped at the end.
pub(super) struct Played {
    pub(super) pre: CommandOutput,
    pub(super) post: CommandOutput,
}

/// Runs the binary before and after `upgrade`.
pub(super) async fn before_and_after(
    server: &mut Server,
    yaml: impl Fn(&str) -> String,
    state: &State,
    upgrade: impl AsyncFnOnce(&mut Server, &str),
) -> Played {
    let undisturbed = async |_: &Server, workspace: &Workspace| post(workspace);
    before_and_with(server, yaml, state, upgrade, undisturbed).await
}

/// Runs the binary before `upgrade`, and runs `post`, which runs the binary after it.
pub(super) async fn before_and_with(
    server: &mut Server,
    yaml: impl Fn(&str) -> String,
    state: &State,
    upgrade: impl AsyncFnOnce(&mut Server, &str),
    post: impl AsyncFnOnce(&Server, &Workspace) -> CommandOutput,
) -> Played {
    let name = "mutated";
    let mongo = server.client.database(name);
    mongo.drop().await.expect("an empty database");
    super::server::load(&mongo, &state.before).await;
    let workspace = Workspace::new(&server.uri(name));
    workspace.configure(&yaml(name));
    let pre = tokio::task::block_in_place(|| workspace.taster(&["pre", "--run", "one"]));
    upgrade(server, name).await;
    let post = post(&*server, &workspace).await;
    Played { pre, post }
}

/// The command after the upgrade.
pub(super) const POST: [&str; 5] = ["post", "--run", "one", "--format", "json"];

/// Runs it to its end.
pub(super) fn post(workspace: &Workspace) -> CommandOutput {
    tokio::task::block_in_place(|| workspace.taster(&POST))
}

/// Findings that decide and are not as they should be.
pub(super) fn deciding(post: &CommandOutput) -> Vec<Json> {
    let findings = post.json()["findings"].as_array().cloned().unwrap_or_default();
    let decides = |finding: &Json| finding["severity"] != "warn" && finding["muted"] != true;
    let is_bad = |finding: &Json| finding["outcome"] == "different" || finding["outcome"] == "unknown";
    findings.into_iter().filter(|finding| decides(finding) && is_bad(finding)).collect()
}
