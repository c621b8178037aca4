//! The page that lists all apps of a store.

use askama::Template;
use jiff::Timestamp;
use taster_model::AppName;
use taster_text::counted;

use super::{
    badge::Badge,
    links::{self, Crumb},
    shell::Shell,
    text::{Href, Text, When},
};

/// One app of the list.
#[derive(Debug)]
pub struct App {
    /// Its name.
    pub app: AppName,
    /// How many runs it has.
    pub runs: usize,
    /// Time and result of the newest run.
    pub newest: Option<(Timestamp, Badge)>,
    /// Which of its stored objects is damaged, and how.
    pub damaged: Option<String>,
}

#[derive(Template)]
#[template(path = "apps.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    apps: Vec<Line>,
}

struct Line {
    name: Text,
    href: Href,
    runs: String,
    newest: Option<When>,
    badge: Option<Badge>,
    damaged: Option<Text>,
}

impl Page {
    pub(super) fn new(apps: &[App]) -> Self {
        let line = |app: &App| Line {
            name: Text::of(app.app.as_str()),
            href: Href::own(links::app(&app.app)),
            runs: counted(app.runs as u64, "run"),
            newest: app.newest.map(|(at, _)| When(at)),
            badge: app.newest.map(|(_, badge)| badge),
            damaged: app.damaged.as_deref().map(Text::of),
        };
        Self {
            shell: Shell::new("Apps", vec![Crumb::here("Apps")], env!("CARGO_PKG_VERSION")),
            apps: apps.iter().map(line).collect(),
        }
    }
}
