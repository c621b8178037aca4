//! The links of a page.

use taster_model::{AppName, ReportFile, RunId};

use super::text::{Href, Text};

/// The links of a page. A report file links to the files in its folder; a page of the server links to the other pages.
#[derive(Debug, Default)]
pub struct Links {
    files: Vec<(String, String)>,
    served: bool,
}

/// The same verdict in another format.
#[derive(Debug)]
pub(super) struct File {
    /// `report.md`.
    pub(super) name: Text,
    /// `None` if a browser cannot follow the address; `name` is the whole address then.
    pub(super) href: Option<Href>,
}

/// One entry of the breadcrumb navigation.
#[derive(Debug)]
pub(super) struct Crumb {
    /// The name that is shown.
    pub(super) name: Text,
    /// `None` for the page itself, and in report files.
    pub(super) href: Option<Href>,
}

impl Crumb {
    pub(super) fn to(name: &str, address: String) -> Self {
        Self { name: Text::of(name), href: Some(Href::own(address)) }
    }

    pub(super) fn here(name: &str) -> Self {
        Self { name: Text::of(name), href: None }
    }
}

/// The page of all apps.
pub(super) fn apps() -> String {
    "/apps".to_owned()
}

/// The page of an app and its runs.
#[must_use]
pub fn app(app: &AppName) -> String {
    format!("/apps/{app}")
}

/// The page of a run.
#[must_use]
pub fn run(app: &AppName, run: &RunId) -> String {
    format!("/apps/{app}/runs/{run}")
}

impl Links {
    /// The links of a stored `report.html`: to the other files of its attempt, which are in the same folder.
    #[must_use]
    pub fn to_siblings() -> Self {
        let others = ReportFile::ALL.into_iter().filter(|file| *file != ReportFile::Html);
        Self { files: others.map(|file| (file.name().to_owned(), file.name().to_owned())).collect(), served: false }
    }

    /// The links of a report that is written outside of the store: to the stored reports.
    #[must_use]
    pub fn to_stored(addresses: &[String]) -> Self {
        let name = |address: &String| address.rsplit('/').next().unwrap_or_default().to_owned();
        Self { files: addresses.iter().map(|address| (name(address), address.clone())).collect(), served: false }
    }

    /// The links of the server's page of a run.
    #[must_use]
    pub fn served(app: &AppName, run: &RunId) -> Self {
        let page = self::run(app, run);
        let file = |file: ReportFile| (file.name().to_owned(), format!("{page}/{}", file.name()));
        Self { files: ReportFile::ALL.into_iter().map(file).collect(), served: true }
    }

    pub(super) fn files(&self) -> Vec<File> {
        let file = |(name, address): &(String, String)| match Href::checked(address) {
            Some(href) => File { name: Text::of(name), href: Some(href) },
            None => File { name: Text::of(address), href: None },
        };
        self.files.iter().map(file).collect()
    }

    /// Link to the page of another run; only the server has such pages.
    pub(super) fn run(&self, app: &AppName, run: &RunId) -> Option<Href> {
        self.served.then(|| Href::own(self::run(app, run)))
    }

    pub(super) fn crumbs(&self, app: &AppName, run: &RunId) -> Vec<Crumb> {
        if self.served {
            let all = Crumb::to("Apps", apps());
            return vec![all, Crumb::to(app.as_str(), self::app(app)), Crumb::here(run.as_str())];
        }
        vec![Crumb::here(app.as_str()), Crumb::here(run.as_str())]
    }
}
