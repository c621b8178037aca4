//! The command line: every command and flag, documented where it is defined.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use taster_diagnostics::{CliError, Exit};
use taster_model::RunId;

use crate::{command, progress};

/// Tastes a database before and after an upgrade and says whether it still tastes the same.
#[derive(Debug, Parser)]
#[command(
    name = "taster",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 same (or done), 1 different, 2 wrong usage, 3 unknown, 4 could not do it."
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The configuration [default: taster.yaml]
    #[arg(short, long, global = true, value_name = "FILE", env = "TASTER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where results are kept; overrides the configuration
    #[arg(long, global = true, value_name = "URL", env = "TASTER_STORE")]
    pub store: Option<String>,
    /// Which run this is; found out by itself in hook Jobs and between `pre` and `post`
    #[arg(long, global = true, value_name = "ID", env = "TASTER_RUN")]
    pub run: Option<RunId>,
    /// How the result is written
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
    /// Write the result to a file instead of standard output
    #[arg(short, long, global = true, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How log lines are written to standard error
    #[arg(long, global = true, value_enum, default_value_t, env = "TASTER_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// Say more: -v debug, -vv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    #[default]
    Human,
    /// The stored document.
    Json,
    /// For a comment on a pull request.
    Markdown,
    /// For a CI system that reads test results.
    Junit,
    /// For a browser: one file that needs nothing else.
    Html,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line a person reads.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Which database, for commands that work without a configuration.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// Taste this database with no configuration at all: every collection, the standard probes
    #[arg(long, value_name = "URI", conflicts_with = "config")]
    pub mongodb: Option<String>,
    /// Run every probe twice on the same data: one that gives two answers is `unknown`
    #[arg(long)]
    pub twice: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at a database and write the shortest configuration that covers it
    Init(command::init::InitArgs),
    /// Taste before the upgrade
    Pre(Database),
    /// Taste after the upgrade, compare, and end with the verdict
    Post(command::post::PostArgs),
    /// Put back what was scaled up for tasting and was left so: after a sync that failed, or was killed
    Restore(command::restore::RestoreArgs),
    /// Judge a stored run, or two capture files, again
    Compare(command::compare::CompareArgs),
    /// Take responsibility for what a run found: closes its baseline
    Accept(command::accept::AcceptArgs),
    /// List the runs of the app, newest first
    Runs,
    /// Remove old runs: never the standing baseline, never the newest complete run
    Gc(command::gc::GcArgs),
    /// Print a stored run
    Show(command::show::ShowArgs),
    /// Serve results: the webhook that gates a deployment, an API, metrics and pages
    Serve(command::serve::ServeArgs),
    /// See the whole thing on a throwaway database
    Demo(command::demo::DemoArgs),
    /// Work with probes
    #[command(subcommand)]
    Probe(command::probe::ProbeCommand),
    /// Work with the configuration
    #[command(subcommand)]
    Config(command::config::ConfigCommand),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How long threads that nobody waits for may take to end.
const STRAGGLERS: std::time::Duration = std::time::Duration::from_secs(1);

/// Each census is a file that stays open until the capture is written: one for each collection of a database.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // where it may not be raised, a database of very many collections says so
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Parses the command line, runs the command, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    taster_flow::timing::start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows where help and errors go; a closed pipe is no reason to panic
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    progress::init(cli.common.log_format, cli.common.verbose);
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(cli));
            // whoever asked us to stop does not wait for a thread that compares or writes what nobody wants any more
            runtime.shutdown_timeout(STRAGGLERS);
            result
        }
        Err(error) => Err(CliError::new("T0601", format!("cannot start the runtime: {error}"), None)),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(problem) => {
            // standard error may be closed; then there is nobody to tell
            let _ = writeln!(std::io::stderr(), "{problem}");
            problem.exit.into()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    let common = &cli.common;
    match cli.command {
        Command::Init(args) => command::init::run(common, &args).await,
        Command::Pre(database) => command::pre::run(common, &database).await,
        Command::Post(args) => command::post::run(common, &args).await,
        Command::Restore(args) => command::restore::run(common, &args).await,
        Command::Compare(args) => command::compare::run(common, &args).await,
        Command::Accept(args) => command::accept::run(common, &args).await,
        Command::Runs => command::runs::run(common).await,
        Command::Gc(args) => command::gc::run(common, &args).await,
        Command::Show(args) => command::show::run(common, &args).await,
        Command::Serve(args) => command::serve::run(common, &args).await,
        Command::Demo(args) => command::demo::run(common, &args).await,
        Command::Probe(probe) => command::probe::run(common, &probe).await,
        Command::Config(config) => command::config::run(common, &config).await,
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut command_tree(), "taster", &mut out);
            crate::output::write(common, &out)?;
            Ok(Exit::Done)
        }
    }
}

/// The whole command tree, for completions and the tests of `--help`.
#[must_use]
pub fn command_tree() -> clap::Command {
    use clap::CommandFactory;
    Cli::command()
}
