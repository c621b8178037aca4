//! Where a page leads to.

use taster_model::{AppName, RunId};

use super::text::{Href, Text};

/// Where a page leads to: a file alone knows its neighbours at most, the server's page all others.
#[derive(Debug, Default)]
pub struct Links {
    files: Vec<(String, String)>,
    served: bool,
}

/// The same verdict in another form.
#[derive(Debug)]
pub(super) struct File {
    /// `report.md`.
    pub(super) name: Text,
    /// Absent where a browser cannot follow it; the name is the whole address then.
    pub(super) href: Option<Href>,
}

/// The forms of a verdict that the server writes.
const FORMS: [&str; 4] = ["report.html", "report.md", "junit.xml", "verdict.json"];

/// One step of the way to a page.
#[derive(Debug)]
pub(super) struct Crumb {
    /// What is there.
    pub(super) name: Text,
    /// Absent for the page itself, and in a file.
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
    /// Of `report.html` where it lies beside the other reports of its attempt.
    #[must_use]
    pub fn beside() -> Self {
        let others = FORMS.iter().filter(|name| **name != "report.html");
        Self { files: others.map(|name| ((*name).to_owned(), (*name).to_owned())).collect(), served: false }
    }

    /// Of a report that is written to anywhere: to where the stored ones lie.
    #[must_use]
    pub fn to(addresses: &[String]) -> Self {
        let name = |address: &String| address.rsplit('/').next().unwrap_or_default().to_owned();
        Self { files: addresses.iter().map(|address| (name(address), address.clone())).collect(), served: false }
    }

    /// Of the server's page.
    #[must_use]
    pub fn served(app: &AppName, run: &RunId) -> Self {
        let page = self::run(app, run);
        Self { files: FORMS.iter().map(|name| ((*name).to_owned(), format!("{page}/{name}"))).collect(), served: true }
    }

    pub(super) fn files(&self) -> Vec<File> {
        let file = |(name, address): &(String, String)| match Href::checked(address) {
            Some(href) => File { name: Text::of(name), href: Some(href) },
            None => File { name: Text::of(address), href: None },
        };
        self.files.iter().map(file).collect()
    }

    /// The page of another run.
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
