//! The API for programs: apps, their runs, and what is known of one.

#![expect(clippy::struct_field_names, reason = "the keys of the API are the words of those who ask")]

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_model::{AppName, AttemptId, RunId, SideSummary, Verdict, VerdictDocument};
use taster_report::html::links;
use taster_store::{AppStore, Committed, RunEntry, RunStore, RunSummary, StoreError};
use taster_text::escape_hidden;

use super::{
    Site,
    answer::Accepted,
    ask::{Asked, Named},
    refusal::{Refused, is_damage},
};

/// Runs of a page, where nobody says how many.
pub(super) const PAGE: u16 = 50;
/// Runs of a page at most: the captures of each are read.
pub(super) const LONGEST_PAGE: u16 = 200;

/// The apps that have results.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Apps {
    /// By name.
    apps: Vec<App>,
}

/// One app.
#[derive(Debug, Serialize, JsonSchema)]
struct App {
    /// Its name.
    app: AppName,
    /// Where its runs are listed, relative to this server.
    #[schemars(extend("format" = "uri-reference"))]
    runs: String,
    /// The page that shows it, relative to this server.
    #[schemars(extend("format" = "uri-reference"))]
    page: String,
}

/// Some runs of an app, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Runs {
    /// The app.
    app: AppName,
    /// How many there are, on all pages.
    total: usize,
    /// Those of this page.
    runs: Vec<Run>,
    /// What is wrong with what says where the app stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
    /// The next page, relative to this server. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri-reference"))]
    next: Option<String>,
}

/// One run, in short.
#[derive(Debug, Serialize, JsonSchema)]
struct Run {
    /// The run.
    run: RunId,
    /// When it last got somewhere, by the store's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// When the capture before the sync began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pre: Option<Timestamp>,
    /// When the latest capture after it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    post: Option<Timestamp>,
    /// The verdict, once there is one; `unknown` where anything of the run is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// Whether a person accepted it.
    accepted: bool,
    /// Whether its capture is the app's standing baseline. Absent where nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    /// What is wrong with its objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
    /// How many objects it has.
    objects: u64,
    /// Bytes of them.
    bytes: u64,
    /// Where there is more.
    links: Links,
}

/// Where there is more, relative to this server.
#[derive(Debug, Serialize, JsonSchema)]
struct Links {
    /// The run.
    #[schemars(extend("format" = "uri-reference"))]
    run: String,
    /// Its verdict. Absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri-reference"))]
    verdict: Option<String>,
    /// The page that shows it.
    #[schemars(extend("format" = "uri-reference"))]
    page: String,
}

impl Links {
    fn of(app: &AppName, entry: &RunEntry) -> Self {
        let run = format!("/v1/apps/{app}/runs/{}", entry.run);
        Self { verdict: entry.verdict.then(|| format!("{run}/verdict")), page: links::run(app, &entry.run), run }
    }
}

/// One run, with what its captures say of the server and of each probe.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunDetail {
    /// The app.
    app: AppName,
    /// The run.
    run: RunId,
    /// When it last got somewhere, by the store's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The verdict, once there is one; `unknown` where anything of the run is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// The attempt that the verdict judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<AttemptId>,
    /// The run whose capture it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<RunId>,
    /// Who took responsibility for the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted>,
    /// Whether its capture is the app's standing baseline. Absent where nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    /// The capture before the sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pre: Option<SideSummary>,
    /// The latest capture after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<SideSummary>,
    /// Attempts after the sync that were committed, the latest one last.
    posts: Vec<AttemptId>,
    /// What is wrong with its objects.
    damaged: Vec<String>,
    /// How many objects it has.
    objects: u64,
    /// Bytes of them.
    bytes: u64,
    /// Where there is more.
    links: Links,
}

/// List the apps that have results
#[utoipa::path(
    get,
    path = "/v1/apps",
    operation_id = "apps",
    tag = "results",
    responses((status = 200, description = "The apps, by name.", body = ref("#/components/schemas/Apps"))),
)]
pub(super) async fn apps(State(site): State<Site>) -> Result<Json<Apps>, Refused> {
    let apps = site.store.apps().await?;
    let apps = apps.into_iter().map(|app| App { runs: format!("/v1/apps/{app}/runs"), page: links::app(&app), app });
    Ok(Json(Apps { apps: apps.collect() }))
}

/// Which page of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default = "page_length")]
    limit: u16,
    after: Option<RunId>,
}

fn page_length() -> u16 {
    PAGE
}

/// List the runs of an app, newest first
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/runs",
    operation_id = "runs",
    tag = "results",
    params(
        ("app" = String, Path, description = "The app."),
        ("limit" = Option<u16>, Query, description = "Runs of a page. Default: 50.", minimum = 1, maximum = 200),
        ("after" = Option<String>, Query, description = "The last run of the page before. Default: the first page."),
    ),
    responses(
        (status = 200, description = "Some runs.", body = ref("#/components/schemas/Runs")),
        (status = 404, description = "There is no such app, or no such run to go on after.",
            body = ref("#/components/schemas/Refusal")),
    ),
)]
pub(super) async fn runs(
    State(site): State<Site>,
    Named(app): Named<AppName>,
    Asked(page): Asked<Page>,
) -> Result<Json<Runs>, Refused> {
    if !(1..=LONGEST_PAGE).contains(&page.limit) {
        return Err(Refused::Bad(format!("limit is {}, and must be 1 to {LONGEST_PAGE}", page.limit)));
    }
    let store = site.store.app(&app);
    let (standing, index) = futures_util::try_join!(standing(&store), store.index())?;
    if index.is_empty() {
        return Err(Refused::NoApp { app });
    }
    let total = index.len();
    let first = match page.after {
        None => 0,
        Some(after) => match index.iter().position(|entry| entry.run == after) {
            Some(place) => place + 1,
            None => return Err(Refused::NoRun { app, run: after }),
        },
    };
    let entries: Vec<RunEntry> = index.into_iter().skip(first).take(page.limit.into()).collect();
    let next = match entries.last() {
        Some(last) if first + entries.len() < total => {
            Some(format!("/v1/apps/{app}/runs?limit={}&after={}", page.limit, last.run))
        }
        _ => None,
    };
    let summaries = store.summaries(entries.iter().cloned()).await?;
    let runs = entries.iter().zip(summaries).map(|(entry, summary)| line(&app, entry, summary, &standing));
    Ok(Json(Runs { total, runs: runs.collect(), damaged: standing.err(), next, app }))
}

fn line(app: &AppName, entry: &RunEntry, summary: RunSummary, standing: &Standing) -> Run {
    let RunSummary { run, pre, post, verdict, accepted, damaged } = summary;
    Run {
        at: entry.at,
        pre,
        post,
        verdict: shown(entry, verdict, damaged.is_some()),
        accepted,
        baseline: is_baseline(standing, &run),
        damaged: damaged.map(|what| escape_hidden(&what)),
        objects: entry.objects,
        bytes: entry.bytes,
        links: Links::of(app, entry),
        run,
    }
}

/// The run whose capture is the standing baseline; or what is wrong with what would say so.
pub(super) type Standing = Result<Option<RunId>, String>;

pub(super) async fn standing(store: &AppStore) -> Result<Standing, StoreError> {
    match store.current().await {
        Ok(current) => Ok(Ok(current.and_then(|current| current.baseline).map(|baseline| baseline.run))),
        Err(error) if is_damage(&error) => Ok(Err(escape_hidden(&error.to_string()))),
        Err(error) => Err(error),
    }
}

fn is_baseline(standing: &Standing, run: &RunId) -> Option<bool> {
    standing.as_ref().ok().map(|baseline| baseline.as_ref() == Some(run))
}

/// What is shown for a verdict: nothing where there is none, and `unknown` where anything of the run is damaged.
fn shown(entry: &RunEntry, verdict: Option<Verdict>, damaged: bool) -> Option<Verdict> {
    if damaged { entry.verdict.then_some(Verdict::Unknown) } else { verdict }
}

/// Say what is known of a run
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/runs/{run}",
    operation_id = "run",
    tag = "results",
    params(("app" = String, Path, description = "The app."), ("run" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "What is known of it.", body = ref("#/components/schemas/RunDetail")),
        (status = 404, description = "There is no such run.", body = ref("#/components/schemas/Refusal")),
    ),
)]
pub(super) async fn run(
    State(site): State<Site>,
    Named((app, run)): Named<(AppName, RunId)>,
) -> Result<Json<RunDetail>, Refused> {
    let store = site.store.app(&app);
    let stored = store.run(&run);
    let Some(entry) = stored.entry().await? else { return Err(Refused::NoRun { app, run }) };
    Ok(Json(detail(app, &store, &stored, entry).await?))
}

async fn detail(app: AppName, store: &AppStore, stored: &RunStore, entry: RunEntry) -> Result<RunDetail, Refused> {
    let latest = async {
        match entry.posts.last() {
            Some(attempt) => stored.post(attempt).await,
            None => Ok(None),
        }
    };
    let (pre, post, verdict, accepted, standing) =
        tokio::join!(stored.pre(), latest, stored.verdict(), stored.accepted(), standing(store));
    let mut damaged = Vec::new();
    let pre = noted(pre, &mut damaged)?;
    let post = noted(post, &mut damaged)?;
    let verdict = noted(verdict, &mut damaged)?;
    let accepted = noted(accepted, &mut damaged)?;
    let baseline = is_baseline(&standing?, &entry.run);
    let judged = verdict.as_ref().map(|verdict| verdict.attempt.clone());
    Ok(RunDetail {
        at: entry.at,
        verdict: shown(&entry, verdict.as_ref().map(|verdict| verdict.verdict), !damaged.is_empty()),
        accepted: accepted.filter(|accepted| Some(&accepted.attempt) == judged.as_ref()).map(Accepted::from),
        judged,
        against: verdict.and_then(|verdict| verdict.before).map(|before| before.run),
        baseline,
        pre: pre.as_ref().map(taster_flow::side_summary),
        post: post.as_ref().map(taster_flow::side_summary),
        damaged,
        objects: entry.objects,
        bytes: entry.bytes,
        links: Links::of(&app, &entry),
        app,
        run: entry.run,
        posts: entry.posts,
    })
}

/// Damage becomes a note: whoever looks at a run wants to see what is left of it.
pub(super) fn noted<T>(
    result: Result<Option<Committed<T>>, StoreError>,
    damaged: &mut Vec<String>,
) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if is_damage(&error) => {
            damaged.push(escape_hidden(&error.to_string()));
            Ok(None)
        }
        other => Ok(other?.map(Committed::into_inner)),
    }
}

/// Read the verdict of a run
///
/// The stored document, whatever it says: always 200 where there is one.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/runs/{run}/verdict",
    operation_id = "verdict",
    tag = "results",
    params(("app" = String, Path, description = "The app."), ("run" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The verdict.", body = ref("#/components/schemas/VerdictDocument")),
        (status = 404, description = "There is no such run, or it has no verdict.",
            body = ref("#/components/schemas/Refusal")),
        (status = 409, description = "The verdict is damaged.", body = ref("#/components/schemas/Refusal")),
    ),
)]
pub(super) async fn verdict(
    State(site): State<Site>,
    Named((app, run)): Named<(AppName, RunId)>,
) -> Result<Json<VerdictDocument>, Refused> {
    match site.store.app(&app).run(&run).verdict().await? {
        Some(verdict) => Ok(Json(verdict.into_inner())),
        None => Err(Refused::NoVerdict { app, run }),
    }
}
