//! The page of a request that failed.

use askama::Template;

use super::{
    links::{self, Crumb},
    shell::Shell,
    text::{Prose, Text},
};

/// Why a request failed.
#[derive(Debug)]
pub struct ErrorPage<'a> {
    /// HTTP status.
    pub status: u16,
    /// Name of the status.
    pub title: &'a str,
    /// A stable code.
    pub code: &'a str,
    /// What happened.
    pub message: &'a str,
    /// How to correct it.
    pub help: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "error.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    status: u16,
    title: Text,
    code: Text,
    message: Text,
    help: Option<Prose>,
}

impl Page {
    pub(super) fn new(error: &ErrorPage<'_>) -> Self {
        let crumbs = vec![Crumb::to("Apps", links::apps()), Crumb::here(error.title)];
        Self {
            shell: Shell::new(error.title, crumbs, env!("CARGO_PKG_VERSION")),
            status: error.status,
            title: Text::of(error.title),
            code: Text::of(error.code),
            message: Text::of(error.message),
            help: error.help.map(Prose::of),
        }
    }
}
