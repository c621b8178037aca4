//! The page of a run without a verdict.

use askama::Template;
use taster_model::{AppName, DroppedBaseline, RunId, SideSummary};

use super::{
    badge::Badge,
    links::Links,
    report::{Dropped, Side, facts},
    shell::Shell,
    text::{Prose, Text},
};

/// A run without a verdict.
#[derive(Debug)]
pub struct Pending<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The run.
    pub run: &'a RunId,
    /// The capture before the sync.
    pub pre: Option<&'a SideSummary>,
    /// The latest capture after the sync.
    pub post: Option<&'a SideSummary>,
    /// Who dropped the baseline that the run's `pre` had recorded, when and why.
    pub dropped: Option<&'a DroppedBaseline>,
    /// The run's stored objects that are damaged, and how.
    pub damaged: &'a [String],
}

#[derive(Template)]
#[template(path = "pending.html", whitespace = "minimize")]
pub(super) struct Page {
    shell: Shell,
    badge: Badge,
    damaged: Vec<Text>,
    tally: Prose,
    dropped: Option<Dropped>,
    sides: Vec<Side>,
}

impl Page {
    pub(super) fn new(pending: &Pending<'_>) -> Self {
        let Pending { app, run, pre, post, dropped, damaged } = *pending;
        let links = Links::served(app, run);
        let badge = if damaged.is_empty() { Badge::PENDING } else { Badge::DAMAGED };
        let tally = match (pre, post) {
            _ if !damaged.is_empty() => "Stored objects of this run are damaged.".to_owned(),
            (_, Some(_)) => format!("Captured after the sync; `taster compare --run {run}` judges it."),
            (Some(_), None) if dropped.is_some() => "Captured before the sync; nothing is compared with it.".to_owned(),
            (Some(_), None) => format!("Captured before the sync; `taster post --run {run}` judges it after the sync."),
            (None, None) => "No capture of this run was committed: its Job ended too early.".to_owned(),
        };
        let side = |name, side: Option<&SideSummary>| {
            side.map(|side| Side { name, facts: Some(facts(side, (app, run), &links)) })
        };
        Self {
            shell: Shell::new(
                &format!("{app} {run}: {}", badge.word),
                links.crumbs(app, run),
                env!("CARGO_PKG_VERSION"),
            ),
            badge,
            damaged: damaged.iter().map(|what| Text::of(what)).collect(),
            tally: Prose::of(&tally),
            dropped: dropped.map(Dropped::new),
            sides: [side("Before", pre), side("After", post)].into_iter().flatten().collect(),
        }
    }
}
