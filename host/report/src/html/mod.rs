//! For a browser: the page of a run, which is `report.html` as well, and the server's pages of apps and runs.
//!
//! No page has a script, nor anything from elsewhere: it is one file with its own style, and says so in a policy that
//! browsers enforce.

mod amount;
mod apps;
mod badge;
mod diff;
pub mod links;
mod pending;
mod refused;
mod report;
mod runs;
mod shell;
#[cfg(test)]
mod tests;
mod text;
mod trend;
mod usage;

use askama::Template;
use taster_model::VerdictDocument;

pub use apps::App;
pub use badge::Badge;
pub use links::Links;
pub use pending::Pending;
pub use refused::Refusal;
pub use report::Around;
pub use runs::{Run, Runs};
pub use shell::HEADER;
pub use trend::Numbers;

/// The page of a run.
#[must_use]
pub fn report(document: &VerdictDocument, around: &Around<'_>) -> String {
    written(&report::Page::new(document, around))
}

/// The page of a run that was not judged.
#[must_use]
pub fn pending(run: &Pending<'_>) -> String {
    written(&pending::Page::new(run))
}

/// The page of all apps.
#[must_use]
pub fn apps(apps: &[App]) -> String {
    written(&apps::Page::new(apps))
}

/// The page of an app.
#[must_use]
pub fn runs(runs: &Runs<'_>) -> String {
    written(&runs::Page::new(runs))
}

/// The page that says why there is none.
#[must_use]
pub fn refused(refusal: &Refusal<'_>) -> String {
    written(&refused::Page::new(refusal))
}

fn written(page: &impl Template) -> String {
    page.render().expect("a string takes whatever is written to it")
}
