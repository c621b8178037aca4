//! `taster post`.

use super::{kitchen, write_verdict};
use crate::{
    cli::{Common, Database},
    exit::{Exit, Problem},
    flow, output,
};

/// Tastes after the sync, compares, and ends with the verdict.
pub async fn run(common: &Common, database: &Database) -> Result<Exit, Problem> {
    output::prove(common)?;
    let kitchen = kitchen(common, database).await?;
    let outcome = flow::post(&kitchen, common.run.as_ref()).await?;
    write_verdict(common, &outcome.verdict, &outcome.reports)
}
