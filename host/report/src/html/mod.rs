//! HTML pages: the report of a run (`report.html`), and the server's pages of apps and runs.
//!
//! A page is one file that contains its style. It has no script and loads nothing from other hosts. Its content security
//! policy makes browsers enforce this.

mod amount;
mod apps;
mod badge;
mod diff;
mod error_page;
pub mod links;
mod pending;
mod report;
mod runs;
mod shell;
mod text;
mod trend;
mod usage;

use askama::Template;
use taster_model::VerdictDocument;

pub use apps::App;
pub use badge::Badge;
pub use error_page::ErrorPage;
pub use links::Links;
pub use pending::Pending;
pub use report::ReportContext;
pub use runs::{Run, Runs};
pub use shell::HEADER;
pub use trend::Numbers;

/// The page of a run.
#[must_use]
pub fn report(document: &VerdictDocument, context: &ReportContext<'_>) -> String {
    render(&report::Page::new(document, context))
}

/// The page of a run without a verdict.
#[must_use]
pub fn pending(run: &Pending<'_>) -> String {
    render(&pending::Page::new(run))
}

/// The page of all apps.
#[must_use]
pub fn apps(apps: &[App]) -> String {
    render(&apps::Page::new(apps))
}

/// The page of an app.
#[must_use]
pub fn runs(runs: &Runs<'_>) -> String {
    render(&runs::Page::new(runs))
}

/// The page of a request that failed.
#[must_use]
pub fn error_page(error: &ErrorPage<'_>) -> String {
    render(&error_page::Page::new(error))
}

fn render(page: &impl Template) -> String {
    page.render().expect("writing to a string does not fail")
}
