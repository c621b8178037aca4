//! `taster post`: captures after the sync and compares.

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowContext, FlowOutcome, Post, PostOutcome};

use super::{
    inputs::open_flow,
    results::{VerdictContext, scaling_summary, write_nothing_yet, write_verdict},
};
use crate::{
    args::{ConfigArgs, DatabaseArgs, RunArg, StoreArgs, TextFormat, VerdictFormat, VerdictOutput},
    output, termination,
    termination::Termination,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # After the upgrade: compare with the capture of `taster pre`
  taster post

  # Without a configuration, as in a plain CI job; a comment for the pull request is written to a file
  taster post --mongodb \"$MONGODB_URI\" --run deploy-42 --format markdown -o comment.md

  # Test results for the CI system
  taster post --format junit -o taster.xml

The exit code is the verdict: 0 same, 1 different, 3 unknown. 2 and 4 mean that nothing was compared.";

/// Arguments of `post`.
#[derive(Debug, Clone, Args)]
pub struct PostArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    output: VerdictOutput,
}

/// Captures after the sync, compares, sends notifications, and exits with the verdict.
pub async fn run(args: &PostArgs) -> Result<Exit, CliError> {
    let (context, ended) = match capture_and_judge(args).await {
        Ok(judged) => judged,
        Err(problem) => return termination::write_message(Err(problem)),
    };
    let exit = termination::write_message(write_result(args, &context, &ended));
    // last, because it may take long and does not change the exit code
    if let Post::Judged(outcome) = &ended.value {
        taster_notify::send_all(&context, &outcome.verdict, &outcome.reports, args.database.revision()).await;
    }
    exit
}

async fn capture_and_judge(args: &PostArgs) -> Result<(FlowContext, FlowOutcome<Post>), CliError> {
    output::check_writable(args.output.output.as_deref())?;
    let context = open_flow(&args.config, &args.store, &args.database).await?;
    let ended = taster_flow::post(&context, args.run.run.as_ref()).await?;
    Ok((context, ended))
}

fn write_result(args: &PostArgs, context: &FlowContext, ended: &FlowOutcome<Post>) -> Result<Termination, CliError> {
    let not_restored = ended.not_restored();
    match &ended.value {
        Post::NothingYet { run } => {
            let format = match args.output.format {
                VerdictFormat::Json => TextFormat::Json,
                _ => TextFormat::Human,
            };
            write_nothing_yet(format, args.output.output.as_deref(), &context.config.app, run)?;
            Ok(Termination { exit: Exit::Done, message: "nothing to taste yet".to_owned() })
        }
        Post::Judged(outcome) => {
            let PostOutcome { verdict, reports } = &**outcome;
            let shown = VerdictContext { reports, scaling: &scaling_summary(ended), ..VerdictContext::default() };
            let exit = write_verdict(&args.output, verdict, &shown)?;
            let url = context.config.report.url_of(&verdict.app, &verdict.run);
            let report = url.or_else(|| reports.first().cloned());
            let result = taster_report::line::verdict(verdict, termination::MAX_BYTES);
            Ok(Termination {
                exit: termination::exit_code(exit, not_restored.as_deref()),
                message: termination::message(not_restored.as_deref(), &result, report.as_deref()),
            })
        }
    }
}
