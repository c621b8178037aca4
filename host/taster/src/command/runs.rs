//! `taster runs`.

use super::{Stored, only, stored};
use crate::{cli::Common, cli::Format, output};
use taster_diagnostics::{CliError, Exit};

/// Lists the runs of the app, newest first.
pub async fn run(common: &Common) -> Result<Exit, CliError> {
    only(common, &[Format::Human, Format::Json])?;
    let Stored { app, url, store, .. } = stored(common).await?;
    let runs = store.runs().await?;
    if common.format == Format::Json {
        output::write_json(common, &runs)?;
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        output::write_text(common, &format!("{app} has no runs in {url} yet: `taster pre` begins one"))?;
        return Ok(Exit::Done);
    }
    let baseline = store.current().await?.and_then(|current| current.baseline).map(|baseline| baseline.run);
    let mut table = taster_report::human::table();
    table.set_header(["run", "before", "after", "verdict", ""]);
    for run in &runs {
        let when = |at: Option<jiff::Timestamp>| {
            at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
        };
        let note = match (&run.damaged, baseline.as_ref() == Some(&run.run), run.accepted) {
            (Some(damage), _, _) => format!("damaged: {damage}"),
            (None, true, _) => "baseline".to_owned(),
            (None, false, true) => "accepted".to_owned(),
            (None, false, false) => String::new(),
        };
        let verdict = run.verdict.map_or_else(|| "-".to_owned(), |verdict| verdict.to_string());
        table.add_row([run.run.to_string(), when(run.pre), when(run.post), verdict, note]);
    }
    output::write_text(common, &taster_report::human::lines(&table))?;
    Ok(Exit::Done)
}
