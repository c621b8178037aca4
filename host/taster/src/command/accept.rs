//! `taster accept`: a person accepts the verdict of a run.

use clap::Args;
use jiff::Timestamp;
use taster_diagnostics::{CliError, Exit};
use taster_flow::FlowError;
use taster_model::{Acceptance, AppName, RunId, Verdict, VerdictDocument, schema};
use taster_store::{AppStore, StoreError, fault};

use super::{
    acting_user::{acting_user, check_reason},
    inputs::{StoredApp, open_app},
};
use crate::{
    args::{ConfigArgs, StoreArgs},
    output,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # The lost orders were test data: accept the verdict, so that the next run starts a new baseline
  taster accept deploy-42 --reason \"test orders were removed on purpose, TICKET-17\"

  # On behalf of another person, with results in S3
  taster accept deploy-42 --reason \"approved in review\" --by ann --store s3://taster-results/stage";

/// Arguments of `accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The run
    #[arg(value_name = "RUN")]
    run: RunId,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Why the change is right; stored with the run
    #[arg(long)]
    reason: String,
    /// Who accepts it [default: the user of the CI system, else the user's name]
    #[arg(long, env = "TASTER_USER")]
    by: Option<String>,
}

/// Stores the acceptance and closes the baseline that the run was compared with.
pub async fn run(args: &AcceptArgs) -> Result<Exit, CliError> {
    check_reason(&args.reason)?;
    let StoredApp { app, store, .. } = open_app(&args.config, &args.store).await?;
    let run = store.run(&args.run);
    let Some(verdict) = run.verdict().await?.map(taster_store::Committed::into_inner) else {
        return Err(FlowError::NoVerdict { run: args.run.clone() }.into());
    };
    if verdict.verdict == Verdict::Same {
        return Err(FlowError::NothingToAccept { run: args.run.clone() }.into());
    }
    fault::arm();
    let acceptance = run.accept(&acceptance(args, &app, &verdict)).await?.into_inner();
    fault::point("accept: stored");
    close_baseline(&store, verdict).await?;
    let text = format!(
        "{} run {}: `{}` accepted by {} on {} ({}). The next `taster pre` sets a new baseline.",
        app,
        args.run,
        acceptance.verdict,
        acceptance.who,
        acceptance.at.strftime("%Y-%m-%d %H:%M UTC"),
        acceptance.reason,
    );
    output::write_text(None, &text)?;
    Ok(Exit::Done)
}

fn acceptance(args: &AcceptArgs, app: &AppName, verdict: &VerdictDocument) -> Acceptance {
    Acceptance {
        schema: schema::ACCEPTED.to_owned(),
        app: app.clone(),
        run: args.run.clone(),
        verdict: verdict.verdict,
        attempt: verdict.attempt.clone(),
        who: acting_user(args.by.as_deref()),
        reason: args.reason.clone(),
        at: Timestamp::now(),
    }
}

/// Closes the baseline that the verdict was given against. A later baseline stays open: the verdict is not about it.
async fn close_baseline(store: &AppStore, verdict: VerdictDocument) -> Result<(), StoreError> {
    let judged = verdict.before.map(|before| before.run);
    let passed = verdict.after.workloads;
    store
        .update_current(|current| {
            let mut current = current?;
            if current.baseline.as_ref().map(|baseline| &baseline.run) == judged.as_ref() {
                current.baseline = None;
                current.known.clone_from(&passed);
            }
            Some(current)
        })
        .await?;
    Ok(())
}
