//! The command line: the tree of commands, and how the process starts and ends.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use taster_diagnostics::{CliError, Exit};

use crate::{
    command, completion, logging,
    logging::{LogFormat, Verbosity},
    output,
};

/// The command line of `taster`.
#[derive(Debug, Parser)]
#[command(
    name = "taster",
    version,
    about = "Compare a MongoDB database before and after a GitOps sync",
    max_term_width = 100,
    after_help = "Exit codes: 0 same (or done), 1 different, 2 wrong usage, 3 unknown, 4 failed, 130 Ctrl-C."
)]
struct Cli {
    #[command(flatten)]
    logging: LogArgs,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
struct LogArgs {
    /// Format of the log lines on standard error
    #[arg(long, global = true, value_enum, default_value_t, env = "TASTER_LOG_FORMAT")]
    log_format: LogFormat,
    /// Log warnings only, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Log more: -v debug, -vv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl LogArgs {
    fn verbosity(&self) -> Verbosity {
        match self.verbose {
            _ if self.quiet => Verbosity::Warnings,
            0 => Verbosity::Steps,
            1 => Verbosity::Debug,
            _ => Verbosity::Trace,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the shortest configuration that covers a database
    #[command(after_long_help = command::init::EXAMPLES)]
    Init(command::init::InitArgs),
    /// Capture the database before the sync
    #[command(after_long_help = command::pre::EXAMPLES)]
    Pre(command::pre::PreArgs),
    /// Capture the database after the sync, compare, and exit with the verdict
    #[command(after_long_help = command::post::EXAMPLES)]
    Post(command::post::PostArgs),
    /// Restore the replica counts of workloads that an interrupted run left scaled up
    Restore(command::restore::RestoreArgs),
    /// Compare a stored run, or two capture files, again
    Compare(command::compare::CompareArgs),
    /// Accept the verdict of a run and close its baseline
    #[command(after_long_help = command::accept::EXAMPLES)]
    Accept(command::accept::AcceptArgs),
    /// Show the baseline that `post` compares with, or drop it
    #[command(subcommand, after_long_help = command::baseline::EXAMPLES)]
    Baseline(command::baseline::BaselineCommand),
    /// List the runs of the app, newest first
    Runs(command::runs::RunsArgs),
    /// Remove old runs; the open baseline and the newest complete run are always kept
    Gc(command::gc::GcArgs),
    /// Print a stored run
    Show(command::show::ShowArgs),
    /// Serve results over HTTP: a webhook that gates deployments, an API, metrics and pages
    #[command(after_long_help = command::serve::EXAMPLES)]
    Serve(command::serve::ServeArgs),
    /// Try Taster on a temporary database
    Demo(command::demo::DemoArgs),
    /// Check, inspect and run probes
    #[command(subcommand, after_long_help = command::probe::EXAMPLES)]
    Probe(command::probe::ProbeCommand),
    /// Check the configuration and print its schema
    #[command(subcommand)]
    Config(command::config::ConfigCommand),
    /// Explain codes of errors and reasons of findings
    #[command(after_long_help = command::explain::EXAMPLES)]
    Explain(command::explain::ExplainArgs),
    /// Print shell completions, which know stored runs and standard probes
    #[command(after_long_help = completion::EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages, one file per command
    Man {
        /// The folder; created if it is missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// How long to wait at the end for threads whose result is no longer needed.
const SHUTDOWN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);

/// Raises the limit of open files to the hard limit: each collection's census is a file that stays open until the capture is
/// written.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // if it cannot be raised, opening a census fails with an error of its own
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Parses the command line, runs the command, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    // not a command for users: the sandbox starts it, and it must limit itself before it does anything else
    if std::env::args_os().nth(1).is_some_and(|argument| argument == taster_flow::COMPILE_COMMAND) {
        return taster_engine::compile_child();
    }
    completion::answer(command_tree);
    taster_flow::timing::start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap chooses the stream; a closed pipe is no reason to panic
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    logging::init(cli.logging.log_format, cli.logging.verbosity());
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(cli.command));
            // after an interrupt, do not wait for threads that still compare or write
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
            result
        }
        Err(error) => Err(CliError::new("T0601", format!("cannot start the runtime: {error}"), None)),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(problem) => {
            // standard error may be closed
            let _ = writeln!(std::io::stderr(), "{}", output::for_terminal(&problem.to_string()));
            problem.exit.into()
        }
    }
}

async fn dispatch(command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Init(args) => command::init::run(&args).await,
        Command::Pre(args) => command::pre::run(&args).await,
        Command::Post(args) => command::post::run(&args).await,
        Command::Restore(args) => command::restore::run(&args).await,
        Command::Compare(args) => command::compare::run(&args).await,
        Command::Accept(args) => command::accept::run(&args).await,
        Command::Baseline(command) => command::baseline::run(&command).await,
        Command::Runs(args) => command::runs::run(&args).await,
        Command::Gc(args) => command::gc::run(&args).await,
        Command::Show(args) => command::show::run(&args).await,
        Command::Serve(args) => command::serve::run(&args).await,
        Command::Demo(args) => command::demo::run(&args).await,
        Command::Probe(command) => command::probe::run(&command).await,
        Command::Config(command) => command::config::run(&command).await,
        Command::Explain(args) => command::explain::run(&args),
        Command::Completions { shell } => {
            output::write(None, &completion::registration(shell, command_tree())?)?;
            Ok(Exit::Done)
        }
        Command::Man { folder } => command::man::run(command_tree(), &folder),
    }
}

/// The whole command tree, for completions, man pages and the tests of `--help`.
#[must_use]
pub fn command_tree() -> clap::Command {
    use clap::CommandFactory;
    Cli::command()
}
