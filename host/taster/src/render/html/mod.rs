//! For a browser: the page of a run, which is `report.html` as well, and the server's pages of apps and runs.
//!
//! No page has a script, nor anything from elsewhere: it is one file with its own style, and says so in a policy that
//! browsers enforce.

mod amount;
mod badge;
mod diff;
pub mod links;
mod report;
mod shell;
#[cfg(test)]
mod tests;
mod text;
mod usage;

use askama::Template;
use taster_model::VerdictDocument;

pub use links::Links;
pub use report::Around;
pub use shell::HEADER;

/// The page of a run.
#[must_use]
pub fn report(document: &VerdictDocument, around: &Around<'_>) -> String {
    written(&report::Page::new(document, around))
}

fn written(page: &impl Template) -> String {
    page.render().expect("a string takes whatever is written to it")
}
