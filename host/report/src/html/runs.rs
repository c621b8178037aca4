//! One app: where it stands, its metrics over time, its runs.

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

/// What is known of an app, and some of its runs.
#[derive(Debug)]
pub struct Runs<'a> {
    /// The app.
    pub app: &'a AppName,
    /// Where it stands.
    pub standing: Result<Option<RunId>, String>,
    /// The runs of this page, newest first.
    pub runs: Vec<Run>,
    /// How many newer ones there are.
    pub first: usize,
    /// How many there are on all pages.
    pub total: usize,
    /// What this page goes on after.
    pub after: Option<RunId>,
    /// The run after which the page of newer ones goes on: nothing for the first page. Absent on the first page itself.
    pub newer: Option<Option<RunId>>,
    /// The metrics that were asked for.
    pub metrics: Vec<String>,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// The run.
    pub run: RunId,
    /// When it last got somewhere.
    pub at: Timestamp,
    /// How it came out.
    pub badge: Badge,
    /// Whether a person accepted it.
    pub accepted: bool,
    /// What is wrong with its objects.
    pub damaged: Option<String>,
    /// What its verdict says. Absent where it has none.
    pub numbers: Option<Numbers>,
}

#[derive(Template)]
#[template(path = "runs.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    name: Text,
    standing: Standing,
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

enum Standing {
    Nothing,
    Run(Text, Href),
    Damaged(Text),
}

struct Row {
    run: Text,
    href: Href,
    at: When,
    badge: Badge,
    judged: bool,
    tally: Option<Text>,
    baseline: bool,
    accepted: bool,
    damaged: Option<Text>,
    /// Of each trend.
    cells: Vec<Option<Text>>,
}

impl Page {
    pub(super) fn new(page: &Runs<'_>) -> Self {
        let Runs { app, standing, runs, first, total, after, newer, metrics } = page;
        let name = app.as_str();
        let own = Href::own(links::app(app));
        let to = |after: Option<&RunId>| {
            let after = after.map(|run| ("after", run.as_str()));
            let parameters: Vec<_> =
                after.into_iter().chain(metrics.iter().map(|key| ("metric", key.as_str()))).collect();
            own.with(&parameters)
        };
        let drawn: Vec<_> = runs.iter().map(|run| (run.badge, run.numbers.as_ref())).collect();
        let (mut trends, choices) = trend::of(&drawn, metrics);
        let mut columns: Vec<_> =
            trends.iter_mut().map(|trend| std::mem::take(&mut trend.values).into_iter()).collect();
        let baseline = standing.as_ref().ok().and_then(Option::as_ref);
        let row = |run: &Run| Row {
            run: Text::of(run.run.as_str()),
            href: Href::own(links::run(app, &run.run)),
            at: When(run.at),
            badge: run.badge,
            judged: run.numbers.is_some(),
            tally: run.numbers.as_ref().map(|numbers| Text::of(&numbers.tally)),
            baseline: baseline == Some(&run.run),
            accepted: run.accepted,
            damaged: run.damaged.as_deref().map(Text::of),
            cells: columns.iter_mut().map(|column| column.next().flatten()).collect(),
        };
        let rows: Vec<Row> = runs.iter().map(row).collect();
        let last = first + rows.len();
        let crumbs = vec![Crumb::to("Apps", links::apps()), Crumb::here(name)];
        Self {
            shell: Shell::new(name, crumbs, env!("CARGO_PKG_VERSION")),
            name: Text::of(name),
            standing: match standing {
                Ok(None) => Standing::Nothing,
                Ok(Some(run)) => Standing::Run(Text::of(run.as_str()), Href::own(links::run(app, run))),
                Err(what) => Standing::Damaged(Text::of(what)),
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
