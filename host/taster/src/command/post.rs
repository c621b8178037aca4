//! `taster post`.

use super::{Beside, kitchen, scaled, write_nothing_yet, write_verdict};
use crate::{
    cli::{Common, Database},
    exit::{Exit, Problem},
    flow::{self, Post, PostOutcome},
    output, render,
    termination::{self, Told},
};

/// Tastes after the sync, compares, and ends with the verdict.
pub async fn run(common: &Common, database: &Database) -> Result<Exit, Problem> {
    termination::tell(posted(common, database).await)
}

async fn posted(common: &Common, database: &Database) -> Result<Told, Problem> {
    output::prove(common)?;
    let kitchen = kitchen(common, database).await?;
    let ended = flow::post(&kitchen, common.run.as_ref()).await?;
    let not_restored = ended.not_restored();
    match &ended.value {
        Post::NothingYet { run } => {
            write_nothing_yet(common, &kitchen.config.app, run)?;
            Ok(Told { exit: Exit::Done, line: "nothing to taste yet".to_owned() })
        }
        Post::Judged(outcome) => {
            let PostOutcome { verdict, reports } = &**outcome;
            let exit = write_verdict(common, verdict, &Beside { reports, scaled: &scaled(&ended), accepted: None })?;
            let url = kitchen.config.report.url_of(&verdict.app, &verdict.run);
            let report = url.or_else(|| reports.first().cloned());
            let what = render::line::verdict(verdict, termination::BYTES);
            Ok(Told {
                exit: termination::exit(exit, not_restored.as_deref()),
                line: termination::line(not_restored.as_deref(), &what, report.as_deref()),
            })
        }
    }
}
