//! `taster baseline`: shows the open baseline of an app, drops it, and takes a new one.

use std::fmt::Write;

use clap::{Args, Subcommand};
use taster_diagnostics::{CliError, Exit};
use taster_flow::{DropRequest, OpenBaseline};
use taster_model::CopyWitness;
use taster_report::layout::{wrap, wrap_labeled};

use super::{
    acting_user::{acting_user, check_reason},
    inputs::{StoredApp, open_app, open_flow},
    pre::{self, PreArgs},
    results::dropped_sentence,
};
use crate::{
    args::{ConfigArgs, StoreArgs, TextFormat, TextOutput},
    output,
};

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # Which capture does `taster post` compare with, and what would close it?
  taster baseline show

  # Staging was set up again by hand: the old baseline must not count any more
  taster baseline drop --reason \"staging was reloaded, TICKET-18\"
  taster pre

  # Both at once
  taster baseline new --reason \"staging was reloaded, TICKET-18\"";

/// The subcommands of `baseline`.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Print the open baseline, why it is open, and what closes it
    Show(ShowArgs),
    /// Close the open baseline without a verdict; the next `pre` takes a new one
    Drop(DropArgs),
    /// Close the open baseline, if there is one, and capture a new one, as `pre` does
    New(NewArgs),
}

/// Arguments of `baseline show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    output: TextOutput,
}

/// Arguments of `baseline drop`.
#[derive(Debug, Clone, Args)]
pub struct DropArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Why it must not count any more; stored with the run
    #[arg(long)]
    reason: String,
    /// Who drops it [default: the user of the CI system, else the user's name]
    #[arg(long, env = "TASTER_USER")]
    by: Option<String>,
    #[command(flatten)]
    output: TextOutput,
}

/// Arguments of `baseline new`.
#[derive(Debug, Clone, Args)]
pub struct NewArgs {
    /// Why the open one must not count any more; stored with its run
    #[arg(long)]
    reason: String,
    /// Who drops it [default: the user of the CI system, else the user's name]
    #[arg(long, env = "TASTER_USER")]
    by: Option<String>,
    #[command(flatten)]
    pre: PreArgs,
}

/// Shows, drops or replaces the baseline. Exits 0, or 4 where there is none to drop; `new` exits as `pre` does.
pub async fn run(command: &BaselineCommand) -> Result<Exit, CliError> {
    match command {
        BaselineCommand::Show(args) => show(args).await,
        BaselineCommand::Drop(args) => drop_baseline(args).await,
        BaselineCommand::New(args) => new_baseline(args).await,
    }
}

async fn show(args: &ShowArgs) -> Result<Exit, CliError> {
    let stored = open_app(&args.config, &args.store).await?;
    let open = taster_flow::open_baseline(&stored.store).await?;
    let file = args.output.output.as_deref();
    match args.output.format {
        TextFormat::Json => {
            let document = serde_json::json!({"app": stored.app, "store": stored.url, "baseline": open});
            output::write_json(file, &document)?;
        }
        TextFormat::Human => output::write_text(file, &text(&stored, open.as_ref()))?,
    }
    Ok(Exit::Done)
}

fn text(stored: &StoredApp, open: Option<&OpenBaseline>) -> String {
    let StoredApp { app, url, .. } = stored;
    let Some(open) = open else {
        return wrap(&format!("{app} has no open baseline in {url}: the next `taster pre` takes one"));
    };
    let baseline = &open.baseline;
    let mut out = format!(
        "{app}: the capture of run {}, {}\n\n",
        baseline.run,
        baseline.started.strftime("%Y-%m-%d %H:%M:%S UTC")
    );
    if let Some(database) = &open.database {
        out.push_str(&wrap_labeled("Database: ", &taster_text::escape_hidden(database)));
    }
    out.push_str(&wrap_labeled("Copy: ", &copy(&baseline.copy)));
    for added in &baseline.added {
        let text = format!("{}, compared with run {}", taster_text::escape_hidden(&added.probe), added.run);
        out.push_str(&wrap_labeled("Added probe: ", &text));
    }
    out.push_str(&wrap_labeled("Open because: ", &open.open_because));
    out.push_str("Closed by:\n");
    for way in &open.closed_by {
        out.push_str(&wrap_labeled("  - ", way));
    }
    let _ = write!(out, "\nStored in {url}\n");
    out
}

/// What identifies the copy, for people.
fn copy(copy: &CopyWitness) -> String {
    let list = |names: &[String]| (!names.is_empty()).then(|| names.join(", "));
    let parts = [
        copy.host.as_ref().map(|host| format!("member {host}")),
        copy.process_id.as_ref().map(|process| format!("server process {process}")),
        copy.startup.as_ref().map(|startup| format!("started as {startup}")),
        list(&copy.volumes).map(|volumes| format!("on {volumes}")),
        list(&copy.copied).map(|copied| format!("copied as {copied}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing identifies it".to_owned() } else { parts.join(", ") }
}

async fn drop_baseline(args: &DropArgs) -> Result<Exit, CliError> {
    check_reason(&args.reason)?;
    let StoredApp { app, url, config, store } = open_app(&args.config, &args.store).await?;
    let request = DropRequest {
        app: app.clone(),
        store_url: url,
        who: acting_user(args.by.as_deref()),
        reason: args.reason.clone(),
    };
    let dropped = Box::pin(taster_flow::drop_baseline(&store, config.as_ref(), request)).await?;
    let file = args.output.output.as_deref();
    match args.output.format {
        TextFormat::Json => output::write_json(file, &dropped)?,
        TextFormat::Human => {
            let text = format!(
                "{app}: the baseline of run {} was {}. The next `taster pre` takes a new baseline.",
                dropped.run,
                dropped_sentence(&dropped)
            );
            output::write_text(file, &wrap(&text))?;
        }
    }
    Ok(Exit::Done)
}

/// If the capture fails, the old baseline stays dropped: nothing is to be compared with it any more.
async fn new_baseline(args: &NewArgs) -> Result<Exit, CliError> {
    check_reason(&args.reason)?;
    let context = open_flow(&args.pre.config, &args.pre.store, &args.pre.database).await?;
    // before anything is dropped
    if let Some(run) = args.pre.named_run() {
        taster_flow::require_new_run(&context.store, run).await?;
    }
    if taster_flow::open_baseline(&context.store).await?.is_some() {
        let request = DropRequest {
            app: context.config.app.clone(),
            store_url: context.store_url.clone(),
            who: acting_user(args.by.as_deref()),
            reason: args.reason.clone(),
        };
        let dropped = Box::pin(taster_flow::drop_baseline(&context.store, Some(&context.config), request)).await?;
        tracing::info!(run = %dropped.run, who = dropped.who, reason = dropped.reason, "dropped the baseline");
    }
    drop(context);
    Box::pin(pre::run(&args.pre)).await
}
