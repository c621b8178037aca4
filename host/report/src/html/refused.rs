//! That there is no page, and why.

use askama::Template;

use super::{
    links::{self, Crumb},
    shell::Shell,
    text::{Prose, Text},
};

/// Why there is no page.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// HTTP status.
    pub status: u16,
    /// Its words.
    pub title: &'a str,
    /// A stable code.
    pub code: &'a str,
    /// What happened.
    pub message: &'a str,
    /// What to do about it.
    pub help: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "refused.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    status: u16,
    title: Text,
    code: Text,
    message: Text,
    help: Option<Prose>,
}

impl Page {
    pub(super) fn new(refusal: &Refusal<'_>) -> Self {
        let crumbs = vec![Crumb::to("Apps", links::apps()), Crumb::here(refusal.title)];
        Self {
            shell: Shell::new(refusal.title, crumbs, env!("CARGO_PKG_VERSION")),
            status: refusal.status,
            title: Text::of(refusal.title),
            code: Text::of(refusal.code),
            message: Text::of(refusal.message),
            help: refusal.help.map(Prose::of),
        }
    }
}
