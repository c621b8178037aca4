//! `taster post`.

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{FlowContext, FlowOutcome, Post, PostOutcome};

use super::{Beside, open_context, scaled, write_nothing_yet, write_verdict};
use crate::{cli::Common, cli::Database, output, termination, termination::Told};

/// Arguments of `post`.
#[derive(Debug, Clone, Args)]
pub struct PostArgs {
    #[command(flatten)]
    database: Database,
    /// The commit that was synced, for those who are notified [default: what Argo CD's Application says]
    #[arg(long, value_name = "COMMIT", env = "TASTER_REVISION", value_parser = commit)]
    revision: Option<String>,
}

/// The whole hash; an empty variable is one that is not set.
fn commit(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() || taster_notify::is_commit(&text) {
        return Ok(text);
    }
    Err("a commit is named by all 40 (or 64) digits of its hash".to_owned())
}

/// Tastes after the sync, compares, tells others, and ends with the verdict.
pub async fn run(common: &Common, args: &PostArgs) -> Result<Exit, CliError> {
    let (context, flow) = match judged(common, args).await {
        Ok(judged) => judged,
        Err(problem) => return termination::tell(Err(problem)),
    };
    let exit = termination::tell(told(common, &context, &flow));
    // last: the one thing that may take long and decides nothing
    if let Post::Judged(outcome) = &flow.value {
        let revision = args.revision.as_deref().filter(|revision| !revision.is_empty());
        taster_notify::send_all(&context, &outcome.verdict, &outcome.reports, revision).await;
    }
    exit
}

async fn judged(common: &Common, args: &PostArgs) -> Result<(FlowContext, FlowOutcome<Post>), CliError> {
    output::prove(common)?;
    let context = open_context(common, &args.database).await?;
    let flow = taster_flow::post(&context, common.run.as_ref()).await?;
    Ok((context, flow))
}

fn told(common: &Common, context: &FlowContext, flow: &FlowOutcome<Post>) -> Result<Told, CliError> {
    let not_restored = flow.not_restored();
    match &flow.value {
        Post::NothingYet { run } => {
            write_nothing_yet(common, &context.config.app, run)?;
            Ok(Told { exit: Exit::Done, line: "nothing to taste yet".to_owned() })
        }
        Post::Judged(outcome) => {
            let PostOutcome { verdict, reports } = &**outcome;
            let exit = write_verdict(common, verdict, &Beside { reports, scaled: &scaled(flow), accepted: None })?;
            let url = context.config.report.url_of(&verdict.app, &verdict.run);
            let report = url.or_else(|| reports.first().cloned());
            let what = taster_report::line::verdict(verdict, termination::BYTES);
            Ok(Told {
                exit: termination::exit(exit, not_restored.as_deref()),
                line: termination::line(not_restored.as_deref(), &what, report.as_deref()),
            })
        }
    }
}
