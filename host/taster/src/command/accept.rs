//! `taster accept`: a person takes responsibility for what a run found.

use clap::Args;
use jiff::Timestamp;
use taster_diagnostics::{CliError, Exit};
use taster_flow::FlowError;
use taster_model::{Acceptance, RunId, Verdict, schema};
use taster_store::fault;

use super::{Stored, stored};
use crate::{cli::Common, output};

/// Arguments of `accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The run
    #[arg(value_name = "RUN")]
    which: RunId,
    /// Why it is right; kept beside the run
    #[arg(long)]
    reason: String,
    /// Who says so [default: the user's name]
    #[arg(long, env = "TASTER_USER")]
    by: Option<String>,
}

/// Stores the acceptance and closes the baseline that the run was judged against.
pub async fn run(common: &Common, args: &AcceptArgs) -> Result<Exit, CliError> {
    if args.reason.trim().is_empty() {
        let help = "whoever reads the report later wants to know".to_owned();
        return Err(CliError::new("T0619", "--reason is empty", help).with_exit(Exit::Usage));
    }
    let Stored { app, store, .. } = stored(common).await?;
    let run = store.run(&args.which);
    let Some(verdict) = run.verdict().await?.map(taster_store::Committed::into_inner) else {
        return Err(FlowError::NoVerdict { run: args.which.clone() }.into());
    };
    if verdict.verdict == Verdict::Same {
        return Err(FlowError::NothingToAccept { run: args.which.clone() }.into());
    }
    let who = args.by.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "unknown".to_owned());
    let acceptance = Acceptance {
        schema: schema::ACCEPTED.to_owned(),
        app: app.clone(),
        run: args.which.clone(),
        verdict: verdict.verdict,
        attempt: verdict.attempt,
        who,
        reason: args.reason.clone(),
        at: Timestamp::now(),
    };
    fault::arm();
    let acceptance = run.accept(&acceptance).await?.into_inner();
    fault::point("accept: stored");
    let judged = verdict.before.map(|before| before.run);
    let passed = verdict.after.workloads;
    store
        .update_current(|current| {
            let mut current = current?;
            // only the baseline that this run was judged against: a later one is somebody else's question
            if current.baseline.as_ref().map(|baseline| &baseline.run) == judged.as_ref() {
                current.baseline = None;
                current.known.clone_from(&passed);
            }
            Some(current)
        })
        .await?;
    let text = format!(
        "{} run {}: `{}` accepted by {} on {} ({}). The next `taster pre` sets a new baseline.",
        app,
        args.which,
        acceptance.verdict,
        acceptance.who,
        acceptance.at.strftime("%Y-%m-%d %H:%M UTC"),
        acceptance.reason,
    );
    output::write_text(common, &text)?;
    Ok(Exit::Done)
}
