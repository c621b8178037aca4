//! `taster restore`.

use std::fmt::Write;

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_flow::{RestoreOutcome, RestoreScope};

use super::{config_file, only};
use crate::{cli::Common, cli::Format, output, termination, termination::Told};

/// What is put back.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Only what stands scaled up for longer than `cluster.abandonedAfter`, and only if no other process is at work
    #[arg(long)]
    pub abandoned: bool,
}

/// Puts back. Ends with 0, also when there was nothing to put back, and with 4 when something could not be.
pub async fn run(common: &Common, args: &RestoreArgs) -> Result<Exit, CliError> {
    termination::tell(restored(common, args).await)
}

async fn restored(common: &Common, args: &RestoreArgs) -> Result<Told, CliError> {
    only(common, &[Format::Human])?;
    output::prove(common)?;
    let config = config_file(common)?;
    let what = if args.abandoned { RestoreScope::Abandoned } else { RestoreScope::Everything };
    let text = match taster_flow::restore(&config, common.run.as_ref(), what).await? {
        RestoreOutcome::InUse(holder) => format!("nothing was put back: {holder} is at work\n"),
        RestoreOutcome::Done(report) if report.restored.is_empty() => match what {
            RestoreScope::Everything => "nothing was to be put back\n".to_owned(),
            RestoreScope::Abandoned => {
                let limit =
                    config.cluster.as_ref().map_or_else(String::new, |cluster| cluster.abandoned_after.to_string());
                format!("nothing was to be put back: nothing stands scaled up for longer than {limit}\n")
            }
        },
        RestoreOutcome::Done(report) => report.restored.iter().fold(String::new(), |mut text, moved| {
            let _ = writeln!(text, "put back {moved}");
            text
        }),
    };
    output::write_text(common, &text)?;
    let line = taster_text::escape_hidden(&text.lines().collect::<Vec<_>>().join(", "));
    Ok(Told { exit: Exit::Done, line })
}
