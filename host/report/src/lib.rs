//! Renderers of the verdict document: for terminals, pull requests, CI systems and browsers.

mod accepted;
pub mod documents;
mod evidence;
mod finding_text;
pub mod html;
pub mod human;
pub mod images;
pub mod junit;
pub mod layout;
pub mod line;
pub mod markdown;
mod stored;
#[cfg(test)]
mod tests;

pub use accepted::settles;
pub use stored::stored_reports;

pub use finding_text::{change, mark, metric_name, reason, server, subject, tally, value};
