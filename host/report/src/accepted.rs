//! An acceptance beside the verdict that it is about.

use taster_model::{Acceptance, VerdictDocument};
use taster_text::escape_hidden;

/// Whether the acceptance is about this verdict, so that nothing is left to do. One of another attempt is only reported.
#[must_use]
pub fn settles(document: &VerdictDocument, accepted: Option<&Acceptance>) -> bool {
    accepted.is_some_and(|accepted| accepted.attempt == document.attempt)
}

/// `by ann on 2026-01-02 03:04 UTC: they were tests`
pub(crate) fn sentence(document: &VerdictDocument, accepted: &Acceptance) -> String {
    let other = if settles(document, Some(accepted)) { "" } else { ", for the verdict of another attempt" };
    format!(
        "by {} on {}{other}: {}",
        escape_hidden(&accepted.who),
        accepted.at.strftime("%Y-%m-%d %H:%M UTC"),
        escape_hidden(&accepted.reason)
    )
}
