//! The page of an app: its open baseline, its metrics over time, and its runs.

use askama::Template;
use jiff::Timestamp;
use taster_model::{AppName, RunId};
use taster_text::grouped;

use super::{
    badge::Badge,
    links::{self, Crumb},
    shell::Shell,
    text::{Href, Text, When},
    trend::{self, Choice, Numbers, Trend},
};

/// An app, and some of its runs.
#[derive(Debug)]
pub struct Runs<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The run whose capture is the open baseline; as an error, why the baseline cannot be read.
    pub baseline: Result<Option<RunId>, String>,
    /// The runs of this page, newest first.
    pub runs: Vec<Run>,
    /// How many newer runs there are.
    pub first: usize,
    /// How many runs the app has.
    pub total: usize,
    /// The run that this page starts after. `None` on the first page.
    pub after: Option<RunId>,
    /// `after` of the page with newer runs; `Some(None)` is the first page. `None` if this is the first page.
    pub newer: Option<Option<RunId>>,
    /// The metrics that the user chose.
    pub metrics: Vec<String>,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// The run.
    pub run: RunId,
    /// When its latest capture, or else its latest object, was written.
    pub at: Timestamp,
    /// Its result.
    pub badge: Badge,
    /// Whether its verdict was accepted.
    pub accepted: bool,
    /// Whether its baseline was dropped.
    pub dropped: bool,
    /// Which of its stored objects is damaged, and how.
    pub damaged: Option<String>,
    /// The numbers of its verdict. `None` if it has no verdict.
    pub numbers: Option<Numbers>,
}

#[derive(Template)]
#[template(path = "runs.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    name: Text,
    baseline: Baseline,
    own: Href,
    after: Option<Text>,
    trends: Vec<Trend>,
    choices: Vec<Choice>,
    /// `51 to 100 of 1 000`.
    span: String,
    rows: Vec<Row>,
    newer: Option<Href>,
    older: Option<Href>,
}

/// The open baseline of the app.
enum Baseline {
    Absent,
    Run(Text, Href),
    Damaged(Text),
}

#[expect(clippy::struct_excessive_bools, reason = "what the row shows; each by itself")]
struct Row {
    run: Text,
    href: Href,
    at: When,
    badge: Badge,
    judged: bool,
    tally: Option<Text>,
    glance: Vec<Text>,
    baseline: bool,
    accepted: bool,
    dropped: bool,
    damaged: Option<Text>,
    /// The value of each trend.
    cells: Vec<Option<Text>>,
}

impl Page {
    pub(super) fn new(page: &Runs<'_>) -> Self {
        let Runs { app, baseline, runs, first, total, after, newer, metrics } = page;
        let name = app.as_str();
        let own = Href::own(links::app(app));
        let to = |after: Option<&RunId>| {
            let after = after.map(|run| ("after", run.as_str()));
            let parameters: Vec<_> =
                after.into_iter().chain(metrics.iter().map(|key| ("metric", key.as_str()))).collect();
            own.with(&parameters)
        };
        let drawn: Vec<_> = runs.iter().map(|run| (run.badge, run.numbers.as_ref())).collect();
        let (mut trends, choices) = trend::trends_and_choices(&drawn, metrics);
        let mut columns: Vec<_> =
            trends.iter_mut().map(|trend| std::mem::take(&mut trend.values).into_iter()).collect();
        let baseline_run = baseline.as_ref().ok().and_then(Option::as_ref);
        let row = |run: &Run| Row {
            run: Text::of(run.run.as_str()),
            href: Href::own(links::run(app, &run.run)),
            at: When(run.at),
            badge: run.badge,
            judged: run.numbers.is_some(),
            tally: run.numbers.as_ref().map(|numbers| Text::of(&numbers.tally)),
            glance: run.numbers.iter().flat_map(|numbers| &numbers.glance).map(|part| Text::of(part)).collect(),
            baseline: baseline_run == Some(&run.run),
            accepted: run.accepted,
            dropped: run.dropped,
            damaged: run.damaged.as_deref().map(Text::of),
            cells: columns.iter_mut().map(|column| column.next().flatten()).collect(),
        };
        let rows: Vec<Row> = runs.iter().map(row).collect();
        let last = first + rows.len();
        let crumbs = vec![Crumb::to("Apps", links::apps()), Crumb::here(name)];
        Self {
            shell: Shell::new(name, crumbs, env!("CARGO_PKG_VERSION")),
            name: Text::of(name),
            baseline: match baseline {
                Ok(None) => Baseline::Absent,
                Ok(Some(run)) => Baseline::Run(Text::of(run.as_str()), Href::own(links::run(app, run))),
                Err(what) => Baseline::Damaged(Text::of(what)),
            },
            after: after.as_ref().map(|run| Text::of(run.as_str())),
            trends,
            choices,
            span: format!("{} to {} of {}", grouped(*first as u64 + 1), grouped(last as u64), grouped(*total as u64)),
            newer: newer.as_ref().map(|after| to(after.as_ref())),
            older: runs.last().filter(|_| last < *total).map(|run| to(Some(&run.run))),
            own,
            rows,
        }
    }
}
